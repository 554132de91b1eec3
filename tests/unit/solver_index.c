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

static void both_lists_are_found(void **state)
{
	struct fixture *f = *state;
	const struct index_place *p;
	struct record r;

	assert_int_equal(add(f, small), 0);
	assert_int_equal(f->ix->n_places, 2);
	p = index_first(f->ix, STR("a"));
	assert_non_null(p);
	assert_null(index_next(f->ix, p));
	assert_true(str_is(place_fn(p), "a-1.0-0.tar.bz2"));
	assert_int_equal(record_parse(&f->arena, f->ix, p, &r, &f->e), 0);
	assert_int_equal(r.n_depends, 1);
	assert_true(str_is(r.depends[0], "b >=1"));
	assert_true(str_is(r.channel, "https://h/main"));
	assert_non_null(index_first(f->ix, STR("a-b")));
	assert_null(index_first(f->ix, STR("b")));
}

static void every_cut_is_damage(void **state)
{
	struct fixture *f = *state;

	for (size_t n = 1; n < sizeof small - 1; n++) {
		char *text = arena_cstr(&f->arena, str_n(small, n));

		assert_int_equal(add(f, text), -1);
		assert_int_equal(f->e.code, ERR_INTEGRITY);
		assert_non_null(strstr(f->e.text, "channel 'main', linux-64/repodata.json:1:"));
		err_release(&f->e);
	}
}

static void nonsense_is_refused(void **state)
{
	static const char *const bad[] = {"", "[]", "1", "{\"packages\":[]}", "{\"packages\":null}",
		"{\"packages\":{\"a-1-0.conda\":1}}", "{\"packages\":{\"a-1-0.conda\":{]}}",
		"{\"removed\":[1]}", "{}{}", "{\"a\":1,}"};
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
	assert_int_equal(f->ix->n_places, 0);
}

static int parse_one(struct fixture *f, const char *fields, struct record *r)
{
	char *text = arena_printf(&f->arena,
		"{\"packages.conda\":{\"a-1-0.conda\":{\"name\":\"a\",\"version\":\"1\",\"build\":"
		"\"0\""
		"%s%s}}}",
		*fields ? "," : "", fields);
	const struct index_place *p = NULL;

	if (add(f, text) < 0)
		fail_msg("%s", f->e.text);
	for (p = index_first(f->ix, STR("a")); index_next(f->ix, p);)
		p = index_next(f->ix, p);
	return record_parse(&f->arena, f->ix, p, r, &f->e);
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
		"\"track_features\":[1]", "\"x\"", "\"name\":\"b\"",
		"\"version\":null,\"version\":\"\""};
	struct fixture *f = *state;
	struct record r;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (parse_one(f, bad[i], &r) == 0)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(f->e.code, ERR_INTEGRITY);
		assert_non_null(strstr(f->e.text, "a-1-0.conda"));
		assert_non_null(strstr(f->e.text, "main"));
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
}

static size_t parse_all(struct fixture *f, size_t from)
{
	struct arena a = {0};
	struct record r;

	for (size_t i = from; i < f->ix->n_places; i++) {
		if (record_parse(&a, f->ix, &f->ix->places[i], &r, &f->e) < 0)
			fail_msg("%s", f->e.text);
		assert_true(r.version.n > 0);
		if (i % 1000 == 0)
			arena_release(&a);
	}
	arena_release(&a);
	return f->ix->n_places - from;
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
		char *path = unpack_index(&f->arena, shared_path(&f->arena, files[i].rel), f->dir,
			arena_printf(&f->arena, "real%zu", i));
		size_t from = f->ix->n_places, n;

		if (index_add_file(f->ix, path, &f->channel, 0, STR("linux-64"), &f->e) < 0)
			fail_msg("%s", f->e.text);
		n = parse_all(f, from);
		if (files[i].n)
			assert_int_equal(n, files[i].n);
		assert_true(n > 100);
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
