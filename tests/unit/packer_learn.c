/* What an audit teaches the solver, and that the solver then does without what cannot load. */
#include "packer/audit_learn.h"
#include "tests/unit/solver_files.h"

struct found {
	enum audit_rule rule;
	const char *needs, *library, *has;
	enum audit_level level;
	enum audit_sure sure;
	ptrdiff_t package;
	const char *reason;
};

static struct str virtual_packages[] = {STR_INIT("__glibc=2.17"), STR_INIT("__linux=3.10.0"),
	STR_INIT("__unix=0=0"), STR_INIT("__archspec=1=x86_64_v2")};

static struct record records[2] = {
	{.name = STR_INIT("demo"),
		.version = STR_INIT("2.0"),
		.build = STR_INIT("0"),
		.url = STR_INIT("https://h/main/linux-64/demo-2.0-0.conda")},
	{.name = STR_INIT("other"),
		.version = STR_INIT("1.0"),
		.build = STR_INIT("0"),
		.url = STR_INIT("https://h/main/linux-64/other-1.0-0.conda"),
		.has_sha256 = true,
		.sha256 = {7}},
};
static const struct audit_package packages[] = {
	{.dist = STR_INIT("demo-2.0-0"), .record = &records[0]},
	{.dist = STR_INIT("other-1.0-0"), .record = &records[1]},
	{.dist = STR_INIT("of-pip==1.0")},
};
static const struct audit_tree tree = {.packages = packages, .n_packages = 3};

struct world {
	struct arena a;
	struct profile profile;
	struct audit audit;
	struct learned_list list;
};

static struct str text_of(const char *text)
{
	return text ? str_of(text) : (struct str){0};
}

static void set_up(struct world *w, const struct found *v, size_t n)
{
	*w = (struct world){.profile = {.name = STR("box"),
				    .subdir = STR("linux-64"),
				    .glibc = STR("2.17"),
				    .virtual_packages = virtual_packages,
				    .n_virtual_packages = 4}};
	w->audit = (struct audit){.tree = &tree, .profile = &w->profile};
	w->audit.findings = arena_array(&w->a, struct audit_finding, n);
	w->audit.n_findings = n;
	for (size_t i = 0; i < n; i++)
		w->audit.findings[i] = (struct audit_finding){.rule = v[i].rule,
			.level = v[i].level ? v[i].level : LEVEL_ERROR,
			.sure = v[i].sure,
			.package = v[i].package,
			.path = STR("lib/libx.so"),
			.needs = text_of(v[i].needs),
			.library = text_of(v[i].library),
			.has = text_of(v[i].has),
			.reason = text_of(v[i].reason),
			.text = STR("the sentence")};
}

/* The same of one finding: "" is "it cannot be had", NULL nothing. */
static void check_one(const struct found *f, const char *depends, const char *why)
{
	struct world w;
	size_t n;

	set_up(&w, f, 1);
	n = audit_learn(&w.a, &w.audit, &w.list);
	assert_int_equal(n, depends != NULL);
	assert_int_equal(w.list.n, n);
	assert_int_equal(w.list.from.n, n);
	if (n) {
		assert_true(str_is(w.list.v[0].depends, depends));
		assert_true(str_is(w.list.v[0].why, why));
		assert_true(str_eq(w.list.v[0].url, records[f->package].url));
		assert_int_equal(w.list.v[0].has_sha256, f->package == 1);
		assert_ptr_equal(w.list.from.v[0].record, &records[f->package]);
		assert_true(learned_has(&w.list, &records[f->package]));
		assert_false(learned_has(&w.list, &records[1 - f->package]));
	}
	assert_int_equal(audit_learn(&w.a, &w.audit, &w.list), 0); /* it is known by now */
	arena_release(&w.a);
}

static void virtual(void **state)
{
	static const struct found cases[] = {
		{.rule = RULE_VERSION,
			.needs = "GLIBC_2.28",
			.library = "libc.so.6",
			.has = "GLIBC_2.17"},
		{.rule = RULE_VERSION,
			.needs = "GLIBC_2.29",
			.library = "libm.so.6",
			.has = "GLIBC_2.17",
			.package = 1},
		{.rule = RULE_VERSION, .needs = "GLIBC_2.30", .library = "ld-linux-x86-64.so.2"},
		{.rule = RULE_VERSION,
			.needs = "GLIBC_ABI_DT_RELR",
			.library = "libc.so.6",
			.has = "GLIBC_2.17"},
		{.rule = RULE_ISA, .needs = "x86-64-v3"},
		{.rule = RULE_ISA, .needs = "x86_64_v4"},
		{.rule = RULE_KERNEL, .needs = "Linux 4.18"},
	};
	static const char *const depends[] = {"__glibc >=2.28", "__glibc >=2.29", "__glibc >=2.30",
		"__glibc >=2.36", "__archspec 1 x86_64_v3", "__archspec 1 x86_64_v4",
		"__linux >=4.18"};
	static const char *const why[] = {"its lib/libx.so needs GLIBC_2.28 of libc.so.6",
		"its lib/libx.so needs GLIBC_2.29 of libm.so.6",
		"its lib/libx.so needs GLIBC_2.30 of ld-linux-x86-64.so.2",
		"its lib/libx.so needs GLIBC_ABI_DT_RELR of libc.so.6",
		"its lib/libx.so needs x86-64-v3", "its lib/libx.so needs x86_64_v4",
		"its lib/libx.so needs Linux 4.18"};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_one(&cases[i], depends[i], why[i]);
}

