/*
 * One record of a shard.  The fields are read as those of a repodata.json are (record_parse.c): null
 * is as good as absent.
 */
#include "solver/shard_record.h"

#include "base/hash.h"
#include "solver/record_field.h"

/* What a field's reader works on. */
struct field_reader {
	struct arena *a;
	struct msgpack *m;
	struct record *r;
	const char *why; /* what is wrong with the field */
};

struct text_list {
	struct str *v;
	size_t n, cap;
};

/* --- fields ------------------------------------------------------------------------------- */

static int wrong(struct field_reader *f, const char *why)
{
	f->why = why;
	return -1;
}

static int take_text(struct field_reader *f, void *to)
{
	struct msgpack_value v;
	struct str *text = to;

	msgpack_next(f->m, &v);
	if (v.type == MSGPACK_STR)
		*text = v.text;
	else if (v.type == MSGPACK_UINT)
		*text = arena_strf(f->a, "%llu", (unsigned long long)v.number);
	else if (v.type == MSGPACK_INT)
		*text = arena_strf(f->a, "%lld", (long long)v.number);
	else if (v.type == MSGPACK_FLOAT)
		*text = arena_strf(f->a, "%.17g", v.real);
	else if (v.type != MSGPACK_NIL)
		return wrong(f, "expected a string");
	return 0;
}

/* Old indexes write some numbers as strings; a fraction or a negative time stamp says nothing. */
static int take_number(struct field_reader *f, void *to)
{
	struct msgpack_value v;
	uint64_t *number = to;

	msgpack_next(f->m, &v);
	if (v.type == MSGPACK_UINT)
		*number = v.number <= INT64_MAX ? v.number : 0;
	else if (v.type == MSGPACK_INT || v.type == MSGPACK_FLOAT)
		*number = 0;
	else if (v.type == MSGPACK_STR ? str_u64(v.text, INT64_MAX, number) < 0
				       : v.type != MSGPACK_NIL)
		return wrong(f, "expected a number");
	return 0;
}

static int take_list(struct field_reader *f, struct str **to, size_t *n)
{
	struct msgpack_value list, v;

	if (msgpack_next(f->m, &list) == MSGPACK_NIL)
		return 0;
	if (list.type != MSGPACK_ARRAY)
		return wrong(f, "expected a list");
	if (list.n > DEPENDS_MAX)
		return wrong(f, "more than 4096 entries");
	*to = arena_array(f->a, struct str, (size_t)list.n);
	for (*n = 0; *n < list.n; ++*n) {
		if (msgpack_next(f->m, &v) != MSGPACK_STR)
			return wrong(f, "expected a list of strings");
		(*to)[*n] = v.text;
	}
	return 0;
}

static int take_depends(struct field_reader *f, void *to)
{
	(void)to;
	return take_list(f, &f->r->depends, &f->r->n_depends);
}

static int take_constrains(struct field_reader *f, void *to)
{
	(void)to;
	return take_list(f, &f->r->constrains, &f->r->n_constrains);
}

/* The rest of a list of strings, each behind `prefix`. */
static int take_strings(struct field_reader *f, const struct msgpack_value *list, struct str prefix,
	struct text_list *to)
{
	struct msgpack_value v;

	if (list->type != MSGPACK_ARRAY)
		return wrong(f, "expected a list");
	for (uint64_t i = 0; i < list->n; i++) {
		if (msgpack_next(f->m, &v) != MSGPACK_STR)
			return wrong(f, "expected a list of strings");
		if (to->n == DEPENDS_MAX)
			return wrong(f, "more than 4096 entries");
		*VEC_PUSH(f->a, to) =
			arena_strf(f->a, "%.*s%.*s", STR_ARG(prefix), STR_ARG(v.text));
	}
	return 0;
}

/* CEP 44: {GROUP: [SPEC...]}; a group stands for itself, too, since it may be empty. */
static int take_extra(struct field_reader *f, struct text_list *to)
{
	struct msgpack_value v;
	struct str group;

	if (msgpack_next(f->m, &v) != MSGPACK_STR || !extra_name_is_valid(v.text))
		return wrong(f, "a name of a group expected");
	group = arena_strf(f->a, "%.*s ", STR_ARG(v.text));
	*VEC_PUSH(f->a, to) = group;
	msgpack_next(f->m, &v);
	return take_strings(f, &v, group, to);
}

static int take_extras(struct field_reader *f, void *to)
{
	struct text_list list = {0};
	struct msgpack_value map;

	(void)to;
	if (msgpack_next(f->m, &map) == MSGPACK_NIL)
		return 0;
	if (map.type != MSGPACK_MAP)
		return wrong(f, "expected a map");
	for (uint64_t i = 0; i < map.n; i++)
		if (take_extra(f, &list) < 0)
			return -1;
	f->r->extras = list.v;
	f->r->n_extras = list.n;
	return 0;
}

