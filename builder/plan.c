#include "builder/prefix.h"

#include "base/file.h"
#include "base/table.h"
#include "builder/traps.h"

#include <fnmatch.h>
#include <stdlib.h>

struct plan {
	struct prefix *p;
	struct {
		struct linked *v;
		size_t n, cap;
	} list, lost;
};

static struct linked *add(struct plan *plan, size_t package, enum linked_kind kind, struct str path)
{
	struct linked *l = VEC_PUSH(plan->p->arena, &plan->list);

	*l = (struct linked){.path = path, .package = package, .kind = kind};
	return l;
}

static void plan_file(struct plan *plan, size_t package, const struct package_file *f)
{
	struct prefix *p = plan->p;
	bool noarch = p->packages[package].noarch == NOARCH_PYTHON;
	struct str path = noarch ? python_map_path(p->arena, &p->python, f->path) : f->path;

	add(plan, package, LINKED_PACKAGE_FILE, path)->file = f;
	if (noarch && p->request->compile && f->type == PATH_FILE && python_is_source(f->path)) {
		struct str code = python_bytecode_path(p->arena, &p->python, path);
		if (!path_is_safe(code))
			return; /* too long a name: Python cannot write it either */
		struct linked *l = add(plan, package, LINKED_BYTECODE, code);
		l->file = f;
		l->source = path;
	}
}

static int plan_package(struct plan *plan, size_t i, struct err *e)
{
	struct prefix *p = plan->p;
	const struct package *package = &p->packages[i];

	if (package->noarch == NOARCH_PYTHON && !p->python.major) {
		err_set(e, ERR_INPUT, "package '%.*s' is for any Python, and there is none",
			STR_ARG(package->record->fn));
		return err_advise(e, "add 'python' to dependencies");
	}
	for (size_t k = 0; k < package->n_files; k++)
		plan_file(plan, i, &package->files[k]);
	if (package->noarch != NOARCH_PYTHON)
		return 0;
	for (size_t k = 0; k < package->n_entry_points; k++) {
		const struct entry_point *point = &package->entry_points[k];
		struct str path = arena_strf(p->arena, "bin/%.*s", STR_ARG(point->command));
		add(plan, i, LINKED_ENTRY_POINT, path)->entry_point = point;
	}
	return 0;
}

static int by_path(const void *a, const void *b)
{
	const struct linked *x = a, *y = b;
	int c = str_cmp(x->path, y->path);

	if (c)
		return c;
	if (x->kind != y->kind)
		return (x->kind > y->kind) - (x->kind < y->kind);
	return (x->package > y->package) - (x->package < y->package);
}

static bool is_dir(const struct linked *l)
{
	return l->kind == LINKED_PACKAGE_FILE && l->file->type == PATH_DIRECTORY;
}

static int clobber(const struct prefix *p, size_t a, size_t b, struct str path, struct err *e)
{
	err_set(e, ERR_INTEGRITY, "packages '%.*s' and '%.*s' both bring '%.*s'",
		STR_ARG(p->packages[a].record->fn), STR_ARG(p->packages[b].record->fn),
		STR_ARG(path));
	return err_advise(e,
		"ask for a version of one of them that does not, leave one out, or "
		"let the later one win with --allow-clobber '%.*s'",
		STR_ARG(path));
}

/* A file cannot win over a folder that others have files in. */
static int clobber_folder(
	const struct prefix *p, size_t a, size_t b, struct str path, struct err *e)
{
	err_set(e, ERR_INTEGRITY,
		"packages '%.*s' and '%.*s' both bring '%.*s', one as a folder, one as a file",
		STR_ARG(p->packages[a].record->fn), STR_ARG(p->packages[b].record->fn),
		STR_ARG(path));
	return err_advise(e, "ask for a version of one of them that does not, or leave one out");
}

bool clobber_allowed(const struct install_request *r, struct str path)
{
	CLEANUP_ARENA a = {0};
	const char *text = arena_cstr(&a, path);

	for (size_t i = 0; i < r->n_allow_clobber; i++)
		if (fnmatch(r->allow_clobber[i], text, 0) == 0)
			return true;
	return false;
}

/*
 * Two files with one path.  As with conda, the package that is linked later wins; the record of
 * the other lists the path too.
 */
static int settle_clash(
	struct plan *plan, struct linked *kept, const struct linked *other, struct err *e)
{
	struct linked loser = *other;

	if (is_dir(kept) != is_dir(other))
		return clobber_folder(plan->p, kept->package, other->package, kept->path, e);
	if (!clobber_allowed(plan->p->request, kept->path))
		return clobber(plan->p, kept->package, other->package, kept->path, e);
	if (other->package > kept->package) {
		loser = *kept;
		*kept = *other;
	}
	if (loser.package != kept->package)
		*VEC_PUSH(plan->p->arena, &plan->lost) = loser;
	return 0;
}

/*
 * Of entries with one path: folders are shared, a package's own file comes before what we would
 * make there for the same package or compile; anything else is a clash.
 */
