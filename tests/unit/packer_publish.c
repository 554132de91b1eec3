/* Publishing without a network: tags, names, tokens, notes, the folder's index, what servers say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/http_netrc.h"
#include "packer/forge.h"
#include "packer/publish_index.h"
#include "packer/publish_set.h"

#include <stdlib.h>

static void a_tag_is_as_git_has_it(void **state)
{
	static const char *const good[] = {
		"v1.2", "1", "a/b", "release-2026.11", "v1+local", "x_y", "a.b/c.d"};
	static const char *const bad[] = {"", ".", "..", "a..b", "/a", "a/", "a//b", "a/.b", ".a",
		"-a", "a.lock", "a.lock/b", "a b", "a~b", "a^", "a:b", "a?", "a*", "a[", "a\\b",
		"@{", "a.", "a\n", "\xc3\xa9"};
	char long_tag[300];

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(publish_tag_is_good(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(publish_tag_is_good(bad[i]));
	memset(long_tag, 'a', sizeof long_tag);
	long_tag[201] = '\0';
	assert_false(publish_tag_is_good(long_tag));
	long_tag[200] = '\0';
	assert_true(publish_tag_is_good(long_tag));
}

static void a_place_is_a_folder_unless_it_says_otherwise(void **state)
{
	(void)state;
	assert_true(publish_is_dir("releases"));
	assert_true(publish_is_dir("./github:x"));
	assert_false(publish_is_dir("github:a/b"));
	assert_false(publish_is_dir("gitea:https://h/a/b"));
}

struct place {
	const char *to, *api, *owner, *repo;
};

static void places_of_forges(void **state)
{
	static const struct place good[] = {
		{"github:me/demo", "https://api.github.com", "me", "demo"},
		{"github:me/demo.git", "https://api.github.com", "me", "demo"},
		{"gitea:https://git.example/me/demo/", "https://git.example/api/v1", "me", "demo"},
		{"gitea:http://h:3000/sub/me/demo.git", "http://h:3000/sub/api/v1", "me", "demo"},
		{"gitea:https://[::1]:8080/me/demo", "https://[::1]:8080/api/v1", "me", "demo"},
	};
	static const char *const bad[] = {"github:", "github:me", "github:me/", "github:a/b/c",
		"github:../x", "github:me/..", "github:me/a b", "github:https://h/a/b",
		"gitea:me/demo", "gitea:https://me/demo", "gitea:ftp://h/a/b",
		"gitea:https://u:p@h/a/b", "gitea:https://h/a?b/c", "gitea:https:///a/b",
		"gitea:", "gitea:https://h/a/%2e%2e"};
	CLEANUP_ARENA a = {0};

	(void)state;
	unsetenv("GITHUB_API_URL");
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct forge f;

		assert_int_equal(forge_open(&a, good[i].to, NULL, &f, NULL), 0);
		assert_string_equal(f.api, good[i].api);
		assert_string_equal(f.owner, good[i].owner);
		assert_string_equal(f.repo, good[i].repo);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err e = {0};
		struct forge f;

		if (forge_open(&a, bad[i], NULL, &f, &e) == 0)
			fail_msg("'%s' was taken for a place", bad[i]);
		assert_int_equal(e.code, ERR_USAGE);
		assert_null(strstr(e.text, "u:p@"));
		err_release(&e);
	}
}

static void netrc_gives_the_password_of_the_host(void **state)
{
	static const struct {
		const char *text, *password;
	} cases[] = {
		{"machine h login a password b", "b"},
		{"machine x password c machine H\n\tlogin a\n\tpassword b\n", "b"},
		{"machine h login password password b", "b"},
		{"machine h password \"b \\\"c\"", "b \"c"},
		{"# machine h password x\nmachine h password b # c", "b"},
		{"macdef m\nmachine h password x\n\nmachine h password b", "b"},
		{"machine h login a default password x", NULL},
		{"default login a password x", NULL},
		{"machine h.example password x", NULL},
		{"machine h", NULL},
		{"machine", NULL},
		{"machine h password", NULL},
		{"", NULL},
		{"machine h password \"b", "b"},
	};
	CLEANUP_ARENA a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *found = netrc_find(&a, str_of(cases[i].text), "h");

		if (!cases[i].password)
			assert_null(found);
		else
			assert_string_equal(found, cases[i].password);
	}
}

/* --- a set without files ------------------------------------------------------------------------- */

static struct set_archive archive(const char *name, const char *lock, const char *version)
{
	return (struct set_archive){.name = (char *)name,
		.lock = (char *)lock,
		.release = {.manifest = {.name = STR("demo"), .version = str_of(version)},
			.test = RELEASE_TESTED}};
}

