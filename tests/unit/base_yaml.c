#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/yaml.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The tree in short: plain and 'quoted' scalars, [items], {key=value}. */
static void transcribe(const struct yaml *y, struct buf *b)
{
	if (!y) {
		buf_puts(b, "nothing");
		return;
	}
	if (y->kind == YAML_SCALAR) {
		buf_printf(b, y->plain ? "%.*s" : "'%.*s'", STR_ARG(y->text));
		return;
	}
	buf_putc(b, y->kind == YAML_MAP ? '{' : '[');
	for (size_t i = 0; i < y->n; i++) {
		if (i)
			buf_putc(b, ' ');
		if (y->kind == YAML_MAP) {
			transcribe(y->keys[i], b);
			buf_putc(b, '=');
		}
		transcribe(y->items[i], b);
	}
	buf_putc(b, y->kind == YAML_MAP ? '}' : ']');
}

static const struct {
	const char *text, *tree;
} good[] = {
	{"", "nothing"},
	{"# a comment\n", "nothing"},
	{"---\n", "nothing"},
	{"a", "a"},
	{"'a'", "'a'"},
	{"\"a\\n\\u00e9\"", "'a\n\xc3\xa9'"},
	{"!!str 12", "'12'"},
	{"a: 1\nb:\n  - x\n  - 'y'\n", "{a=1 b=[x 'y']}"},
	{"[a, b: c, {d: e}]", "[a {b=c} {d=e}]"},
	{"a:\n", "{a=}"},
	{"a: |\n  one\n  two\n", "{a='one\ntwo\n'}"},
	{"a: >-\n  one\n  two\n", "{a='one two'}"},
	{"a: &x [1]\nb: *x\n", "{a=[1] b=[1]}"},
	{"- &x k\n- {*x : v}\n", "[k {k=v}]"},
	{"m: &m {k: v, l: w}\nn: {<<: *m, l: mine}\n", "{m={k=v l=w} n={l=mine k=v}}"},
	{"n: {<<: [{k: 1}, {k: 2, l: 3}]}\n", "{n={k=1 l=3}}"},
	{"\xef\xbb\xbf"
	 "a: b\n",
		"{a=b}"},
	{"python: 3.10 # not 3.1\n", "{python=3.10}"},
	{"--- a\n...\n", "a"},
};

static const struct {
	const char *text, *error;
} bad[] = {
	{"a: b: c\n", "f.yml:1:5: mapping values are not allowed in this context"},
	{"a:\n\t- b\n", "f.yml:2:1: found character that cannot start any token"},
	{"dependencies:\n  - a\n - b\n", "f.yml:3:2: did not find expected key (while parsing a "
					 "block mapping that begins at line 1)"},
	{"a: [1, 2\n", "f.yml:2:1: did not find expected ',' or ']' (while parsing a flow sequence "
		       "that begins at line 1)"},
	{"a: 'b\n", "f.yml:2:1: found unexpected end of stream (while scanning a quoted scalar "
		    "that begins at line 1)"},
	{"name: x\nname: y\n", "f.yml:2:1: duplicate key 'name', first given at line 1"},
	{"a: {b: 1, c: 2, b: 3}\n", "f.yml:1:17: duplicate key 'b', first given at line 1"},
	{"? [a]\n: b\n", "f.yml:1:3: a list or map cannot be a key here"},
	{"a\n---\nb\n", "f.yml:2:1: a second document in the same file"},
	{"a: *b\n", "f.yml:1:4: alias to an unknown anchor"},
	{"a: &a [*a]\n", "f.yml:1:8: alias to a node that contains it"},
	{"a: !include b\n", "f.yml:1:4: unknown tag"},
	{"a: !x {}\n", "f.yml:1:4: unknown tag"},
	{"a: b\nc: \xc3(\n", "f.yml:2:5: invalid trailing UTF-8 octet"},
	{"a: \x01\n", "f.yml:1:4: control characters are not allowed"},
	{"{<<: x}\n", "f.yml:1:6: only maps can be merged with '<<'"},
	{"{<<: {}, <<: {}}\n", "f.yml:1:10: duplicate key '<<'"},
	{"a: @b\n", "f.yml:1:4: found character that cannot start any token"},
};

static void documents_give_their_tree(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		CLEANUP_BUF b = {0};
		struct arena a = {0};
		struct err e = {0};
		struct yaml *y;

		assert_int_equal(yaml_parse(&a, "f.yml", str_of(good[i].text), &y, &e), 0);
		transcribe(y, &b);
		assert_string_equal(b.p, good[i].tree);
		arena_release(&a);
	}
}

static int parse_fails(struct str text, struct err *e)
{
	struct arena a = {0};
	struct yaml *y;
	int rc = yaml_parse(&a, "f.yml", text, &y, e);

	arena_release(&a);
	return rc;
}

static void errors_have_line_and_column(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err e = {0};

		assert_int_equal(parse_fails(str_of(bad[i].text), &e), -1);
		assert_int_equal(e.code, ERR_INPUT);
		assert_string_equal(e.text, bad[i].error);
		err_release(&e);
	}
}

