/* Metapackages that pin everything: Anaconda's of 2013 to 2021, on the indexes as served. */
#include "tests/unit/solver_real.h"

struct source {
	const char *rel, *subdir;
	bool is_free;
};

static const struct source sources[] = {
	{"repodata/pkgs-free-2016/linux-64/repodata.json.zst", "linux-64", true},
	{"repodata/pkgs-main-2021/linux-64/repodata.json.zst", "linux-64", false},
	{"repodata/pkgs-main-2021/noarch/repodata.json.zst", "noarch", false},
};

struct data {
	struct real real;
	char *paths[sizeof sources / sizeof *sources];
	struct channel free, main;
};

static int setup(void **state)
{
	struct data *d = xcalloc(1, sizeof *d);

	*state = d;
	d->free = (struct channel){.name = STR("free"), .url = STR("https://h/pkgs/free")};
	d->main = (struct channel){.name = STR("main"), .url = STR("https://h/pkgs/main")};
	if (!real_open(&d->real, sources[0].rel))
		return 0;
	for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
		d->paths[i] = real_unpack(
			&d->real, sources[i].rel, arena_printf(&d->real.arena, "%zu", i));
	return 0;
}

/* A position of -1: without that channel. */
static struct index *load(const struct data *d, int main_position, int free_position)
{
	struct index *ix = index_new();
	struct err e = {0};

	for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
		int position = sources[i].is_free ? free_position : main_position;

		if (position >= 0 &&
			index_add_file(ix, d->paths[i], sources[i].is_free ? &d->free : &d->main,
				(unsigned)position, str_of(sources[i].subdir), &e) < 0)
			fail_msg("%s", e.text);
	}
	return ix;
}

static int solve_lines(struct arena *a, const struct data *d, const struct index *ix,
	enum channel_priority priority, const struct words *wants, struct solution *out,
	struct err *e)
{
	struct words offers = split_words(a, STR("__glibc=2.17 __linux=3.10 __unix=0=0"));
	const struct solve_request request = {.channels = &d->main,
		.n_channels = 1,
		.priority = priority,
		.subdir = STR("linux-64"),
		.virtual_packages = offers.v,
		.n_virtual_packages = offers.n,
		.specs = lines_of(a, wants),
		.n_specs = wants->n,
		.file = "environment.yml",
		.target = "box"};

	*out = (struct solution){0};
	return solve_index(a, &request, ix, out, e);
}

/* "name version build" of a record's dependency. */
static void check_pin(struct arena *a, const struct solution *s, struct str pin)
{
	struct words w = split_words(a, pin);
	const struct record *got;

	assert_int_equal(w.n, 3);
	got = find(s, w.v[0]);
	if (!got || !str_eq(got->version, w.v[1]) || !str_eq(got->build, w.v[2]))
		fail_msg("'%.*s' is pinned, got '%.*s'", STR_ARG(pin),
			STR_ARG(got ? got->fn : STR("nothing")));
}

/*
 * The metapackage and its pins, and nothing else; but pycairo 1.10.0 of 2.4.1 for Python 2.7 needs
 * py2cairo, which is not pinned.
 */
static void check_as_pinned(struct arena *a, const struct solution *s)
{
	const struct record *meta = find(s, STR("anaconda"));
	bool is_short;

	assert_non_null(meta);
	is_short = str_is(meta->fn, "anaconda-2.4.1-np110py27_0.tar.bz2");
	for (size_t i = 0; i < meta->n_depends; i++)
		check_pin(a, s, meta->depends[i]);
	if (is_short)
		assert_non_null(find(s, STR("py2cairo")));
	assert_int_equal(s->n, meta->n_depends + 1 + is_short);
}

static bool has_build(struct arena *a, const struct index *ix, const struct words *pin)
{
	struct record *all;
	size_t n = records_of(a, ix, pin->v[0], &all);

	for (size_t i = 0; i < n; i++)
		if (str_eq(all[i].version, pin->v[1]) && str_eq(all[i].build, pin->v[2]))
			return true;
	return false;
}

/* Of a pin that has no package; empty where all have one. */
static struct str missing_pin(struct arena *a, const struct index *ix, const struct record *meta)
{
	for (size_t i = 0; i < meta->n_depends; i++) {
		struct words w = split_words(a, meta->depends[i]);

		if (!has_build(a, ix, &w))
			return w.v[0];
	}
	return (struct str){0};
}

