/* Rules out of a manifest. */
#include "packer/rules.h"

#include "base/file.h"

enum { LIST_MAX = 2000000 };

struct reading {
	struct arena *arena;
	struct json *json;
	const char *where;
	struct rules *out;
	struct err *err;
};

static int read_size(struct reading *r, uint64_t *out)
{
	enum json_type t = json_next(r->json);
	int64_t n = 0;

	if (t != JSON_NULL && (t != JSON_NUMBER || json_int(r->json, &n) < 0 || n < 0))
		return json_unexpected(r->json, t, "a number", r->err);
	*out = (uint64_t)n;
	return 0;
}

static int read_sum(struct reading *r, uint8_t sum[SHA256_LEN])
{
	struct str hex;

	if (json_read_text(r->json, r->arena, &hex, r->err) < 0)
		return -1;
	if (hex.n != SHA256_HEX || hex_decode(hex, sum, SHA256_LEN) < 0)
		return json_fail(r->json, r->err, "no sha256");
	return 0;
}

static int read_flag(struct reading *r, bool *out)
{
	enum json_type t = json_next(r->json);

	if (t != JSON_TRUE && t != JSON_FALSE)
		return json_unexpected(r->json, t, "true or false", r->err);
	*out = t == JSON_TRUE;
	return 0;
}

static int skip(struct reading *r)
{
	return json_skip(r->json) < 0 ? json_error(r->json, r->err) : 0;
}

typedef int read_field(struct reading *r, struct str key, void *item);

/* The keys of a map that has been opened. */
static int read_map(struct reading *r, read_field *field, void *item)
{
	enum json_type t;

	while ((t = json_next(r->json)) == JSON_KEY)
		if (field(r, json_text(r->json), item) < 0)
			return -1;
	return t == JSON_OBJECT_END ? 0 : json_unexpected(r->json, t, "a key", r->err);
}

/* A list of maps; `item` makes room for one. */
static int read_list(struct reading *r, void *(*item)(struct reading *r), read_field *field)
{
	enum json_type t = json_next(r->json);
	size_t n = 0;

	if (t != JSON_ARRAY)
		return json_unexpected(r->json, t, "a list", r->err);
	while ((t = json_next(r->json)) == JSON_OBJECT) {
		if (++n > LIST_MAX)
			return json_fail(r->json, r->err, "too many");
		if (read_map(r, field, item(r)) < 0)
			return -1;
	}
	return t == JSON_ARRAY_END ? 0 : json_unexpected(r->json, t, "a map", r->err);
}

/* --- patterns ------------------------------------------------------------------------------- */

static void *new_pattern(struct reading *r, struct rule_patterns *list)
{
	struct rule_pattern *p = VEC_PUSH(r->arena, list);

	*p = (struct rule_pattern){.place = r->where};
	return p;
}

static void *new_exclude(struct reading *r)
{
	return new_pattern(r, &r->out->exclude);
}

static void *new_include(struct reading *r)
{
	return new_pattern(r, &r->out->include);
}

static int pattern_field(struct reading *r, struct str key, void *item)
{
	struct rule_pattern *p = item;

	return str_is(key, "pattern") ? json_read_text(r->json, r->arena, &p->text, r->err)
				      : skip(r);
}

static void *no_item(struct reading *r)
{
	return r;
}

static int drop_field(struct reading *r, struct str key, void *item)
{
	enum rules_drop drop;
	struct str name;

	(void)item;
	if (!str_is(key, "name"))
		return skip(r);
	if (json_read_text(r->json, r->arena, &name, r->err) < 0)
		return -1;
	if (rules_drop_parse(name, &drop) < 0)
		return json_fail(
			r->json, r->err, "nothing to drop is called '%.*s'", STR_ARG(name));
	r->out->drop[drop].asked = true;
	return 0;
}

/* --- renames, files ------------------------------------------------------------------------- */

static void *new_rename(struct reading *r)
{
	struct rule_rename *n = VEC_PUSH(r->arena, &r->out->rename);

	*n = (struct rule_rename){.from.place = r->where};
	return n;
}

static int done_field(struct reading *r, struct str key, void *item)
{
	struct renamed_file *f = item;

	if (str_is(key, "from"))
		return json_read_text(r->json, r->arena, &f->from, r->err);
	return str_is(key, "to") ? json_read_text(r->json, r->arena, &f->to, r->err) : skip(r);
}

/* Of the rename that was read last. */
static void *new_done(struct reading *r)
{
	struct rule_rename *n = &r->out->rename.v[r->out->rename.n - 1];
	struct renamed_file *f = VEC_PUSH(r->arena, &n->done);

	*f = (struct renamed_file){0};
	return f;
}