static void common_mistakes_have_advice(void **state)
{
	static const struct {
		const char *text, *advice;
	} cases[] = {
		{"\xc3\xa9: 1\na:\n  \t- b\n", "no tabs"},
		{"channels:\n  - @c\n", "begins with '@' in quotes"},
		{"a: b: c\n", "in quotes"},
		{"a: [\n", "look at"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err e = {0};

		assert_int_equal(parse_fails(str_of(cases[i].text), &e), -1);
		assert_non_null(strstr(e.advice, cases[i].advice));
		err_release(&e);
	}
}

static void nodes_know_their_place(void **state)
{
	struct str text = STR("name: x\ndependencies:\n  - python\n  - pip:\n    - \"a\"\n");
	struct arena a = {0};
	struct err e = {0};
	struct yaml *y, *deps, *pip;

	(void)state;
	assert_int_equal(yaml_parse(&a, "f.yml", text, &y, &e), 0);
	deps = yaml_get(y, "dependencies");
	assert_int_equal(deps->n, 2);
	assert_int_equal(y->keys[1]->line, 2);
	assert_int_equal(y->keys[1]->column, 1);
	assert_int_equal(deps->items[0]->line, 3);
	assert_int_equal(deps->items[0]->column, 5);
	pip = yaml_get(deps->items[1], "pip");
	assert_int_equal(pip->items[0]->line, 5);
	assert_int_equal(pip->items[0]->column, 7);
	assert_null(yaml_get(y, "prefix"));
	assert_null(yaml_get(NULL, "prefix"));
	assert_null(yaml_get(deps, "prefix"));
	yaml_fail("f.yml", pip->items[0], &e, "bad '%s'", "a");
	assert_string_equal(e.text, "f.yml:5:7: bad 'a'");
	err_release(&e);
	arena_release(&a);
}

static void only_plain_words_are_null(void **state)
{
	struct arena a = {0};
	struct yaml *y;

	(void)state;
	assert_int_equal(
		yaml_parse(&a, "f", STR("[~, null, , Null, '~', '', nULL, 0, []]"), &y, NULL),
		-1); /* an empty item in a flow list is an error */
	assert_int_equal(
		yaml_parse(&a, "f", STR("- ~\n- null\n-\n- Null\n- '~'\n- ''\n- nULL\n- 0\n- []\n"),
			&y, NULL),
		0);
	assert_int_equal(y->n, 9);
	for (size_t i = 0; i < y->n; i++)
		assert_int_equal(yaml_is_null(y->items[i]), i < 4);
	assert_true(yaml_is_null(NULL));
	arena_release(&a);
}

/* Ten lists of ten aliases each: 10^n nodes at the n-th. */
static void alias_bombs_are_refused(void **state)
{
	(void)state;
	for (int levels = 4; levels <= 9; levels++) {
		CLEANUP_BUF b = {0};
		struct err e = {0};

		buf_puts(&b, "a: &a [x, x, x, x, x, x, x, x, x, x]\n");
		for (int i = 1; i < levels; i++) {
			char c = (char)('a' + i), p = (char)(c - 1);

			buf_printf(&b,
				"%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n", c,
				c, p, p, p, p, p, p, p, p, p, p);
		}
		assert_int_equal(parse_fails(buf_view(&b), &e), levels > 5 ? -1 : 0);
		if (levels > 5)
			assert_non_null(strstr(e.text, "aliases expand to more than 1,000,000"));
		err_release(&e);
	}
}

static void nesting_is_bounded(void **state)
{
	(void)state;
	for (int depth = 64; depth <= 65; depth++) {
		CLEANUP_BUF b = {0};
		struct err e = {0};

		for (int i = 0; i < depth; i++)
			buf_putc(&b, '[');
		for (int i = 0; i < depth; i++)
			buf_putc(&b, ']');
		assert_int_equal(parse_fails(buf_view(&b), &e), depth > 64 ? -1 : 0);
		if (depth > 64)
			assert_string_equal(e.text, "f.yml:1:65: nested over 64 levels");
		err_release(&e);
	}
}

static void large_maps_find_their_duplicates(void **state)
{
	CLEANUP_BUF b = {0};
	struct err e = {0};

	(void)state;
	for (int i = 0; i < 100000; i++)
		buf_printf(&b, "key%d: %d\n", i, i);
	assert_int_equal(parse_fails(buf_view(&b), &e), 0);
	buf_puts(&b, "key777: again\n");
	assert_int_equal(parse_fails(buf_view(&b), &e), -1);
	assert_string_equal(
		e.text, "f.yml:100001:1: duplicate key 'key777', first given at line 778");
	err_release(&e);
}

static const struct {
	const char *text, *written;
} scalars[] = {
	{"python", "python"},
	{"python >=3.6,<3.7.0a0", "python >=3.6,<3.7.0a0"},
	{"https://conda.anaconda.org/conda-forge/", "https://conda.anaconda.org/conda-forge/"},
	{"35067e9c4c9a3f0dfdb0ba3ee8a3ee9c5eecfd1a5f1f7bd9e2cd2ff3bb0fcb4b",
		"35067e9c4c9a3f0dfdb0ba3ee8a3ee9c5eecfd1a5f1f7bd9e2cd2ff3bb0fcb4b"},
	{"1.2.11", "1.2.11"},
	{"_libgcc_mutex", "_libgcc_mutex"},
	{"it's", "it's"},
	{"", "''"},
	{"3.10", "'3.10'"},
	{"12", "'12'"},
	{"-1", "'-1'"},
	{"+1", "'+1'"},
	{"1e10", "'1e10'"},
	{"12345678e9012345", "'12345678e9012345'"},
	{"1.5E-3", "'1.5E-3'"},
	{"0x1f", "'0x1f'"},
	{"0o17", "'0o17'"},
	{"0b11", "'0b11'"},
	{"1_000", "'1_000'"},
	{"12:30:45", "'12:30:45'"},
	{"2018-09-03", "'2018-09-03'"},
	{".5", "'.5'"},
	{".inf", "'.inf'"},
	{".NaN", "'.NaN'"},
	{"yes", "'yes'"},
	{"No", "'No'"},
	{"ON", "'ON'"},
	{"true", "'true'"},
	{"y", "'y'"},
	{"null", "'null'"},
	{"~", "'~'"},
	{"=", "'='"},
	{"<<", "'<<'"},
	{"- a", "'- a'"},
	{"---", "'---'"},
	{"...", "'...'"},
	{"*", "'*'"},
	{">=3", "'>=3'"},
	{"!x", "'!x'"},
	{"&x", "'&x'"},
	{"@x", "'@x'"},
	{"%x", "'%x'"},
	{"'x'", "'''x'''"},
	{"a: b", "'a: b'"},
	{"a:", "'a:'"},
	{"a #b", "'a #b'"},
	{"a#b", "a#b"},
	{" a", "' a'"},
	{"a ", "'a '"},
	{"[a", "'[a'"},
	{"a\nb", "\"a\\nb\""},
	{"a\tb", "\"a\\tb\""},
	{"a\"\\\n", "\"a\\\"\\\\\\n\""},
	{"\x7f", "\"\\u007F\""},
	{"\xc3\xa9", "\xc3\xa9"},
	{"\xc2\x85", "\"\\u0085\""},
	{"\xe2\x80\xa8", "\"\\u2028\""},
	{"\xef\xbb\xbf", "\"\\uFEFF\""},
	{"\xff", "\xef\xbf\xbd"},
	{"@\xff", "'@\xef\xbf\xbd'"},
};

static void scalars_are_quoted_where_they_must(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++) {
		CLEANUP_BUF b = {0};
		struct arena a = {0};
		struct yaml *y;

		yaml_write_scalar(&b, str_of(scalars[i].text));
		assert_string_equal(b.p, scalars[i].written);
		assert_int_equal(yaml_parse(&a, "f", buf_view(&b), &y, NULL), 0);
		if (!strchr(scalars[i].text, '\xff'))
			assert_true(str_is(y->text, scalars[i].text));
		arena_release(&a);
	}
}

