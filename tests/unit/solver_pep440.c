/* The order of Python's versions and what specifiers take (PEP 440). */
#include "solver/pep440.h"
#include "tests/unit/solver_files.h"

static struct arena arena;

static const struct pep440 *parse(struct str text)
{
	const struct pep440 *v = NULL;
	struct err e = {0};

	if (pep440_parse(&arena, text, &v, &e) < 0)
		fail_msg("%s", e.text);
	return v;
}

/* --- order ---------------------------------------------------------------------------------- */

struct placed {
	const struct pep440 *v;
	size_t line;
};

static void check_pair(const struct placed *a, const struct placed *b)
{
	int want = (a->line > b->line) - (a->line < b->line), got = pep440_cmp(a->v, b->v);

	if ((got > 0) - (got < 0) != want)
		fail_msg("'%.*s' against '%.*s': %d, not %d", STR_ARG(pep440_text(a->v)),
			STR_ARG(pep440_text(b->v)), got, want);
}

static void order(void **state)
{
	struct str rest = read_table(&arena, "tests/data/pep440_order.txt"), line;
	struct {
		struct placed *v;
		size_t n, cap;
	} list = {0};

	(void)state;
	for (size_t at = 0; next_line(&rest, &line); at++)
		while (line.p)
			*VEC_PUSH(&arena, &list) = (struct placed){parse(str_cut(&line, ' ')), at};
	assert_true(list.n > 70);
	for (size_t i = 0; i < list.n; i++)
		for (size_t j = 0; j < list.n; j++)
			check_pair(&list.v[i], &list.v[j]);
}

static void normal_forms(void **state)
{
	static const char *const pairs[][2] = {
		{"1.0", "1.0"},
		{" v1.0.0 ", "1.0.0"},
		{"01.002", "1.2"},
		{"1.1RC1", "1.1rc1"},
		{"1.1-alpha.2", "1.1a2"},
		{"1.1beta", "1.1b0"},
		{"1.1.pre", "1.1rc0"},
		{"1.2c3", "1.2rc3"},
		{"1.2-1", "1.2.post1"},
		{"1.2.post-", "1.2.post0"},
		{"1.2rev7", "1.2.post7"},
		{"1.2r", "1.2.post0"},
		{"1.2-dev", "1.2.dev0"},
		{"1.2a1-r4_dev5+Ubuntu-01.B", "1.2a1.post4.dev5+ubuntu.1.b"},
		{"0!1.0", "1.0"},
		{"2!1.0", "2!1.0"},
		{"1.0a", "1.0a0"},
		{"1.0a-", "1.0a0"},
		{"1.0a-1-2", "1.0a1.post2"},
		{"1.0+00abc", "1.0+00abc"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct str got = pep440_text(parse(str_of(pairs[i][0])));

		if (!str_is(got, pairs[i][1]))
			fail_msg("'%s' gives '%.*s', not '%s'", pairs[i][0], STR_ARG(got),
				pairs[i][1]);
		assert_int_equal(pep440_cmp(parse(got), parse(str_of(pairs[i][0]))), 0);
	}
}

static void not_versions(void **state)
{
	static const char *const texts[][2] = {
		{"", "a version is missing at 1"},
		{"french toast", "a number is missing at 1"},
		{"1.0+", "a letter or digit is missing at 5"},
		{"1.0+a+b", "this cannot stand here at 6"},
		{"1.0+_foobar", "a letter or digit is missing"},
		{"1.", "this cannot stand here at 2"},
		{"1..2", "this cannot stand here at 2"},
		{".1", "a number is missing at 1"},
		{"1.0apple", "this cannot stand here at 5"},
		{"1.0dev.a", "this cannot stand here"},
		{"1.0-", "this cannot stand here at 4"},
		{"1!", "a number is missing at 3"},
		{"!1", "a number is missing at 1"},
		{"1.0.post1.post2", "this cannot stand here at 10"},
		{"1.0dev1a1", "this cannot stand here at 8"},
		{"vv1", "a number is missing at 2"},
		{"1.0 1", "this cannot stand here at 4"},
		{"1.0\n2", "this cannot stand here at 4"},
	};
	char longest[PEP440_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		const struct pep440 *v;
		struct err e = {0};

		if (pep440_parse(&arena, str_of(texts[i][0]), &v, &e) == 0)
			fail_msg("'%s' is taken", texts[i][0]);
		assert_int_equal(e.code, ERR_INPUT);
		if (!strstr(e.text, texts[i][1]))
			fail_msg("'%s', not '%s'", e.text, texts[i][1]);
		err_release(&e);
	}
	memset(longest, '1', sizeof longest);
	parse(str_n(longest, PEP440_MAX));
	{
		const struct pep440 *v;

		assert_int_equal(
			pep440_parse(&arena, str_n(longest, PEP440_MAX + 1), &v, NULL), -1);
	}
}

/* --- specifiers ----------------------------------------------------------------------------- */

static void check_error(struct str specs, struct str why)
{
	struct pep440_set set;
	struct err e = {0};

	if (pep440_set_parse(&arena, specs, &set, &e) == 0)
		fail_msg("'%.*s' is taken", STR_ARG(specs));
	assert_int_equal(e.code, ERR_INPUT);
	if (str_find(str_of(e.text), why) < 0)
		fail_msg("'%s', not '%.*s'", e.text, STR_ARG(why));
	err_release(&e);
}

static void check_match(struct str specs, struct str version, struct str answer)
{
	struct pep440_set set;
	struct err e = {0};
	const struct pep440 *v = parse(version);
	bool with, without;

	if (pep440_set_parse(&arena, specs, &set, &e) < 0)
		fail_msg("%s", e.text);
	with = pep440_set_has(&set, v, PEP440_PRE_YES);
	without = pep440_set_has(&set, v, PEP440_PRE_AUTO);
	if (with != !str_is(answer, "no") || without != str_is(answer, "yes"))
		fail_msg("'%.*s' and '%.*s': %d with, %d without pre-releases, not '%.*s'",
			STR_ARG(specs), STR_ARG(version), with, without, STR_ARG(answer));
}

static void specifiers(void **state)
{
	struct str rest = read_table(&arena, "tests/data/pep440_specs.tsv"), line;
	size_t n = 0;

	(void)state;
	for (; next_line(&rest, &line); n++) {
		struct str specs = str_cut(&line, '\t'), version = str_cut(&line, '\t');

		assert_true(line.n);
		if (str_is(version, "error"))
			check_error(specs, line);
		else
			check_match(specs, version, line);
	}
	assert_true(n > 80);
}

static void operators(void **state)
{
	struct pep440_set set;

	(void)state;
	assert_int_equal(pep440_set_parse(&arena, STR("== 1.5.*, ~=1.2, ===x"), &set, NULL), 0);
	assert_int_equal(set.n, 3);
	assert_int_equal(set.v[0].op, PEP440_EQ);
	assert_true(set.v[0].prefix);
	assert_true(str_is(set.v[0].text, "1.5"));
	assert_string_equal(pep440_op_text(set.v[1].op), "~=");
	assert_null(set.v[2].version);
	assert_true(str_is(set.v[2].text, "x"));
	assert_true(pep440_is_pre(parse(STR("1.0.dev1"))));
	assert_true(pep440_is_pre(parse(STR("1.0rc1"))));
	assert_false(pep440_is_pre(parse(STR("1.0.post1"))));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order),
		cmocka_unit_test(normal_forms),
		cmocka_unit_test(not_versions),
		cmocka_unit_test(specifiers),
		cmocka_unit_test(operators),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	arena_release(&arena);
	return failed;
}
