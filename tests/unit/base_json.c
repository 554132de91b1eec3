#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>

struct source {
	struct str rest;
	size_t first, piece; /* bytes given by the first call, and by each later one */
	bool fails;          /* at the end: an error instead of the end */
};

static ptrdiff_t read_piece(void *ctx, void *p, size_t n, struct err *e)
{
	struct source *s = ctx;
	size_t give = s->first ? s->first : s->piece;

	s->first = 0;
	if (s->rest.n == 0 && s->fails)
		return err_set(e, ERR_NETWORK, "connection lost");
	if (give > n)
		give = n;
	if (give > s->rest.n)
		give = s->rest.n;
	if (give)
		memcpy(p, s->rest.p, give);
	s->rest = str_sub(s->rest, give, s->rest.n);
	return (ptrdiff_t)give;
}

/* The tokens in short: {} [] K"key" "string" number t f n, then $ for the end or ! for an error. */
static void add_token(struct buf *b, struct json *j, enum json_type t)
{
	static const char marks[] = {
		[JSON_ERROR] = '!',
		[JSON_END] = '$',
		[JSON_OBJECT] = '{',
		[JSON_OBJECT_END] = '}',
		[JSON_ARRAY] = '[',
		[JSON_ARRAY_END] = ']',
		[JSON_KEY] = 'K',
		[JSON_STRING] = 'S',
		[JSON_NUMBER] = 'N',
		[JSON_TRUE] = 't',
		[JSON_FALSE] = 'f',
		[JSON_NULL] = 'n',
	};
	struct err e = {0};

	buf_putc(b, marks[t]);
	if (t == JSON_KEY || t == JSON_STRING || t == JSON_NUMBER)
		buf_printf(b, "(%.*s)", STR_ARG(json_text(j)));
	if (t == JSON_ERROR) {
		json_error(j, &e);
		buf_puts(b, e.text);
		err_release(&e);
	}
}

/* Reads all; every skip-th value that is an array or object is passed over (0: none). */
static void transcribe(struct json *j, unsigned skip, struct buf *b)
{
	enum json_type t;
	unsigned n = 0;

	do {
		t = json_next(j);
		add_token(b, j, t);
		if (skip && (t == JSON_OBJECT || t == JSON_ARRAY) && ++n % skip == 0 &&
			json_skip(j) == 0)
			buf_putc(b, '~');
	} while (t != JSON_ERROR && t != JSON_END);
	assert_int_equal(json_next(j), t);
	json_close(j);
}

static const struct {
	const char *text, *tokens;
} good[] = {
	{"0", "N(0)$"},
	{"-0", "N(-0)$"},
	{" 12 ", "N(12)$"},
	{"-1.5e+10", "N(-1.5e+10)$"},
	{"1E-2", "N(1E-2)$"},
	{"0.25", "N(0.25)$"},
	{"true", "t$"},
	{"\t\r\nfalse\n", "f$"},
	{"null", "n$"},
	{"\"\"", "S()$"},
	{"\"abc\"", "S(abc)$"},
	{"\"a\\\"b\\\\c\\/\"", "S(a\"b\\c/)$"},
	{"\"\\b\\f\\n\\r\\t\"", "S(\b\f\n\r\t)$"},
	{"\"\\u0041\\u00e9\\u20ac\"", "S(A\xc3\xa9\xe2\x82\xac)$"},
	{"\"\\ud83d\\uDE00\"", "S(\xf0\x9f\x98\x80)$"},
	{"\"\\ud800\"", "S(\xef\xbf\xbd)$"},
	{"\"\\udc00x\"", "S(\xef\xbf\xbdx)$"},
	{"\"\\ud800\\ud83d\\ude00\"", "S(\xef\xbf\xbd\xf0\x9f\x98\x80)$"},
	{"\"\\ud800\\n\"", "S(\xef\xbf\xbd\n)$"},
	{"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"",
		"S(\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f)$"},
	{"\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"",
		"S(\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf)$"},
	{"{}", "{}$"},
	{"[]", "[]$"},
	{"[ ]", "[]$"},
	{"{ \"a\" : 1 }", "{K(a)N(1)}$"},
	{"[1,2 , 3]", "[N(1)N(2)N(3)]$"},
	{"{\"a\":{\"b\":[]},\"c\":[{}]}", "{K(a){K(b)[]}K(c)[{}]}$"},
	{"{\"a\":1,\"a\":2}", "{K(a)N(1)K(a)N(2)}$"},
	{"{\"\":null}", "{K()n}$"},
	{"[[[[[[[[]]]]]]]]", "[[[[[[[[]]]]]]]]$"},
	{"[\"]\",\"}\",\"\\\"]\"]", "[S(])S(})S(\"])]$"},
	{"[1e5,-0.0,0e1]", "[N(1e5)N(-0.0)N(0e1)]$"},
};