/* What would be no news for the solver, by what the target declares, must rule the build out. */
static void barred(void **state)
{
	static const struct found cases[] = {
		{.rule = RULE_VERSION,
			.needs = "GLIBC_2.17",
			.library = "libc.so.6",
			.has = "GLIBC_2.12"},
		{.rule = RULE_VERSION, .needs = "GLIBC_PRIVATE", .library = "libc.so.6"},
		{.rule = RULE_VERSION, .needs = "GLIBC_2.28", .library = "libfoo.so.1"},
		{.rule = RULE_VERSION,
			.needs = "GLIBCXX_3.4.30",
			.library = "libstdc++.so.6",
			.has = "GLIBCXX_3.4.19"},
		{.rule = RULE_ISA, .needs = "x86-64-v2"},
		{.rule = RULE_ISA, .needs = "x86-64-v9"},
		{.rule = RULE_KERNEL, .needs = "Linux 3.10.0"},
		{.rule = RULE_LIBRARY, .needs = "libgone.so.1"},
	};
	static const struct found told[] = {
		{.rule = RULE_BROKEN},
		{.rule = RULE_MACHINE, .needs = "aarch64"},
		{.rule = RULE_STATIC_TLS, .needs = "1000", .sure = SURE_CERTAIN},
		{.rule = RULE_STACK},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct world w;
		struct str words;

		set_up(&w, &cases[i], 1);
		words = learned_words(&w.a, &w.audit.findings[0]);
		check_one(
			&cases[i], "", arena_printf(&w.a, "its lib/libx.so %.*s", STR_ARG(words)));
		arena_release(&w.a);
	}
	for (size_t i = 0; i < sizeof told / sizeof *told; i++)
		check_one(&told[i], "", "the sentence");
}