struct files {
	const char *dir;
	size_t n;
};

static int parse_file(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct files *files = ctx;
	struct arena a = {0};
	struct yaml *y = NULL;
	struct str text;
	int rc = 0;

	if (!S_ISREG(st->st_mode) || !str_ends(str_of(rel), STR(".yml")))
		return 0;
	files->n++;
	if (file_read(&a, path_join(&a, files->dir, rel), 1 << 20, &text, e) < 0 ||
		yaml_parse(&a, rel, text, &y, e) < 0)
		rc = -1;
	else if (!y || y->kind != YAML_MAP)
		rc = err_set(e, ERR_INPUT, "'%s' holds no map", rel);
	arena_release(&a);
	return rc;
}

static void real_environment_files_are_read(void **state)
{
	struct arena a = {0};
	const char *data = getenv("ENVBUILD_SHARED_DATA");
	const char *dir = path_join(&a, data && *data ? data : "../shared/data", "environments");
	struct err e = {0};
	struct files files = {.dir = dir};
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	if (fd < 0) {
		arena_release(&a);
		puts("# skip real_environment_files_are_read: no shared/data/environments");
		skip();
	}
	if (dir_walk(fd, parse_file, &files, &e) != 0)
		fail_msg("%s", e.text);
	assert_true(files.n > 300);
	close(fd);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_give_their_tree),
		cmocka_unit_test(errors_have_line_and_column),
		cmocka_unit_test(common_mistakes_have_advice),
		cmocka_unit_test(nodes_know_their_place),
		cmocka_unit_test(only_plain_words_are_null),
		cmocka_unit_test(alias_bombs_are_refused),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(large_maps_find_their_duplicates),
		cmocka_unit_test(real_environment_files_are_read),
		cmocka_unit_test(scalars_are_quoted_where_they_must),
	};

	return cmocka_run_group_tests_name("base/yaml", tests, NULL, NULL);
}