static const struct {
	const char *text, *error;
} bad[] = {
	{"", "1:1: the text ends where a value should be"},
	{"   \n ", "2:2: the text ends where a value should be"},
	{"{", "1:2: the text ends where a key should be"},
	{"[", "1:2: the text ends where a value should be"},
	{"[1", "1:3: the text ends within an object or array"},
	{"[1,", "1:4: the text ends where a value should be"},
	{"{\"a\"", "1:5: expected ':'"},
	{"{\"a\":", "1:6: the text ends where a value should be"},
	{"{\"a\":1,", "1:8: the text ends where a key should be"},
	{"[1,]", "1:4: unexpected character"},
	{"{\"a\":1,}", "1:8: expected a key"},
	{"[,1]", "1:2: unexpected character"},
	{"[1 2]", "1:4: expected ',' or ']'"},
	{"{\"a\" 1}", "1:6: expected ':'"},
	{"{\"a\":1 \"b\":2}", "1:8: expected ',' or '}'"},
	{"{a:1}", "1:2: expected a key"},
	{"{1:1}", "1:2: expected a key"},
	{"[1}", "1:3: expected ',' or ']'"},
	{"{\"a\":1]", "1:7: expected ',' or '}'"},
	{"]", "1:1: unexpected character"},
	{"[]]", "1:3: text after the end of the document"},
	{"1 2", "1:3: text after the end of the document"},
	{"{}\n{}", "2:1: text after the end of the document"},
	{"01", "1:1: not a number"},
	{"-01", "1:1: not a number"},
	{"-", "1:1: not a number"},
	{"1.", "1:1: not a number"},
	{".5", "1:1: unexpected character"},
	{"+1", "1:1: unexpected character"},
	{"1e", "1:1: not a number"},
	{"1e+", "1:1: not a number"},
	{"1.e5", "1:1: not a number"},
	{"1-2", "1:1: not a number"},
	{"0x10", "1:2: text after the end of the document"},
	{"NaN", "1:1: unexpected character"},
	{"Infinity", "1:1: unexpected character"},
	{"tru", "1:1: unexpected character"},
	{"True", "1:1: unexpected character"},
	{"nulll", "1:5: text after the end of the document"},
	{"'a'", "1:1: unexpected character"},
	{"\"abc", "1:5: the text ends within a string"},
	{"\"abc\\", "1:6: the text ends within a string"},
	{"\"a\nb\"", "1:3: control character in a string"},
	{"\"a\tb\"", "1:3: control character in a string"},
	{"\"\\x41\"", "1:3: unknown escape"},
	{"\"\\u12g4\"", "1:3: \\u needs four hexadecimal digits"},
	{"\"\\u123", "1:3: \\u needs four hexadecimal digits"},
	{"\"\x80\"", "1:2: invalid UTF-8"},
	{"\"\xc0\xaf\"", "1:2: invalid UTF-8"},
	{"\"\xe0\x80\xaf\"", "1:2: invalid UTF-8"},
	{"\"\xed\xa0\x80\"", "1:2: invalid UTF-8"},
	{"\"\xf4\x90\x80\x80\"", "1:2: invalid UTF-8"},
	{"\"\xf5\x80\x80\x80\"", "1:2: invalid UTF-8"},
	{"\"\xe2\x82\"", "1:2: invalid UTF-8"},
	{"\"\xff\"", "1:2: invalid UTF-8"},
	{"\xef\xbb\xbf{}", "1:1: unexpected character"},
	{"// no\n1", "1:1: unexpected character"},
	{"[1,\n\n  x]", "3:3: unexpected character"},
};

