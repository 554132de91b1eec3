#include "packer/audit_growing.h"

#include "builder/python.h"

#include <stdlib.h>

ptrdiff_t audit_growing_package(struct audit_growing *g, const struct record *r)
{
	*VEC_PUSH(g->a, &g->packages) = (struct audit_package){.name = r->name,
		.version = r->version,
		.build = r->build,
		.dist = record_dist(g->a, r),
		.record = r};
	return (ptrdiff_t)g->packages.n - 1;
}

struct audit_file *audit_growing_file(struct audit_growing *g, struct str path, ptrdiff_t package,
	enum path_type type, mode_t mode)
{
	struct audit_file *f = VEC_PUSH(g->a, &g->files);

	*f = (struct audit_file){.path = path, .package = package, .type = type, .mode = mode};
	return f;
}

static int too_many(const struct audit_growing *g, const struct audit_file *f, struct err *e)
{
	if (f->package < 0)
		return err_set(e, ERR_INTEGRITY, "%s, with '%.*s' of no package",
			BINARY_TOO_MANY_NAMES, STR_ARG(f->path));
	return err_set(e, ERR_INTEGRITY, "%s, with '%.*s' of package '%.*s'", BINARY_TOO_MANY_NAMES,
		STR_ARG(f->path), STR_ARG(g->packages.v[f->package].dist));
}

int audit_growing_binary(
	struct audit_growing *g, struct audit_file *f, const struct binary *b, struct err *e)
{
	f->binary = b;
	return binary_names_add(&g->names, b) ? 0 : too_many(g, f, e);
}

int audit_growing_read(struct audit_growing *g, struct audit_file *f, int fd, struct err *e)
{
	struct binary *b = arena_new(g->a, struct binary);
	struct err own = {0};
	int r = binary_read_fd(g->a, f->path, fd, b, &own);

	if (r >= 0)
		return r ? audit_growing_binary(g, f, b, e) : 0;
	if (own.code != ERR_INTEGRITY)
		return err_move(e, &own);
	err_release(&own);
	return too_many(g, f, e);
}

static bool find_python(struct audit_growing *g, struct python *out)
{
	for (size_t i = 0; i < g->packages.n; i++) {
		struct package p = {.record = (struct record *)g->packages.v[i].record};

		if (p.record && str_is(p.record->name, "python"))
			return python_find(g->a, &p, 1, out, NULL) == 0 && out->major;
	}
	return false;
}

void audit_growing_install(struct audit_growing *g)
{
	struct python python;

	if (!find_python(g, &python))
		return;
	for (size_t i = 0; i < g->files.n; i++) {
		struct audit_file *f = &g->files.v[i];
		const struct record *r = f->package < 0 ? NULL : g->packages.v[f->package].record;

		if (r && r->noarch == NOARCH_PYTHON)
			f->path = python_map_path(g->a, &python, f->path);
	}
}

/* Files are all in one array: where a path stands twice, the one added first lies lower. */
static int by_path(const void *a, const void *b)
{
	const struct audit_file *x = *(const struct audit_file *const *)a,
				*y = *(const struct audit_file *const *)b;
	int order = str_cmp(x->path, y->path);

	return order ? order : (x > y) - (x < y);
}

static bool is_rising(const struct audit_growing *g)
{
	for (size_t i = 1; i < g->files.n; i++)
		if (str_cmp(g->files.v[i - 1].path, g->files.v[i].path) >= 0)
			return false;
	return true;
}

static void sort(struct audit_growing *g)
{
	const struct audit_file **sorted = arena_array(g->a, const struct audit_file *, g->files.n);
	struct audit_file *files = arena_array(g->a, struct audit_file, g->files.n);
	size_t n = 0;

	for (size_t i = 0; i < g->files.n; i++)
		sorted[i] = &g->files.v[i];
	qsort(sorted, g->files.n, sizeof *sorted, by_path);
	for (size_t i = 0; i < g->files.n; i++) {
		if (n == 0 || !str_eq(files[n - 1].path, sorted[i]->path))
			files[n++] = *sorted[i];
		else if (sorted[i]->package >= 0)
			g->packages.v[sorted[i]->package].covered = true;
	}
	g->files.v = files;
	g->files.n = n;
}

void audit_growing_finish(struct audit_growing *g, const char *what, struct audit_tree *out)
{
	if (!is_rising(g))
		sort(g);
	*out = (struct audit_tree){.what = what,
		.packages = g->packages.v,
		.n_packages = g->packages.n,
		.files = g->files.v,
		.n_files = g->files.n};
}