/* Bytes; also hex digits, as in a repodata.json. */
static int take_sum(struct field_reader *f, uint8_t *to, size_t n, bool *has)
{
	struct msgpack_value v;

	*has = false;
	if (msgpack_next(f->m, &v) == MSGPACK_NIL)
		return 0;
	if (v.type == MSGPACK_BIN && v.text.n == n)
		memcpy(to, v.text.p, n);
	else if (v.type == MSGPACK_STR && v.text.n == 0)
		return 0;
	else if (v.type != MSGPACK_STR || hex_decode(v.text, to, n) < 0)
		return wrong(f, n == MD5_LEN ? "a hash of 16 bytes expected"
					     : "a hash of 32 bytes expected");
	*has = true;
	return 0;
}

static int take_sha256(struct field_reader *f, void *to)
{
	return take_sum(f, to, SHA256_LEN, &f->r->has_sha256);
}

static int take_md5(struct field_reader *f, void *to)
{
	return take_sum(f, to, MD5_LEN, &f->r->has_md5);
}

/* "python", "generic", or true as old packages have it. */
static int take_noarch(struct field_reader *f, void *to)
{
	enum noarch *noarch = to;
	struct msgpack_value v;

	msgpack_next(f->m, &v);
	if (v.type == MSGPACK_STR && str_is(v.text, "python"))
		*noarch = NOARCH_PYTHON;
	else if (v.type == MSGPACK_STR || v.type == MSGPACK_TRUE)
		*noarch = NOARCH_GENERIC;
	else if (v.type != MSGPACK_FALSE && v.type != MSGPACK_NIL)
		return wrong(f, "expected a string");
	return 0;
}

/* A string, or a list of strings that is joined by spaces. */
static int take_words(struct field_reader *f, void *to)
{
	struct msgpack_value list, v;
	CLEANUP_BUF text = {0};

	if (msgpack_next(f->m, &list) == MSGPACK_NIL)
		return 0;
	if (list.type == MSGPACK_STR) {
		*(struct str *)to = str_trim(list.text);
		return 0;
	}
	if (list.type != MSGPACK_ARRAY)
		return wrong(f, "expected a string");
	for (uint64_t i = 0; i < list.n; i++) {
		if (msgpack_next(f->m, &v) != MSGPACK_STR)
			return wrong(f, "expected a list of strings");
		if (text.n)
			buf_putc(&text, ' ');
		buf_str(&text, v.text);
	}
	*(struct str *)to = arena_str(f->a, buf_view(&text));
	return 0;
}

static int (*const takers[])(struct field_reader *f, void *to) = {
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

/* --- records ------------------------------------------------------------------------------ */

/* -1 with *bad: the field whose value is wrong; with NULL: the text is. */
static int take_fields(struct field_reader *f, const struct record_field **bad)
{
	struct msgpack_value map, key;
	size_t guess = 0;

	*bad = NULL;
	if (msgpack_next(f->m, &map) != MSGPACK_MAP)
		return wrong(f, "a record is a map");
	for (uint64_t i = 0; i < map.n; i++) {
		const struct record_field *field = NULL;

		if (msgpack_next(f->m, &key) == MSGPACK_STR)
			field = record_field_of(key.text, &guess);
		if (!field) {
			if (msgpack_skip_rest(f->m, &key) < 0 || msgpack_skip(f->m) < 0)
				return -1;
			continue;
		}
		*bad = field;
		if (takers[field->kind](f, (char *)f->r + field->at) < 0)
			return -1;
		*bad = NULL;
	}
	return 0;
}

static const char *describe(struct arena *a, const struct field_reader *f,
	const struct record_field *bad, struct str fn)
{
	if (!bad)
		return arena_printf(a, "record of '%.*s': %s", STR_ARG(fn), f->why);
	return arena_printf(
		a, "record of '%.*s': '%.*s': %s", STR_ARG(fn), STR_ARG(bad->key), f->why);
}

void shard_record(
	struct msgpack *m, struct arena *a, struct str fn, struct str name, struct group_record *to)
{
	struct field_reader f = {.a = a, .m = m, .r = &to->record};
	const struct msgpack before = *m;
	const struct record_field *bad;

	to->record = (struct record){.fn = fn};
	if (take_fields(&f, &bad) < 0) {
		if (m->why)
			return;
		to->error = describe(a, &f, bad, fn);
		*m = before;
		msgpack_skip(m);
		return;
	}
	if (!str_eq(to->record.name, name) || to->record.version.n == 0)
		to->error = arena_printf(a, "record of '%.*s': it speaks of '%.*s' version '%.*s'",
			STR_ARG(fn), STR_ARG(to->record.name), STR_ARG(to->record.version));
	to->record.timestamp = record_milliseconds(to->record.timestamp);
	to->record.indexed = record_milliseconds(to->record.indexed);
}
