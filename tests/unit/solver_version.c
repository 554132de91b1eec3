/* The order of versions and what version specs match. */
#include "base/file.h"
#include "solver/version.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena arena;

static const struct version *parse(struct str text)
{
	const struct version *v = NULL;
	struct err e = {0};

	if (version_parse(&arena, text, &v, &e) < 0)
		fail_msg("%s", e.text);
	return v;
}

static int sign(int c)
{
	return (c > 0) - (c < 0);
}

static void check_pair(const struct version *a, const struct version *b, int expected)
{
	if (sign(version_cmp(a, b)) != expected || sign(version_cmp(b, a)) != -expected)
		fail_msg("'%.*s' against '%.*s': %d, not %d", STR_ARG(version_text(a)),
			STR_ARG(version_text(b)), sign(version_cmp(a, b)), expected);
}

static struct str read_table(const char *path)
{
	struct err e = {0};
	struct str text;

	if (file_read(&arena, path, 16 << 20, &text, &e) < 0)
		fail_msg("%s", e.text);
	return text;
}

/* --- the real list ------------------------------------------------------------------------ */

struct ranked {
	const struct version *v;
	uint64_t rank;
};

struct ranked_list {
	struct ranked *v;
	size_t n, cap;
};

static void read_ranked(const char *path, struct ranked_list *list)
{
	struct str rest = read_table(path);

	while (rest.n) {
		struct str line = str_cut(&rest, '\n'), rank = str_cut(&line, '\t');
		struct ranked r = {0};

		if (!line.n)
			continue;
		assert_int_equal(str_u64(rank, UINT32_MAX, &r.rank), 0);
		r.v = parse(line);
		*VEC_PUSH(&arena, list) = r;
	}
}

static void check_ranks(const struct ranked *a, const struct ranked *b)
{
	check_pair(a->v, b->v, (a->rank > b->rank) - (a->rank < b->rank));
}

static void real_order(void **state)
{
	const char *data = getenv("ENVBUILD_SHARED_DATA");
	struct ranked_list list = {0};
	uint32_t random = 1;
	size_t i;
	char *path;

	(void)state;
	path = path_join(&arena, data ? data : "../shared/data", "versions/order.tsv");
	if (!path_exists(path)) {
		printf("# skip real_order: no '%s', set ENVBUILD_SHARED_DATA\n", path);
		skip();
	}
	read_ranked(path, &list);
	assert_int_equal(list.n, 14265);
	for (i = 0; i + 1 < list.n; i++)
		check_ranks(&list.v[i], &list.v[i + 1]);
	for (i = 0; i < 200000; i++) {
		random = random * 1664525 + 1013904223;
		check_ranks(&list.v[i % list.n], &list.v[(random >> 8) % list.n]);
	}
}

/* --- tables ------------------------------------------------------------------------------- */

/* Every two lines of a block compare as their places say; "=" joins a line to the one before. */
static void table_order(void **state)
{
	struct str rest = read_table("tests/data/version_order.txt");
	struct ranked_list block = {0};
	uint64_t rank = 0;
	size_t i, lines = 0;

	(void)state;
	while (rest.p) {
		struct str line = str_cut(&rest, '\n');

		if (!line.n)
			block.n = 0;
		if (!line.n || line.p[0] == '#')
			continue;
		rank += line.p[0] != '=';
		*VEC_PUSH(&arena, &block) = (struct ranked){
			parse(line.p[0] == '=' ? str_sub(line, 1, line.n) : line), rank};
		for (i = 0; i + 1 < block.n; i++)
			check_ranks(&block.v[i], &block.v[block.n - 1]);
		lines++;
	}
	assert_true(lines > 100);
}

static void check_spec(struct str line)
{
	struct str rest = line, spec = str_cut(&rest, '\t'), version = str_cut(&rest, '\t');
	const struct version_spec *s;
	struct err e = {0};

	if (str_is(version, "error")) {
		if (version_spec_parse(&arena, spec, &s, &e) == 0)
			fail_msg("'%.*s' was taken", STR_ARG(spec));
		if (str_find(str_of(e.text), rest) < 0)
			fail_msg("'%.*s' gives '%s', not '%.*s'", STR_ARG(spec), e.text,
				STR_ARG(rest));
		assert_int_equal(e.code, ERR_INPUT);
		err_release(&e);
		return;
	}
	if (version_spec_parse(&arena, spec, &s, &e) < 0)
		fail_msg("%s", e.text);
	if (version_spec_match(s, parse(version)) != str_is(rest, "yes"))
		fail_msg("'%.*s' and '%.*s': not %.*s", STR_ARG(spec), STR_ARG(version),
			STR_ARG(rest));
}

static void table_specs(void **state)
{
	struct str rest = read_table("tests/data/version_specs.tsv");
	size_t lines = 0;

	(void)state;
	while (rest.n) {
		struct str line = str_cut(&rest, '\n');

		if (!line.n || line.p[0] == '#')
			continue;
		check_spec(line);
		lines++;
	}
	assert_true(lines > 100);
}