static int merge(struct plan *plan, struct err *e)
{
	struct linked *v = plan->list.v;
	size_t n = 0;

	if (plan->list.n)
		qsort(v, plan->list.n, sizeof *v, by_path);
	for (size_t i = 0; i < plan->list.n; i++) {
		if (n == 0 || !str_eq(v[n - 1].path, v[i].path)) {
			v[n++] = v[i];
			continue;
		}
		struct linked *kept = &v[n - 1];
		bool shared = is_dir(kept) && is_dir(&v[i]);
		bool own = v[i].kind == LINKED_BYTECODE ||
			   (v[i].kind == LINKED_ENTRY_POINT && kept->package == v[i].package);
		if (kept->kind == LINKED_BYTECODE && own)
			*kept = v[i]; /* of the source that wins */
		else if (!shared && !own && settle_clash(plan, kept, &v[i], e) < 0)
			return -1;
	}
	plan->p->v = v;
	plan->p->n = n;
	plan->p->lost = plan->lost.v;
	plan->p->n_lost = plan->lost.n;
	return 0;
}

static int find_path(const void *key, const void *linked)
{
	return str_cmp(*(const struct str *)key, ((const struct linked *)linked)->path);
}

const struct linked *prefix_find(const struct prefix *p, struct str path)
{
	return p->n ? bsearch(&path, p->v, p->n, sizeof *p->v, find_path) : NULL;
}

/* Bytecode of a source that lost. */
static void drop_orphans(struct prefix *p)
{
	size_t n = 0;
	bool *orphan = arena_array(p->arena, bool, p->n + 1);

	for (size_t i = 0; i < p->n; i++) {
		if (p->v[i].kind != LINKED_BYTECODE)
			continue;
		const struct linked *source = prefix_find(p, p->v[i].source);
		orphan[i] = !source || source->package != p->v[i].package;
	}
	for (size_t i = 0; i < p->n; i++)
		if (!orphan[i])
			p->v[n++] = p->v[i];
	p->n = n;
}

/* One warning for each two packages. */
static void warn_lost(const struct prefix *p)
{
	struct arena a = {0};
	struct table pairs = {.arena = &a};

	for (size_t i = 0; i < p->n_lost; i++) {
		const struct linked *winner = prefix_find(p, p->lost[i].path);
		struct str pair = arena_strf(&a, "%zu %zu", winner->package, p->lost[i].package);
		if (table_put(&pairs, pair)->num++ == 0)
			log_warn("package '%.*s' wins over '%.*s' at '%.*s', as --allow-clobber "
				 "has it",
				STR_ARG(p->packages[winner->package].record->fn),
				STR_ARG(p->packages[p->lost[i].package].record->fn),
				STR_ARG(p->lost[i].path));
	}
	if (p->n_lost > pairs.n)
		log_warn("and at %zu paths more", p->n_lost - pairs.n);
	arena_release(&a);
}

/* Every folder that holds something, and those that packages bring. */
static void collect_dirs(struct prefix *p, struct table *dirs)
{
	for (size_t i = 0; i < p->n; i++) {
		struct str path = p->v[i].path;
		ptrdiff_t slash;
		if (is_dir(&p->v[i]))
			table_put(dirs, path);
		while ((slash = str_rchr(path, '/')) > 0) {
			path = str_sub(path, 0, (size_t)slash);
			union table_value *v = table_put(dirs, path);
			if (v->num)
				break;
			v->num = i + 1;
		}
	}
}

/* Nothing may lie below a file or a link of another package. */
static int check_dirs(struct prefix *p, const struct table *dirs, struct err *e)
{
	for (size_t i = 0; i < p->n; i++) {
		if (is_dir(&p->v[i]))
			continue;
		union table_value *v = table_get(dirs, p->v[i].path);
		if (v)
			return clobber_folder(
				p, p->v[i].package, p->v[v->num - 1].package, p->v[i].path, e);
	}
	p->n_dirs = dirs->n;
	p->dirs = arena_array(p->arena, struct str, dirs->n);
	for (size_t i = 0; i < dirs->n; i++)
		p->dirs[i] = dirs->entries[i].key;
	if (dirs->n)
		qsort(p->dirs, dirs->n, sizeof *p->dirs, str_cmp_qsort);
	return 0;
}

static int load_packages(struct prefix *p, struct err *e)
{
	const struct install_request *r = p->request;

	size_t n = r->n_records;

	p->n_packages = n;
	p->packages = arena_array(p->arena, struct package, n + 1);
	for (size_t i = 0; i < n; i++)
		if (package_load(p->arena, r->cache, r->records[i], &p->packages[i], e) < 0)
			return -1;
	if (p->kept_python &&
		package_load(p->arena, r->cache, p->kept_python, &p->packages[n++], e) < 0)
		return -1;
	return python_find(p->arena, p->packages, n, &p->python, e);
}

int prefix_plan(struct prefix *p, struct err *e)
{
	struct plan plan = {.p = p};
	struct table dirs = {.arena = p->arena};

	if (load_packages(p, e) < 0)
		return -1;
	for (size_t i = 0; i < p->n_packages; i++)
		if (plan_package(&plan, i, e) < 0)
			return -1;
	if (merge(&plan, e) < 0)
		return -1;
	if (p->n_lost) {
		drop_orphans(p);
		warn_lost(p);
	}
	collect_dirs(p, &dirs);
	if (check_dirs(p, &dirs, e) < 0)
		return -1;
	/* What has run is in the prefix already. */
	return p->ran_code ? 0 : prefix_check_traps(p, e);
}
