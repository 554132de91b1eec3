#include "builder/verify_items.h"

#include "base/file.h"
#include "builder/dist_rows.h"

enum { MAX_RECORD = 256 << 20 };

static void add_item(struct items *t, const struct item *from)
{
	union table_value *v = table_put(&t->index, from->path->path);
	struct item *item = arena_new(t->arena, struct item);

	*item = *from;
	item->next = v->ptr;
	v->ptr = item;
}

/* Unless it is known not to be there. */
static void add_owned(struct items *t, const struct item *from)
{
	const struct verify_request *r = t->request;

	if (!r->left_out || !r->left_out(r->ctx, from->path->path))
		add_item(t, from);
}

/* --- packages ----------------------------------------------------------------------------- */

/* Facts of the package, and its files by their paths in the prefix. */
static const struct package *load_facts(struct items *t, const struct cache *cache,
	const struct installed_record *r, struct table *files)
{
	struct package *p = arena_new(t->arena, struct package);

	files->arena = t->arena;
	if (!cache || package_load(t->arena, cache, &r->record, p, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < p->n_files; i++) {
		struct str path = p->files[i].path;
		if (p->noarch == NOARCH_PYTHON)
			path = python_map_path(t->arena, &t->python, path);
		table_put(files, path)->ptr = &p->files[i];
	}
	return p;
}

static void add_record(struct items *t, const struct cache *cache, const struct installed_record *r)
{
	struct table files = {0};
	struct item item = {.owner = record_dist(t->arena, &r->record),
		.package = load_facts(t, cache, r, &files)};

	for (size_t i = 0; i < r->n_paths; i++) {
		union table_value *v = table_get(&files, r->paths[i].path);
		item.path = &r->paths[i];
		item.file = v ? v->ptr : NULL;
		add_owned(t, &item);
	}
}

void items_add_packages(struct items *t, const struct cache *cache)
{
	t->index.arena = t->arena;
	installed_python(t->arena, &t->in, &t->python);
	for (size_t i = 0; i < t->in.n; i++)
		add_record(t, cache, &t->in.v[i]);
}

/* --- distributions that pip installed ----------------------------------------------------------- */

bool items_is_dist(const struct items *t, struct str path)
{
	if (!str_ends(path, STR(".dist-info/RECORD")) &&
		!str_ends(path, STR(".egg-info/installed-files.txt")))
		return false;
	return !table_get(&t->index, path);
}

static struct str parent_of(struct str path)
{
	ptrdiff_t slash = str_rchr(path, '/');

	return str_sub(path, 0, slash < 0 ? 0 : (size_t)slash);
}

/* Of the list itself and of bytecode there is no sum. */
static void add_row(struct items *t, const struct dist_row *row, struct str owner)
{
	struct installed_path *p = arena_new(t->arena, struct installed_path);

	p->path = row->path;
	p->type = str_ends(row->path, STR(".pyc")) ? INSTALLED_BYTECODE : INSTALLED_UNKNOWN;
	p->has_sha256_in_prefix = row->has_sha256;
	memcpy(p->sha256_in_prefix, row->sha256, SHA256_LEN);
	add_owned(t, &(struct item){.path = p, .owner = owner});
}

/* "lib/python3.11/site-packages/a_b-1.0.dist-info/RECORD" -> "a_b-1.0 (pip)" */
static struct str owner_of(struct items *t, struct str dir)
{
	struct str name = str_base(dir);

	return arena_strf(t->arena, "%.*s (pip)", (int)str_rchr(name, '.'), name.p);
}

void items_add_dist(struct items *t, int fd, struct str record_path)
{
	struct str dir = parent_of(record_path), text;
	bool csv = str_ends(record_path, STR("RECORD"));
	struct str owner = owner_of(t, dir);
	struct dist_row row;

	if (file_read_at(t->arena, fd, arena_cstr(t->arena, record_path), MAX_RECORD, &text, NULL) <
		0)
		return;
	t->dists++;
	while (dist_row_next(t->arena, &text, csv ? parent_of(dir) : dir, csv, &row))
		if (row.path.n)
			add_row(t, &row, owner);
}

void items_add_listed(struct items *t)
{
	const struct verify_request *r = t->request;

	for (size_t i = 0; i < r->n_listed; i++) {
		struct installed_path *p;

		if (table_get(&t->index, r->listed[i]))
			continue;
		p = arena_new(t->arena, struct installed_path);
		p->path = r->listed[i];
		p->type = INSTALLED_UNKNOWN;
		add_item(t, &(struct item){.path = p, .owner = r->listed_by});
	}
}
