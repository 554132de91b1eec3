#include "packer/audit.h"

#include "base/table.h"
#include "images/libc.h"
#include "images/loader.h"

#include <fnmatch.h>
#include <stdlib.h>

struct auditing {
	struct arena *a;
	const struct audit_tree *tree;
	const struct audit_options *options;
	struct loader *loader;
	struct audit *out;
	struct table brought; /* sonames of the tree */
	struct str *floor;    /* by package + 1 */
	struct str *floor_path;
	struct {
		struct audit_finding *v;
		size_t n, cap;
	} findings;
};

struct str audit_library_name(struct str path, const struct elf *elf)
{
	if (elf->soname.n)
		return elf->soname;
	return str_sub(path, (size_t)(str_rchr(path, '/') + 1), path.n);
}

const struct audit_file *audit_tree_find(const struct audit_tree *t, struct str path)
{
	size_t low = 0, high = t->n_files;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = str_cmp(t->files[mid].path, path);

		if (c == 0)
			return &t->files[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

struct str audit_where(struct arena *a, const struct audit *audit, const struct audit_finding *f)
{
	if (f->package < 0)
		return arena_strf(a, "'%.*s'", STR_ARG(f->path));
	return arena_strf(a, "'%.*s' of package '%.*s'", STR_ARG(f->path),
		STR_ARG(audit->tree->packages[f->package].dist));
}

/* "GLIBCXX_3.4.20" is of the family "GLIBCXX_", its number is "3.4.20". */
static struct str number_of(struct str version, struct str *family)
{
	size_t i = 0;

	while (i < version.n && (version.p[i] < '0' || version.p[i] > '9'))
		i++;
	*family = str_sub(version, 0, i);
	return str_sub(version, i, version.n);
}

/* The newest version of the same family. */
static struct str best_of(const struct elf *l, struct str version)
{
	struct str family, best = {NULL, 0};

	number_of(version, &family);
	for (size_t i = 0; i < l->n_defines; i++) {
		struct str other, number = number_of(l->defines[i], &other), unused;

		if (str_eq(family, other) &&
			(best.n == 0 || glibc_cmp(number, number_of(best, &unused)) > 0))
			best = l->defines[i];
	}
	return best;
}

static bool defines(const struct elf *l, struct str version)
{
	for (size_t i = 0; i < l->n_defines; i++)
		if (str_eq(l->defines[i], version))
			return true;
	return false;
}

static struct audit_finding *add(struct auditing *au, const struct audit_file *f,
	enum audit_rule rule, enum audit_level level, enum audit_sure sure)
{
	struct audit_finding *x = VEC_PUSH(au->a, &au->findings);

	*x = (struct audit_finding){
		.rule = rule, .level = level, .sure = sure, .package = f->package, .path = f->path};
	return x;
}

static void raise_floor(struct auditing *au, const struct audit_file *f, struct str number)
{
	struct str *floor = &au->floor[f->package + 1];

	if (floor->n && glibc_cmp(number, *floor) <= 0)
		return;
	*floor = number;
	au->floor_path[f->package + 1] = f->path;
}

static void lacks_version(struct auditing *au, const struct audit_file *f,
	const struct elf_need *need, struct str best)
{
	struct audit_finding *x = add(au, f, RULE_VERSION, LEVEL_ERROR, SURE_LIKELY);
	const struct profile *p = au->options->profile;

	x->needs = need->version;
	x->library = need->file;
	x->has = best;
	x->text = arena_strf(au->a, "%.*s needs %.*s of %.*s; hosts of target '%.*s' have %.*s%.*s",
		STR_ARG(audit_where(au->a, au->out, x)), STR_ARG(x->needs), STR_ARG(x->library),
		STR_ARG(p->name), STR_ARG(best.n ? best : STR("none of its kind")),
		STR_ARG(best.n ? STR(" at most") : STR("")));
}

static int judge_need(
	struct auditing *au, const struct audit_file *f, const struct elf_need *need, struct err *e)
{
	const struct host_library *l = NULL;
	struct str family, number = number_of(need->version, &family);
	bool known = str_is(family, "GLIBC_") && version_is_numeric(number);
	const struct profile *p = au->options->profile;

	if (table_get(&au->brought, need->file))
		return 0;
	if (known)
		raise_floor(au, f, number);
	if (loader_find(au->loader, need->file, false, &l, e) < 0)
		return -1;
	if (need->weak || (l && defines(&l->elf, need->version)))
		return 0;
	if (l)
		lacks_version(au, f, need, best_of(&l->elf, need->version));
	else if (known && glibc_cmp(number, p->glibc) > 0)
		lacks_version(au, f, need, arena_strf(au->a, "GLIBC_%.*s", STR_ARG(p->glibc)));
	return 0;
}

/* What the driver brings is there where there is a GPU. */
static bool is_of_driver(struct auditing *au, struct str library)
{
	const struct profile_gpu *gpu = &au->options->profile->gpu;

	for (size_t i = 0; i < gpu->n_libraries; i++)
		if (fnmatch(arena_cstr(au->a, gpu->libraries[i]), arena_cstr(au->a, library), 0) ==
			0)
			return true;
	return false;
}

static int judge_needed(
	struct auditing *au, const struct audit_file *f, struct str library, struct err *e)
{
	const struct profile *p = au->options->profile;
	const struct host_library *l;
	struct audit_finding *x;
	int r;

	if (!p->has_libraries || table_get(&au->brought, library) || is_of_driver(au, library))
		return 0;
	r = loader_find(au->loader, library, false, &l, e);
	if (r != 0)
		return r < 0 ? -1 : 0;
	x = add(au, f, RULE_LIBRARY, LEVEL_WARNING, SURE_POSSIBLE);
	x->needs = library;
	x->text = arena_strf(au->a,
		"%.*s needs the library %.*s, which no package brings and target '%.*s' does not "
		"list",
		STR_ARG(audit_where(au->a, au->out, x)), STR_ARG(library), STR_ARG(p->name));
	return 0;
}

static bool counts(const struct audit_file *f)
{
	return f->binary && !f->binary->fault.n && elf_is_native(&f->binary->elf);
}

static int judge_file(struct auditing *au, const struct audit_file *f, struct err *e)
{
	const struct elf *elf = &f->binary->elf;

	for (size_t k = 0; k < elf->n_needs; k++)
		if (judge_need(au, f, &elf->needs[k], e) < 0)
			return -1;
	for (size_t k = 0; k < elf->n_needed; k++)
		if (judge_needed(au, f, elf->needed[k], e) < 0)
			return -1;
	return 0;
}

static int by_weight(const void *a, const void *b)
{
	const struct audit_finding *x = a, *y = b;
	int c;

	if ((x->reason.n == 0) != (y->reason.n == 0))
		return x->reason.n ? 1 : -1;
	if (x->level != y->level)
		return x->level < y->level ? 1 : -1;
	if (x->rule != y->rule)
		return x->rule < y->rule ? -1 : 1;
	c = str_cmp(x->path, y->path);
	return c ? c : str_cmp(x->needs, y->needs);
}

static int by_floor(const void *a, const void *b)
{
	const struct audit_floor *x = a, *y = b;
	int c = glibc_cmp(y->glibc, x->glibc);

	return c ? c : (x->package > y->package) - (x->package < y->package);
}

static void finish(struct auditing *au)
{
	struct audit *out = au->out;

	out->findings = au->findings.v;
	out->n_findings = au->findings.n;
	if (out->n_findings)
		qsort(out->findings, out->n_findings, sizeof *out->findings, by_weight);
	for (size_t i = 0; i < out->n_findings; i++)
		if (out->findings[i].reason.n)
			out->n_ignored++;
		else
			out->n_of[out->findings[i].level]++;
	out->floors = arena_array(au->a, struct audit_floor, au->tree->n_packages + 1);
	for (size_t i = 0; i <= au->tree->n_packages; i++)
		if (au->floor[i].n)
			out->floors[out->n_floors++] = (struct audit_floor){
				(ptrdiff_t)i - 1, au->floor[i], au->floor_path[i]};
	if (out->n_floors)
		qsort(out->floors, out->n_floors, sizeof *out->floors, by_floor);
}

int audit_run(struct arena *a, const struct audit_tree *tree, const struct audit_options *o,
	struct audit *out, struct err *e)
{
	struct auditing au = {.a = a, .tree = tree, .options = o, .out = out, .brought.arena = a};

	*out = (struct audit){.tree = tree, .profile = o->profile};
	if (loader_open(a, o->root, o->profile, &au.loader, e) < 0)
		return -1;
	out->against_root = loader_has_root(au.loader);
	out->glibc = loader_glibc(au.loader);
	au.floor = arena_array(a, struct str, tree->n_packages + 1);
	au.floor_path = arena_array(a, struct str, tree->n_packages + 1);
	for (size_t i = 0; i < tree->n_files; i++)
		if (counts(&tree->files[i])) {
			out->n_binaries++;
			table_put(&au.brought, audit_library_name(tree->files[i].path,
						       &tree->files[i].binary->elf))
				->num = 1;
		}
	for (size_t i = 0; i < tree->n_files; i++)
		if (counts(&tree->files[i]) && judge_file(&au, &tree->files[i], e) < 0) {
			loader_close(au.loader);
			return -1;
		}
	loader_close(au.loader);
	finish(&au);
	return 0;
}