static void the_lock_of_an_earlier_version_is_found(void **state)
{
	static const struct {
		const char *stem, *version, *tag, *other;
		bool is;
	} cases[] = {
		{"demo", "", "v2", "demo.lock", true},
		{"demo", "", "v2", "other.lock", false},
		{"demo-1.2", "1.2", "v2", "demo-1.1.lock", true},
		{"demo-1.2-rhel7", "1.2", "v2", "demo-1.1-rhel7.lock", true},
		{"demo-1.2-rhel7", "1.2", "v2", "demo-1.1-rocky8.lock", false},
		{"demo-1.2", "1.2", "v2", "demo-.lock", false},
		{"demo-1.2", "1.2", "v2", "demo-extra.lock", false},
		{"demo-1.2", "1.2", "v2", "demo-1.1.tar.gz", false},
		{"demo-v2", "", "v2", "demo-v1.lock", true},
		{"demo-2", "", "v2", "demo-1.lock", true},
	};
	CLEANUP_ARENA a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct publish_request r = {.tag = cases[i].tag};
		struct set_archive x = archive(cases[i].stem,
			arena_printf(&a, "%s.lock", cases[i].stem), cases[i].version);
		struct publish_set set = {
			.request = &r, .arena = &a, .archives = &x, .n_archives = 1};

		if (publish_is_earlier_lock(&set, 0, str_of(cases[i].other)) != cases[i].is)
			fail_msg("%s and %s", cases[i].stem, cases[i].other);
	}
}

static void the_set_owns_what_its_archives_can_have(void **state)
{
	struct set_archive x = archive("demo", "demo.lock", "");
	struct publish_set set = {.archives = &x, .n_archives = 1};
	static const char *const own[] = {"demo.tar.gz", "demo.tar.gz.00", "demo.tar.zst.9010",
		"demo.tar", "demo.sha256", "demo.run.json", "demo.test.log", "demo.lock",
		"demo.intoto.jsonl", "demo.sha256.sig", "demo.squashfs.01"};
	static const char *const others[] = {"demo", "demo.", "demo.txt", "demo-x.tar.gz",
		"demo.tar.gz.0", "demo.tar.gz.x0", "demo.x.tar.gz", "xdemo.tar.gz", "demo.00"};

	(void)state;
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		assert_true(publish_set_owns(&set, str_of(own[i])));
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (publish_set_owns(&set, str_of(others[i])))
			fail_msg("%s", others[i]);
	assert_true(publish_is_archive_name(STR("demo.tar.gz.01")));
	assert_false(publish_is_archive_name(STR("demo.test.log")));
}

static struct str notes_of(struct publish_set *set, const char *old)
{
	struct earlier_lock earlier[4] = {{0}};
	struct str out;

	assert_int_equal(publish_notes(set, str_of(old), earlier, &out, NULL), 0);
	return out;
}

static void notes_change_their_own_section_alone(void **state)
{
	CLEANUP_ARENA a = {0};
	struct publish_request r = {.tag = "v1"};
	struct set_archive x[2] = {
		archive("demo", "demo.lock", "1"), archive("two", "two.lock", "")};
	struct publish_set set = {.request = &r, .arena = &a, .archives = x, .n_archives = 1};
	struct str first = notes_of(&set, ""), both, crlf;
	CLEANUP_BUF b = {0};

	(void)state;
	assert_true(str_find(first, STR("# demo 1\n")) > 0);
	x[0].release.manifest.target = STR("a\n<b>|");
	assert_true(str_find(notes_of(&set, ""), STR("# demo 1 for a  b  \n\n")) > 0);
	x[0].release.manifest.target = STR("");
	assert_true(str_eq(notes_of(&set, arena_cstr(&a, first)), first));
	set.n_archives = 2;
	both = notes_of(&set, arena_cstr(&a, first));
	assert_true(str_starts(both, str_sub(first, 0, first.n - 1)));
	assert_true(str_find(both, STR("<!-- envbuild: two -->")) > 0);
	/* What others have written stays, and line ends that a form has changed are no difference. */
	both = notes_of(&set, arena_printf(&a, "Mine.\n%.*s\nAlso mine.", STR_ARG(both)));
	assert_true(str_starts(both, STR("Mine.\n")) && str_ends(both, STR("Also mine.")));
	for (size_t i = 0; i < both.n; i++)
		buf_printf(&b, both.p[i] == '\n' ? "\r\n" : "%c", both.p[i]);
	crlf = notes_of(&set, b.p);
	assert_true(str_eq(crlf, buf_view(&b)));
	/* An older section gives way; one without an end is somebody's text. */
	x[0].release.test = RELEASE_NOT_TESTED;
	assert_true(str_find(notes_of(&set, arena_cstr(&a, both)), STR("It was not tested.")) > 0);
	both = notes_of(&set, "<!-- envbuild: demo -->\nno end");
	assert_true(
		str_starts(both, STR("<!-- envbuild: demo -->\nno end\n\n<!-- envbuild: demo")));
}