static bool solve_meta(const struct data *d, const struct index *ix, const struct record *meta)
{
	struct arena a = {0};
	struct words wants = {0};
	struct solution s;
	struct err e = {0};
	struct str missing = missing_pin(&a, ix, meta);
	bool solved;

	*VEC_PUSH(&a, &wants) = arena_strf(
		&a, "anaconda ==%.*s %.*s", STR_ARG(meta->version), STR_ARG(meta->build));
	solved = solve_lines(&a, d, ix, PRIORITY_FLEXIBLE, &wants, &s, &e) == 0;
	if (solved == (missing.n > 0))
		fail_msg("%.*s: %s, missing is '%.*s'", STR_ARG(meta->fn),
			solved ? "solved" : e.text, STR_ARG(missing));
	if (solved)
		check_as_pinned(&a, &s);
	else if (e.code != ERR_UNSAT || !strstr(e.text, arena_cstr(&a, missing)))
		fail_msg("%.*s: %s", STR_ARG(meta->fn), e.text);
	err_release(&e);
	arena_release(&a);
	return solved;
}

/* Every release: as pinned, or refused for the package that its channel no longer has. */
static void check_all(const struct data *d, struct index *ix, size_t at_least)
{
	struct arena a = {0};
	size_t solved = 0, all = 0;
	struct record *v;
	size_t n = records_of(&a, ix, STR("anaconda"), &v);

	for (size_t i = 0; i < n; i++) {
		if (str_is(v[i].version, "custom"))
			continue;
		all++;
		solved += solve_meta(d, ix, &v[i]);
	}
	print_message("%zu of %zu have all they pin\n", solved, all);
	assert_true(solved >= at_least);
	index_free(ix);
	arena_release(&a);
}

static void releases_solve_as_pinned(void **state)
{
	struct data *d = need_real(state);

	check_all(d, load(d, -1, 0), 67);
	check_all(d, load(d, 0, -1), 3);
}

/* The newest of 2016, without a word on its version. */
static void newest_of_2016(void **state)
{
	struct data *d = need_real(state);
	struct arena a = {0};
	struct index *ix = load(d, -1, 0);
	struct words wants = split_words(&a, STR("anaconda"));
	struct solution s;
	struct err e = {0};

	if (solve_lines(&a, d, ix, PRIORITY_STRICT, &wants, &s, &e) < 0)
		fail_msg("%s", e.text);
	assert_true(str_is(find(&s, STR("anaconda"))->fn, "anaconda-4.1.1-np111py35_0.tar.bz2"));
	assert_int_equal(s.n, 171);
	check_as_pinned(&a, &s);
	index_free(ix);
	arena_release(&a);
}

/* main is before free, or behind it; strict priority hides what the other has of a name. */
static void both_channels(void **state)
{
	static const struct {
		int main_position;
		enum channel_priority priority;
		bool solves;
	} cases[] = {
		{0, PRIORITY_FLEXIBLE, true},
		{0, PRIORITY_DISABLED, true},
		{0, PRIORITY_STRICT, false},
		{1, PRIORITY_STRICT, true},
		{1, PRIORITY_FLEXIBLE, true},
	};
	struct data *d = need_real(state);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct arena a = {0};
		struct index *ix = load(d, cases[i].main_position, 1 - cases[i].main_position);
		struct words wants = split_words(&a, STR("anaconda=4.1.1 python=3.5"));
		struct solution s;
		struct err e = {0};
		int rc = solve_lines(&a, d, ix, cases[i].priority, &wants, &s, &e);

		if ((rc == 0) != cases[i].solves)
			fail_msg("case %zu: %s", i, rc < 0 ? e.text : "solved");
		if (rc == 0)
			check_as_pinned(&a, &s);
		else
			assert_non_null(
				strstr(e.text, "strict channel priority takes anaconda only from"));
		err_release(&e);
		index_free(ix);
		arena_release(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(releases_solve_as_pinned),
		cmocka_unit_test(newest_of_2016),
		cmocka_unit_test(both_channels),
	};

	return cmocka_run_group_tests_name("solver anaconda", tests, setup, real_teardown);
}
