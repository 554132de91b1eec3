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
	struct places found;

	assert_int_equal(scan_prefix(a, data, STR(PH), binary, SCAN_PLACES_MAX, &found, NULL), 0);
	return (struct replacement){.data = data,
		.old_n = sizeof PH - 1,
		.prefix = str_of(prefix),
		.offsets = found.offsets,
		.n_offsets = found.n,
		.forms = found.forms};
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

/* --- other encodings ---------------------------------------------------------------------- */

/*
 * Text from a pattern: % stands for the prefix, $ for a terminator, both in the encoding; other
 * characters are encoded too.  A digit from 0 to 4 changes the encoding.
 */
static void expand(const char *pattern, struct str prefix, struct buf *to)
{
	enum text_encoding encoding = TEXT_UTF8;

	for (; *pattern; pattern++) {
		if (*pattern >= '0' && *pattern <= '4')
			encoding = (enum text_encoding)(*pattern - '0');
		else if (*pattern == '%')
			assert_int_equal(text_encode(prefix, encoding, to), 0);
		else if (*pattern == '$')
			buf_add(to, "\0\0\0", text_unit(encoding));
		else if (*pattern == '~') /* what one placeholder has more than "/env" */
			for (size_t i = 0; i < (sizeof PH - 5) * text_unit(encoding); i++)
				buf_putc(to, '\0');
		else
			text_encode(str_n(pattern, 1), encoding, to);
	}
}

static void test_encodings(void **state)
{
	static const struct {
		const char *data, *want;
		bool binary;
		size_t n;
	} CASES[] = {
		{"1%/a:%\n", "1%/a:%\n", false, 2},
		{"0x=%\n1%\n2%\n3%\n4%\n", "0x=%\n1%\n2%\n3%\n4%\n", false, 5},
		{"2%/a", "2%/a", false, 1},
		{"1%/a$", "1%/a~$", true, 1},
		{"2%/a$", "2%/a~$", true, 1},
		{"3%/a$", "3%/a~$", true, 1},
		{"4%/a$", "4%/a~$", true, 1},
		{"1x%:%y$0%z$", "1x%:%y~~$0%z~$", true, 3},
		{"0$%:%a$1%a:%b$0rest$4%$", "0$%:%a~~$1%a:%b~~$0rest$4%~$", true, 5},
		/* Directly at a terminator, and one behind the other. */
		{"0$$1%$%$", "0$$1%~$%~$", true, 2},
		{"0$2%$%$", "0$2%~$%~$", true, 2},
		/* Without a terminator nothing is replaced. */
		{"0a$1%/lib", "0a$1%/lib", true, 0},
		{"0ab$3%0$$$x", "0ab$3%0$$$x", true, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
		CLEANUP_ARENA a = {0};
		CLEANUP_BUF data = {0}, want = {0}, out = {0};
		struct str env = CASES[i].n ? STR("/env") : STR(PH);
		expand(CASES[i].data, STR(PH), &data);
		expand(CASES[i].want, env, &want);
		struct replacement r = of(&a, buf_view(&data), "/env", CASES[i].binary);
		if (r.n_offsets != CASES[i].n)
			fail_msg("case %zu: %zu places", i, r.n_offsets);
		if (CASES[i].binary)
			assert_int_equal(replace_binary(&r, &out, NULL), 0);
		else
			replace_text(&r, &out);
		if (!str_eq(buf_view(&out), buf_view(&want)))
			fail_msg("case %zu, '%s'", i, CASES[i].data);
	}
}

/* The terminator is looked for byte by byte: a length that follows is no part of the string. */
static void test_terminator_is_found_as_conda_does(void **state)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF data = {0}, out = {0};

	(void)state;
	/* As in .NET: characters, a zero byte for a flag, the next one's length. */
	expand("1%/a", STR(PH), &data);
	size_t end = data.n;
	buf_add(&data, "\0\x2bnext\0\0", 8);
	struct replacement r = of(&a, buf_view(&data), "/env", true);
	assert_int_equal(r.n_offsets, 1);
	assert_int_equal(r.forms[0].end, end - 1);
	assert_int_equal(replace_binary(&r, &out, NULL), 0);
	assert_int_equal(out.n, data.n);
	assert_memory_equal(out.p + end, data.p + end, data.n - end);
}

