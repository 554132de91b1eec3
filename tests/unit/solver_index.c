/* Indexes: what is found, what is refused and in which words, every real record. */
#include "tests/unit/solver_helper.h"

#include "base/hash.h"

struct fixture {
	struct arena arena;
	char *dir;
	struct channel channel;
	struct index *ix;
	struct err e;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	f->dir = fresh_dir(&f->arena);
	f->channel = (struct channel){.name = STR("main"), .url = STR("https://h/main")};
	f->ix = index_new();
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	index_free(f->ix);
	dir_remove(f->dir, NULL);
	err_release(&f->e);
	arena_release(&f->arena);
	free(f);
	return 0;
}

static int add(struct fixture *f, const char *text)
{
	return add_text(f->ix, f->dir, str_of(text), &f->channel, 0, "linux-64", &f->e);
}

static const char small[] =
	"{\"info\":{\"subdir\":\"linux-64\"},\"packages\":{\"a-1.0-0.tar.bz2\":"
	"{\"name\":\"a\",\"version\":\"1.0\",\"build\":\"0\",\"depends\":[\"b >=1\"]}},"
	"\"packages.conda\":{\"a-b-2-h_1.conda\":{\"name\":\"a-b\",\"version\":\"2\"}},"
	"\"removed\":[\"x-1-0.conda\"],\"other\":[1,{\"packages\":{}}]}";

/* The builds that the last index added has of a name. */
static size_t builds(struct fixture *f, const char *name, struct index_group *g)
{
	int rc = index_group(f->ix, f->ix->sources.n - 1, str_of(name), g, &f->e);

	if (rc < 0)
		fail_msg("%s", f->e.text);
	return rc ? g->n_builds : 0;
}

static void assert_spec(struct fixture *f, uint32_t number, const char *want)
{
	struct str text;

	assert_int_equal(index_spec(f->ix, f->ix->sources.n - 1, number, &text, &f->e), 0);
	assert_string_equal(arena_cstr(&f->arena, text), want);
}

static void both_lists_are_found(void **state)
{
	struct fixture *f = *state;
	struct index_group g;

	assert_int_equal(add(f, small), 0);
	assert_int_equal(f->ix->n_records, 2);
	assert_int_equal(builds(f, "a", &g), 1);
	assert_true(str_is(group_text(&g, g.builds[0].fn), "a-1.0-0.tar.bz2"));
	assert_int_equal(g.builds[0].depends.n, 1);
	assert_spec(f, g.specs[g.builds[0].depends.at], "b >=1");
	assert_int_equal(builds(f, "a-b", &g), 1);
	assert_int_equal(builds(f, "b", &g), 0);
}

/* However the records of a name are spread, they are one group. */
static void scattered_records_are_one_group(void **state)
{
	static const char *const want[] = {
		"a-1-0.conda", "a-2-0.tar.bz2", "a-3-0.conda", "a-4-0.conda", "a-5-0.conda"};
	struct fixture *f = *state;
	struct index_group g;
	struct record r;

	assert_int_equal(
		add(f, "{\"removed\":[\"a-6-0.conda\",\"c-1-0.conda\"],\"packages.conda\":{"
		       "\"a-3-0.conda\":{\"name\":\"a\",\"version\":\"3\",\"depends\":[\"x\",\"y "
		       "1\"]},"
		       "\"b-1-0.conda\":{\"name\":\"b\",\"version\":\"1\"},"
		       "\"a-1-0.conda\":{\"name\":\"a\",\"version\":\"1\",\"build\":\"first\"},"
		       "\"c-1-0.conda\":{\"name\":\"c\",\"version\":\"1\"},"
		       "\"a-6-0.conda\":{\"name\":\"a\",\"version\":\"6\"}},"
		       "\"packages\":{\"a-1-0.tar.bz2\":{\"name\":\"a\",\"version\":\"1\"},"
		       "\"a-2-0.tar.bz2\":{\"name\":\"a\",\"version\":\"2\",\"constrains\":[\"z\"]}"
		       "},"
		       "\"packages.conda\":{\"a-1-0.conda\":{\"name\":\"a\",\"version\":\"1\","
		       "\"build\":\"second\"},\"a-4-0.conda\":{\"name\":\"a\",\"version\":\"4\"}},"
		       "\"v3\":{\"conda\":{\"a-5-0\":{\"name\":\"a\",\"version\":\"5\"}}}}"),
		0);
	assert_int_equal(builds(f, "a", &g), 5);
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(arena_cstr(&f->arena, group_text(&g, g.builds[i].fn)), want[i]);
	group_record(&g, 0, &r);
	assert_true(str_is(r.build, "first"));
	assert_spec(f, g.specs[g.builds[1].constrains.at], "z");
	assert_spec(f, g.specs[g.builds[2].depends.at + 1], "y 1");
	assert_int_equal(builds(f, "b", &g), 1);
	assert_int_equal(builds(f, "c", &g), 0);
}

