/* The sections of a profile that say what hosts bring along: gpu, libraries, file system, limits. */
#include "images/profile_read.h"

#include <stdlib.h>

enum { MAX_PATTERNS = 256, MAX_LIBRARIES = 20000, MAX_VERSIONS = 5000 };

typedef bool is_good(struct str);

/* A list of texts, each of which is_good; `looks_like` is one of them, for the message. */
static int read_list(const struct profile_reading *r, const struct yaml *y, const char *key,
	is_good *good, const char *looks_like, struct str **out, size_t *n, struct err *e)
{
	if (y->kind != YAML_SEQUENCE)
		return yaml_fail(r->file, y, e, "'%s' must be a list, as in [%s]", key, looks_like);
	if (y->n > MAX_PATTERNS)
		return yaml_fail(r->file, y, e, "'%s' has more than %d entries", key, MAX_PATTERNS);
	*out = arena_array(r->a, struct str, y->n);
	*n = 0;
	for (size_t i = 0; i < y->n; i++) {
		struct str *text = &(*out)[i];

		if (profile_scalar(r, y->items[i], key, text, e) < 0)
			return -1;
		if (!good(*text))
			return yaml_fail(r->file, y->items[i], e,
				"an entry of '%s' looks like '%s', not '%.*s'", key, looks_like,
				STR_ARG(*text));
		for (size_t k = 0; k < i; k++)
			if (str_eq((*out)[k], *text))
				return yaml_fail(r->file, y->items[i], e, "'%.*s' is given twice",
					STR_ARG(*text));
		++*n;
	}
	return 0;
}

/* --- gpu ---------------------------------------------------------------------------------- */

/* "8.0": two numbers. */
static bool is_capability(struct str s)
{
	struct str major = str_cut(&s, '.');
	uint64_t n;

	return str_u64(major, 99, &n) == 0 && s.p && str_u64(s, 9, &n) == 0;
}

/* Below /dev, and no way out of it. */
static bool is_device(struct str s)
{
	if (!str_starts(s, STR("/dev/")) || s.n == strlen("/dev/"))
		return false;
	s = str_sub(s, 1, s.n);
	while (s.p) {
		struct str part = str_cut(&s, '/');

		if (part.n == 0 || str_is(part, ".") || str_is(part, ".."))
			return false;
	}
	return true;
}

static bool is_file_pattern(struct str s)
{
	return profile_is_word(s, "._+-*?[]") && s.p[0] != '.' && s.p[0] != '-';
}

static int read_capability(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	struct str *out = &r->out->gpu.compute_capability;

	if (profile_scalar(r, y, "compute-capability", out, e) < 0)
		return -1;
	if (!is_capability(*out))
		return yaml_fail(r->file, y, e, "a compute capability looks like '8.0', not '%.*s'",
			STR_ARG(*out));
	return 0;
}

static int read_nodes(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	return read_list(r, y, "device-nodes", is_device, "/dev/nvidiactl",
		&r->out->gpu.device_nodes, &r->out->gpu.n_device_nodes, e);
}

static int read_gpu_libraries(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	return read_list(r, y, "libraries", is_file_pattern, "libcuda.so.1", &r->out->gpu.libraries,
		&r->out->gpu.n_libraries, e);
}

static int read_programs(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	return read_list(r, y, "programs", is_file_pattern, "nvidia-smi", &r->out->gpu.programs,
		&r->out->gpu.n_programs, e);
}

int profile_read_gpu(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	static const struct profile_key keys[] = {
		{"compute-capability", read_capability},
		{"device-nodes", read_nodes},
		{"libraries", read_gpu_libraries},
		{"programs", read_programs},
		{NULL, NULL},
	};

	r->out->gpu.wanted = true;
	return profile_read_map(r, y, "'gpu'", keys, e);
}

/* --- libraries ---------------------------------------------------------------------------- */

static int cmp_library(const void *a, const void *b)
{
	return str_cmp(((const struct profile_library *)a)->soname,
		((const struct profile_library *)b)->soname);
}

static int library_word(const struct profile_reading *r, const struct yaml *y, const char *what,
	struct str *out, struct err *e)
{
	if (profile_scalar(r, y, "libraries", out, e) < 0)
		return -1;
	if (!profile_is_library_word(*out))
		return yaml_fail(r->file, y, e, "'%.*s' is not %s", STR_ARG(*out), what);
	return 0;
}

