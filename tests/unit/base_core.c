#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/table.h"

#include <errno.h>

/* --- arena ------------------------------------------------------------------------------ */

static void memory_is_zeroed_and_aligned(void **state)
{
	struct arena a = {0};

	(void)state;
	for (size_t n = 0; n < 3000; n += 7) {
		unsigned char *p = arena_alloc(&a, n);

		assert_int_equal((uintptr_t)p % 16, 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, n);
	}
	memset(arena_alloc(&a, 9 << 20), 0xff, 9 << 20);
	memset(arena_alloc(&a, 1), 0xff, 1);
	assert_true(arena_used(&a) >= 9 << 20);
	arena_release(&a);
	assert_int_equal(arena_used(&a), 0);
}

static void copies_end_with_nul(void **state)
{
	struct arena a = {0};
	struct str s = arena_str(&a, str_n("abcdef", 3));

	(void)state;
	assert_int_equal(s.n, 3);
	assert_string_equal(s.p, "abc");
	assert_string_equal(arena_cstr(&a, (struct str){NULL, 0}), "");
	assert_string_equal(arena_printf(&a, "%s-%d", "x", 7), "x-7");
	assert_int_equal(arena_strf(&a, "%0500d", 0).n, 500);
	arena_release(&a);
}

static void lists_grow(void **state)
{
	struct {
		int *v;
		size_t n, cap;
	} list = {0};
	struct arena a = {0};

	(void)state;
	for (int i = 0; i < 1000; i++)
		*VEC_PUSH(&a, &list) = i;
	assert_int_equal(list.n, 1000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(list.v[i], i);
	arena_release(&a);
}

/* --- buf -------------------------------------------------------------------------------- */

static void a_buffer_grows_and_ends_with_nul(void **state)
{
	struct buf b = {0};

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(buf_printf(&b, "%d,", i), 0);
		assert_int_equal(b.p[b.n], 0);
	}
	assert_int_equal(b.n, 10 * 2 + 90 * 3 + 900 * 4);
	buf_clear(&b);
	assert_string_equal(b.p, "");
	buf_release(&b);
	assert_null(b.p);
}

static void a_maximum_is_kept(void **state)
{
	struct buf b = {.max = 10};

	(void)state;
	assert_int_equal(buf_puts(&b, "0123456789"), 0);
	assert_int_equal(buf_putc(&b, 'x'), -1);
	assert_true(b.overflow);
	assert_string_equal(b.p, "0123456789");
	assert_int_equal(buf_printf(&b, "%s", ""), 0);
	assert_true(b.overflow); /* until it is cleared */
	buf_clear(&b);
	assert_false(b.overflow);
	assert_null(buf_room(&b, 11));
	assert_null(buf_room(&b, SIZE_MAX));
	assert_int_equal(buf_puts(&b, "abc"), 0);
	buf_release(&b);
	assert_int_equal(b.max, 10);
}

/* --- err -------------------------------------------------------------------------------- */

static void errors_are_wrapped_and_advised(void **state)
{
	struct err e = {0}, other = {0};

	(void)state;
	assert_int_equal(err_wrap(&e, "nothing to wrap"), -1);
	assert_null(e.text);
	assert_int_equal(err_set(&e, ERR_INTEGRITY, "bad '%s'", "x"), -1);
	assert_null(err_advice(&e));
	err_advise(&e, "fetch %d", 1);
	err_advise(&e, "later advice is dropped");
	err_wrap(&e, "while reading '%s'", "y");
	assert_string_equal(e.text, "while reading 'y': bad 'x'");
	assert_string_equal(err_advice(&e), "fetch 1");
	assert_int_equal(err_exit_status(e.code), 5);
	err_set(&other, ERR_FAIL, "old");
	assert_int_equal(err_move(&other, &e), -1);
	assert_null(e.text);
	assert_string_equal(other.text, "while reading 'y': bad 'x'");
	err_set(&other, ERR_USAGE, "new"); /* replaces text and advice */
	assert_string_equal(err_advice(&other), "see 'envbuild --help'");
	err_release(&other);
}

static void system_errors_have_their_reason(void **state)
{
	struct err e = {0};

	(void)state;
	errno = ENOENT;
	assert_int_equal(err_sys(&e, "cannot open '%s'", "f"), -1);
	assert_string_equal(e.text, "cannot open 'f': No such file or directory");
	assert_null(err_advice(&e));
	errno = ENOSPC;
	err_sys(&e, "cannot write");
	assert_non_null(err_advice(&e));
	err_release(&e);
}

