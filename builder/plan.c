#include "builder/prefix.h"

#include "base/file.h"
#include "base/table.h"

#include <stdlib.h>

struct plan {
	struct prefix *p;
	struct {
		struct linked *v;
		size_t n, cap;
	} list;
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
		struct linked *l = add(plan, package, LINKED_BYTECODE,
			python_bytecode_path(p->arena, &p->python, path));
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
	return err_advise(e, "ask for a version of one of them that does not, or leave one out");
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
		const struct linked *kept = &v[n - 1];
		bool shared = is_dir(kept) && is_dir(&v[i]);
		bool own = v[i].kind == LINKED_BYTECODE ||
			   (v[i].kind == LINKED_ENTRY_POINT && kept->package == v[i].package);
		if (!shared && !own)
			return clobber(plan->p, kept->package, v[i].package, kept->path, e);
	}
	plan->p->v = v;
	plan->p->n = n;
	return 0;
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
			return clobber(
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

	p->n_packages = r->n_records;
	p->packages = arena_array(p->arena, struct package, r->n_records);
	for (size_t i = 0; i < r->n_records; i++)
		if (package_load(p->arena, r->cache, r->records[i], &p->packages[i], e) < 0)
			return -1;
	return python_find(p->arena, p->packages, p->n_packages, &p->python, e);
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
	collect_dirs(p, &dirs);
	return check_dirs(p, &dirs, e);
}