static int read_library(const struct profile_reading *r, const struct yaml *key,
	const struct yaml *list, struct profile_library *out, struct err *e)
{
	if (library_word(r, key, "the soname of a library, as in 'libc.so.6'", &out->soname, e) < 0)
		return -1;
	if (list->kind != YAML_SEQUENCE) {
		yaml_fail(r->file, list, e, "the symbol versions of '%.*s' must be a list",
			STR_ARG(out->soname));
		return err_advise(e, "write [] for a library without symbol versions");
	}
	if (list->n > MAX_VERSIONS)
		return yaml_fail(r->file, list, e, "'%.*s' has more than %d symbol versions",
			STR_ARG(out->soname), MAX_VERSIONS);
	out->versions = arena_array(r->a, struct str, list->n);
	out->n_versions = list->n;
	for (size_t i = 0; i < list->n; i++)
		if (library_word(r, list->items[i], "a symbol version, as in 'GLIBC_2.17'",
			    &out->versions[i], e) < 0)
			return -1;
	qsort(out->versions, out->n_versions, sizeof *out->versions, str_cmp_qsort);
	for (size_t i = 1; i < out->n_versions; i++)
		if (str_eq(out->versions[i - 1], out->versions[i]))
			return yaml_fail(r->file, list, e, "'%.*s' is given twice",
				STR_ARG(out->versions[i]));
	return 0;
}

int profile_read_libraries(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	struct profile *p = r->out;

	if (y->kind != YAML_MAP)
		return yaml_fail(r->file, y, e,
			"'libraries' must be a map, as in 'libc.so.6: [GLIBC_2.2.5, GLIBC_2.17]'");
	if (y->n > MAX_LIBRARIES)
		return yaml_fail(r->file, y, e, "more than %d libraries", MAX_LIBRARIES);
	p->has_libraries = true;
	p->libraries = arena_array(r->a, struct profile_library, y->n);
	for (size_t i = 0; i < y->n; i++)
		if (read_library(r, y->keys[i], y->items[i], &p->libraries[p->n_libraries++], e) <
			0)
			return -1;
	qsort(p->libraries, p->n_libraries, sizeof *p->libraries, cmp_library);
	return 0;
}

/* --- file system and limits --------------------------------------------------------------- */

static bool is_folder(struct str s)
{
	return s.n > 0 && s.p[0] == '/';
}

static int read_case(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	struct str text;

	if (profile_scalar(r, y, "case-sensitive", &text, e) < 0)
		return -1;
	if (!str_is(text, "true") && !str_is(text, "false"))
		return yaml_fail(r->file, y, e, "'case-sensitive' is true or false, not '%.*s'",
			STR_ARG(text));
	r->out->file_system.names = str_is(text, "true") ? CASE_SENSITIVE : CASE_INSENSITIVE;
	return 0;
}

static int read_noexec(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	struct profile_file_system *fs = &r->out->file_system;

	if (read_list(r, y, "noexec", is_folder, "/tmp", &fs->noexec, &fs->n_noexec, e) < 0)
		return -1;
	qsort(fs->noexec, fs->n_noexec, sizeof *fs->noexec, str_cmp_qsort);
	return 0;
}

int profile_read_file_system(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	static const struct profile_key keys[] = {
		{"case-sensitive", read_case},
		{"noexec", read_noexec},
		{NULL, NULL},
	};

	r->out->file_system.said = true;
	return profile_read_map(r, y, "'file-system'", keys, e);
}

static int read_limit(const struct profile_reading *r, const struct yaml *y, const char *key,
	uint64_t *out, struct err *e)
{
	struct str text;

	if (profile_scalar(r, y, key, &text, e) < 0)
		return -1;
	if (str_is(text, "unlimited")) {
		*out = PROFILE_UNLIMITED;
		return 0;
	}
	if (str_u64(text, INT64_MAX, out) < 0 || *out == 0)
		return yaml_fail(r->file, y, e,
			"'%s' is a whole number from 1, or 'unlimited', not '%.*s'", key,
			STR_ARG(text));
	return 0;
}

static int read_open_files(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	return read_limit(r, y, "open-files", &r->out->limits.open_files, e);
}

static int read_processes(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	return read_limit(r, y, "processes", &r->out->limits.processes, e);
}

static int read_stack(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	return read_limit(r, y, "stack", &r->out->limits.stack, e);
}

int profile_read_limits(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	static const struct profile_key keys[] = {
		{"open-files", read_open_files},
		{"processes", read_processes},
		{"stack", read_stack},
		{NULL, NULL},
	};

	return profile_read_map(r, y, "'limits'", keys, e);
}

/* --- CPU ---------------------------------------------------------------------------------- */

/* archspec's list of CPUs grows, so an unknown name passes; one that means a level is checked. */
int profile_check_cpu(
	const struct profile_reading *r, const struct yaml *y, struct str name, struct err *e)
{
	if ((!str_starts(name, STR("x86_64")) && !str_starts(name, STR("x86-64"))) ||
		cpu_level_of(name) >= 0)
		return 0;
	yaml_fail(r->file, y, e, "no CPU level is called '%.*s'", STR_ARG(name));
	return err_advise(e, "there are x86_64, x86_64_v2, x86_64_v3 and x86_64_v4");
}
