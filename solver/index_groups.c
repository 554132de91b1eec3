#include "solver/index_groups.h"

#include "solver/index_image.h"

#include <stdlib.h>

/* A group's bytes, and those of the same name that came before it. */
struct piece {
	struct piece *before;
	size_t n;
	_Alignas(8) char bytes[];
};

struct groups {
	struct arena arena;
	struct spec_set specs;
	struct table names; /* name -> the last piece; NULL: nothing is left of it */
	struct table removed;
	struct str base_url;
	size_t n_records;
	struct buf bytes; /* of the piece in work */
};

static void free_pieces(struct piece *p)
{
	while (p) {
		struct piece *before = p->before;

		free(p);
		p = before;
	}
}

struct groups *groups_new(void)
{
	struct groups *g = xcalloc(1, sizeof *g);

	g->specs.arena = g->specs.numbers.arena = &g->arena;
	g->names.arena = g->removed.arena = &g->arena;
	return g;
}

void groups_free(struct groups *g)
{
	if (!g)
		return;
	for (size_t i = 0; i < g->names.n; i++)
		free_pieces(g->names.entries[i].value.ptr);
	buf_release(&g->bytes);
	arena_release(&g->arena);
	free(g);
}

/* --- making ------------------------------------------------------------------------------- */

static struct piece *make_piece(struct groups *g, struct arena *scratch, struct str name,
	struct group_record *v, size_t n, struct err *e)
{
	struct piece *p;

	buf_clear(&g->bytes);
	if (group_write(scratch, &g->specs, name, v, n, &g->bytes, e) < 0)
		return NULL;
	p = xmalloc(sizeof *p + g->bytes.n);
	p->before = NULL;
	p->n = g->bytes.n;
	memcpy(p->bytes, g->bytes.p, p->n);
	return p;
}

int groups_add(struct groups *g, struct arena *scratch, struct str name, struct group_record *v,
	size_t n, struct err *e)
{
	struct piece *p = make_piece(g, scratch, name, v, n, e);
	union table_value *value;

	if (!p)
		return -1;
	value = table_get(&g->names, name);
	if (!value)
		value = table_put(&g->names, arena_str(&g->arena, name));
	p->before = value->ptr;
	value->ptr = p;
	g->n_records += n;
	return 0;
}

void groups_remove(struct groups *g, struct str fn)
{
	table_put(&g->removed, arena_str(&g->arena, fn))->num = 1;
}

void groups_set_base_url(struct groups *g, struct str base_url)
{
	g->base_url = arena_str(&g->arena, base_url);
}

/* --- joining ------------------------------------------------------------------------------ */

struct joining {
	struct groups *g;
	struct arena *scratch;
	struct {
		struct group_record *v;
		size_t n, cap;
	} records;
};

static struct str *texts_of(
	struct joining *j, const struct index_group *from, struct group_needs list, size_t *n)
{
	struct str *v = arena_array(j->scratch, struct str, list.n);

	for (uint32_t i = 0; i < list.n; i++)
		v[i] = groups_spec(j->g, from->specs[list.at + i]);
	*n = list.n;
	return v;
}

static void take_build(struct joining *j, const struct index_group *from, size_t i)
{
	const struct group_build *b = &from->builds[i];
	struct group_record *r;
	struct str fn = group_text(from, b->fn);

	if (table_get(&j->g->removed, fn))
		return;
	r = VEC_PUSH(j->scratch, &j->records);
	*r = (struct group_record){.order = j->records.n};
	if (b->flags & GROUP_BAD) {
		r->record = (struct record){.fn = fn};
		r->error = arena_cstr(j->scratch, group_text(from, b->track_features));
		return;
	}
	group_record(from, i, &r->record);
	r->record.depends = texts_of(j, from, b->depends, &r->record.n_depends);
	r->record.constrains = texts_of(j, from, b->constrains, &r->record.n_constrains);
	r->record.extras =
		texts_of(j, from, from->kinds[from->rests[i].kind].extras, &r->record.n_extras);
}

