/* Patterns and renames from tables, rules on a content, what a manifest keeps of them, sizes. */
#include "base/file.h"
#include "base/log.h"
#include "packer/pack.h"
#include "packer/rules_pattern.h"
#include "packer/sizes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct arena arena;

/* --- patterns ------------------------------------------------------------------------------- */

static void patterns(void **state)
{
	static const struct {
		const char *pattern, *path;
		bool matches, is;
	} cases[] = {
		{"*.a", "lib/libz.a", true, true},
		{"*.a", "x.a", true, true},
		{"*.a", "lib/x.a/y", true, false}, /* below a folder that it matches */
		{"*.a", "lib/x.ab", false, false},
		{"lib/*.a", "lib/deep/er/x.a", true, true}, /* a star matches slashes */
		{"share/doc", "share/doc/x/y", true, false},
		{"share/doc/", "share/doc/x", true, false},
		{"share/doc/**", "share/doc/x/y", true, true},
		{"share/doc/*", "share/doc", false, false},
		{"share/doc", "share/docs", false, false},
		{"share/doc", "x/share/doc", false, false},
		{"doc", "share/doc/x", false, false},
		{"**/doc", "share/doc/x", true, false},
		{"**/doc", "doc/x", true, false},
		{"**/__pycache__/**", "__pycache__/x", true, true},
		{"a/**/b", "a/b", true, true},
		{"a/**/b", "a/x/y/b", true, true},
		{"a/**/**/b", "a/b", true, true},
		{"a**/b", "a/b", true, true}, /* no component of its own: a star */
		{"a**/b", "b", false, false},
		{"bin/dbus-?", "bin/dbus-1", true, true},
		{"bin/[a-c]x", "bin/bx", true, true},
		{"bin/[!a-c]x", "bin/bx", false, false},
		{"bin/\\*", "bin/*", true, true},
		{"bin/\\*", "bin/x", false, false},
		{"*", ".hidden/x", true, true},
		{"bin/caf\303\251", "bin/caf\303\251", true, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rule_pattern p = {.text = str_of(cases[i].pattern), .place = "--exclude"};
		struct err e = {0};

		if (pattern_prepare(&arena, &p, &e) < 0)
			fail_msg("'%s': %s", cases[i].pattern, e.text);
		if (pattern_matches(&p, cases[i].path) != cases[i].matches ||
			pattern_is(&p, cases[i].path) != cases[i].is)
			fail_msg("'%s' and '%s'", cases[i].pattern, cases[i].path);
	}
}

static void bad_patterns(void **state)
{
	static const char *const cases[] = {"", "/", "/bin/*", "./x", "a/../b", "a//b", "..",
		"conda-meta", "conda-meta/", "conda-meta/*.json", "**/a/**/b/**/c/**/d/**/e"};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rule_pattern p = {.text = str_of(cases[i]), .place = "--exclude"};
		struct err e = {0};

		if (pattern_prepare(&arena, &p, &e) == 0)
			fail_msg("'%s' is taken", cases[i]);
		assert_int_equal(e.code, ERR_USAGE);
		err_release(&e);
	}
}