/*
 * A string that runs into one of an encoding that conda tries before: that one then ends with more
 * zero bytes, which end both.
 */
static void test_strings_that_run_together(void **state)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF data = {0}, out = {0}, want = {0};

	(void)state;
	expand("1%x0%/y$1z$$", STR(PH), &data);
	expand("1%x0%/y1~0~$1z$$", STR("/env"), &want);
	struct replacement r = of(&a, buf_view(&data), "/env", true);
	assert_int_equal(r.n_offsets, 2);
	assert_int_equal(r.forms[0].end, 0);
	assert_int_equal(replace_binary(&r, &out, NULL), 0);
	assert_true(str_eq(buf_view(&out), buf_view(&want)));
}

/* What stands in the very zero bytes that end a string cannot be replaced, and is named. */
static void test_left_over(void **state)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF data = {0};
	struct places found;

	(void)state;
	expand("1%3%$", STR(PH), &data);
	assert_int_equal(scan_prefix(&a, buf_view(&data), STR(PH), true, 9, &found, NULL), 0);
	assert_int_equal(found.n, 1);
	assert_true(str_is(scan_undeclared(&a, buf_view(&data), &found, sizeof PH - 1), PH));
	assert_true(scan_left(buf_view(&data), STR(PH), &found));
}

static void test_room_counts_units(void **state)
{
	/* Bytes, units of UTF-16, units of UTF-32; there is room for 32. */
	static const char UMLAUTS[] =
		"/\xc3\xa4\xc3\xb6lconda1anaconda2anaconda3xxx"; /* 33, 31, 31 */
	static const char ASTRAL[] = "/\xf0\x9f\x90\x8d"
				     "ptaconda1anaconda2anaconda3xxx";
	CLEANUP_ARENA a = {0};
	struct err e = {0};

	(void)state;
	for (int i = 0; i < TEXT_ENCODINGS; i++) {
		CLEANUP_BUF data = {0}, out = {0};
		const char pattern[] = {(char)('0' + i), '%', '/', 'a', '$', 0};
		expand(pattern, STR(PH), &data);
		struct replacement r = of(&a, buf_view(&data), UMLAUTS, true);
		bool fits = i != TEXT_UTF8;
		assert_int_equal(replace_binary(&r, &out, &e), fits ? 0 : -1);
		assert_int_equal(out.n, fits ? data.n : 0);
		err_release(&e);
		r.prefix = str_of(ASTRAL);
		assert_int_equal(text_units(r.prefix, (enum text_encoding)i), i == 0  ? 35
									      : i < 3 ? 33
										      : 32);
		assert_int_equal(replacement_fits(&r, true, &e), i < 3 ? -1 : 0);
		err_release(&e);
		r.prefix = STR("/not\xff utf-8");
		assert_int_equal(replacement_fits(&r, true, &e), i ? -1 : 0);
		assert_int_equal(replacement_fits(&r, false, &e), i ? -1 : 0);
		if (i)
			assert_non_null(
				strstr(e.text, i < 3 ? "has it in UTF-16" : "has it in UTF-32"));
		err_release(&e);
	}
}

/* conda escapes a space behind "#!" in each encoding's first line. */
static void test_wide_shebang(void **state)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF data = {0}, want = {0}, out = {0};

	(void)state;
	expand("2#!%/x\n%", STR(PH), &data);
	expand("2#!/my\\ env/x\n%", STR("/my env"), &want);
	struct replacement r = of(&a, buf_view(&data), "/my env", false);
	replace_text(&r, &out);
	assert_true(str_eq(buf_view(&out), buf_view(&want)));
}

static void test_too_many(void **state)
{
	CLEANUP_ARENA a = {0};
	struct places found;
	struct err e = {0};
	char many[1000], wide[1000];

	(void)state;
	memset(many, 'a', sizeof many);
	for (size_t i = 0; i < sizeof wide; i++)
		wide[i] = i % 2 ? 0 : 'a';
	assert_int_equal(scan_prefix(&a, str_n(many, 1000), STR("a"), false, 1000, &found, &e), 0);
	assert_int_equal(found.n, 1000);
	assert_int_equal(scan_prefix(&a, str_n(many, 1000), STR("a"), false, 999, &found, &e), -1);
	assert_int_equal(e.code, ERR_INTEGRITY);
	err_release(&e);
	assert_int_equal(scan_prefix(&a, str_n(wide, 1000), STR("aa"), false, 250, &found, &e), 0);
	assert_int_equal(found.n, 250);
	assert_int_equal(scan_prefix(&a, str_n(wide, 1000), STR("aa"), false, 249, &found, &e), -1);
	assert_int_equal(e.code, ERR_INTEGRITY);
	err_release(&e);
}

