#include "builder/traps.h"

#include "builder/fold.h"
#include "builder/prefix_text.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

static struct str package_of(const struct prefix *p, const struct linked *l)
{
	return p->packages[l->package].record->fn;
}

/* --- room for the prefix ------------------------------------------------------------------- */

static bool holds_prefix(const struct linked *l)
{
	return l->kind == LINKED_PACKAGE_FILE && l->file->n_offsets > 0;
}

static int check_file(const struct prefix *p, const struct linked *l, struct err *e)
{
	const struct package_file *f = l->file;
	struct replacement r = {.offsets = f->offsets,
		.n_offsets = f->n_offsets,
		.forms = f->forms,
		.old_n = f->placeholder.n,
		.prefix = str_of(p->request->prefix_inside)};

	return replacement_fits(&r, f->binary, e);
}

/* Of the files without room the one with the least is named: its limit is the environment's. */
static int check_room(const struct prefix *p, struct err *e)
{
	const struct linked *least = NULL;

	for (size_t i = 0; i < p->n; i++) {
		const struct linked *l = &p->v[i];
		if (holds_prefix(l) &&
			(!least || l->file->placeholder.n < least->file->placeholder.n) &&
			check_file(p, l, NULL) < 0)
			least = l;
	}
	if (!least)
		return 0;
	check_file(p, least, e);
	err_wrap(e, "'%.*s' of package '%.*s' cannot name '%s'", STR_ARG(least->path),
		STR_ARG(package_of(p, least)), p->request->prefix_inside);
	return -1;
}

size_t prefix_longest(const struct prefix *p, struct str *path)
{
	size_t longest = SIZE_MAX;

	for (size_t i = 0; i < p->n; i++) {
		const struct linked *l = &p->v[i];
		if (!holds_prefix(l) || !l->file->binary || l->file->placeholder.n >= longest)
			continue;
		longest = l->file->placeholder.n;
		*path = l->path;
	}
	return longest;
}

void prefix_say_longest(const struct prefix *p)
{
	struct str path;
	size_t longest = prefix_longest(p, &path);

	if (longest != SIZE_MAX)
		log_debug("its packages fit paths of at most %zu bytes ('%.*s' sets that)", longest,
			STR_ARG(path));
}

/* --- lengths -------------------------------------------------------------------------------- */

static int too_long(const struct prefix *p, const struct linked *l, struct str name, size_t limit,
	struct err *e)
{
	err_set(e, ERR_FAIL,
		"name too long: '%.*s' in '%.*s' of package '%.*s' has %zu bytes, '%s' takes %zu",
		STR_ARG(name), STR_ARG(l->path), STR_ARG(package_of(p, l)), name.n,
		p->request->prefix, limit);
	return err_advise(e, "install on a file system that takes longer names");
}

static int check_names(const struct prefix *p, const struct linked *l, size_t limit, struct err *e)
{
	for (struct str rest = l->path; rest.p;) {
		struct str name = str_cut(&rest, '/');
		if (name.n > limit)
			return too_long(p, l, name, limit, e);
	}
	return 0;
}

/*
 * Bytecode with too long a name is not made, as where it does not compile.  Names of packages have
 * at most NAME_MAX bytes (path_is_safe), but some file systems take less.
 */
static int check_lengths(const struct prefix *p, struct err *e)
{
	size_t outside = strlen(p->request->prefix), inside = strlen(p->request->prefix_inside);
	size_t longest = outside > inside ? outside : inside;
	long name_max = fpathconf(p->fd, _PC_NAME_MAX);

	for (size_t i = 0; i < p->n; i++) {
		const struct linked *l = &p->v[i];
		if (l->kind == LINKED_BYTECODE)
			continue;
		if (longest + 1 + l->path.n >= PATH_MAX) {
			err_set(e, ERR_FAIL,
				"path too long: '%.*s' of package '%.*s' would have %zu bytes "
				"there, the system takes %d",
				STR_ARG(l->path), STR_ARG(package_of(p, l)),
				longest + 1 + l->path.n, PATH_MAX - 1);
			return err_advise(e, "choose a shorter path for the prefix");
		}
		if (name_max > 0 && name_max < NAME_MAX &&
			check_names(p, l, (size_t)name_max, e) < 0)
			return -1;
	}
	return 0;
}

