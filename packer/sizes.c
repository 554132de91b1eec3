#include "packer/sizes.h"

#include "base/file.h"
#include "base/table.h"
#include "builder/dist_rows.h"

#include <stdlib.h>

enum { RECORD_MAX = 256 << 20 };

struct measuring {
	struct arena *arena;
	const struct content *content;
	struct table owners; /* path -> index of the row + 1: of pip, and what was added */
	struct {
		struct size_row *v;
		size_t n, cap;
	} rows;
};

static size_t new_row(struct measuring *m, enum size_kind kind, struct str name)
{
	*VEC_PUSH(m->arena, &m->rows) = (struct size_row){.kind = kind, .name = name};
	return m->rows.n - 1;
}

static struct str parent_of(struct str path)
{
	ptrdiff_t slash = str_rchr(path, '/');

	return str_sub(path, 0, slash < 0 ? 0 : (size_t)slash);
}

/* "lib/python3.11/site-packages/a_b-1.0.dist-info" -> "a_b" */
static struct str name_of(struct str dir)
{
	struct str name = str_base(dir);

	return str_cut(&name, '-');
}

static int add_dist(struct measuring *m, const struct content_entry *record, struct err *e)
{
	struct str dir = parent_of(record->path), text;
	size_t row = new_row(m, SIZE_PIP, name_of(dir));
	struct arena a = {0};
	struct dist_row file;
	int rc = file_read(&a, record->source, RECORD_MAX, &text, e);

	while (rc == 0 && dist_row_next(&a, &text, parent_of(dir), true, &file))
		if (file.path.n)
			table_put(&m->owners, arena_str(m->arena, file.path))->num = row + 1;
	arena_release(&a);
	return rc;
}

/* Of pip's distributions; those of conda's packages are files of these. */
static int find_dists(struct measuring *m, struct err *e)
{
	const struct content *c = m->content;

	for (size_t i = 0; i < c->n_entries; i++) {
		const struct content_entry *entry = &c->entries[i];

		if (entry->type == PATH_FILE && entry->package < 0 &&
			str_ends(entry->path, STR(".dist-info/RECORD")) &&
			add_dist(m, entry, e) < 0)
			return -1;
	}
	return 0;
}

static struct size_row *row_of(
	const struct measuring *m, const struct content_entry *entry, size_t generated)
{
	union table_value *v = table_get(&m->owners, entry->path);

	if (entry->package >= 0 && (size_t)entry->package < m->content->n_packages)
		return &m->rows.v[entry->package];
	return &m->rows.v[v && v->num ? v->num - 1 : generated];
}

static int by_size(const void *a, const void *b)
{
	const struct size_row *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return x->kind != y->kind ? (int)x->kind - (int)y->kind : str_cmp(x->name, y->name);
}

static void finish(struct measuring *m, struct sizes *out)
{
	size_t n = 0;

	for (size_t i = 0; i < m->rows.n; i++)
		if (m->rows.v[i].files)
			m->rows.v[n++] = m->rows.v[i];
	if (n)
		qsort(m->rows.v, n, sizeof *m->rows.v, by_size);
	*out = (struct sizes){.v = m->rows.v, .n = n};
	for (size_t i = 0; i < n; i++)
		out->bytes += out->v[i].bytes;
}

int sizes_measure(struct arena *a, const struct content *c, const struct rules *rules,
	struct sizes *out, struct err *e)
{
	struct measuring m = {.arena = a, .content = c, .owners.arena = a};
	size_t generated, added;

	for (size_t i = 0; i < c->n_packages; i++)
		new_row(&m, SIZE_CONDA, c->packages[i].record->name);
	generated = new_row(&m, SIZE_GENERATED, STR("generated files"));
	added = new_row(&m, SIZE_ADDED, STR("added files"));
	if (find_dists(&m, e) < 0)
		return -1;
	for (size_t i = 0; rules && i < rules->add.n; i++)
		table_put(&m.owners, rules->add.v[i].path)->num = added + 1;
	for (size_t i = 0; i < c->n_entries; i++) {
		struct size_row *row = row_of(&m, &c->entries[i], generated);

		if (c->entries[i].type == PATH_DIRECTORY)
			continue;
		row->files++;
		row->bytes += c->entries[i].type == PATH_FILE ? c->entries[i].size : 0;
	}
	finish(&m, out);
	return 0;
}

void manifest_sizes_write(struct json_out *w, const struct sizes *sizes)
{
	static const char *const kinds[] = {[SIZE_CONDA] = "conda",
		[SIZE_PIP] = "pip",
		[SIZE_GENERATED] = "generated",
		[SIZE_ADDED] = "added"};

	if (!sizes)
		return;
	jw_key(w, "sizes");
	jw_array(w);
	for (size_t i = 0; i < sizes->n; i++) {
		const struct size_row *row = &sizes->v[i];

		jw_object(w);
		jw_key(w, "kind");
		jw_cstr(w, kinds[row->kind]);
		if (row->kind == SIZE_CONDA || row->kind == SIZE_PIP) {
			jw_key(w, "name");
			jw_str(w, row->name);
		}
		jw_key(w, "files");
		jw_int(w, (int64_t)row->files);
		jw_key(w, "bytes");
		jw_int(w, (int64_t)row->bytes);
		jw_object_end(w);
	}
	jw_array_end(w);
}
