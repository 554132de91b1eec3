/* Groups of builds: out of an index file, or made of the records of a repodata.json. */
#include "base/log.h"
#include "solver/index.h"
#include "solver/index_image.h"

#include <stdlib.h>

/* The records of a source under one name, less what the channel has removed. */
static size_t records_of(struct arena *a, const struct index *ix, size_t source, struct str name,
	struct group_record **out)
{
	const struct index_source *s = ix->sources.v[source];
	struct {
		struct group_record *v;
		size_t n, cap;
	} list = {0};

	for (const struct index_place *p = index_first(ix, name); p; p = index_next(ix, p)) {
		struct group_record *r;
		struct err why = {0};

		if (p->source != source || table_get(&s->removed, place_fn(p)))
			continue;
		r = VEC_PUSH(a, &list);
		*r = (struct group_record){.order = list.n};
		if (record_parse_bare(a, ix, p, &r->record, &why) < 0) {
			r->error = arena_strdup(a, why.text);
			err_release(&why);
		}
	}
	*out = list.v;
	return list.n;
}

/* Appends the group of a name, if there is one. */
static int make_group(struct arena *scratch, const struct index *ix, size_t source,
	struct spec_set *specs, struct str name, struct buf *to, struct err *e)
{
	struct group_record *v;
	size_t n = records_of(scratch, ix, source, name, &v);

	return n ? group_write(scratch, specs, name, v, n, to, e) : 0;
}

static int group_of_text(const struct index *ix, size_t source, struct str name,
	struct index_group *out, struct err *e)
{
	struct index_source *s = ix->sources.v[source];
	CLEANUP_ARENA scratch = {0};
	CLEANUP_BUF bytes = {0};
	struct str kept;

	if (make_group(&scratch, ix, source, &s->specs, name, &bytes, e) < 0)
		return -1;
	if (bytes.n == 0)
		return 0;
	kept = str_n(memcpy(arena_alloc(&s->arena, bytes.n), bytes.p, bytes.n), bytes.n);
	if (group_open(kept, s->specs.numbers.n, out) < 0)
		return err_set(e, ERR_FAIL, "cannot read what was made of '%.*s'", STR_ARG(name));
	return 1;
}

static int wrap(const struct index_source *s, struct err *e)
{
	return err_wrap(
		e, "index of channel '%.*s', %.*s", STR_ARG(s->channel->name), STR_ARG(s->subdir));
}

int index_group(const struct index *ix, size_t source, struct str name, struct index_group *out,
	struct err *e)
{
	struct index_source *s = ix->sources.v[source];
	int rc;

	if (!s->image)
		return group_of_text(ix, source, name, out, e);
	rc = image_group(s->image, name, out, e);
	return rc < 0 ? wrap(s, e) : rc;
}

int index_spec(
	const struct index *ix, size_t source, uint32_t number, struct str *out, struct err *e)
{
	struct index_source *s = ix->sources.v[source];

	if (s->image)
		return image_spec(s->image, number, out, e) < 0 ? wrap(s, e) : 0;
	*out = s->specs.numbers.entries[number].key;
	return 0;
}

void index_each_name(const struct index *ix, index_visitor *fn, void *ctx)
{
	for (size_t i = 0; i < ix->names.n; i++)
		fn(ctx, ix->names.entries[i].key);
	for (size_t k = 0; k < ix->sources.n; k++) {
		struct image *m = ix->sources.v[k]->image;

		for (size_t i = 0; m && i < image_names(m); i++) {
			struct str name;

			if (image_name_at(m, i, &name, NULL) == 0)
				fn(ctx, name);
		}
	}
}

/* --- making an index file ----------------------------------------------------------------- */

/* Sorted, so that the same records make the same file. */
static struct str *sorted_names(struct arena *a, const struct index *ix)
{
	struct str *v = arena_array(a, struct str, ix->names.n);

	for (size_t i = 0; i < ix->names.n; i++)
		v[i] = ix->names.entries[i].key;
	if (ix->names.n)
		qsort(v, ix->names.n, sizeof *v, str_cmp_qsort);
	return v;
}

static int write_groups(
	const struct index *ix, size_t source, struct image_writer *w, struct err *e)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF bytes = {0};
	struct str *names = sorted_names(&a, ix);

	for (size_t i = 0; i < ix->names.n; i++) {
		CLEANUP_ARENA scratch = {0};

		buf_clear(&bytes);
		if (make_group(&scratch, ix, source, image_specs(w), names[i], &bytes, e) < 0)
			return -1;
		if (bytes.n && image_add(w, names[i], buf_view(&bytes), e) < 0)
			return -1;
	}
	return 0;
}

int index_write_image(const struct index *ix, size_t source, const char *path,
	const uint8_t key[32], struct err *e)
{
	const struct index_source *s = ix->sources.v[source];
	struct image_writer *w = image_begin(path, e);
	int rc = w ? write_groups(ix, source, w, e) : -1;

	if (rc == 0)
		rc = image_end(w, key, s->n_records, s->given_base_url, e);
	image_abort(w);
	return rc;
}
