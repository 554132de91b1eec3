/* Fields that nobody here needs are passed over; null is as good as absent. */
#include "solver/record_parse.h"

#include "base/hash.h"
#include "solver/record_field.h"

struct parse {
	struct arena *a;
	struct json *json;
	struct record *r;
};

struct text_list {
	struct str *v;
	size_t n, cap;
};

static int take_text(struct parse *p, void *to, struct err *e)
{
	enum json_type t = json_next(p->json);

	if (t == JSON_NULL)
		return 0;
	if (t != JSON_STRING && t != JSON_NUMBER)
		return json_fail(p->json, e, "expected a string");
	*(struct str *)to = arena_str(p->a, json_text(p->json));
	return 0;
}

/* Old indexes write some numbers as strings. */
static int take_number(struct parse *p, void *to, struct err *e)
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
	*(uint64_t *)to = (uint64_t)v;
	return 0;
}

/* The rest of a list of strings, each behind `prefix`. */
static int take_strings(struct parse *p, struct str prefix, struct text_list *to, struct err *e)
{
	enum json_type t;

	while ((t = json_next(p->json)) == JSON_STRING) {
		struct str text = str_trim(json_text(p->json));

		if (to->n == DEPENDS_MAX)
			return json_fail(p->json, e, "more than %d entries", (int)DEPENDS_MAX);
		*VEC_PUSH(p->a, to) =
			prefix.n ? arena_strf(p->a, "%.*s%.*s", STR_ARG(prefix), STR_ARG(text))
				 : arena_str(p->a, text);
	}
	return t == JSON_ARRAY_END ? 0 : json_fail(p->json, e, "expected a list of strings");
}

static int take_list(struct parse *p, struct str **to, size_t *n, struct err *e)
{
	enum json_type t = json_next(p->json);
	struct text_list list = {0};

	if (t == JSON_NULL)
		return 0;
	if (t != JSON_ARRAY)
		return json_fail(p->json, e, "expected a list");
	if (take_strings(p, STR(""), &list, e) < 0)
		return -1;
	*to = list.v;
	*n = list.n;
	return 0;
}

static int take_depends(struct parse *p, void *to, struct err *e)
{
	(void)to;
	return take_list(p, &p->r->depends, &p->r->n_depends, e);
}

static int take_constrains(struct parse *p, void *to, struct err *e)
{
	(void)to;
	return take_list(p, &p->r->constrains, &p->r->n_constrains, e);
}

/* CEP 44: {GROUP: [SPEC...]}; a group stands for itself, too, since it may be empty. */
static int take_extra(struct parse *p, struct text_list *to, struct err *e)
{
	struct str group = json_text(p->json);

	if (!extra_name_is_valid(group))
		return json_fail(p->json, e, "'%.*s' is no name of a group",
			(int)(group.n < 64 ? group.n : 64), group.p);
	group = arena_strf(p->a, "%.*s ", STR_ARG(group));
	*VEC_PUSH(p->a, to) = group;
	if (json_next(p->json) != JSON_ARRAY)
		return json_fail(p->json, e, "expected a list");
	return take_strings(p, group, to, e);
}

static int take_extras(struct parse *p, void *to, struct err *e)
{
	enum json_type t = json_next(p->json);
	struct text_list list = {0};

	(void)to;
	if (t == JSON_NULL)
		return 0;
	if (t != JSON_OBJECT)
		return json_fail(p->json, e, "expected an object");
	while ((t = json_next(p->json)) == JSON_KEY)
		if (take_extra(p, &list, e) < 0)
			return -1;
	if (t != JSON_OBJECT_END)
		return json_error(p->json, e);
	p->r->extras = list.v;
	p->r->n_extras = list.n;
	return 0;
}

static int take_hash(struct parse *p, uint8_t *to, size_t n, bool *has, struct err *e)
{
	enum json_type t = json_next(p->json);

	*has = false;
	if (t == JSON_NULL)
		return 0;
	if (t != JSON_STRING && t != JSON_NUMBER)
		return json_fail(p->json, e, "expected a string");
	*has = json_text(p->json).n != 0;
	if (*has && hex_decode(json_text(p->json), to, n) < 0)
		return json_fail(p->json, e, "a hash of %zu hex digits expected", 2 * n);
	return 0;
}