static void test_suspects(void **state)
{
	static const char LEFT[] =
		"-L/home/conda/x_1/_h_env_placehold_placehold_pla/lib:/usr " PH "/etc";
	CLEANUP_ARENA a = {0};
	struct places none = {0}, found;
	struct str data = str_n(LEFT, sizeof LEFT - 1);

	(void)state;
	assert_true(scan_suspect(data));
	assert_false(scan_suspect(STR("a placeholder, _placehold once, /opt/anaconda1anaconda2")));
	struct str left = scan_undeclared(&a, data, &none, 0);
	assert_true(str_is(left, "/home/conda/x_1/_h_env_placehold_placehold_pla"));
	/* Declared ones are no left-overs. */
	struct str declared = STR("/home/conda/x_1/_h_env_placehold_placehold_pla");
	assert_int_equal(scan_prefix(&a, data, declared, false, 9, &found, NULL), 0);
	assert_int_equal(found.n, 1);
	assert_true(str_is(scan_undeclared(&a, data, &found, declared.n), PH));
	assert_int_equal(scan_undeclared(&a, STR(""), &none, 0).n, 0);
}

static void test_wide_suspects(void **state)
{
	CLEANUP_ARENA a = {0};
	struct places none = {0}, found;

	(void)state;
	for (int i = 1; i < TEXT_ENCODINGS; i++) {
		CLEANUP_BUF data = {0};
		const char pattern[] = {
			'0', 'a', 'b', (char)('0' + i), ' ', '/', 'h', '%', '/', 'l', 0};
		expand(pattern, STR("/c/_h_env_placehold_placehold_pl"), &data);
		assert_true(scan_suspect(buf_view(&data)));
		assert_true(str_is(scan_undeclared(&a, buf_view(&data), &none, 0),
			"/h/c/_h_env_placehold_placehold_pl"));
		struct str declared = STR("/c/_h_env_placehold_placehold_pl");
		assert_int_equal(
			scan_prefix(&a, buf_view(&data), declared, false, 9, &found, NULL), 0);
		assert_int_equal(found.n, 1);
		assert_int_equal(scan_undeclared(&a, buf_view(&data), &found, declared.n).n, 0);
		buf_clear(&data);
		expand(pattern, STR(PH), &data);
		assert_true(scan_suspect(buf_view(&data)));
		assert_true(str_is(scan_undeclared(&a, buf_view(&data), &none, 0), "/h" PH));
		/* Found again where a piece of the file begins SCAN_CARRY bytes before its end. */
		ptrdiff_t last = str_rchr(buf_view(&data), '3');
		size_t from = (size_t)last - SCAN_CARRY;
		if ((size_t)last > SCAN_CARRY)
			assert_true(scan_suspect(str_sub(buf_view(&data), from, (size_t)last + 1)));
	}
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
	buf_clear(&out);
	python_entry_point(&py, NULL, &p, &out);
	assert_true(str_starts(buf_view(&out),
		STR("#!/bin/sh\n''':'\nself=$(readlink -f -- \"$0\" 2>/dev/null) || self=$0\n"
		    "exec \"${self%/*}/python3.6\" \"$0\" \"$@\"\n'''\n# -*-")));
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
		cmocka_unit_test(test_encodings),
		cmocka_unit_test(test_terminator_is_found_as_conda_does),
		cmocka_unit_test(test_strings_that_run_together),
		cmocka_unit_test(test_left_over),
		cmocka_unit_test(test_room_counts_units),
		cmocka_unit_test(test_wide_shebang),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_suspects),
		cmocka_unit_test(test_wide_suspects),
		cmocka_unit_test(test_has_prefix),
		cmocka_unit_test(test_entry_points),
		cmocka_unit_test(test_entry_point_text),
		cmocka_unit_test(test_python_paths),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