static void targets(void **state)
{
	static const struct {
		const char *to, *path, *result;
	} cases[] = {
		{"*.donotuse", "bin/dbus-daemon", "bin/dbus-daemon.donotuse"},
		{"*.donotuse", "top", "top.donotuse"},
		{"x", "bin/y", "bin/x"},
		{"etc/x", "bin/y", "etc/x"},
		{"off/*", "a/b/c", "off/c"},
		{"off/*/x", "a/b/c", "off/c/x"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct str got = rename_target(&arena, str_of(cases[i].to), str_of(cases[i].path));

		if (!str_is(got, cases[i].result))
			fail_msg(
				"'%s' to '%s' is '%.*s'", cases[i].path, cases[i].to, STR_ARG(got));
	}
}

/* --- on a content ----------------------------------------------------------------------------- */

static struct record records[] = {{.name = {"one", 3}, .fn = {"one-1-0.conda", 13}}};
static struct package packages[] = {{.record = records}};
static uint64_t places[] = {4};

static struct content make_content(const struct content_entry *from, size_t n)
{
	struct content c = {.packages = packages, .n_packages = 1, .build_prefix = STR("/build")};

	c.entries = arena_array(&arena, struct content_entry, n + 1);
	if (n)
		memcpy(c.entries, from, n * sizeof *from);
	c.n_entries = n;
	content_limit(&c);
	return c;
}

#define FILE_AT(text, bytes)                                               \
	{                                                                  \
		.path = STR_INIT(text), .type = PATH_FILE, .size = (bytes) \
	}
#define LINK_AT(text, to)                                                           \
	{                                                                           \
		.path = STR_INIT(text), .type = PATH_SOFTLINK, .link = STR_INIT(to) \
	}

static const struct content_entry *find(const struct content *c, const char *path)
{
	for (size_t i = 0; i < c->n_entries; i++)
		if (str_is(c->entries[i].path, path))
			return &c->entries[i];
	return NULL;
}

static void rename_rule(struct rules *r, const char *from, const char *to)
{
	*VEC_PUSH(&arena, &r->rename) = (struct rule_rename){
		.from = {.text = str_of(from), .place = "--rename"}, .to = str_of(to)};
}

static void run(struct rules *r, struct content *c)
{
	struct err e = {0};

	if (rules_check(&arena, r, &e) < 0 || rules_apply(&arena, r, c, &e) < 0)
		fail_msg("%s", e.text);
}

static void links(void **state)
{
	static const struct content_entry entries[] = {
		LINK_AT("a/absolute", "/build/lib/x"),
		LINK_AT("a/elsewhere", "/etc/passwd"),
		LINK_AT("a/out", "../../x"),
		LINK_AT("a/relative", "../lib/x"),
		FILE_AT("lib/x", 1),
	};
	struct content c = make_content(entries, 5);
	struct rules r = {0};

	(void)state;
	rename_rule(&r, "a/*", "deep/er/*");
	run(&r, &c);
	assert_true(str_is(find(&c, "deep/er/relative")->link, "../../lib/x"));
	assert_true(str_is(find(&c, "deep/er/absolute")->link, "/build/lib/x"));
	assert_true(str_is(find(&c, "deep/er/elsewhere")->link, "/etc/passwd"));
	assert_true(str_is(find(&c, "deep/er/out")->link, "../../x"));
}

/* The first rule that matches counts, conda-meta stays, what is renamed stays its package's. */
static void order(void **state)
{
	static const struct content_entry entries[] = {
		{.path = STR_INIT("bin/a"), .type = PATH_FILE, .size = 3, .package = 0},
		FILE_AT("bin/b", 1),
		FILE_AT("conda-meta/history", 1),
		{.path = STR_INIT("lib/limit"),
			.type = PATH_FILE,
			.binary = true,
			.prefix = STR_INIT("/p23"),
			.offsets = places,
			.n_offsets = 1},
	};
	struct content c = make_content(entries, 4);
	struct rules r = {0};

	(void)state;
	assert_int_equal(c.longest_prefix, 4);
	*VEC_PUSH(&arena, &r.exclude) =
		(struct rule_pattern){.text = STR("*i*"), .place = "--exclude"};
	*VEC_PUSH(&arena, &r.include) =
		(struct rule_pattern){.text = STR("bin"), .place = "--include"};
	rename_rule(&r, "bin/a", "z");
	rename_rule(&r, "*", "*.other");
	run(&r, &c);
	assert_int_equal(c.n_entries, 3);
	assert_int_equal(find(&c, "bin/z")->package, 0);
	assert_false(find(&c, "bin/z")->generated);
	assert_non_null(find(&c, "bin/b.other"));
	assert_non_null(find(&c, "conda-meta/history"));
	assert_int_equal(c.longest_prefix, SIZE_MAX);
	assert_int_equal(r.exclude.v[0].files, 1);
	assert_int_equal(r.include.v[0].files, 2);
	assert_true(rules_leave_out(&r, STR("lib/limit")));
	assert_true(rules_leave_out(&r, STR("bin/a")));
	assert_true(rules_leave_out(&r, STR("bin/z")));
	assert_false(rules_leave_out(&r, STR("conda-meta/history")));
}

/* --- the manifest ------------------------------------------------------------------------------ */

static struct str write_manifest(const struct rules *r)
{
	CLEANUP_BUF text = {0};
	struct json_out w = {.to = &text, .indent = 2};

	jw_object(&w);
	jw_key(&w, "name");
	jw_cstr(&w, "x");
	manifest_rules_write(&w, r);
	jw_object_end(&w);
	return arena_str(&arena, buf_view(&text));
}

/* What is read makes the same content again, and the same manifest. */
static void manifest(void **state)
{
	static const struct content_entry entries[] = {
		FILE_AT("bin/a", 1),
		FILE_AT("bin/b", 20),
		FILE_AT("include/x.h", 300),
		FILE_AT("lib/x.a", 4000),
	};
	static struct str removed[] = {STR_INIT("bin/gone")};
	struct content c = make_content(entries, 4), again = make_content(entries, 4);
	struct rules r = {.max_size = 5000000000, .has_pre_pack = true}, read;
	struct err e = {0};

	(void)state;
	c.removed = again.removed = removed;
	c.n_removed = again.n_removed = 1;
	sha256_of("x", 1, r.pre_pack_sha256);
	r.drop[DROP_HEADERS].asked = true;
	*VEC_PUSH(&arena, &r.exclude) =
		(struct rule_pattern){.text = STR("*.a"), .place = "--exclude"};
	*VEC_PUSH(&arena, &r.include) =
		(struct rule_pattern){.text = STR("lib/\"y\".a"), .place = "--include"};
	rename_rule(&r, "bin/*", "*.off");
	*VEC_PUSH(&arena, &r.add) = (struct rule_file){
		.path = STR("share/new"), .source = "/nowhere", .size = 7, .executable = true};
	*VEC_PUSH(&arena, &r.add) = (struct rule_file){.path = STR("share/l"), .link = STR("new")};
	run(&r, &c);
	struct str text = write_manifest(&r);
	if (rules_from_manifest(&arena, text, "manifest.json", &read, &e) != 1)
		fail_msg("%s", e.text);
	assert_int_equal(read.n_removed, 1);
	assert_true(rules_leave_out(&r, STR("bin/gone")));
	run(&read, &again);
	assert_true(str_eq(write_manifest(&read), text));
	assert_int_equal(again.n_entries, c.n_entries);
	for (size_t i = 0; i < c.n_entries; i++)
		assert_true(str_eq(c.entries[i].path, again.entries[i].path));
}

static void no_rules(void **state)
{
	struct rules r = {0}, read;
	struct err e = {0};

	(void)state;
	assert_int_equal(rules_from_manifest(&arena, write_manifest(&r), "m", &read, &e), 0);
	assert_int_equal(rules_from_manifest(&arena, write_manifest(NULL), "m", &read, &e), 0);
	assert_int_equal(
		rules_from_manifest(&arena, STR("{\"rules\": {\"exclude\": [1]}}"), "m", &read, &e),
		-1);
	assert_int_equal(e.code, ERR_INTEGRITY);
	err_release(&e);
	assert_int_equal(
		rules_from_manifest(&arena, STR("{\"rules\": {\"drop\": [{\"name\": \"x\"}]}}"),
			"m", &read, &e),
		-1);
	err_release(&e);
}

/* --- the archive -------------------------------------------------------------------------------- */

static struct str put(const char *dir, const char *name, const char *text)
{
	char *path = path_join(&arena, dir, name);

	assert_int_equal(file_write(path, str_of(text), 0644, NULL), 0);
	return str_of(path);
}

static void pack(
	const char *path, const struct rules *r, const struct content *c, const char *script)
{
	struct pack_paper paper = {PRE_PACK_PAPER, str_of(script)};
	struct pack_request request = {.content = c,
		.path = path,
		.format = PACK_TAR,
		.name = STR("x"),
		.papers = &paper,
		.n_papers = 1,
		.rules = r};
	struct pack_result result;
	struct err e = {0};

	if (pack_write(&request, &result, &e) < 0)
		fail_msg("%s", e.text);
}

/* Whoever has the archive has the added files and the script, and knows when they are others. */
static void archive(void **state)
{
	char dir[] = "/tmp/envbuild-rules.XXXXXX";
	const char *path, *work;
	struct content c = make_content(NULL, 0);
	struct rules r = {.has_pre_pack = true}, read;
	struct err e = {0};
	struct str text;

	(void)state;
	assert_non_null(mkdtemp(dir));
	path = path_join(&arena, dir, "x.tar");
	work = path_join(&arena, dir, "work");
	sha256_of("true\n", 5, r.pre_pack_sha256);
	*VEC_PUSH(&arena, &r.add) =
		(struct rule_file){.path = STR("share/link"), .link = STR("new")};
	put(dir, "new", "added");
	assert_int_equal(rules_capture(&arena, path_join(&arena, dir, "new"), STR("share/"),
				 "--add", path_join(&arena, dir, "captured"), &r, &e),
		0);
	run(&r, &c);
	pack(path, &r, &c, "true\n");
	if (rules_from_archive(&arena, path, work, &read, &e) != 1)
		fail_msg("%s", e.text);
	assert_true(str_is(read.pre_pack, "true\n"));
	assert_int_equal(read.add.n, 2);
	assert_true(str_is(read.add.v[1].path, "share/new"));
	assert_int_equal(file_read(&arena, read.add.v[1].source, 100, &text, NULL), 0);
	assert_true(str_is(text, "added"));

	pack(path, &r, &c, "false\n");
	assert_int_equal(
		rules_from_archive(&arena, path, path_join(&arena, dir, "w2"), &read, &e), -1);
	assert_int_equal(e.code, ERR_INTEGRITY);
	err_release(&e);
	c.n_entries--; /* share/new */
	pack(path, &r, &c, "true\n");
	assert_int_equal(
		rules_from_archive(&arena, path, path_join(&arena, dir, "w3"), &read, &e), -1);
	assert_non_null(strstr(e.text, "lacks"));
	err_release(&e);
	pack(path, NULL, &c, "true\n");
	assert_int_equal(rules_from_archive(&arena, path, work, &read, &e), 0);
	assert_int_equal(dir_remove(dir, NULL), 0);
}

/* --- sizes ------------------------------------------------------------------------------------- */

static void sizes(void **state)
{
	char path[] = "/tmp/envbuild-record.XXXXXX";
	int fd = mkstemp(path);
	static const char record[] =
		"pipped/__init__.py,sha256=x,5\n../../bin/pipped,,\n\"a,b\",,\n";
	const struct content_entry entries[] = {
		{.path = STR_INIT("bin/conda"), .type = PATH_FILE, .size = 10, .package = 0},
		{.path = STR_INIT("bin/pipped"), .type = PATH_FILE, .size = 100, .package = -1},
		{.path = STR_INIT("conda-meta/x.json"),
			.type = PATH_FILE,
			.size = 3,
			.package = -1},
		{.path = STR_INIT("lib/site-packages/a,b"),
			.type = PATH_FILE,
			.size = 20,
			.package = -1},
		{.path = STR_INIT("lib/site-packages/pipped-1.dist-info/RECORD"),
			.type = PATH_FILE,
			.size = sizeof record - 1,
			.package = -1,
			.source = path},
		{.path = STR_INIT("share/new"), .type = PATH_FILE, .size = 7, .package = -1},
	};
	struct content c = make_content(entries, 6);
	struct rules r = {0};
	struct sizes s;

	(void)state;
	assert_true(fd >= 0 && write_full(fd, record, sizeof record - 1, NULL) == 0);
	close(fd);
	*VEC_PUSH(&arena, &r.add) = (struct rule_file){.path = STR("share/new")};
	assert_int_equal(sizes_measure(&arena, &c, &r, &s, NULL), 0);
	unlink(path);
	assert_int_equal(s.n, 4);
	assert_int_equal(s.v[0].kind, SIZE_PIP);
	assert_true(str_is(s.v[0].name, "pipped"));
	assert_int_equal(s.v[0].bytes, 120);
	assert_true(str_is(s.v[1].name, "generated files"));
	assert_int_equal(s.v[1].files, 2);
	assert_true(str_is(s.v[2].name, "one"));
	assert_int_equal(s.v[3].kind, SIZE_ADDED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns),
		cmocka_unit_test(bad_patterns),
		cmocka_unit_test(targets),
		cmocka_unit_test(links),
		cmocka_unit_test(order),
		cmocka_unit_test(manifest),
		cmocka_unit_test(no_rules),
		cmocka_unit_test(archive),
		cmocka_unit_test(sizes),
	};

	log_setup((struct log_options){.quiet = true});
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	arena_release(&arena);
	return rc;
}