static void valid_documents_give_their_tokens(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		CLEANUP_BUF b = {0};

		transcribe(json_open_text(str_of(good[i].text), "t"), 0, &b);
		assert_string_equal(b.p, good[i].tokens);
	}
}

static void invalid_documents_say_where_and_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		CLEANUP_BUF b = {0};
		const char *error;

		transcribe(json_open_text(str_of(bad[i].text), "t"), 0, &b);
		error = strstr(b.p, "!t:");
		assert_non_null(error);
		assert_string_equal(error + 3, bad[i].error);
	}
}

/* At every place where the first piece can end, and in pieces of 1, 2, 3... bytes. */
static void check_pieces(struct str text)
{
	for (unsigned skip = 0; skip < 3; skip++) {
		CLEANUP_BUF whole = {0};

		transcribe(json_open_text(text, "t"), skip, &whole);
		for (size_t at = 1; at <= text.n; at++) {
			struct source s = {.rest = text, .first = at, .piece = SIZE_MAX};
			struct source t = {.rest = text, .piece = at};
			CLEANUP_BUF split = {0}, pieces = {0};

			transcribe(json_open(read_piece, &s, "t"), skip, &split);
			assert_string_equal(split.p, whole.p);
			transcribe(json_open(read_piece, &t, "t"), skip, &pieces);
			assert_string_equal(pieces.p, whole.p);
		}
	}
}

static void pieces_give_the_same_tokens(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		check_pieces(str_of(good[i].text));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		check_pieces(str_of(bad[i].text));
	check_pieces(STR("{\"packages\":{\"zlib-1.2.11-0.tar.bz2\":{\"depends\":[\"libgcc-ng "
			 ">=7.2.0\"],\"sub\":{\"a\":\"\\\\\",\"b\":\"\\\"}]\"}},\"x\":{}},\"last\":"
			 "[[1,2,{\"k\":\"v\"}],\"\xe2\x82\xac\"]}"));
}

static void depth_is_bounded(void **state)
{
	(void)state;
	for (int depth = JSON_MAX_DEPTH; depth <= JSON_MAX_DEPTH + 1; depth++) {
		CLEANUP_BUF text = {0};
		bool deep = depth > JSON_MAX_DEPTH;
		struct json *j;
		enum json_type t;

		for (int i = 0; i < depth; i++)
			buf_puts(&text, i % 2 ? "{\"k\":" : "[");
		buf_puts(&text, "1");
		for (int i = depth; i-- > 0;)
			buf_putc(&text, i % 2 ? '}' : ']');
		j = json_open_text(buf_view(&text), "t");
		while ((t = json_next(j)) != JSON_END && t != JSON_ERROR)
			;
		assert_int_equal(t, deep ? JSON_ERROR : JSON_END);
		json_close(j);
		j = json_open_text(buf_view(&text), "t");
		assert_int_equal(json_next(j), JSON_ARRAY);
		assert_int_equal(json_skip(j), deep ? -1 : 0);
		json_close(j);
	}
}

static void skip_sees_bad_nesting(void **state)
{
	static const char *const texts[] = {
		"[{]}", "{\"a\":[}", "[\"abc]", "[", "[[]", "[\\]", "[\"a\\\"]", "[ \\\" ]"};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct json *j = json_open_text(str_of(texts[i]), "t");

		json_next(j);
		assert_int_equal(json_skip(j), -1);
		assert_int_equal(json_next(j), JSON_ERROR);
		json_close(j);
	}
}

