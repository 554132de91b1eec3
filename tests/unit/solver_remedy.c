/* What is said of real requests for the target rhel6, and that it is so: by solving again. */
#include "tests/unit/solver_real.h"

/* The list items behind "virtual-packages:" of the target rhel6. */
static struct words read_target(struct arena *a)
{
	struct str text = read_table(a, root_path(a, "images/targets/rhel6.yml")), line;
	struct words list = {0};

	while (next_line(&text, &line))
		if (str_starts(line, STR("- __")))
			*VEC_PUSH(a, &list) = str_sub(line, 2, line.n);
	return list;
}

/* glibc: instead of the target's; NULL: the target as it is. */
static int solve_for(struct arena *a, const struct real *d, const char *specs, const char *glibc,
	struct solution *out, struct err *e)
{
	struct words words = split_words(a, str_of(specs)), rhel6 = read_target(a), target = {0};

	assert_int_equal(rhel6.n, 4);
	for (size_t i = 0; i < rhel6.n; i++)
		*VEC_PUSH(a, &target) = glibc && str_starts(rhel6.v[i], STR("__glibc="))
						? arena_strf(a, "__glibc=%s", glibc)
						: rhel6.v[i];
	return solve_index(a,
		&(struct solve_request){.channels = &d->channel,
			.n_channels = 1,
			.priority = PRIORITY_STRICT,
			.subdir = STR("linux-64"),
			.virtual_packages = target.v,
			.n_virtual_packages = target.n,
			.specs = lines_of(a, &words),
			.n_specs = words.n,
			.file = "environment.yml",
			.target = "rhel6"},
		d->index, out, e);
}

static bool is_solvable(const struct real *d, const char *specs, const char *glibc)
{
	struct arena a = {0};
	struct solution s = {0};
	struct err e = {0};
	int rc = solve_for(&a, d, specs, glibc, &s, &e);

	if (rc < 0)
		assert_int_equal(e.code, ERR_UNSAT);
	err_release(&e);
	arena_release(&a);
	return rc == 0;
}

/* The whole text; and the facts, which live in the arena. */
static const struct unsat *check_text(
	struct arena *a, const struct real *d, const char *specs, const char *text)
{
	struct solution s = {0};
	struct err e = {0};

	assert_int_equal(solve_for(a, d, specs, NULL, &s, &e), -1);
	assert_int_equal(e.code, ERR_UNSAT);
	assert_string_equal(e.text, text);
	err_release(&e);
	assert_non_null(s.unsat);
	return s.unsat;
}

static void nothing_fits_but_another_glibc(void **state)
{
	const struct real *d = need_real(state);
	struct arena a = {0};
	const struct unsat *u = check_text(&a, d, "python numpy pytorch=2.3=cpu*",
		"no solution for the target 'rhel6':\n"
		"environment.yml:3: pytorch 2.3.0 needs __glibc >=2.17,<3.0.a0, the target rhel6 "
		"has 2.12\n"
		"no pytorch in these channels fits the target rhel6\n"
		"everything solves with __glibc 2.17");

	assert_int_equal(u->n_fits, 1);
	assert_false(u->fits[0].any);
	assert_true(str_is(u->remedy.from, "2.12") && str_is(u->remedy.to, "2.17"));
	assert_false(is_solvable(d, "pytorch", NULL));
	assert_true(is_solvable(d, "python numpy pytorch=2.3=cpu*", "2.17"));
	assert_false(is_solvable(d, "python numpy pytorch=2.3=cpu*", "2.16"));
	arena_release(&a);
}

static void the_newest_that_fits(void **state)
{
	const struct real *d = need_real(state);
	struct arena a = {0};
	const struct unsat *u = check_text(&a, d, "python numpy>=2.2",
		"no solution for the target 'rhel6':\n"
		"environment.yml:2: numpy 2.2.0 to 2.5.2 (67 builds) need __glibc >=2.17,<3.0.a0, "
		"the target rhel6 has 2.12\n"
		"newest numpy that fits: 2.0.0 py311h1461c94_0 (2024-06-17)\n"
		"everything solves with __glibc 2.17");

	assert_true(u->fits[0].any && !u->fits[0].alone);
	assert_true(is_solvable(d, "python numpy=2.0.0=py311h1461c94_0", NULL));
	assert_false(is_solvable(d, "python numpy>2.0.0", NULL));
	assert_true(is_solvable(d, "python numpy>=2.2", "2.17"));
	assert_false(is_solvable(d, "python numpy>=2.2", "2.16"));
	arena_release(&a);
}

static void two_limits_at_once(void **state)
{
	const struct real *d = need_real(state);
	struct arena a = {0};
	const struct unsat *u = check_text(&a, d, "pytorch=2.7",
		"no solution for the target 'rhel6':\n"
		"environment.yml:1: pytorch 2.7.1 needs __cuda and __glibc >=2.17,<3.0.a0, the "
		"target rhel6 has no __cuda and __glibc 2.12\n"
		"no pytorch in these channels fits the target rhel6\n"
		"raising or adding one virtual package alone would not help");

	assert_int_equal(u->remedy.name.n, 0);
	assert_false(is_solvable(d, "pytorch=2.7", "2.34"));
	arena_release(&a);
}

static void one_line_too_many(void **state)
{
	static const char *const sci =
		"python=3.12 numpy pandas scipy scikit-learn matplotlib jupyterlab";
	const struct real *d = need_real(state);
	struct arena a = {0};
	struct solution s = {0};
	struct err e = {0};

	assert_int_equal(
		solve_for(&a, d, arena_printf(&a, "%s python=2.7", sci), NULL, &s, &e), -1);
	assert_true(s.unsat->smallest && !s.unsat->each);
	assert_int_equal(s.unsat->n_lines, 2);
	assert_int_equal(s.unsat->lines[0].line, 1);
	assert_int_equal(s.unsat->lines[1].line, 8);
	assert_int_equal(s.unsat->n_without, 1);
	assert_int_equal(s.unsat->without[0].line, 8);
	assert_true(is_solvable(d, sci, NULL));
	err_release(&e);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_fits_but_another_glibc),
		cmocka_unit_test(the_newest_that_fits),
		cmocka_unit_test(two_limits_at_once),
		cmocka_unit_test(one_line_too_many),
	};

	return cmocka_run_group_tests_name("solver remedy", tests, real_setup, real_teardown);
}