static int take_sha256(struct parse *p, void *to, struct err *e)
{
	return take_hash(p, to, SHA256_LEN, &p->r->has_sha256, e);
}

static int take_md5(struct parse *p, void *to, struct err *e)
{
	return take_hash(p, to, MD5_LEN, &p->r->has_md5, e);
}

/* "python", "generic", or true as old packages have it. */
static int take_noarch(struct parse *p, void *to, struct err *e)
{
	enum json_type t = json_next(p->json);
	enum noarch *noarch = to;

	if (t == JSON_STRING && str_is(json_text(p->json), "python"))
		*noarch = NOARCH_PYTHON;
	else if (t == JSON_STRING || t == JSON_TRUE)
		*noarch = NOARCH_GENERIC;
	else if (t != JSON_FALSE && t != JSON_NULL)
		return json_fail(p->json, e, "expected a string");
	return 0;
}

/* A string, or a list of strings that is joined by spaces. */
static int take_words(struct parse *p, void *to, struct err *e)
{
	enum json_type t = json_next(p->json);
	CLEANUP_BUF text = {0};

	if (t == JSON_NULL)
		return 0;
	if (t == JSON_STRING) {
		*(struct str *)to = arena_str(p->a, str_trim(json_text(p->json)));
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
	*(struct str *)to = arena_str(p->a, buf_view(&text));
	return 0;
}

static int (*const takers[])(struct parse *p, void *to, struct err *e) = {
	[FIELD_TEXT] = take_text,
	[FIELD_NUMBER] = take_number,
	[FIELD_WORDS] = take_words,
	[FIELD_DEPENDS] = take_depends,
	[FIELD_CONSTRAINS] = take_constrains,
	[FIELD_EXTRAS] = take_extras,
	[FIELD_NOARCH] = take_noarch,
	[FIELD_SHA256] = take_sha256,
	[FIELD_MD5] = take_md5,
};

static int take_field(struct parse *p, size_t *guess, struct err *e)
{
	const struct record_field *f = record_field_of(json_text(p->json), guess);

	if (!f)
		return json_skip(p->json) < 0 ? json_error(p->json, e) : 0;
	if (takers[f->kind](p, (char *)p->r + f->at, e) < 0)
		return err_wrap(e, "'%.*s'", STR_ARG(f->key));
	return 0;
}

static int take_fields(struct parse *p, struct err *e)
{
	enum json_type t;
	size_t guess = 0;

	if (json_next(p->json) != JSON_OBJECT)
		return json_fail(p->json, e, "a record is an object");
	while ((t = json_next(p->json)) == JSON_KEY)
		if (take_field(p, &guess, e) < 0)
			return -1;
	return t == JSON_OBJECT_END ? 0 : json_error(p->json, e);
}

static int check_name(const struct record *r, struct err *e)
{
	struct str name, version, build;

	record_split_fn(r->fn, &name, &version, &build);
	if (str_eq(r->name, name) && r->version.n)
		return 0;
	return err_set(e, ERR_INTEGRITY, "it speaks of '%.*s' version '%.*s'", STR_ARG(r->name),
		STR_ARG(r->version));
}

int record_parse(struct json *j, struct arena *a, struct str fn, struct record *out, struct err *e)
{
	struct parse p = {.a = a, .json = j, .r = out};
	int depth = json_depth(j);

	*out = (struct record){.fn = fn};
	if (take_fields(&p, e) < 0 || check_name(out, e) < 0) {
		json_leave(j, depth);
		return err_wrap(e, "record of '%.*s'", (int)(fn.n < 255 ? fn.n : 255), fn.p);
	}
	out->timestamp = record_milliseconds(out->timestamp);
	out->indexed = record_milliseconds(out->indexed);
	return 0;
}
