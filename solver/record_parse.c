/*
 * One record of repodata.json (CEP 36), whose fields are those of index.json (CEP 34).  Fields that
 * nobody here needs are passed over; null is as good as absent.
 */
#include "base/hash.h"
#include "base/http.h"
#include "base/json.h"
#include "solver/index.h"

#include <stdio.h>

enum { DEPENDS_MAX = 4096 };

struct parse {
	struct arena *a;
	struct json *json;
	struct str text; /* the record's own bytes */
	struct record *r;
};

static struct str keep(const struct parse *p, struct str t)
{
	if (t.p >= p->text.p && t.p + t.n <= p->text.p + p->text.n)
		return t;
	return arena_str(p->a, t);
}

static int take_text(struct parse *p, struct str *to, struct err *e)
{
	enum json_type t = json_next(p->json);

	if (t == JSON_NULL)
		return 0;
	if (t != JSON_STRING && t != JSON_NUMBER)
		return json_fail(p->json, e, "expected a string");
	*to = keep(p, json_text(p->json));
	return 0;
}

/* Old indexes write some numbers as strings. */
static int take_number(struct parse *p, uint64_t *to, struct err *e)
{
	enum json_type t = json_next(p->json);
	int64_t v;

	if (t == JSON_NULL)
		return 0;
	if (t == JSON_STRING && str_u64(json_text(p->json), INT64_MAX, to) == 0)
		return 0;
	if (t != JSON_NUMBER)
		return json_fail(p->json, e, "expected a number");
	if (json_int(p->json, &v) < 0 || v < 0)
		v = 0; /* a fraction or a negative time stamp says nothing */
	*to = (uint64_t)v;
	return 0;
}

static int take_list(struct parse *p, struct str **to, size_t *n, struct err *e)
{
	enum json_type t = json_next(p->json);
	struct {
		struct str *v;
		size_t n, cap;
	} list = {0};

	if (t == JSON_NULL)
		return 0;
	if (t != JSON_ARRAY)
		return json_fail(p->json, e, "expected a list");
	while ((t = json_next(p->json)) == JSON_STRING) {
		if (list.n == DEPENDS_MAX)
			return json_fail(p->json, e, "more than %d entries", (int)DEPENDS_MAX);
		*VEC_PUSH(p->a, &list) = keep(p, json_text(p->json));
	}
	if (t != JSON_ARRAY_END)
		return json_fail(p->json, e, "expected a list of strings");
	*to = list.v;
	*n = list.n;
	return 0;
}

static int take_hash(struct parse *p, uint8_t *to, size_t n, bool *has, struct err *e)
{
	struct str hex = {0};

	if (take_text(p, &hex, e) < 0)
		return -1;
	if (hex.n && hex_decode(hex, to, n) < 0)
		return json_fail(p->json, e, "a hash of %zu hex digits expected", 2 * n);
	*has = hex.n != 0;
	return 0;
}

/* "python", "generic", or true as old packages have it. */
static int take_noarch(struct parse *p, struct err *e)
{
	enum json_type t = json_next(p->json);

	if (t == JSON_STRING && str_is(json_text(p->json), "python"))
		p->r->noarch = NOARCH_PYTHON;
	else if (t == JSON_STRING || t == JSON_TRUE)
		p->r->noarch = NOARCH_GENERIC;
	else if (t != JSON_FALSE && t != JSON_NULL)
		return json_fail(p->json, e, "expected a string");
	return 0;
}

/* A string, or a list of strings that is joined by spaces. */
static int take_features(struct parse *p, struct str *to, struct err *e)
{
	enum json_type t = json_next(p->json);
	CLEANUP_BUF text = {0};

	if (t == JSON_NULL)
		return 0;
	if (t == JSON_STRING) {
		*to = str_trim(keep(p, json_text(p->json)));
		return 0;
	}
	if (t != JSON_ARRAY)
		return json_fail(p->json, e, "expected a string");
	while ((t = json_next(p->json)) == JSON_STRING) {
		if (text.n)
			buf_putc(&text, ' ');
		buf_str(&text, json_text(p->json));
	}
	if (t != JSON_ARRAY_END)
		return json_fail(p->json, e, "expected a list of strings");
	*to = arena_str(p->a, buf_view(&text));
	return 0;
}

struct text_field {
	const char *key;
	size_t at;
};

static const struct text_field text_fields[] = {
	{"name", offsetof(struct record, name)},
	{"version", offsetof(struct record, version)},
	{"build", offsetof(struct record, build)},
	{"license", offsetof(struct record, license)},
	{"license_family", offsetof(struct record, license_family)},
	{"python_site_packages_path", offsetof(struct record, python_site_packages_path)},
};

