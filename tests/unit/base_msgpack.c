/* MessagePack: every format of its spec, and what is wrong with hostile bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/msgpack.h"

#define BYTES(lit) ((struct str){(lit), sizeof(lit) - 1})

struct fixed {
	struct str bytes;
	enum msgpack_type type;
	uint64_t number; /* or n, or the length of the text */
};

/* The formats of the spec, from its table "Formats", at the ends of their ranges. */
static const struct fixed numbers[] = {
	{BYTES("\x00"), MSGPACK_UINT, 0},
	{BYTES("\x7f"), MSGPACK_UINT, 127},
	{BYTES("\xcc\x80"), MSGPACK_UINT, 128},
	{BYTES("\xcc\xff"), MSGPACK_UINT, 255},
	{BYTES("\xcd\x01\x00"), MSGPACK_UINT, 256},
	{BYTES("\xcd\xff\xff"), MSGPACK_UINT, 65535},
	{BYTES("\xce\x00\x01\x00\x00"), MSGPACK_UINT, 65536},
	{BYTES("\xce\xff\xff\xff\xff"), MSGPACK_UINT, UINT32_MAX},
	{BYTES("\xcf\x00\x00\x00\x01\x00\x00\x00\x00"), MSGPACK_UINT, UINT64_C(1) << 32},
	{BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), MSGPACK_UINT, UINT64_MAX},
	{BYTES("\xff"), MSGPACK_INT, (uint64_t)-1},
	{BYTES("\xe0"), MSGPACK_INT, (uint64_t)-32},
	{BYTES("\xd0\xdf"), MSGPACK_INT, (uint64_t)-33},
	{BYTES("\xd0\x80"), MSGPACK_INT, (uint64_t)-128},
	{BYTES("\xd1\xff\x7f"), MSGPACK_INT, (uint64_t)-129},
	{BYTES("\xd1\x80\x00"), MSGPACK_INT, (uint64_t)-32768},
	{BYTES("\xd2\xff\xff\x7f\xff"), MSGPACK_INT, (uint64_t)-32769},
	{BYTES("\xd2\x80\x00\x00\x00"), MSGPACK_INT, (uint64_t)INT32_MIN},
	{BYTES("\xd3\xff\xff\xff\xff\x7f\xff\xff\xff"), MSGPACK_INT, (uint64_t)INT32_MIN - 1},
	{BYTES("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), MSGPACK_INT, (uint64_t)INT64_MIN},
};

/* Not the shortest form, but allowed. */
static const struct fixed wide[] = {
	{BYTES("\xd0\x05"), MSGPACK_UINT, 5},
	{BYTES("\xd1\x00\x05"), MSGPACK_UINT, 5},
	{BYTES("\xd2\x00\x00\x00\x05"), MSGPACK_UINT, 5},
	{BYTES("\xd3\x00\x00\x00\x00\x00\x00\x00\x05"), MSGPACK_UINT, 5},
	{BYTES("\xcc\x05"), MSGPACK_UINT, 5},
	{BYTES("\xcf\x00\x00\x00\x00\x00\x00\x00\x05"), MSGPACK_UINT, 5},
	{BYTES("\xd3\xff\xff\xff\xff\xff\xff\xff\xff"), MSGPACK_INT, (uint64_t)-1},
	{BYTES("\xc0"), MSGPACK_NIL, 0},
	{BYTES("\xc2"), MSGPACK_FALSE, 0},
	{BYTES("\xc3"), MSGPACK_TRUE, 0},
};

static struct msgpack_value only(struct str bytes)
{
	struct msgpack m;
	struct msgpack_value v = {0};

	msgpack_open(&m, bytes, "t");
	msgpack_next(&m, &v);
	assert_int_equal(msgpack_end(&m), 0);
	return v;
}

static void numbers_are_read_and_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		struct msgpack_value v = only(numbers[i].bytes);
		CLEANUP_BUF b = {0};

		assert_int_equal(v.type, numbers[i].type);
		assert_true(v.number == numbers[i].number);
		if (v.type == MSGPACK_UINT)
			mp_uint(&b, v.number);
		else
			mp_int(&b, (int64_t)v.number);
		assert_true(str_eq(buf_view(&b), numbers[i].bytes));
	}
	for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
		struct msgpack_value v = only(wide[i].bytes);

		assert_int_equal(v.type, wide[i].type);
		if (v.type == MSGPACK_UINT || v.type == MSGPACK_INT)
			assert_true(v.number == wide[i].number);
	}
}