static void skip_passes_over_what_comes_next(void **state)
{
	struct json *j = json_open_text(
		STR("{\"a\":[1,{\"b\":2}],\"c\":\"x\",\"d\":{\"e\":{}},\"f\":[7,[8],9]}"), "t");

	(void)state;
	assert_int_equal(json_next(j), JSON_OBJECT);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(json_next(j), JSON_KEY);
		assert_int_equal(json_skip(j), 0);
	}
	assert_int_equal(json_next(j), JSON_KEY);
	assert_true(str_is(json_text(j), "f"));
	assert_int_equal(json_next(j), JSON_ARRAY);
	assert_int_equal(json_next(j), JSON_NUMBER);
	assert_int_equal(json_skip(j), 0);
	assert_int_equal(json_next(j), JSON_NUMBER);
	assert_true(str_is(json_text(j), "9"));
	assert_int_equal(json_next(j), JSON_ARRAY_END);
	assert_int_equal(json_skip(j), -1);
	json_close(j);
}

static void long_tokens_cross_windows(void **state)
{
	const size_t sizes[] = {65535, 65536, 65537, 200000, 1000000};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		CLEANUP_BUF text = {0};
		struct source s = {.piece = 5000};
		struct json *j;

		buf_puts(&text, "[\"");
		for (size_t k = 0; k < sizes[i]; k++)
			buf_putc(&text, (char)('a' + k % 26));
		buf_puts(&text, "\",\"\\n");
		for (size_t k = 0; k < sizes[i]; k++)
			buf_puts(&text, k % 1000 ? "x" : "\\u20ac");
		buf_puts(&text, "\"]");
		s.rest = buf_view(&text);
		j = json_open(read_piece, &s, "t");
		assert_int_equal(json_next(j), JSON_ARRAY);
		assert_int_equal(json_next(j), JSON_STRING);
		assert_true(str_eq(json_text(j), str_n(text.p + 2, sizes[i])));
		assert_int_equal(json_next(j), JSON_STRING);
		assert_int_equal(json_text(j).n, 1 + sizes[i] + (sizes[i] + 999) / 1000 * 2);
		assert_int_equal(json_next(j), JSON_ARRAY_END);
		assert_int_equal(json_next(j), JSON_END);
		assert_int_equal(json_offset(j), text.n);
		json_close(j);
	}
}

static void a_string_has_a_maximum(void **state)
{
	CLEANUP_BUF text = {0};
	struct source s = {.piece = SIZE_MAX};
	struct json *j;

	(void)state;
	buf_putc(&text, '"');
	for (size_t i = 0; i <= JSON_MAX_STRING / 64; i++)
		buf_add(&text, "0123456789012345678901234567890123456789012345678901234567890123",
			64);
	buf_putc(&text, '"');
	j = json_open_text(buf_view(&text), "t");
	assert_int_equal(json_next(j), JSON_ERROR);
	json_close(j);
	s.rest = buf_view(&text);
	j = json_open(read_piece, &s, "t");
	assert_int_equal(json_next(j), JSON_ERROR);
	json_close(j);
}

static void errors_of_the_source_are_passed_on(void **state)
{
	static const char *const texts[] = {"", "[", "[1", "[1,", "{\"a", "{\"a\\", "{\"a\\u12",
		"\"\xe2\x82", "tr", "12", "{}", "[\"\\ud800"};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		for (int skip = 0; skip < 2; skip++) {
			struct source s = {str_of(texts[i]), 0, 1, true};
			struct json *j = json_open(read_piece, &s, "t");
			struct err e = {0};
			enum json_type t;

			while ((t = json_next(j)) != JSON_END && t != JSON_ERROR)
				if (skip && (t == JSON_ARRAY || t == JSON_OBJECT))
					json_skip(j);
			assert_int_equal(t, JSON_ERROR);
			assert_int_equal(json_error(j, &e), -1);
			assert_int_equal(e.code, ERR_NETWORK);
			assert_string_equal(e.text, "connection lost");
			err_release(&e);
			json_close(j);
		}
	}
}

