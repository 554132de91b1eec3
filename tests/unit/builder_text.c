/* Prefix replacement, entry points, placeholders in bytes, file lists: pure functions. */
#include "builder/listing.h"
#include "builder/prefix_text.h"
#include "builder/python.h"
#include "builder/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PH "/opt/anaconda1anaconda2anaconda3"

static char long_path[200];

static struct replacement of(struct arena *a, struct str data, const char *prefix, bool binary)
{
	struct replacement r = {.data = data, .old_n = sizeof PH - 1, .prefix = str_of(prefix)};
	uint64_t *offsets;

	r.n_offsets = scan_offsets(a, data, STR(PH), binary, &offsets);
	r.offsets = offsets;
	return r;
}

static void expect_text(const char *data, const char *prefix, const char *want)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF out = {0};
	struct replacement r = of(&a, str_of(data), prefix, false);

	replace_text(&r, &out);
	assert_string_equal(out.p, want);
}

static void test_text(void **state)
{
	(void)state;
	memset(long_path, 'x', sizeof long_path - 1);
	long_path[0] = '/';
	expect_text("a " PH "/x:" PH "\n", "/env", "a /env/x:/env\n");
	expect_text("#!" PH "/bin/python -E\nx=" PH "\n", "/env", "#!/env/bin/python -E\nx=/env\n");
	expect_text("#!" PH "/bin/python\n", "/my env", "#!/usr/bin/env python\n");
	expect_text("#!" PH "/bin/python -O\nx " PH "\n", "/my env",
		"#!/usr/bin/env python -O\nx /my env\n");
	expect_text("#! " PH "/bin/sh\n", "/env", "#! /env/bin/sh\n");
	expect_text("prefix=" PH "\n", "/my env", "prefix=/my env\n");
	expect_text("#!" PH "/bin/perl -w\nrest\n", long_path, "#!/usr/bin/env perl -w\nrest\n");
	/* No newline: conda then escapes nothing and shortens what it can. */
	expect_text("#!" PH "/bin/perl", long_path, "#!/usr/bin/env perl");
}

static void test_shebang_limit(void **state)
{
	CLEANUP_ARENA a = {0};
	char prefix[128];

	(void)state;
	for (size_t n = 100; n < 127; n++) {
		memset(prefix, 'p', n);
		prefix[0] = '/';
		prefix[n] = '\0';
		bool fits = n + 2 + 7 <= 127;
		expect_text("#!" PH "/bin/py\n", prefix,
			fits ? arena_printf(&a, "#!%s/bin/py\n", prefix) : "#!/usr/bin/env py\n");
	}
}

static void expect_binary(struct str data, const char *prefix, struct str want)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF out = {0};
	struct replacement r = of(&a, data, prefix, true);

	assert_int_equal(replace_binary(&r, &out, NULL), 0);
	assert_int_equal(out.n, data.n);
	assert_int_equal(out.n, want.n);
	assert_memory_equal(out.p, want.p, want.n);
}

static void test_binary(void **state)
{
	(void)state;
	/* 32 bytes become 30: two NULs behind each occurrence's string. */
	static const char P[] = "/opt/envbuild1envbuild2envbuil";
	static const char DATA[] = "\1" PH "/lib\0next\0" PH ":" PH "/x\0end";
	static const char WANT[] = "\1/opt/envbuild1envbuild2envbuil/lib\0\0\0next\0"
				   "/opt/envbuild1envbuild2envbuil:"
				   "/opt/envbuild1envbuild2envbuil/x\0\0\0\0\0end";

	assert_int_equal(sizeof P - 1, sizeof PH - 3);
	expect_binary(str_n(DATA, sizeof DATA - 1), P, str_n(WANT, sizeof WANT - 1));
	/* Without a NUL at the end it is no C string: conda leaves it. */
	expect_binary(STR("x" PH "/lib"), P, STR("x" PH "/lib"));
	expect_binary(STR(PH), P, STR(PH));
	expect_binary(STR(""), P, STR(""));
}

static void test_binary_too_long(void **state)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF out = {0};
	struct err e = {0};
	struct replacement r = of(&a, STR(PH "\0"), PH "4", true);

	(void)state;
	assert_int_equal(replace_binary(&r, &out, &e), -1);
	assert_non_null(strstr(e.text, "room for 32"));
	err_release(&e);
}

static void test_suspects(void **state)
{
	static const char LEFT[] =
		"-L/home/conda/x_1/_h_env_placehold_placehold_pla/lib:/usr " PH "/etc";
	CLEANUP_ARENA a = {0};
	uint64_t *offsets;
	struct str data = str_n(LEFT, sizeof LEFT - 1);

	(void)state;
	assert_true(scan_suspect(data));
	assert_false(scan_suspect(STR("a placeholder, _placehold once, /opt/anaconda1anaconda2")));
	struct str found = scan_undeclared(data, NULL, 0, 0);
	assert_true(str_is(found, "/home/conda/x_1/_h_env_placehold_placehold_pla"));
	/* Declared ones are no left-overs. */
	struct str declared = STR("/home/conda/x_1/_h_env_placehold_placehold_pla");
	size_t n = scan_offsets(&a, data, declared, false, &offsets);
	assert_int_equal(n, 1);
	assert_true(str_is(scan_undeclared(data, offsets, n, declared.n), PH));
	assert_int_equal(scan_undeclared(STR(""), NULL, 0, 0).n, 0);
}

