#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"

static void cut_sees_every_field(void **state)
{
	struct str rest = STR("a,,b");
	const char *want[] = {"a", "", "b"};
	size_t n = 0;

	(void)state;
	while (rest.p) {
		struct str field = str_cut(&rest, ',');

		assert_true(n < 3);
		assert_true(str_is(field, want[n++]));
	}
	assert_int_equal(n, 3);
}

static void numbers_are_digits_only(void **state)
{
	uint64_t v = 7;

	(void)state;
	assert_int_equal(str_u64(STR("18446744073709551615"), UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(str_u64(STR("18446744073709551616"), UINT64_MAX, &v), -1);
	assert_int_equal(str_u64(STR(""), 10, &v), -1);
	assert_int_equal(str_u64(STR("+1"), 10, &v), -1);
	assert_int_equal(str_u64(STR("11"), 10, &v), -1);
}

static void order_puts_a_prefix_first(void **state)
{
	(void)state;
	assert_true(str_cmp(STR("ab"), STR("abc")) < 0);
	assert_true(str_cmp(STR("b"), STR("abc")) > 0);
	assert_int_equal(str_cmp(STR("abc"), STR("abc")), 0);
	assert_int_equal(str_find(STR("hay needle"), STR("needle")), 4);
	assert_int_equal(str_find(STR("hay"), STR("needle")), -1);
	assert_true(str_is(str_base(STR("lib/python3.9/x.so")), "x.so"));
	assert_true(str_is(str_base(STR("x.so")), "x.so"));
	assert_int_equal(str_base(STR("lib/")).n, 0);
	assert_int_equal(str_base((struct str){0}).n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_sees_every_field),
		cmocka_unit_test(numbers_are_digits_only),
		cmocka_unit_test(order_puts_a_prefix_first),
	};

	return cmocka_run_group_tests_name("base/str", tests, NULL, NULL);
}