static void words_and_fractions(void **state)
{
	CLEANUP_BUF b = {0};

	(void)state;
	mp_nil(&b);
	mp_bool(&b, false);
	mp_bool(&b, true);
	mp_double(&b, 1.5);
	mp_int(&b, 7);
	assert_true(str_eq(buf_view(&b), BYTES("\xc0\xc2\xc3\xcb\x3f\xf8\0\0\0\0\0\0\x07")));
	assert_true(only(BYTES("\xcb\x3f\xf8\0\0\0\0\0\0")).real == 1.5);
	assert_true(only(BYTES("\xca\x3f\xc0\0\0")).real == 1.5);
}

/* Texts, bytes and exts of all lengths at which the format changes. */
static void texts_of_every_width(void **state)
{
	static const size_t lengths[] = {
		0, 1, 2, 3, 4, 8, 16, 17, 31, 32, 255, 256, 65535, 65536, 70000};
	static const size_t str_heads[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 3, 5, 5};
	static const size_t bin_heads[] = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 5, 5};
	static const size_t ext_heads[] = {3, 2, 2, 3, 2, 2, 2, 3, 3, 3, 3, 4, 4, 6, 6};
	static char text[70000];

	(void)state;
	memset(text, 'x', sizeof text);
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		const struct str s = str_n(text, lengths[i]);
		CLEANUP_BUF a = {0}, b = {0}, c = {0};
		struct msgpack_value v;

		mp_str(&a, s);
		assert_int_equal(a.n, str_heads[i] + s.n);
		v = only(buf_view(&a));
		assert_int_equal(v.type, MSGPACK_STR);
		assert_true(str_eq(v.text, s));
		mp_bin(&b, s.p, s.n);
		assert_int_equal(b.n, bin_heads[i] + s.n);
		v = only(buf_view(&b));
		assert_int_equal(v.type, MSGPACK_BIN);
		assert_true(str_eq(v.text, s));
		mp_ext(&c, -2, s);
		assert_int_equal(c.n, ext_heads[i] + s.n);
		v = only(buf_view(&c));
		assert_int_equal(v.type, MSGPACK_EXT);
		assert_int_equal(v.ext, -2);
		assert_true(str_eq(v.text, s));
	}
}

static void lists_of_every_width(void **state)
{
	static const size_t lengths[] = {0, 1, 15, 16, 65535, 65536};
	static const size_t heads[] = {1, 1, 1, 3, 3, 5};

	(void)state;
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		CLEANUP_BUF a = {0}, b = {0};
		struct msgpack_value v;
		struct msgpack m;

		mp_array(&a, lengths[i]);
		mp_map(&b, lengths[i]);
		assert_int_equal(a.n, heads[i]);
		assert_int_equal(b.n, heads[i]);
		for (size_t k = 0; k < 2 * lengths[i]; k++) {
			if (k % 2)
				mp_nil(&a);
			mp_nil(&b);
		}
		msgpack_open(&m, buf_view(&a), "t");
		assert_int_equal(msgpack_next(&m, &v), MSGPACK_ARRAY);
		assert_int_equal(v.n, lengths[i]);
		msgpack_open(&m, buf_view(&b), "t");
		assert_int_equal(msgpack_next(&m, &v), MSGPACK_MAP);
		assert_int_equal(v.n, lengths[i]);
		assert_int_equal(msgpack_skip_rest(&m, &v), 0);
		assert_int_equal(msgpack_end(&m), 0);
	}
}

/* {"compact": true, "schema": 0}, the example at the head of msgpack.org. */
static void the_example(void **state)
{
	const struct str bytes = BYTES("\x82\xa7"
				       "compact\xc3\xa6schema\x00");
	struct msgpack_value v;
	struct msgpack m;

	(void)state;
	msgpack_open(&m, bytes, "t");
	assert_int_equal(msgpack_next(&m, &v), MSGPACK_MAP);
	assert_int_equal(v.n, 2);
	assert_int_equal(msgpack_next(&m, &v), MSGPACK_STR);
	assert_true(str_is(v.text, "compact"));
	assert_int_equal(msgpack_next(&m, &v), MSGPACK_TRUE);
	assert_int_equal(msgpack_skip(&m), 0);
	assert_int_equal(msgpack_next(&m, &v), MSGPACK_UINT);
	assert_int_equal(msgpack_end(&m), 0);
}