static void words_before_the_notes_stand_first_and_once(void **state)
{
	CLEANUP_ARENA a = {0};
	struct publish_request r = {.tag = "v1"};
	struct set_archive x = archive("demo", "demo.lock", "");
	struct publish_set set = {.request = &r,
		.arena = &a,
		.archives = &x,
		.n_archives = 1,
		.notes_before = STR_INIT("\nHello.\n\n")};
	struct str once = notes_of(&set, ""), twice = notes_of(&set, arena_cstr(&a, once));

	(void)state;
	assert_true(str_starts(once, STR("<!-- envbuild: notes/ -->\nHello.\n<!--")));
	assert_true(str_eq(once, twice));
}

/* --- the folder's index ---------------------------------------------------------------------------- */

static const char one_release[] =
	"{\"tag\":\"v1\",\"published\":\"2026-01-02T03:04:05Z\",\"updated\":\"2026-01-02T03:04:"
	"05Z\","
	"\"prerelease\":false,\"archives\":[],\"files\":[{\"name\":\"%s\",\"size\":%s,\"sha256\":"
	"\"7f5eb73a4383a016ea0214f474149786104378e71911003910ea9fe3e4064730\"}]}";

static void a_release_file_leads_nowhere_else(void **state)
{
	static const char *const bad[] = {
		"../x", "a/b", "/etc/passwd", "..", ".", ".hidden", "", "a\\u0000b"};
	CLEANUP_ARENA a = {0};
	struct dir_release r;

	(void)state;
	assert_int_equal(
		dir_release_parse(&a, str_of(arena_printf(&a, one_release, "demo.tar.gz", "5")),
			"r", &r, NULL),
		0);
	assert_int_equal(r.files.v[0].size, 5);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err e = {0};

		if (dir_release_parse(&a, str_of(arena_printf(&a, one_release, bad[i], "5")), "r",
			    &r, &e) == 0)
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(e.code, ERR_INTEGRITY);
		err_release(&e);
	}
	assert_int_equal(dir_release_parse(&a, str_of(arena_printf(&a, one_release, "x", "-1")),
				 "r", &r, NULL),
		-1);
	assert_int_equal(dir_release_parse(&a, STR("{}"), "r", &r, NULL), -1);
}

static void the_latest_is_the_newest_that_is_no_prerelease(void **state)
{
	struct dir_release v[] = {{.tag = STR_INIT("a"), .published = 1000},
		{.tag = STR_INIT("b"), .published = 3000, .prerelease = true},
		{.tag = STR_INIT("c"), .published = 2000}};
	struct dir_index index = {.releases = {.v = v, .n = 3}};

	(void)state;
	dir_index_sort(&index);
	assert_true(str_is(v[0].tag, "b") && str_is(v[2].tag, "a"));
	assert_true(str_is(index.latest->tag, "c"));
}

/* --- what servers say -------------------------------------------------------------------------------- */

static void a_message_is_one_line_without_the_token(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"{\"message\":\"Not Found\"}", "Not Found"},
		{"{\"message\":\"Validation "
		 "Failed\",\"errors\":[{\"resource\":\"Release\",\"code\":"
		 "\"already_exists\",\"field\":\"tag_name\"}]}",
			"Validation Failed: already_exists: tag_name"},
		{"{\"errors\":null,\"message\":\"Release already exists\",\"url\":\"u\"}",
			"Release already exists"},
		{"{\"message\":\"a\\u001b[31mred\\nb tok-s3cret c\"}", "a [31mred b *** c"},
		{"{\"message\":\"\\u009b0m\"}", "0m"},
		{"{\"message\":7}", ""},
		{"<html>Bad gateway</html>", ""},
		{"", ""},
	};
	CLEANUP_ARENA a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(
			arena_cstr(&a, forge_message(&a, str_of(cases[i].text), "tok-s3cret")),
			cases[i].message);
	assert_true(forge_has_code(str_of(cases[1].text), "already_exists"));
	assert_false(forge_has_code(str_of(cases[0].text), "already_exists"));
}

