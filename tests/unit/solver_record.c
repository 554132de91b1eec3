/* Records' names and virtual packages. */
#include "solver/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena arena;

static void file_names(void **state)
{
	static const char *const good[][4] = {
		{"numpy-1.26.4-py312_0.conda", "numpy", "1.26.4", "py312_0"},
		{"r-base-4.0-h_1.tar.bz2", "r-base", "4.0", "h_1"},
		{"_libgcc_mutex-0.1-main.conda", "_libgcc_mutex", "0.1", "main"},
		{"x264-1!164.3095-h1_2.tar.bz2", "x264", "1!164.3095", "h1_2"},
	};
	static const char *const bad[] = {
		"",
		"a",
		"a.conda",
		"a-1.conda",
		"-1-0.conda",
		"a--0.conda",
		"a-1-.conda",
		"a-1-0.tar.gz",
		"a-1-0",
		"--.conda",
	};
	struct str name, version, build;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(record_split_fn(str_of(good[i][0]), &name, &version, &build), 0);
		assert_true(str_is(name, good[i][1]) && str_is(version, good[i][2]));
		assert_true(str_is(build, good[i][3]));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (record_split_fn(str_of(bad[i]), &name, &version, &build) == 0)
			fail_msg("'%s' was taken", bad[i]);
}

static void dist_and_order(void **state)
{
	struct record a = {.name = STR("a"), .version = STR("1"), .build = STR("0")}, b = a;

	(void)state;
	assert_true(str_is(record_dist(&arena, &a), "a-1-0"));
	assert_int_equal(record_cmp_name(&a, &b), 0);
	b.build = STR("1");
	assert_true(record_cmp_name(&a, &b) < 0 && record_cmp_name(&b, &a) > 0);
	b.name = STR("B");
	assert_true(record_cmp_name(&a, &b) > 0);
}

static void virtual_packages(void **state)
{
	static const char *const good[][4] = {
		{"__glibc=2.17", "__glibc", "2.17", "0"},
		{"__unix=0=0", "__unix", "0", "0"},
		{"__unix", "__unix", "0", "0"},
		{" __archspec=1=x86_64_v3 ", "__archspec", "1", "x86_64_v3"},
		{"__cuda 12.4", "__cuda", "12.4", "0"},
		{"__linux==4.18.0", "__linux", "4.18.0", "0"},
	};
	static const char *const bad[] = {
		"",
		"glibc=2.17",
		"__=1",
		"__glibc >=2.17",
		"__glibc=2.17=0=1",
		"__glibc=2 17 0 x",
		"=1",
		"__glibc=2.17*",
		"__a/b=1",
	};
	struct record r;
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		if (virtual_package_parse(&arena, str_of(good[i][0]), &r, &e) < 0)
			fail_msg("%s", e.text);
		assert_true(str_is(r.name, good[i][1]) && str_is(r.version, good[i][2]));
		assert_true(str_is(r.build, good[i][3]));
		assert_int_equal(r.build_number, 0);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (virtual_package_parse(&arena, str_of(bad[i]), &r, &e) == 0)
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(e.code, ERR_INPUT);
		err_release(&e);
	}
}

static void subdirs(void **state)
{
	(void)state;
	assert_true(subdir_is_known(STR("linux-64")) && subdir_is_known(STR("noarch")));
	assert_false(subdir_is_known(STR("linux-XX")) || subdir_is_known(STR("")));
}

/* What was once made milliseconds stays so. */
static void time_stamps(void **state)
{
	(void)state;
	assert_int_equal(record_milliseconds(1686421555), 1686421555000);
	assert_int_equal(record_milliseconds(1686421555777), 1686421555777);
	assert_int_equal(record_milliseconds(253402300799), 253402300799000);
	assert_int_equal(record_milliseconds(253402300800), 253402300800);
	assert_int_equal(record_milliseconds(0), 0);
	for (uint64_t t = 1; t < UINT64_C(1) << 60; t += t / 3 + 1)
		assert_int_equal(
			record_milliseconds(record_milliseconds(t)), record_milliseconds(t));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_names),
		cmocka_unit_test(dist_and_order),
		cmocka_unit_test(virtual_packages),
		cmocka_unit_test(subdirs),
		cmocka_unit_test(time_stamps),
	};
	int rc = cmocka_run_group_tests_name("solver_record", tests, NULL, NULL);

	arena_release(&arena);
	return rc;
}
