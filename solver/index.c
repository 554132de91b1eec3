#include "solver/index.h"

#include "base/file.h"
#include "base/http.h"
#include "base/json.h"
#include "base/log.h"
#include "solver/index_image.h"

#include <stdlib.h>

enum { FN_MAX = 1024, SOURCES_MAX = 4096 };

/* What one scan works on. */
struct scan {
	struct index *ix;
	struct index_source *source;
	uint16_t number;
	struct json *json;
	struct str name; /* of the record before: neighbours mostly share it */
	union table_value *value;
};

struct index *index_new(void)
{
	struct index *ix = xcalloc(1, sizeof *ix);

	ix->names.arena = &ix->arena;
	return ix;
}

void index_free(struct index *ix)
{
	if (!ix)
		return;
	for (size_t i = 0; i < ix->sources.n; i++) {
		struct index_source *s = ix->sources.v[i];

		file_unmap(s->text);
		image_close(s->image);
		arena_release(&s->arena);
	}
	free(ix->places);
	arena_release(&ix->arena);
	free(ix);
}

static struct index_place *new_place(struct index *ix)
{
	if (ix->n_places == ix->cap_places) {
		ix->cap_places = ix->cap_places ? ix->cap_places * 2 : 1024;
		ix->places = xrealloc(ix->places, ix->cap_places * sizeof *ix->places);
	}
	return &ix->places[ix->n_places++];
}

/* Is it one slice of the mapped text?  Then it needs no copy. */
static struct str keep(struct scan *s, struct str t)
{
	const struct str text = s->source->text;

	if (t.p >= text.p && t.p + t.n <= text.p + text.n)
		return t;
	return arena_str(&s->ix->arena, t);
}

static void link_place(struct scan *s, struct str name, uint32_t number)
{
	uint64_t first, last;

	if (!s->value || !str_eq(name, s->name)) {
		s->value = table_put(&s->ix->names, name);
		s->name = name;
	}
	first = s->value->num & UINT32_MAX;
	last = s->value->num >> 32;
	if (last)
		s->ix->places[last - 1].next = number;
	s->value->num = (uint64_t)number << 32 | (first ? first : number);
}

static int scan_record(struct scan *s, struct err *e)
{
	struct str fn = keep(s, json_text(s->json)), name, version, build;
	struct index_place *p;
	size_t from, to;

	if (json_next(s->json) != JSON_OBJECT)
		return json_fail(s->json, e, "the record of '%.*s' is no object", STR_ARG(fn));
	from = json_offset(s->json) - 1;
	if (json_skip_rest(s->json, JSON_OBJECT) < 0)
		return json_error(s->json, e);
	to = json_offset(s->json);
	if (fn.n > FN_MAX || to - from > UINT32_MAX ||
		record_split_fn(fn, &name, &version, &build) < 0) {
		log_debug("index of '%.*s': passed over '%.*s', which is no package file name",
			STR_ARG(s->source->channel->name), (int)(fn.n < 255 ? fn.n : 255), fn.p);
		return 0;
	}
	p = new_place(s->ix);
	*p = (struct index_place){.fn = fn.p,
		.fn_n = (uint16_t)fn.n,
		.json = s->source->text.p + from,
		.json_n = (uint32_t)(to - from),
		.source = s->number};
	link_place(s, name, (uint32_t)s->ix->n_places);
	return 0;
}

static int scan_records(struct scan *s, struct err *e)
{
	enum json_type t;

	if (json_next(s->json) != JSON_OBJECT)
		return json_fail(s->json, e, "the list of records is no object");
	while ((t = json_next(s->json)) == JSON_KEY)
		if (scan_record(s, e) < 0)
			return -1;
	return t == JSON_OBJECT_END ? 0 : json_error(s->json, e);
}

static int scan_removed(struct scan *s, struct err *e)
{
	enum json_type t = json_next(s->json);

	if (t != JSON_ARRAY)
		return json_skip_rest(s->json, t) < 0 ? json_error(s->json, e) : 0;
	while ((t = json_next(s->json)) == JSON_STRING)
		table_put(&s->source->removed, keep(s, json_text(s->json)))->num = 1;
	return t == JSON_ARRAY_END ? 0
				   : json_fail(s->json, e, "the list 'removed' holds no file name");
}

/* CEP 15: base_url is absolute, or relative to the folder of the index. */
static void take_base_url(struct index *ix, struct index_source *source, struct str text)
{
	struct arena *a = &ix->arena;
	char *given = arena_cstr(a, text);

	source->given_base_url = str_of(given);
	if (str_find(text, STR("://")) < 0)
		given = url_join(a, arena_cstr(a, source->folder_url), given);
	source->base_url = str_of(given);
	while (str_ends(source->base_url, STR("/")))
		source->base_url.n--;
	source->base_url = arena_str(a, source->base_url);
}