/* CEP 48, its example: keys have no ending, other kinds of files are passed over. */
static void records_of_v3_are_read(void **state)
{
	struct fixture *f = *state;
	struct index_group g;
	const struct group_kind *kind;
	struct record r;

	assert_int_equal(
		add(f, "{\"info\":{\"repodata_revisions\":{\"v3\":{\"n_packages\":1}}},"
		       "\"v3\":{\"tar.bz2\":{},\"whl\":{\"w-1-0\":{\"name\":7}},\"conda\":{"
		       "\"example-3.0.0-0\":{\"build\":\"0\",\"depends\":"
		       "[\"package[version=2,build_number=0,when=__unix]\"],\"extra_depends\":"
		       "{\"test\":[\"test-dependency\",\"b "
		       ">=2\"],\"none\":[]},\"name\":\"example\","
		       "\"flags\":[\"cuda\",\"blas:mkl\"],\"timestamp\":1773851540030,"
		       "\"indexed_timestamp\":1773851561010,\"version\":\"3.0.0\"}}}}"),
		0);
	assert_int_equal(f->ix->n_records, 1);
	assert_int_equal(builds(f, "example", &g), 1);
	assert_true(str_is(group_text(&g, g.builds[0].fn), "example-3.0.0-0.conda"));
	group_record(&g, 0, &r);
	assert_true(str_is(r.flags, "cuda blas:mkl"));
	assert_true(r.timestamp == UINT64_C(1773851540030));
	assert_true(r.indexed == UINT64_C(1773851561010));
	kind = &g.kinds[g.rests[0].kind];
	assert_int_equal(kind->extras.n, 4);
	assert_spec(f, g.specs[kind->extras.at], "test ");
	assert_spec(f, g.specs[kind->extras.at + 2], "test b >=2");
	assert_spec(f, g.specs[kind->extras.at + 3], "none ");
}

static void every_cut_is_damage(void **state)
{
	struct fixture *f = *state;

	for (size_t n = 1; n < sizeof small - 1; n++) {
		char *text = arena_cstr(&f->arena, str_n(small, n));

		assert_int_equal(add(f, text), -1);
		assert_int_equal(f->e.code, ERR_INTEGRITY);
		assert_non_null(strstr(f->e.text, "channel 'main', linux-64/repodata.json"));
		err_release(&f->e);
	}
}

static void nonsense_is_refused(void **state)
{
	static const char *const bad[] = {"", "[]", "1", "{\"packages\":[]}", "{\"packages\":null}",
		"{\"packages\":{\"a-1-0.conda\":{]}}", "{\"v3\":[]}", "{\"v3\":{\"conda\":1}}",
		"{\"packages\":{\"a-1-0.conda\":{\"depends\":[\"b\",]}}}", "{\"removed\":[1]}",
		"{}{}", "{\"a\":1,}"};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (add(f, bad[i]) == 0)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(f->e.code, ERR_INTEGRITY);
		err_release(&f->e);
	}
}

static void a_file_name_that_is_none_is_passed_over(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
		add(f, "{\"packages\":{\"readme.txt\":{},\"a.conda\":{},\"--.conda\":{}}}"), 0);
	assert_int_equal(f->ix->n_records, 0);
}

/* The record of a-1-0.conda with these fields; -1 and f->e where it cannot be read. */
static int parse_one(struct fixture *f, const char *fields, struct record *r)
{
	char *text = arena_printf(&f->arena,
		"{\"packages.conda\":{\"a-1-0.conda\":{\"name\":\"a\",\"version\":\"1\",\"build\":"
		"\"0\""
		"%s%s}}}",
		*fields ? "," : "", fields);
	struct index_group g;

	if (add(f, text) < 0)
		return -1;
	assert_int_equal(builds(f, "a", &g), 1);
	if (g.builds[0].flags & GROUP_BAD)
		return err_set(&f->e, ERR_INTEGRITY, "%.*s",
			STR_ARG(group_text(&g, g.builds[0].track_features)));
	group_record(&g, 0, r);
	r->n_depends = g.builds[0].depends.n;
	return 0;
}