static int rename_field(struct reading *r, struct str key, void *item)
{
	struct rule_rename *n = item;

	if (str_is(key, "from"))
		return json_read_text(r->json, r->arena, &n->from.text, r->err);
	if (str_is(key, "files"))
		return read_list(r, new_done, done_field);
	return str_is(key, "to") ? json_read_text(r->json, r->arena, &n->to, r->err) : skip(r);
}

static void *new_file(struct reading *r)
{
	struct rule_file *f = VEC_PUSH(r->arena, &r->out->add);

	*f = (struct rule_file){.place = r->where};
	return f;
}

static int file_field(struct reading *r, struct str key, void *item)
{
	struct rule_file *f = item;

	if (str_is(key, "path"))
		return json_read_text(r->json, r->arena, &f->path, r->err);
	if (str_is(key, "link"))
		return json_read_text(r->json, r->arena, &f->link, r->err);
	if (str_is(key, "sha256"))
		return read_sum(r, f->sha256);
	if (str_is(key, "bytes"))
		return read_size(r, &f->size);
	return str_is(key, "executable") ? read_flag(r, &f->executable) : skip(r);
}

/* --- all -------------------------------------------------------------------------------------- */

static int script_field(struct reading *r, struct str key, void *item)
{
	(void)item;
	return str_is(key, "sha256") ? read_sum(r, r->out->pre_pack_sha256) : skip(r);
}

static int read_pre_pack(struct reading *r)
{
	enum json_type t = json_next(r->json);

	if (t == JSON_NULL)
		return 0;
	if (t != JSON_OBJECT)
		return json_unexpected(r->json, t, "a map", r->err);
	r->out->has_pre_pack = true;
	return read_map(r, script_field, NULL);
}

static int read_paths(struct reading *r, struct str **out, size_t *n)
{
	struct {
		struct str *v;
		size_t n, cap;
	} list = {0};
	enum json_type t = json_next(r->json);

	if (t != JSON_ARRAY)
		return json_unexpected(r->json, t, "a list", r->err);
	while ((t = json_next(r->json)) == JSON_STRING) {
		if (list.n >= LIST_MAX)
			return json_fail(r->json, r->err, "too many");
		*VEC_PUSH(r->arena, &list) = arena_str(r->arena, json_text(r->json));
	}
	*out = list.v;
	*n = list.n;
	return t == JSON_ARRAY_END ? 0 : json_unexpected(r->json, t, "a text", r->err);
}

static int rules_field(struct reading *r, struct str key, void *item)
{
	(void)item;
	if (str_is(key, "exclude"))
		return read_list(r, new_exclude, pattern_field);
	if (str_is(key, "include"))
		return read_list(r, new_include, pattern_field);
	if (str_is(key, "drop"))
		return read_list(r, no_item, drop_field);
	if (str_is(key, "rename"))
		return read_list(r, new_rename, rename_field);
	if (str_is(key, "add"))
		return read_list(r, new_file, file_field);
	if (str_is(key, "pre_pack"))
		return read_pre_pack(r);
	if (str_is(key, "max_size"))
		return read_size(r, &r->out->max_size);
	if (str_is(key, "removed"))
		return read_paths(r, &r->out->removed, &r->out->n_removed);
	if (str_is(key, "changed"))
		return read_paths(r, &r->out->changed, &r->out->n_changed);
	return skip(r);
}

/* 1, 0 where the manifest has no rules, -1 */
static int read_manifest(struct reading *r)
{
	enum json_type t = json_next(r->json);

	if (t != JSON_OBJECT)
		return json_unexpected(r->json, t, "a map", r->err);
	while ((t = json_next(r->json)) == JSON_KEY) {
		if (!str_is(json_text(r->json), "rules")) {
			if (skip(r) < 0)
				return -1;
			continue;
		}
		t = json_next(r->json);
		if (t != JSON_OBJECT)
			return json_unexpected(r->json, t, "a map", r->err);
		return read_map(r, rules_field, NULL) < 0 ? -1 : 1;
	}
	return t == JSON_OBJECT_END ? 0 : json_unexpected(r->json, t, "a key", r->err);
}

int rules_from_manifest(
	struct arena *a, struct str text, const char *where, struct rules *out, struct err *e)
{
	struct reading r = {.arena = a,
		.json = json_open_text(text, where),
		.where = where,
		.out = out,
		.err = e};
	int rc;

	*out = (struct rules){0};
	rc = read_manifest(&r);
	json_close(r.json);
	return rc;
}