static void complaints_point_at_the_last_token(void **state)
{
	struct str text = STR("{\n  \"sha256\": [1,\n     \"value\"]}");
	enum json_type t;

	(void)state;
	for (size_t piece = 1; piece <= text.n; piece++) {
		struct source s = {.rest = text, .piece = piece};
		struct json *j = json_open(read_piece, &s, "index.json");
		struct err e = {0};

		do
			t = json_next(j);
		while (t != JSON_STRING);
		assert_int_equal(json_fail(j, &e, "no %s", "digest"), -1);
		assert_string_equal(e.text, "index.json:3:6: no digest");
		assert_int_equal(e.code, ERR_INTEGRITY);
		err_release(&e);
		json_close(j);
	}
}

static void integers_are_exact(void **state)
{
	static const struct {
		const char *text;
		int rc;
		int64_t value;
	} cases[] = {
		{"0", 0, 0},
		{"-0", 0, 0},
		{"1528122041424", 0, 1528122041424},
		{"9223372036854775807", 0, INT64_MAX},
		{"9223372036854775808", -1, 0},
		{"-9223372036854775808", 0, INT64_MIN},
		{"-9223372036854775809", -1, 0},
		{"1.0", -1, 0},
		{"1e3", -1, 0},
		{"\"1\"", -1, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct json *j = json_open_text(str_of(cases[i].text), "t");
		int64_t v = 0;

		json_next(j);
		assert_int_equal(json_int(j, &v), cases[i].rc);
		assert_true(v == cases[i].value);
		json_close(j);
	}
}

static void write_sample(struct json_out *w)
{
	jw_object(w);
	jw_key(w, "name");
	jw_cstr(w, "a\"b\\c\n\x01\xc3\xa9\xff");
	jw_key(w, "empty");
	jw_array(w);
	jw_array_end(w);
	jw_key(w, "list");
	jw_array(w);
	jw_int(w, INT64_MIN);
	jw_bool(w, true);
	jw_cstr(w, NULL);
	jw_object(w);
	jw_object_end(w);
	jw_array_end(w);
	jw_key(w, "seconds");
	jw_double(w, 1.25);
	jw_object_end(w);
}

static void the_writer_writes_as_conda(void **state)
{
	CLEANUP_BUF line = {0}, lines = {0};
	struct json_out one = {.to = &line}, two = {.to = &lines, .indent = 2};

	(void)state;
	write_sample(&one);
	assert_string_equal(line.p,
		"{\"name\":\"a\\\"b\\\\c\\n\\u0001\xc3\xa9\xef\xbf\xbd\",\"empty\":[],"
		"\"list\":[-9223372036854775808,true,null,{}],\"seconds\":1.25}");
	write_sample(&two);
	assert_string_equal(lines.p,
		"{\n  \"name\": \"a\\\"b\\\\c\\n\\u0001\xc3\xa9\xef\xbf\xbd\",\n  \"empty\": [],\n"
		"  \"list\": [\n    -9223372036854775808,\n    true,\n    null,\n    {}\n  ],\n"
		"  \"seconds\": 1.25\n}");
}

static void fractions_have_three_digits_at_most(void **state)
{
	static const struct {
		double v;
		const char *text;
	} cases[] = {{0, "0"}, {1, "1"}, {100, "100"}, {0.0004, "0"}, {0.0005, "0.001"},
		{-2.5, "-2.5"}, {12.3456, "12.346"}, {0.1, "0.1"}, {1e300, "null"}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		CLEANUP_BUF b = {0};
		struct json_out w = {.to = &b};

		jw_double(&w, cases[i].v);
		assert_string_equal(b.p, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_documents_give_their_tokens),
		cmocka_unit_test(invalid_documents_say_where_and_why),
		cmocka_unit_test(pieces_give_the_same_tokens),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(skip_sees_bad_nesting),
		cmocka_unit_test(skip_passes_over_what_comes_next),
		cmocka_unit_test(long_tokens_cross_windows),
		cmocka_unit_test(a_string_has_a_maximum),
		cmocka_unit_test(errors_of_the_source_are_passed_on),
		cmocka_unit_test(complaints_point_at_the_last_token),
		cmocka_unit_test(integers_are_exact),
		cmocka_unit_test(the_writer_writes_as_conda),
		cmocka_unit_test(fractions_have_three_digits_at_most),
	};

	return cmocka_run_group_tests_name("base/json", tests, NULL, NULL);
}