static void old_forms_of_fields_are_read(void **state)
{
	struct fixture *f = *state;
	struct record r;

	assert_int_equal(
		parse_one(f, "\"build_number\":\"7\",\"size\":12,\"depends\":null", &r), 0);
	assert_int_equal(r.build_number, 7);
	assert_int_equal(r.size, 12);
	assert_int_equal(r.n_depends, 0);
	assert_int_equal(parse_one(f, "\"timestamp\":1500000000", &r), 0);
	assert_true(r.timestamp == UINT64_C(1500000000000));
	assert_int_equal(parse_one(f, "\"timestamp\":1500000000123", &r), 0);
	assert_true(r.timestamp == UINT64_C(1500000000123));
	assert_int_equal(
		parse_one(f, "\"timestamp\":1.5e9,\"track_features\":[\"x\",\"y\"]", &r), 0);
	assert_true(r.timestamp == 0);
	assert_true(str_is(r.track_features, "x y"));
	assert_int_equal(parse_one(f, "\"track_features\":\"\",\"noarch\":true", &r), 0);
	assert_int_equal(r.track_features.n, 0);
	assert_int_equal(r.noarch, NOARCH_GENERIC);
	assert_int_equal(parse_one(f, "\"noarch\":\"python\",\"license\":\"a\\u00e9\"", &r), 0);
	assert_int_equal(r.noarch, NOARCH_PYTHON);
	assert_true(str_is(r.license, "a\xc3\xa9"));
}

static void fields_of_a_wrong_type_name_the_file(void **state)
{
	static const char *const bad[] = {"\"depends\":\"b\"", "\"depends\":[1]", "\"version\":{}",
		"\"sha256\":\"abc\"", "\"md5\":\"zz\"", "\"size\":\"big\"", "\"noarch\":7",
		"\"track_features\":[1]", "\"name\":\"b\"", "\"extra_depends\":{\"A b\":[]}",
		"\"extra_depends\":{\"a\":{\"b\":[[]]}}", "\"version\":null,\"version\":\"\"",
		"\"depends\":{\"deep\":[{\"er\":[1]}]},\"name\":[[]]"};
	struct fixture *f = *state;
	struct index_group g;
	struct record r;

	assert_int_equal(add(f, "{\"packages.conda\":{\"a-1-0.conda\":[{}]}}"), 0);
	assert_int_equal(builds(f, "a", &g), 1);
	assert_true(g.builds[0].flags & GROUP_BAD);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (parse_one(f, bad[i], &r) == 0)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(f->e.code, ERR_INTEGRITY);
		assert_non_null(strstr(f->e.text, "a-1-0.conda"));
		assert_null(strstr(f->e.text, "\n"));
		err_release(&f->e);
	}
}

static void solve_for_url(struct fixture *f, const char *base_url, const char *want)
{
	struct index *ix = index_new();
	const struct spec_line line = {.text = STR("a")};
	const struct solve_request request = {.channels = &f->channel,
		.n_channels = 1,
		.subdir = STR("linux-64"),
		.specs = &line,
		.n_specs = 1};
	char *text = arena_printf(&f->arena,
		"{%s\"packages.conda\":{\"a-1!2-0+x.conda\":{\"name\":\"a\",\"version\":\"1!2\","
		"\"build\":\"0+x\"}}}",
		base_url);
	struct solution s = {0};

	assert_int_equal(add_text(ix, f->dir, str_of(text), &f->channel, 0, "linux-64", &f->e), 0);
	if (solve_index(&f->arena, &request, ix, &s, &f->e) < 0)
		fail_msg("%s", f->e.text);
	index_free(ix);
	assert_int_equal(s.n, 1);
	assert_string_equal(arena_cstr(&f->arena, s.records[0]->url), want);
}