static void names_from_a_server_are_for_one_line(void **state)
{
	static const char *const bad[] = {"{\"id\":1,\"tag_name\":\"v\\u001b[2J\"}",
		"{\"id\":1,\"tag_name\":\"v1\",\"html_url\":\"https://h\\u009bx\"}",
		"{\"id\":1,\"tag_name\":\"v1\",\"assets\":[{\"id\":2,\"name\":\"a\\nb\"}]}",
		"{\"id\":1,\"tag_name\":\"a\\u0000b\"}", "{\"id\":1}", "{\"tag_name\":\"v1\"}",
		"{\"id\":\"1\",\"tag_name\":\"v1\"}", "{\"id\":-1,\"tag_name\":\"v1\"}", "[]", "",
		"{\"id\":1,\"tag_name\":\"v1\",\"assets\":{}}", "{\"id\":1,\"tag_name\":\"v1\"} x"};
	CLEANUP_ARENA a = {0};
	struct forge_release r;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err e = {0};

		if (forge_parse_release(&a, str_of(bad[i]), &r, &e) == 0)
			fail_msg("%s", bad[i]);
		assert_int_equal(e.code, ERR_NETWORK);
		err_release(&e);
	}
	assert_int_equal(
		forge_parse_release(&a,
			STR("{\"id\":1,\"tag_name\":\"v1\",\"assets\":null,\"x\":[{}]}"), &r, NULL),
		0);
}

static void uploads_go_to_trusted_hosts_alone(void **state)
{
	static const struct {
		const char *api, *upload;
		bool trusted;
	} cases[] = {
		{"https://api.github.com", "https://uploads.github.com/repos/a/b{?name,label}",
			true},
		{"https://api.github.com", "https://api.github.com/up{?name}", true},
		{"https://api.x.ghe.com", "https://uploads.x.ghe.com/up{?name}", true},
		{"https://h/api/v3", "https://h/api/uploads{?name}", true},
		{"http://127.0.0.1:80/api/v3", "http://127.0.0.1:80/up", true},
		{"https://api.github.com", "http://uploads.github.com/up{?name}", false},
		{"https://api.github.com", "https://uploads.evil.com/up{?name}", false},
		{"https://api.github.com", "https://uploads.github.com.evil.com/up", false},
		{"https://api.github.com", "https://uploads.github.com@evil.com/up", false},
		{"https://api.github.com", "https://evil.com/uploads.github.com/up", false},
		{"https://h/api/v3", "https://h:8443/up", false},
		{"https://h/api/v3", "https://uploads.h/up", false},
		{"https://h/api/v3", "", false},
	};
	CLEANUP_ARENA a = {0};
	struct asset asset = {.name = (char *)"demo.tar.gz"};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct forge f = {.ops = &forge_github,
			.arena = &a,
			.api = (char *)cases[i].api,
			.authorization = (char *)"Bearer x"};
		struct forge_release r = {.upload_url = (char *)cases[i].upload};
		struct http_sending s = {0};

		if ((forge_github.upload(&f, &r, &asset, &s, NULL) == 0) != cases[i].trusted)
			fail_msg("%s at %s", cases[i].upload, cases[i].api);
		assert_true(cases[i].trusted == (s.authorization != NULL));
	}
}

static void github_takes_files_under_two_gib(void **state)
{
	struct asset v[] = {{.name = (char *)"a", .size = (2ULL << 30) - 1},
		{.name = (char *)"b", .size = 2ULL << 30}};
	struct publish_set set = {.assets = v, .n_assets = 1};
	struct err e = {0};

	(void)state;
	assert_int_equal(forge_check_sizes(&forge_github, &set, NULL), 0);
	set.n_assets = 2;
	assert_int_equal(forge_check_sizes(&forge_github, &set, &e), -1);
	assert_int_equal(e.code, ERR_USAGE);
	assert_non_null(strstr(e.text, "'b' has 2.1 GB"));
	assert_non_null(strstr(err_advice(&e), "pack --split 1500M"));
	err_release(&e);
	assert_int_equal(forge_check_sizes(&forge_gitea, &set, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tag_is_as_git_has_it),
		cmocka_unit_test(a_place_is_a_folder_unless_it_says_otherwise),
		cmocka_unit_test(places_of_forges),
		cmocka_unit_test(netrc_gives_the_password_of_the_host),
		cmocka_unit_test(the_lock_of_an_earlier_version_is_found),
		cmocka_unit_test(the_set_owns_what_its_archives_can_have),
		cmocka_unit_test(notes_change_their_own_section_alone),
		cmocka_unit_test(words_before_the_notes_stand_first_and_once),
		cmocka_unit_test(a_release_file_leads_nowhere_else),
		cmocka_unit_test(the_latest_is_the_newest_that_is_no_prerelease),
		cmocka_unit_test(a_message_is_one_line_without_the_token),
		cmocka_unit_test(names_from_a_server_are_for_one_line),
		cmocka_unit_test(uploads_go_to_trusted_hosts_alone),
		cmocka_unit_test(github_takes_files_under_two_gib),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