static void nobody_has_to_ask_for_errors(void **state)
{
	struct err e = {0};

	(void)state;
	assert_int_equal(err_set(NULL, ERR_FAIL, "x"), -1);
	assert_int_equal(err_sys(NULL, "x"), -1);
	assert_int_equal(err_wrap(NULL, "x"), -1);
	assert_int_equal(err_advise(NULL, "x"), -1);
	err_set(&e, ERR_FAIL, "x");
	assert_int_equal(err_move(NULL, &e), -1);
	assert_null(e.text);
}

static void exit_statuses_are_those_documented(void **state)
{
	static const int want[] = {[ERR_NONE] = 0,
		[ERR_FAIL] = 1,
		[ERR_SYSTEM] = 1,
		[ERR_SANDBOX] = 1,
		[ERR_SCRIPT] = 1,
		[ERR_USAGE] = 2,
		[ERR_INPUT] = 2,
		[ERR_UNSAT] = 3,
		[ERR_STALE] = 3,
		[ERR_NETWORK] = 4,
		[ERR_INTEGRITY] = 5,
		[ERR_TEST] = 6,
		[ERR_AUDIT] = 7};

	(void)state;
	for (size_t i = 0; i < sizeof want / sizeof *want; i++)
		assert_int_equal(err_exit_status((enum err_code)i), want[i]);
}

/* --- table ------------------------------------------------------------------------------ */

static void a_table_keeps_what_was_put(void **state)
{
	enum { MANY = 20000 };
	struct arena a = {0};
	struct table t = {.arena = &a};

	(void)state;
	assert_null(table_get(&t, STR("x")));
	for (uint64_t i = 0; i < MANY; i++)
		table_put(&t, arena_strf(&a, "key%d", (int)i))->num = i;
	table_put(&t, STR(""))->num = MANY;
	assert_int_equal(t.n, MANY + 1);
	for (uint64_t i = 0; i < MANY; i++) {
		assert_int_equal(table_get(&t, arena_strf(&a, "key%d", (int)i))->num, i);
		assert_int_equal(t.entries[i].value.num, i); /* as they were put */
	}
	assert_int_equal(table_get(&t, STR(""))->num, MANY);
	assert_int_equal(table_put(&t, STR("key7"))->num, 7);
	assert_int_equal(t.n, MANY + 1);
	assert_null(table_get(&t, STR("key")));
	assert_null(table_get(&t, STR("key20000")));
	arena_release(&a);
}

/* --- UTF-8 ------------------------------------------------------------------------------ */

static void encode(uint32_t c, char out[4], size_t *n)
{
	if (c < 0x80) {
		*n = 1;
		out[0] = (char)c;
		return;
	}
	*n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = *n; i-- > 1; c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)(0xf00 >> *n | c);
}

static void every_character_is_known_and_nothing_else(void **state)
{
	uint32_t valid = 0;

	(void)state;
	for (uint32_t c = 0; c < 0x200000; c++) {
		bool good = c < 0xd800 || (c > 0xdfff && c < 0x110000);
		char bytes[4];
		size_t n;

		encode(c, bytes, &n);
		if (utf8_sequence(str_n(bytes, n)) != (good ? n : 0))
			fail_msg("U+%04X", (unsigned)c);
		if (n > 1 && utf8_sequence(str_n(bytes, n - 1)) != 0)
			fail_msg("U+%04X cut short", (unsigned)c);
	}
	/* Of all texts of two bytes, those that are one whole character. */
	for (uint32_t v = 0xc000; v < 0x10000; v++) {
		char bytes[2] = {(char)(v >> 8), (char)v};

		valid += utf8_sequence(str_n(bytes, 2)) == 2;
	}
	assert_int_equal(valid, 0x800 - 0x80);
	assert_int_equal(utf8_sequence((struct str){NULL, 0}), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zeroed_and_aligned),
		cmocka_unit_test(copies_end_with_nul),
		cmocka_unit_test(lists_grow),
		cmocka_unit_test(a_buffer_grows_and_ends_with_nul),
		cmocka_unit_test(a_maximum_is_kept),
		cmocka_unit_test(errors_are_wrapped_and_advised),
		cmocka_unit_test(system_errors_have_their_reason),
		cmocka_unit_test(nobody_has_to_ask_for_errors),
		cmocka_unit_test(exit_statuses_are_those_documented),
		cmocka_unit_test(a_table_keeps_what_was_put),
		cmocka_unit_test(every_character_is_known_and_nothing_else),
	};

	return cmocka_run_group_tests_name("base/core", tests, NULL, NULL);
}