/* --- letters that differ only by case ------------------------------------------------------- */

struct folding {
	const struct prefix *p;
	struct str *paths;
	size_t n, first, second;
	bool any;
};

static int cmp_path(const void *key, const void *linked)
{
	return str_cmp(*(const struct str *)key, ((const struct linked *)linked)->path);
}

/* The package of a path: of a folder, that of the first file in it. */
static struct str brought_by(const struct prefix *p, struct str path)
{
	size_t low = 0, high = p->n;

	if (p->n && bsearch(&path, p->v, p->n, sizeof *p->v, cmp_path))
		return package_of(p, bsearch(&path, p->v, p->n, sizeof *p->v, cmp_path));
	/* "a-b" sorts between "a" and "a/b". */
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct str at = p->v[middle].path, start = str_sub(at, 0, path.n);
		int c = str_cmp(start, path);
		if (c < 0 || (c == 0 && (at.n == path.n || at.p[path.n] < '/')))
			low = middle + 1;
		else
			high = middle;
	}
	return low < p->n ? package_of(p, &p->v[low]) : (struct str){0};
}

static void note_pair(void *ctx, size_t a, size_t b)
{
	struct folding *f = ctx;

	if (!f->any) {
		f->first = a;
		f->second = b;
		f->any = true;
	}
	log_debug("'%.*s' and '%.*s' differ only by case", STR_ARG(f->paths[a]),
		STR_ARG(f->paths[b]));
}

/* Files and folders in one row; a folder that a package lists is in both. */
static void collect(struct arena *a, struct folding *f)
{
	const struct prefix *p = f->p;
	size_t i = 0, k = 0;

	f->paths = arena_array(a, struct str, p->n + p->n_dirs + 1);
	while (i < p->n || k < p->n_dirs) {
		int c = i == p->n ? 1 : k == p->n_dirs ? -1 : str_cmp(p->v[i].path, p->dirs[k]);
		f->paths[f->n++] = c <= 0 ? p->v[i].path : p->dirs[k];
		i += c <= 0;
		k += c >= 0;
	}
}

static const char *name_both(
	struct arena *a, const struct prefix *p, struct str one, struct str other)
{
	struct str its = brought_by(p, one), others = brought_by(p, other);

	if (str_eq(its, others))
		return arena_printf(a, "'%.*s' and '%.*s' of package '%.*s'", STR_ARG(one),
			STR_ARG(other), STR_ARG(its));
	return arena_printf(a, "'%.*s' of package '%.*s' and '%.*s' of package '%.*s'",
		STR_ARG(one), STR_ARG(its), STR_ARG(other), STR_ARG(others));
}

static int check_case(const struct prefix *p, struct err *e)
{
	CLEANUP_ARENA a = {0};
	struct folding f = {.p = p};
	size_t pairs;

	collect(&a, &f);
	pairs = fold_pairs(f.paths, f.n, note_pair, &f);
	if (pairs == 0)
		return 0;
	const char *both = name_both(&a, p, f.paths[f.first], f.paths[f.second]);
	if (fold_is_done_by(p->fd)) {
		err_set(e, ERR_FAIL, "'%s' folds case: it cannot hold both %s", p->request->prefix,
			both);
		return err_advise(e, "install on a file system that tells capitals apart");
	}
	log_warn("%s differ only by case%s: a file system that folds case, as of macOS or Windows, "
		 "cannot hold both",
		both, pairs > 1 ? arena_printf(&a, ", and %zu more pairs", pairs - 1) : "");
	return 0;
}

int prefix_check_traps(const struct prefix *p, struct err *e)
{
	if (check_room(p, e) < 0 || check_lengths(p, e) < 0)
		return -1;
	return check_case(p, e);
}