static void urls_follow_base_url(void **state)
{
	struct fixture *f = *state;

	solve_for_url(f, "", "https://h/main/linux-64/a-1!2-0+x.conda");
	solve_for_url(f, "\"info\":{\"base_url\":\"https://cdn/files/\"},",
		"https://cdn/files/a-1!2-0+x.conda");
	solve_for_url(f, "\"info\":{\"base_url\":\"blobs\"},",
		"https://h/main/linux-64/blobs/a-1!2-0+x.conda");
	solve_for_url(f, "\"info\":{\"base_url\":\"../files/./x/\"},",
		"https://h/main/files/x/a-1!2-0+x.conda");
	solve_for_url(f, "\"info\":{\"base_url\":\"/files\"},", "https://h/files/a-1!2-0+x.conda");
}

struct counting {
	struct fixture *f;
	size_t n;
};

/* Every build of the name can be read; those that others stand in for are not there. */
static void count_builds(void *ctx, struct str name)
{
	struct counting *c = ctx;
	struct index_group g;

	c->n += builds(c->f, arena_cstr(&c->f->arena, name), &g);
	for (size_t i = 0; i < g.n_builds; i++) {
		struct record r;

		assert_false(g.builds[i].flags & GROUP_BAD);
		group_record(&g, i, &r);
		assert_true(r.version.n > 0);
	}
}

static void every_real_record_is_read(void **state)
{
	static const struct {
		const char *rel;
		size_t n;
	} files[] = {
		{"repodata/conda-forge/linux-64/repodata.json.zst", 24377},
		{"repodata/conda-forge/noarch/repodata.json.zst", 15889},
		{"repodata/pkgs-main-2021/linux-64/repodata.json.zst", 0},
		{"repodata/pkgs-main-2021/noarch/repodata.json.zst", 0},
		{"repodata/pkgs-free-2016/linux-64/repodata.json.zst", 0},
		{"channel/linux-64/repodata.json.zst", 0},
	};
	struct fixture *f = *state;

	if (!shared_path(&f->arena, "repodata")) {
		print_message("the shared data is not there (ENVBUILD_SHARED_DATA)\n");
		skip();
	}
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		struct counting c = {.f = f};

		index_free(f->ix);
		f->ix = index_new();
		if (index_add_file(f->ix, shared_path(&f->arena, files[i].rel), &f->channel, 0,
			    STR("linux-64"), &f->e) < 0)
			fail_msg("%s", f->e.text);
		index_each_name(f->ix, count_builds, &c);
		if (files[i].n)
			assert_int_equal(f->ix->n_records, files[i].n);
		assert_true(c.n > 100 && c.n <= f->ix->n_records);
	}
}

static struct record *rec(struct arena *a, const char *name, const char *needs)
{
	struct record *r = arena_new(a, struct record);
	struct words w = split_words(a, str_of(needs));

	r->name = str_of(name);
	r->version = STR("1");
	r->depends = w.v;
	r->n_depends = w.n;
	return r;
}

static void order_is_by_need_then_name(void **state)
{
	struct fixture *f = *state;
	struct arena *a = &f->arena;
	struct record *v[] = {rec(a, "z", ""), rec(a, "app", "conda-forge::lib>=1 pip"),
		rec(a, "pip", "python"), rec(a, "python", "pip lib"),
		rec(a, "lib", "other[version=1]"), rec(a, "b", "c"), rec(a, "c", "d"),
		rec(a, "d", "b")};
	static const char *const want[] = {"lib", "python", "pip", "app", "z", "b", "d", "c"};

	records_topological(v, 8);
	for (size_t i = 0; i < 8; i++)
		assert_true(str_is(v[i]->name, want[i]));
	records_topological(v, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(both_lists_are_found, setup, teardown),
		cmocka_unit_test_setup_teardown(scattered_records_are_one_group, setup, teardown),
		cmocka_unit_test_setup_teardown(records_of_v3_are_read, setup, teardown),
		cmocka_unit_test_setup_teardown(every_cut_is_damage, setup, teardown),
		cmocka_unit_test_setup_teardown(nonsense_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_file_name_that_is_none_is_passed_over, setup, teardown),
		cmocka_unit_test_setup_teardown(old_forms_of_fields_are_read, setup, teardown),
		cmocka_unit_test_setup_teardown(
			fields_of_a_wrong_type_name_the_file, setup, teardown),
		cmocka_unit_test_setup_teardown(urls_follow_base_url, setup, teardown),
		cmocka_unit_test_setup_teardown(every_real_record_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(order_is_by_need_then_name, setup, teardown),
	};

	return cmocka_run_group_tests_name("solver index", tests, NULL, NULL);
}