static int scan_info(struct scan *s, struct err *e)
{
	enum json_type t = json_next(s->json);

	if (t != JSON_OBJECT)
		return json_skip_rest(s->json, t) < 0 ? json_error(s->json, e) : 0;
	while ((t = json_next(s->json)) == JSON_KEY) {
		bool base_url = str_is(json_text(s->json), "base_url");

		t = json_next(s->json);
		if (base_url && t == JSON_STRING)
			take_base_url(s->ix, s->source, json_text(s->json));
		else if (json_skip_rest(s->json, t) < 0)
			return json_error(s->json, e);
	}
	return t == JSON_OBJECT_END ? 0 : json_error(s->json, e);
}

static int scan_member(struct scan *s, struct err *e)
{
	struct str key = json_text(s->json);

	if (str_is(key, "packages") || str_is(key, "packages.conda"))
		return scan_records(s, e);
	if (str_is(key, "removed"))
		return scan_removed(s, e);
	if (str_is(key, "info"))
		return scan_info(s, e);
	return json_skip(s->json) < 0 ? json_error(s->json, e) : 0;
}

static int scan_all(struct scan *s, struct err *e)
{
	enum json_type t = json_next(s->json);

	if (t == JSON_ERROR)
		return json_error(s->json, e);
	if (t != JSON_OBJECT)
		return json_fail(s->json, e, "an index is an object");
	while ((t = json_next(s->json)) == JSON_KEY)
		if (scan_member(s, e) < 0)
			return -1;
	if (t != JSON_OBJECT_END || json_next(s->json) != JSON_END)
		return json_error(s->json, e);
	return 0;
}

static struct index_source *new_source(struct index *ix, const char *path,
	const struct channel *channel, unsigned position, struct str subdir)
{
	struct index_source *s = arena_new(&ix->arena, struct index_source);

	s->number = ix->sources.n;
	s->channel = channel;
	s->position = position;
	s->subdir = arena_str(&ix->arena, subdir);
	s->path = arena_strdup(&ix->arena, path);
	s->removed.arena = &ix->arena;
	s->specs.arena = s->specs.numbers.arena = &s->arena;
	s->base_url = arena_strf(&ix->arena, "%.*s/%.*s", STR_ARG(channel->url), STR_ARG(subdir));
	s->folder_url = s->base_url;
	return s;
}

int index_add_file(struct index *ix, const char *path, const struct channel *channel,
	unsigned position, struct str subdir, struct err *e)
{
	struct scan s = {.ix = ix, .number = (uint16_t)ix->sources.n};
	char *name = arena_printf(&ix->arena, "index of channel '%.*s', %.*s/repodata.json",
		STR_ARG(channel->name), STR_ARG(subdir));
	size_t before = ix->n_places;
	int rc;

	if (ix->sources.n == SOURCES_MAX)
		return err_set(e, ERR_INPUT, "more than %d indexes", (int)SOURCES_MAX);
	s.source = new_source(ix, path, channel, position, subdir);
	if (file_map(path, &s.source->text, e) < 0)
		return err_wrap(e, "%s", name);
	*VEC_PUSH(&ix->arena, &ix->sources) = s.source;
	s.json = json_open_text(s.source->text, name);
	rc = scan_all(&s, e);
	json_close(s.json);
	s.source->n_records = ix->n_places - before;
	ix->n_records += s.source->n_records;
	return rc;
}

int index_add_image(struct index *ix, const char *path, const uint8_t key[32],
	const struct channel *channel, unsigned position, struct str subdir, struct err *e)
{
	struct image *m = ix->sources.n < SOURCES_MAX ? image_open(path, key, e) : NULL;
	struct index_source *s;
	struct str base_url;
	int rc;

	if (!m)
		return -1;
	rc = image_base_url(m, &base_url, e);
	if (rc < 0) {
		image_close(m);
		return -1;
	}
	s = new_source(ix, path, channel, position, subdir);
	s->image = m;
	if (rc)
		take_base_url(ix, s, base_url);
	s->n_records = image_records(m);
	ix->n_records += s->n_records;
	*VEC_PUSH(&ix->arena, &ix->sources) = s;
	return 0;
}

const struct index_place *index_first(const struct index *ix, struct str name)
{
	const union table_value *v = table_get(&ix->names, name);

	return v && v->num ? &ix->places[(v->num & UINT32_MAX) - 1] : NULL;
}

const struct index_place *index_next(const struct index *ix, const struct index_place *p)
{
	return p->next ? &ix->places[p->next - 1] : NULL;
}