static void not_learned(void **state)
{
	static const struct found cases[] = {
		{.rule = RULE_VERSION,
			.needs = "GLIBC_2.28",
			.library = "libc.so.6",
			.level = LEVEL_WARNING},
		{.rule = RULE_LIBRARY, .needs = "libgone.so.1", .level = LEVEL_INFO},
		{.rule = RULE_VERSION,
			.needs = "GLIBC_2.28",
			.library = "libc.so.6",
			.reason = "we know"},
		{.rule = RULE_VERSION,
			.needs = "GLIBC_2.28",
			.library = "libc.so.6",
			.package = -1},
		{.rule = RULE_VERSION, .needs = "GLIBC_2.28", .library = "libc.so.6", .package = 2},
		{.rule = RULE_COPIES, .needs = "libx.so"},
		{.rule = RULE_SHADOWED, .needs = "libx.so"},
		{.rule = RULE_RPATH, .needs = "/build"},
		{.rule = RULE_STATIC_TLS, .needs = "1000", .sure = SURE_LIKELY},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_one(&cases[i], NULL, NULL);
}

/* The highest of each kind, each with what says so first; whatever else rules it out wins. */
static void highest(void **state)
{
	static const struct found v[] = {
		{.rule = RULE_VERSION, .needs = "GLIBC_2.27", .library = "libm.so.6"},
		{.rule = RULE_VERSION, .needs = "GLIBC_2.28", .library = "libc.so.6"},
		{.rule = RULE_VERSION, .needs = "GLIBC_2.28", .library = "libc.so.6"},
		{.rule = RULE_ISA, .needs = "x86-64-v3"},
		{.rule = RULE_ISA, .needs = "x86-64-v4"},
		{.rule = RULE_VERSION, .needs = "GLIBC_2.18", .library = "libc.so.6", .package = 1},
		{.rule = RULE_LIBRARY, .needs = "libgone.so.1", .package = 1},
	};
	struct world w;

	(void)state;
	set_up(&w, v, 7);
	assert_int_equal(audit_learn(&w.a, &w.audit, &w.list), 2);
	assert_int_equal(w.list.n, 3);
	assert_true(str_is(w.list.v[0].depends, "__glibc >=2.28"));
	assert_true(str_is(w.list.from.v[0].findings[0].needs, "GLIBC_2.28"));
	assert_int_equal(w.list.from.v[0].n_findings, 4);
	assert_true(str_is(w.list.v[1].depends, "__archspec 1 x86_64_v4"));
	assert_true(str_is(w.list.v[2].depends, ""));
	assert_true(str_is(w.list.v[2].why, "its lib/libx.so needs libgone.so.1"));
	arena_release(&w.a);
}

/* Of a package alone its environment is not known: what that could bring does not count. */
static void alone(void **state)
{
	static const struct found v[] = {
		{.rule = RULE_LIBRARY, .needs = "libgone.so.1"},
		{.rule = RULE_VERSION,
			.needs = "GLIBCXX_3.4.30",
			.library = "libstdc++.so.6",
			.has = "GLIBCXX_3.4.19"},
		{.rule = RULE_LIBRARY, .needs = "libgone.so.1", .package = 1},
		{.rule = RULE_VERSION,
			.needs = "GLIBC_2.28",
			.library = "libc.so.6",
			.has = "GLIBC_2.17",
			.package = 1},
	};
	struct world w;

	(void)state;
	set_up(&w, v, 4);
	assert_int_equal(audit_learn_alone(&w.a, &w.audit, &w.list), 1);
	assert_int_equal(w.list.n, 1);
	assert_true(w.list.v[0].has_sha256);
	assert_true(str_is(w.list.v[0].depends, "__glibc >=2.28"));
	arena_release(&w.a);
}

/* A channel of two builds that differ in nothing but their versions. */
static void make_channel(struct world *w, const char *dir, struct channel_list *out)
{
	static const char record[] = "\"demo-%s-0.conda\": {\"name\": \"demo\", \"version\": "
				     "\"%s\", \"build\": \"0\", \"build_number\": 0, "
				     "\"depends\": []}%s";
	CLEANUP_BUF text = {0};
	struct err e = {0};

	buf_puts(&text, "{\"packages.conda\": {");
	buf_printf(&text, record, "1.0", "1.0", ",");
	buf_printf(&text, record, "2.0", "2.0", "}}");
	put_file(&w->a, dir, "linux-64/repodata.json", text.p);
	assert_int_equal(
		channel_add(&w->a, out, arena_strf(&w->a, "file://%s", dir), NULL, ".", &e), 0);
	records[0].url = arena_strf(&w->a, "file://%s/linux-64/demo-2.0-0.conda", dir);
}

static void check_solved(struct world *w, const struct solve_request *r, const char *version)
{
	struct solution got = {0};
	struct err e = {0};

	if (solve(&w->a, r, &got, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(got.n, 1);
	assert_true(str_is(got.records[0]->version, version));
	assert_int_equal(got.records[0]->n_depends, 0); /* the record stays what it was */
}

/* The build is out, on this target alone. */
static void solved(void **state)
{
	static const struct found cases[] = {
		{.rule = RULE_VERSION, .needs = "GLIBC_2.28", .library = "libc.so.6"},
		{.rule = RULE_ISA, .needs = "x86-64-v3"},
		{.rule = RULE_KERNEL, .needs = "Linux 4.18"},
		{.rule = RULE_LIBRARY, .needs = "libgone.so.1"}};
	static const struct str newer[] = {STR_INIT("__glibc=2.28"),
		STR_INIT("__archspec=1=x86_64_v3"), STR_INIT("__linux=4.18.0")};
	const struct str url = records[0].url;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct spec_line spec = {STR("demo"), 1, 1};
		struct channel_list channels = {0};
		struct world w;
		char *dir;

		set_up(&w, &cases[i], 1);
		dir = fresh_dir(&w.a);
		make_channel(&w, dir, &channels);
		struct solve_request r = {.channels = channels.v,
			.n_channels = channels.n,
			.subdir = STR("linux-64"),
			.virtual_packages = virtual_packages,
			.n_virtual_packages = 4,
			.specs = &spec,
			.n_specs = 1,
			.cache_dir = path_join(&w.a, dir, "cache")};
		check_solved(&w, &r, "2.0");
		assert_int_equal(audit_learn(&w.a, &w.audit, &w.list), 1);
		r.learned = w.list.v;
		r.n_learned = w.list.n;
		check_solved(&w, &r, "1.0");
		r.virtual_packages = &newer[i < 3 ? i : 0];
		r.n_virtual_packages = 1;
		check_solved(&w, &r, i < 3 ? "2.0" : "1.0");
		dir_remove(dir, NULL);
		arena_release(&w.a);
	}
	records[0].url = url;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(virtual), cmocka_unit_test(barred),
		cmocka_unit_test(not_learned), cmocka_unit_test(highest), cmocka_unit_test(alone),
		cmocka_unit_test(solved)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
