#include "images/compare.h"
#include "images/libc.h"

#include <stdlib.h>

/* The parts of NAME=VERSION=BUILD. */
struct parts {
	struct str name, version, build;
};

static struct parts split(struct str text)
{
	struct parts p = {.name = str_cut(&text, '=')};

	p.version = str_cut(&text, '=');
	p.build = text;
	return p;
}

static bool compare_cpus(struct str a, struct str b, int *order)
{
	int x = cpu_level_of(a), y = cpu_level_of(b);

	if (x < 0 || y < 0)
		return false;
	*order = x - y;
	return true;
}

bool virtual_compare(struct str a, struct str b, int *order)
{
	struct parts x = split(a), y = split(b);

	*order = 0;
	if (str_eq(a, b))
		return true;
	if (str_is(x.name, "__archspec"))
		return compare_cpus(x.build, y.build, order);
	/* a C library has no builds that differ, so what somebody wrote there says nothing */
	if ((!str_is(x.name, "__glibc") && !str_eq(x.build, y.build)) ||
		!version_is_numeric(x.version) || !version_is_numeric(y.version))
		return false;
	*order = glibc_cmp(x.version, y.version);
	return true;
}

/* --- union -------------------------------------------------------------------------------- */

/* Of two CPUs of one level, or of those that are not known, what both surely are. */
static struct str common_cpu(struct arena *a, struct str x, struct str y)
{
	int i = cpu_level_of(split(x).build), k = cpu_level_of(split(y).build);

	if (i < 0 || k < 0)
		return (struct str){NULL, 0};
	return arena_strf(a, "__archspec=1=%s", cpu_level_name(i < k ? i : k));
}

/* The weaker of two of a name; empty where that cannot be said. */
static struct str weaker(struct arena *a, struct str x, struct str y)
{
	int order;

	if (str_eq(x, y))
		return x;
	if (str_starts(x, STR("__archspec=")))
		return common_cpu(a, x, y);
	if (!virtual_compare(x, y, &order))
		return (struct str){NULL, 0};
	return order <= 0 ? x : y;
}

static void unite_virtuals(
	struct arena *a, const struct profile *const *v, size_t n, struct profile *out)
{
	out->virtual_packages = arena_array(a, struct str, v[0]->n_virtual_packages);
	for (size_t i = 0; i < v[0]->n_virtual_packages; i++) {
		struct str least = v[0]->virtual_packages[i];
		const char *name = arena_cstr(a, split(least).name);

		for (size_t k = 1; k < n && least.n; k++) {
			struct str other = profile_virtual(v[k], name);

			least = other.n ? weaker(a, least, other) : other;
		}
		if (least.n)
			out->virtual_packages[out->n_virtual_packages++] = least;
		if (least.n && !strcmp(name, "__glibc"))
			out->glibc = split(least).version;
	}
}

bool str_in(struct str s, const struct str *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i], s))
			return true;
	return false;
}

/* Those of the list that the other has, too, in place. */
static void keep_common(struct str *v, size_t *n, const struct str *other, size_t n_other)
{
	size_t kept = 0;

	for (size_t i = 0; i < *n; i++)
		if (str_in(v[i], other, n_other))
			v[kept++] = v[i];
	*n = kept;
}

static struct str *copy_list(struct arena *a, const struct str *v, size_t n)
{
	struct str *to = arena_array(a, struct str, n);

	for (size_t i = 0; i < n; i++)
		to[i] = v[i];
	return to;
}