/* --- the rest ----------------------------------------------------------------------------- */

static void refused(void **state)
{
	static const char *const bad[][2] = {
		{"", "empty version"},
		{"3.5&1", "invalid character at 4"},
		{"5.5++", "invalid character at 5"},
		{"5.5..mw", "empty component at 5"},
		{"5.5.", "empty component at 5"},
		{"_5", "empty component at 1"},
		{"1+", "empty component at 3"},
		{"+1", "empty component at 1"},
		{"+1.2+", "empty component at 1"},
		{"!", "epoch is not a number at 1"},
		{"a!1.0", "epoch is not a number at 1"},
		{"1!2!3", "invalid character at 4"},
		{"1.0 1", "invalid character at 4"},
		{"1.*", "invalid character at 3"},
		{"1.\xc3\xa9", "invalid character at 3"},
	};
	const struct version *v;
	struct err e = {0};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (version_parse(&arena, str_of(bad[i][0]), &v, &e) == 0)
			fail_msg("'%s' was taken", bad[i][0]);
		assert_int_equal(e.code, ERR_INPUT);
		if (str_find(str_of(e.text), str_of(bad[i][1])) < 0)
			fail_msg("'%s': '%s'", bad[i][0], e.text);
		err_release(&e);
	}
}

/* The longest texts fit the key whatever they are made of; one more is refused. */
static void long_versions(void **state)
{
	static const char *const units[] = {"1", "a", "a1", "1a", "0.", "a.", "1.", "dev.", "9_"};
	const struct version *v;
	char text[VERSION_MAX + 2];
	struct err e = {0};
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(units) / sizeof(*units); i++) {
		for (j = 0; j < sizeof(text); j++)
			text[j] = units[i][j % strlen(units[i])];
		text[VERSION_MAX - 1] = 'z';
		if (version_parse(&arena, str_n(text, VERSION_MAX), &v, &e) < 0) {
			/* Only a number of over 240 digits. */
			assert_string_equal(units[i], "1");
			err_release(&e);
		}
		assert_int_equal(version_parse(&arena, str_n(text, VERSION_MAX + 1), &v, &e), -1);
		err_release(&e);
	}
	for (i = 1; i + 1 < VERSION_MAX / 2; i++) {
		/* i empty segments before one below zero and one above it. */
		for (j = 0; j < 2 * i; j++)
			text[j] = j % 2 ? '.' : '0';
		text[2 * i] = 'a';
		check_pair(parse(arena_str(&arena, str_n(text, 2 * i + 1))), parse(STR("0")), -1);
		text[2 * i] = '1';
		check_pair(parse(arena_str(&arena, str_n(text, 2 * i + 1))), parse(STR("0")), 1);
	}
}

/* 10,000 characters: refused at once, in a short message. */
static void huge_versions(void **state)
{
	static const char *const units[] = {
		"1", "a", "1.", "a1", "1!", "_", "+", "*", "=", "(", "1|"};
	char text[10000];
	const struct version *v;
	const struct version_spec *s;
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		for (size_t j = 0; j < sizeof text; j++)
			text[j] = units[i][j % strlen(units[i])];
		assert_int_equal(version_parse(&arena, str_n(text, sizeof text), &v, &e), -1);
		assert_non_null(strstr(e.text, "up to 255 characters, not 10000"));
		assert_true(strlen(e.text) < 500);
		err_release(&e);
		assert_int_equal(version_spec_parse(&arena, str_n(text, sizeof text), &s, &e), -1);
		assert_true(strlen(e.text) < 500);
		err_release(&e);
	}
}

static void exact(void **state)
{
	const struct version_spec *s;
	const struct version *v = NULL;

	(void)state;
	assert_int_equal(version_spec_parse(&arena, STR("==1.2"), &s, NULL), 0);
	assert_true(version_spec_exact(s, &v));
	assert_true(str_is(version_text(v), "1.2"));
	assert_int_equal(version_spec_parse(&arena, STR("1.2.*"), &s, NULL), 0);
	assert_false(version_spec_exact(s, &v));
	assert_int_equal(version_spec_parse(&arena, STR("!=1.2"), &s, NULL), 0);
	assert_false(version_spec_exact(s, &v));
	assert_int_equal(version_spec_parse(&arena, STR("1.2|1.3"), &s, NULL), 0);
	assert_false(version_spec_exact(s, &v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_order),
		cmocka_unit_test(table_order),
		cmocka_unit_test(table_specs),
		cmocka_unit_test(refused),
		cmocka_unit_test(long_versions),
		cmocka_unit_test(huge_versions),
		cmocka_unit_test(exact),
	};
	int rc = cmocka_run_group_tests_name("solver_version", tests, NULL, NULL);

	arena_release(&arena);
	return rc;
}