/* The pieces from the first to p. */
static void take_pieces(struct joining *j, const struct piece *p)
{
	struct {
		const struct piece **v;
		size_t n, cap;
	} all = {0};
	struct index_group from;

	for (; p; p = p->before)
		*VEC_PUSH(j->scratch, &all) = p;
	while (all.n) {
		p = all.v[--all.n];
		if (group_open(str_n(p->bytes, p->n), j->g->specs.numbers.n, &from) < 0)
			continue; /* groups_add() has opened it before */
		for (size_t i = 0; i < from.n_builds; i++)
			take_build(j, &from, i);
	}
}

static int join(struct groups *g, struct arena *scratch, struct str name, union table_value *value,
	struct err *e)
{
	struct joining j = {.g = g, .scratch = scratch};
	struct piece *old = value->ptr;

	take_pieces(&j, old);
	value->ptr = NULL;
	if (j.records.n)
		value->ptr = make_piece(g, scratch, name, j.records.v, j.records.n, e);
	free_pieces(old);
	return j.records.n && !value->ptr ? -1 : 0;
}

/* Names that lose a build. */
static void find_touched(struct groups *g, struct table *touched)
{
	for (size_t i = 0; i < g->removed.n; i++) {
		struct str name, version, build;

		if (record_split_fn(g->removed.entries[i].key, &name, &version, &build) == 0)
			table_put(touched, name)->num = 1;
	}
}

int groups_finish(struct groups *g, struct err *e)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_ARENA scratch = {0};
	struct table touched = {.arena = &a};

	find_touched(g, &touched);
	for (size_t i = 0; i < g->names.n; i++) {
		struct table_entry *entry = &g->names.entries[i];
		const struct piece *p = entry->value.ptr;

		if (!p->before && !table_get(&touched, entry->key))
			continue;
		if (join(g, &scratch, entry->key, &entry->value, e) < 0)
			return -1;
		arena_reset(&scratch);
	}
	return 0;
}

/* --- using -------------------------------------------------------------------------------- */

size_t groups_records(const struct groups *g)
{
	return g->n_records;
}

struct str groups_base_url(const struct groups *g)
{
	return g->base_url;
}

size_t groups_names(const struct groups *g)
{
	return g->names.n;
}

struct str groups_name_at(const struct groups *g, size_t i)
{
	return g->names.entries[i].key;
}

int groups_find(const struct groups *g, struct str name, struct index_group *out, struct err *e)
{
	const union table_value *value = table_get(&g->names, name);
	const struct piece *p = value ? value->ptr : NULL;

	if (!p)
		return 0;
	if (group_open(str_n(p->bytes, p->n), g->specs.numbers.n, out) < 0)
		return err_set(e, ERR_FAIL, "cannot read what was made of '%.*s'", STR_ARG(name));
	return 1;
}

struct str groups_spec(const struct groups *g, uint32_t number)
{
	return g->specs.numbers.entries[number].key;
}

/* --- an index file ------------------------------------------------------------------------ */

static int cmp_name(const void *va, const void *vb)
{
	const struct table_entry *const *a = va, *const *b = vb;

	return str_cmp((*a)->key, (*b)->key);
}

static int add_groups(const struct groups *g, struct image_writer *w, struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	const struct table_entry **v =
		arena_array(&scratch, const struct table_entry *, g->names.n);

	for (size_t i = 0; i < g->names.n; i++)
		v[i] = &g->names.entries[i];
	if (g->names.n)
		qsort(v, g->names.n, sizeof *v, cmp_name);
	for (size_t i = 0; i < g->names.n; i++) {
		const struct piece *p = v[i]->value.ptr;

		if (p && image_add(w, v[i]->key, str_n(p->bytes, p->n), e) < 0)
			return -1;
	}
	return 0;
}

int groups_write(const struct groups *g, const char *path, const uint8_t key[32], struct err *e)
{
	struct image_writer *w = image_begin(path, e);
	int rc = w ? add_groups(g, w, e) : -1;

	if (rc == 0)
		rc = image_end(w, key, &g->specs, g->n_records, g->base_url, e);
	image_abort(w);
	return rc;
}