static const struct {
	struct str bytes;
	const char *says;
} wrong[] = {
	{BYTES(""), "t: byte 0: the text ends where a value should be"},
	{BYTES("\xc1"), "t: byte 0: 0xc1 begins no value"},
	{BYTES("\xcd\x01"), "t: byte 0: the text ends within a number"},
	{BYTES("\xcb\x01\x02\x03"), "t: byte 0: the text ends within a number"},
	{BYTES("\xa5"
	       "abcd"),
		"t: byte 0: it is longer than the text"},
	{BYTES("\xdb\xff\xff\xff\xff"
	       "abcd"),
		"t: byte 0: it is longer than the text"},
	{BYTES("\xc6\x7f\xff\xff\xff"), "t: byte 0: it is longer than the text"},
	{BYTES("\xc9\xff\xff\xff\xff\x01"), "t: byte 0: it is longer than the text"},
	{BYTES("\xd8\x01"), "t: byte 0: it is longer than the text"},
	{BYTES("\xd4"), "t: byte 0: the text ends within a number"},
	{BYTES("\xdd\xff\xff\xff\xff\xc0"),
		"t: byte 0: it has more entries than the text has bytes"},
	{BYTES("\xdf\x80\x00\x00\x01\xc0\xc0"),
		"t: byte 0: it has more entries than the text has bytes"},
	{BYTES("\x82\xc0\xc0\xc0"), "t: byte 0: it has more entries than the text has bytes"},
	{BYTES("\x92\x01\xc1"), "t: byte 2: 0xc1 begins no value"},
	{BYTES("\xa2\xc3\x28"), "t: byte 0: a text that is no UTF-8"},
	{BYTES("\xac"
	       "abcdefghijk\xff"),
		"t: byte 0: a text that is no UTF-8"},
	{BYTES("\x01\x02"), "t: byte 1: something follows the end"},
};

static void hostile_bytes_say_where_and_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct msgpack_value v;
		struct err e = {0};
		struct msgpack m;

		msgpack_open(&m, wrong[i].bytes, "t");
		assert_int_equal(msgpack_skip(&m) < 0 || msgpack_end(&m) < 0, 1);
		assert_int_equal(msgpack_next(&m, &v), MSGPACK_ERROR);
		assert_int_equal(msgpack_skip(&m), -1);
		assert_int_equal(msgpack_end(&m), -1);
		assert_int_equal(msgpack_error(&m, &e), -1);
		assert_int_equal(e.code, ERR_INTEGRITY);
		assert_string_equal(e.text, wrong[i].says);
		err_release(&e);
	}
}

static void nesting_has_a_limit(void **state)
{
	(void)state;
	for (size_t depth = MSGPACK_MAX_DEPTH - 1; depth <= MSGPACK_MAX_DEPTH + 1; depth++) {
		CLEANUP_BUF b = {0};
		struct err e = {0};
		struct msgpack m;

		for (size_t i = 0; i < depth; i++)
			mp_array(&b, 1);
		mp_nil(&b);
		msgpack_open(&m, buf_view(&b), "t");
		assert_int_equal(msgpack_skip(&m), depth <= MSGPACK_MAX_DEPTH ? 0 : -1);
		if (depth <= MSGPACK_MAX_DEPTH)
			continue;
		msgpack_error(&m, &e);
		assert_non_null(strstr(e.text, "nested too deep"));
		err_release(&e);
	}
}

static void the_callers_reason(void **state)
{
	struct msgpack_value v;
	struct err e = {0};
	struct msgpack m;

	(void)state;
	msgpack_open(&m, BYTES("\x92\x01\x02"), "t");
	msgpack_next(&m, &v);
	msgpack_next(&m, &v);
	assert_int_equal(msgpack_fail(&m, &e, "no text"), -1);
	assert_string_equal(e.text, "t: byte 1: no text");
	assert_int_equal(msgpack_next(&m, &v), MSGPACK_ERROR);
	err_release(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_read_and_written),
		cmocka_unit_test(words_and_fractions),
		cmocka_unit_test(texts_of_every_width),
		cmocka_unit_test(lists_of_every_width),
		cmocka_unit_test(the_example),
		cmocka_unit_test(hostile_bytes_say_where_and_why),
		cmocka_unit_test(nesting_has_a_limit),
		cmocka_unit_test(the_callers_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