static int take_field(struct parse *p, struct str key, struct err *e)
{
	struct record *r = p->r;

	for (size_t i = 0; i < sizeof text_fields / sizeof *text_fields; i++)
		if (str_is(key, text_fields[i].key))
			return take_text(p, (struct str *)((char *)r + text_fields[i].at), e);
	if (str_is(key, "depends"))
		return take_list(p, &r->depends, &r->n_depends, e);
	if (str_is(key, "constrains"))
		return take_list(p, &r->constrains, &r->n_constrains, e);
	if (str_is(key, "build_number"))
		return take_number(p, &r->build_number, e);
	if (str_is(key, "size"))
		return take_number(p, &r->size, e);
	if (str_is(key, "timestamp"))
		return take_number(p, &r->timestamp, e);
	if (str_is(key, "sha256"))
		return take_hash(p, r->sha256, SHA256_LEN, &r->has_sha256, e);
	if (str_is(key, "md5"))
		return take_hash(p, r->md5, MD5_LEN, &r->has_md5, e);
	if (str_is(key, "noarch"))
		return take_noarch(p, e);
	if (str_is(key, "track_features"))
		return take_features(p, &r->track_features, e);
	if (str_is(key, "features"))
		return take_features(p, &r->features, e);
	return json_skip(p->json) < 0 ? json_error(p->json, e) : 0;
}

static int take_fields(struct parse *p, struct err *e)
{
	enum json_type t;
	char key[64];

	if (json_next(p->json) != JSON_OBJECT)
		return json_error(p->json, e);
	while ((t = json_next(p->json)) == JSON_KEY) {
		struct str k = json_text(p->json);

		/* The key is good until the next token only. */
		k.n = k.n < sizeof key ? k.n : 0;
		memcpy(key, k.p, k.n);
		if (take_field(p, str_n(key, k.n), e) < 0)
			return err_wrap(e, "'%.*s'", (int)k.n, key);
	}
	return t == JSON_OBJECT_END ? 0 : json_error(p->json, e);
}

/* Old indexes hold seconds; as conda does, what is before the year 10000 in seconds is taken so. */
static uint64_t milliseconds(uint64_t t)
{
	return t <= UINT64_C(253402300799) ? t * 1000 : t;
}

int record_parse_bare(struct arena *a, const struct index *ix, const struct index_place *place,
	struct record *out, struct err *e)
{
	const struct index_source *source = ix->sources.v[place->source];
	struct parse p = {.a = a, .text = str_n(place->json, place->json_n), .r = out};
	struct str name, version, build, fn = place_fn(place);
	char label[320];
	int rc;

	snprintf(label, sizeof label, "record of '%.*s'", (int)(fn.n < 255 ? fn.n : 255), fn.p);
	*out = (struct record){.fn = fn, .subdir = source->subdir, .channel = source->channel->url};
	p.json = json_open_text(p.text, label);
	rc = take_fields(&p, e);
	json_close(p.json);
	if (rc < 0)
		return -1;
	record_split_fn(fn, &name, &version, &build);
	if (!str_eq(out->name, name) || out->version.n == 0)
		return err_set(e, ERR_INTEGRITY,
			"the record of '%.*s' speaks of '%.*s' version '%.*s'", STR_ARG(fn),
			STR_ARG(out->name), STR_ARG(out->version));
	out->timestamp = milliseconds(out->timestamp);
	return 0;
}

int record_parse(struct arena *a, const struct index *ix, const struct index_place *place,
	struct record *out, struct err *e)
{
	const struct channel *channel = ix->sources.v[place->source]->channel;

	if (record_parse_bare(a, ix, place, out, e) == 0)
		return 0;
	return err_wrap(e, "channel '%.*s'", STR_ARG(channel->name));
}

static struct str *copy_list(struct arena *a, const struct str *from, size_t n)
{
	struct str *to = arena_array(a, struct str, n);

	for (size_t i = 0; i < n; i++)
		to[i] = arena_str(a, from[i]);
	return to;
}

struct record *record_copy(struct arena *a, const struct record *r)
{
	struct record *c = arena_new(a, struct record);

	*c = *r;
	for (size_t i = 0; i < sizeof text_fields / sizeof *text_fields; i++) {
		struct str *s = (struct str *)((char *)c + text_fields[i].at);

		*s = arena_str(a, *s);
	}
	c->subdir = arena_str(a, r->subdir);
	c->channel = arena_str(a, r->channel);
	c->fn = arena_str(a, r->fn);
	c->url = arena_str(a, r->url);
	c->track_features = arena_str(a, r->track_features);
	c->features = arena_str(a, r->features);
	c->flags = arena_str(a, r->flags);
	c->depends = copy_list(a, r->depends, r->n_depends);
	c->constrains = copy_list(a, r->constrains, r->n_constrains);
	return c;
}