static void test_has_prefix(void **state)
{
	CLEANUP_ARENA a = {0};
	struct listing marks = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(has_prefix_parse(&a,
				 STR("bin/one\n\n/p/_ph text bin/two\n"
				     "\"/p/_ph\" \"binary\" \"lib/a b.so\"\r\n"
				     "/p binary lib/c d.so\n"),
				 &marks, &e),
		0);
	assert_int_equal(marks.n, 4);
	assert_true(str_is(marks.v[0].path, "bin/one"));
	assert_true(str_is(marks.v[0].placeholder, PH));
	assert_false(marks.v[0].binary);
	assert_true(str_is(marks.v[1].path, "bin/two"));
	assert_true(str_is(marks.v[1].placeholder, "/p/_ph"));
	assert_true(str_is(marks.v[2].path, "lib/a b.so"));
	assert_true(marks.v[2].binary);
	assert_true(str_is(marks.v[3].path, "lib/c d.so"));
	assert_int_equal(has_prefix_parse(&a, STR("/p text ../x\n"), &marks, &e), -1);
	assert_int_equal(e.code, ERR_INTEGRITY);
	err_release(&e);
}

static void test_entry_points(void **state)
{
	static const char *const BAD[] = {"", "x", "x=", "x=y", "x=y:", "../x=a:b", "x=a;b:c",
		"x y=a:b", "x=a:b()", "x=a..b:c", "x=1a:b", "x=a:b\nc", "=a:b", "bin/x=a:b",
		"..=a:b"};
	CLEANUP_ARENA a = {0};
	struct entry_point p;
	struct err e = {0};

	(void)state;
	assert_int_equal(
		entry_point_parse(&a, STR("py.test-3 = pkg.mod : Cls.main [x]"), &p, &e), 0);
	assert_true(str_is(p.command, "py.test-3"));
	assert_true(str_is(p.module, "pkg.mod"));
	assert_true(str_is(p.function, "Cls.main"));
	for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
		if (entry_point_parse(&a, str_of(BAD[i]), &p, &e) == 0)
			fail_msg("accepted '%s'", BAD[i]);
		assert_int_equal(e.code, ERR_INTEGRITY);
		err_release(&e);
	}
}

static void test_entry_point_text(void **state)
{
	struct python py = {.major = 3, .minor = 6, .program = STR("bin/python3.6")};
	struct entry_point p = {STR("x"), STR("pkg.mod"), STR("Cls.main")};
	CLEANUP_BUF out = {0};

	(void)state;
	python_entry_point(&py, "/e", &p, &out);
	assert_string_equal(out.p,
		"#!/e/bin/python3.6\n# -*- coding: utf-8 -*-\nimport re\nimport sys\n\n"
		"from pkg.mod import Cls\n\nif __name__ == '__main__':\n"
		"    sys.argv[0] = re.sub(r'(-script\\.pyw?|\\.exe)?$', '', sys.argv[0])\n"
		"    sys.exit(Cls.main())\n");
	buf_clear(&out);
	python_entry_point(&py, "/e e", &p, &out);
	assert_true(str_starts(buf_view(&out),
		STR("#!/bin/sh\n'''exec' \"/e e/bin/python3.6\" \"$0\" \"$@\" #'''\n# -*-")));
}

static void test_python_paths(void **state)
{
	CLEANUP_ARENA a = {0};
	struct python py = {
		.major = 3, .minor = 11, .site_packages = STR("lib/python3/dist-packages")};

	(void)state;
	assert_true(str_is(python_map_path(&a, &py, STR("site-packages/a/b.py")),
		"lib/python3/dist-packages/a/b.py"));
	assert_true(str_is(python_map_path(&a, &py, STR("python-scripts/run")), "bin/run"));
	assert_true(str_is(python_map_path(&a, &py, STR("site-packagesx/a")), "site-packagesx/a"));
	assert_true(str_is(python_bytecode_path(&a, &py, STR("l/a/b.py")),
		"l/a/__pycache__/b.cpython-311.pyc"));
	py.major = 2;
	assert_true(str_is(python_bytecode_path(&a, &py, STR("l/b.py")), "l/b.pyc"));
	assert_true(python_is_source(STR("site-packages/b.py")));
	assert_false(python_is_source(STR("site-packages/.py")));
	assert_false(python_is_source(STR("lib/b.py")));
	assert_false(python_is_source(STR("site-packages/b.pyc")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_shebang_limit),
		cmocka_unit_test(test_binary),
		cmocka_unit_test(test_binary_too_long),
		cmocka_unit_test(test_suspects),
		cmocka_unit_test(test_has_prefix),
		cmocka_unit_test(test_entry_points),
		cmocka_unit_test(test_entry_point_text),
		cmocka_unit_test(test_python_paths),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
