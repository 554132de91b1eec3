#include "base/buf.h"
#include "images/compare.h"
#include "images/libc.h"

struct comparing {
	struct arena *a;
	const struct profile *said, *has;
	struct drifts *out;
};

static void add(
	struct comparing *c, bool lacks, const char *what, const char *said, const char *has)
{
	*VEC_PUSH(c->a, c->out) = (struct drift){lacks, what, said, has};
	c->out->lacking += lacks;
}

static const char *text(struct comparing *c, struct str s)
{
	return arena_cstr(c->a, s);
}

/* What stands behind NAME=, in words. */
static const char *value(struct comparing *c, struct str virtual)
{
	struct str name = str_cut(&virtual, '=');

	if (str_is(name, "__archspec") && str_starts(virtual, STR("1=")))
		virtual = str_sub(virtual, 2, virtual.n);
	return text(c, virtual);
}

/* --- virtual packages --------------------------------------------------------------------- */

static void compare_virtual(struct comparing *c, struct str said, bool image)
{
	struct str rest = said;
	const char *name = text(c, str_cut(&rest, '='));
	struct str has = profile_virtual(c->has, name);
	int order;

	if (image && strcmp(name, "__glibc") != 0)
		return;
	if (!has.n)
		add(c, true, name, value(c, said), "");
	else if (!virtual_compare(has, said, &order))
		add(c, !str_starts(said, STR("__archspec=")), name, value(c, said), value(c, has));
	else if (order != 0)
		add(c, order < 0, name, value(c, said), value(c, has));
}

static void compare_virtuals(struct comparing *c, bool image)
{
	for (size_t i = 0; i < c->said->n_virtual_packages; i++)
		compare_virtual(c, c->said->virtual_packages[i], image);
	for (size_t i = 0; !image && i < c->has->n_virtual_packages; i++) {
		struct str has = c->has->virtual_packages[i], rest = has;
		const char *name = text(c, str_cut(&rest, '='));

		if (!profile_virtual(c->said, name).n)
			add(c, false, name, "", value(c, has));
	}
}

/* --- libraries ---------------------------------------------------------------------------- */

/* Those of v that are not in the other list, with a comma between; NULL: none.  Both are sorted. */
static const char *missing(
	struct comparing *c, const struct profile_library *in, const struct profile_library *from)
{
	CLEANUP_BUF list = {0};
	size_t k = 0;

	for (size_t i = 0; i < in->n_versions; i++) {
		while (k < from->n_versions && str_cmp(from->versions[k], in->versions[i]) < 0)
			k++;
		if (k < from->n_versions && str_eq(from->versions[k], in->versions[i]))
			continue;
		buf_printf(&list, "%s%.*s", list.n ? ", " : "", STR_ARG(in->versions[i]));
	}
	return list.n ? text(c, buf_view(&list)) : NULL;
}

static void compare_library(struct comparing *c, const struct profile_library *said)
{
	const struct profile_library *has = profile_library(c->has, said->soname);
	const char *soname = text(c, said->soname), *less, *more;

	if (!has) {
		add(c, true, soname, "there", "");
		return;
	}
	less = missing(c, said, has);
	more = missing(c, has, said);
	if (less)
		add(c, true, soname, less, "");
	if (more)
		add(c, false, soname, "", more);
}

static void compare_libraries(struct comparing *c)
{
	size_t more = 0;

	if (!c->said->has_libraries)
		return;
	for (size_t i = 0; i < c->said->n_libraries; i++)
		compare_library(c, &c->said->libraries[i]);
	for (size_t i = 0; i < c->has->n_libraries; i++)
		more += !profile_library(c->said, c->has->libraries[i].soname);
	if (more)
		add(c, false, "libraries", "", arena_printf(c->a, "%zu more", more));
}

/* --- GPU ---------------------------------------------------------------------------------- */

/* The lists say what to hand on where it is there; a host without MIG has no nvidia-caps. */
static void compare_gpus(struct comparing *c)
{
	const struct profile_gpu *said = &c->said->gpu, *has = &c->has->gpu;
	int order;

	if (!said->wanted || !has->wanted)
		return; /* __cuda says it */
	if (said->compute_capability.n && !has->compute_capability.n)
		add(c, true, "gpu: compute-capability", text(c, said->compute_capability), "");
	if (said->compute_capability.n && has->compute_capability.n) {
		order = glibc_cmp(has->compute_capability, said->compute_capability);
		if (order)
			add(c, order < 0, "gpu: compute-capability",
				text(c, said->compute_capability),
				text(c, has->compute_capability));
	}
}

/* --- file system and limits --------------------------------------------------------------- */

static void compare_file_systems(struct comparing *c)
{
	const struct profile_file_system *said = &c->said->file_system, *has = &c->has->file_system;

	if (!said->said)
		return;
	if (said->names != CASE_UNSAID && has->names != CASE_UNSAID && said->names != has->names)
		add(c, has->names == CASE_INSENSITIVE, "file-system: case-sensitive",
			said->names == CASE_SENSITIVE ? "true" : "false",
			has->names == CASE_SENSITIVE ? "true" : "false");
	for (size_t i = 0; i < has->n_noexec; i++)
		if (!str_in(has->noexec[i], said->noexec, said->n_noexec))
			add(c, true, "file-system: noexec", "", text(c, has->noexec[i]));
	for (size_t i = 0; i < said->n_noexec; i++)
		if (!str_in(said->noexec[i], has->noexec, has->n_noexec))
			add(c, false, "file-system: noexec", text(c, said->noexec[i]), "");
}

static const char *limit_text(struct comparing *c, uint64_t limit)
{
	if (limit == PROFILE_UNLIMITED)
		return "unlimited";
	return limit ? arena_printf(c->a, "%llu", (unsigned long long)limit) : "";
}

static void compare_limit(struct comparing *c, const char *what, uint64_t said, uint64_t has)
{
	if (said && said != has)
		add(c, has < said, what, limit_text(c, said), limit_text(c, has));
}

static void compare_limits(struct comparing *c)
{
	const struct profile_limits *said = &c->said->limits, *has = &c->has->limits;

	compare_limit(c, "limits: open-files", said->open_files, has->open_files);
	compare_limit(c, "limits: processes", said->processes, has->processes);
	compare_limit(c, "limits: stack", said->stack, has->stack);
}

void profile_drift(struct arena *a, const struct profile *said, const struct profile *has,
	bool image, struct drifts *out)
{
	struct comparing c = {a, said, has, out};

	if (!str_eq(said->subdir, has->subdir))
		add(&c, true, "subdir", text(&c, said->subdir), text(&c, has->subdir));
	compare_virtuals(&c, image);
	if (!image)
		compare_gpus(&c);
	compare_libraries(&c);
	if (image)
		return;
	compare_file_systems(&c);
	compare_limits(&c);
}