static void unite_gpus(
	struct arena *a, const struct profile *const *v, size_t n, struct profile_gpu *out)
{
	*out = v[0]->gpu;
	out->device_nodes = copy_list(a, out->device_nodes, out->n_device_nodes);
	out->libraries = copy_list(a, out->libraries, out->n_libraries);
	out->programs = copy_list(a, out->programs, out->n_programs);
	for (size_t i = 1; i < n; i++) {
		const struct profile_gpu *g = &v[i]->gpu;

		out->wanted = out->wanted && g->wanted;
		if (!g->compute_capability.n ||
			(out->compute_capability.n &&
				glibc_cmp(g->compute_capability, out->compute_capability) < 0))
			out->compute_capability = g->compute_capability;
		keep_common(out->device_nodes, &out->n_device_nodes, g->device_nodes,
			g->n_device_nodes);
		keep_common(out->libraries, &out->n_libraries, g->libraries, g->n_libraries);
		keep_common(out->programs, &out->n_programs, g->programs, g->n_programs);
	}
	if (!out->wanted)
		*out = (struct profile_gpu){0};
}

static bool unite_library(
	struct arena *a, const struct profile *const *v, size_t n, struct profile_library *l)
{
	l->versions = copy_list(a, l->versions, l->n_versions);
	for (size_t i = 1; i < n; i++) {
		const struct profile_library *other = profile_library(v[i], l->soname);

		if (!other)
			return false;
		keep_common(l->versions, &l->n_versions, other->versions, other->n_versions);
	}
	return true;
}

static void unite_libraries(
	struct arena *a, const struct profile *const *v, size_t n, struct profile *out)
{
	for (size_t i = 0; i < n; i++)
		if (!v[i]->has_libraries)
			return;
	out->has_libraries = true;
	out->libraries = arena_array(a, struct profile_library, v[0]->n_libraries);
	for (size_t i = 0; i < v[0]->n_libraries; i++) {
		struct profile_library l = v[0]->libraries[i];

		if (unite_library(a, v, n, &l))
			out->libraries[out->n_libraries++] = l;
	}
}

static void unite_file_systems(
	struct arena *a, const struct profile *const *v, size_t n, struct profile_file_system *out)
{
	size_t sum = 0;

	out->names = v[0]->file_system.names;
	for (size_t i = 0; i < n; i++)
		sum += v[i]->file_system.n_noexec;
	out->noexec = arena_array(a, struct str, sum);
	for (size_t i = 0; i < n; i++) {
		const struct profile_file_system *fs = &v[i]->file_system;

		out->said = out->said || fs->said;
		if (fs->names != out->names)
			out->names = fs->names == CASE_INSENSITIVE || out->names == CASE_INSENSITIVE
					     ? CASE_INSENSITIVE
					     : CASE_UNSAID;
		for (size_t k = 0; k < fs->n_noexec; k++)
			if (!str_in(fs->noexec[k], out->noexec, out->n_noexec))
				out->noexec[out->n_noexec++] = fs->noexec[k];
	}
	if (out->n_noexec)
		qsort(out->noexec, out->n_noexec, sizeof *out->noexec, str_cmp_qsort);
}

/* 0, which is "not said", is the least of all. */
static void least(uint64_t *to, uint64_t other)
{
	if (other < *to)
		*to = other;
}

int profile_union(struct arena *a, const char *name, const struct profile *const *v, size_t n,
	struct profile *out, struct err *e)
{
	*out = (struct profile){.name = str_of(name),
		.subdir = v[0]->subdir,
		.network = true,
		.source = "union",
		.limits = v[0]->limits};
	for (size_t i = 1; i < n; i++) {
		if (!str_eq(v[i]->subdir, v[0]->subdir)) {
			err_set(e, ERR_USAGE, "'%s' is of %.*s, '%s' of %.*s", v[0]->source,
				STR_ARG(v[0]->subdir), v[i]->source, STR_ARG(v[i]->subdir));
			return err_advise(e, "make a union for each subdir");
		}
		least(&out->limits.open_files, v[i]->limits.open_files);
		least(&out->limits.processes, v[i]->limits.processes);
		least(&out->limits.stack, v[i]->limits.stack);
	}
	unite_virtuals(a, v, n, out);
	if (profile_virtual(out, "__cuda").n)
		unite_gpus(a, v, n, &out->gpu);
	unite_libraries(a, v, n, out);
	unite_file_systems(a, v, n, &out->file_system);
	return 0;
}
