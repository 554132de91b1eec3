/* References of images, and who one is at a registry (images/reference.h, registry_auth.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "images/registry_auth.h"

#include <stdlib.h>

#define DIGEST_HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST     "sha256:" DIGEST_HEX
#define TEN        "aaaaaaaaaa"
#define HUNDRED    TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static void references_are_read_as_docker_reads_them(void **state)
{
	static const struct {
		const char *text, *whole;
	} cases[] = {
		{"debian", "docker.io/library/debian:latest"},
		{"debian:12", "docker.io/library/debian:12"},
		{"me/image:V1.2_3-x", "docker.io/me/image:V1.2_3-x"},
		{"docker.io/debian", "docker.io/library/debian:latest"},
		{"index.docker.io/library/debian:12", "docker.io/library/debian:12"},
		{"docker.io/library/centos:6", "docker.io/library/centos:6"},
		{"quay.io/a/b/c", "quay.io/a/b/c:latest"},
		{"localhost/x", "localhost/x:latest"},
		{"localhost:5000", "docker.io/library/localhost:5000"},
		{"localhost:5000/x", "localhost:5000/x:latest"},
		{"127.0.0.1:5000/a/b:c", "127.0.0.1:5000/a/b:c"},
		{"[::1]:5000/a:b", "[::1]:5000/a:b"},
		{"HOST/x", "HOST/x:latest"},
		{"host/x", "docker.io/host/x:latest"},
		{"debian@" DIGEST, "docker.io/library/debian@" DIGEST},
		{"debian:12@" DIGEST, "docker.io/library/debian:12@" DIGEST},
		{"a.b-c_d__e---f", "docker.io/library/a.b-c_d__e---f:latest"},
		{"x:_", "docker.io/library/x:_"},
	};
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct reference r;
		struct err e = {0};

		if (reference_parse(&a, cases[i].text, &r, &e) < 0)
			fail_msg("'%s': %s", cases[i].text, e.text);
		assert_string_equal(reference_text(&a, &r), cases[i].whole);
	}
	arena_release(&a);
}

static void what_is_no_reference_says_why(void **state)
{
	static const struct {
		const char *text, *why, *advice;
	} cases[] = {
		{"", "without the name", NULL},
		{"Debian", "'Debian' is not the name of an image", "lower case"},
		{"a//b", "'a//b' is not the name of an image", NULL},
		{"/a", "'/a' is not the name of an image", NULL},
		{"a/", "'a/' is not the name of an image", NULL},
		{"a..b", "'a..b' is not the name of an image", NULL},
		{"a___b", "'a___b' is not the name of an image", NULL},
		{"a-", "'a-' is not the name of an image", "between them"},
		{"a b", "'a b' is not the name of an image", NULL},
		{"../../etc/passwd", "'..' is not the name of a host", NULL},
		{"q.io/../x", "'../x' is not the name of an image", NULL},
		{"a:", "'' is not a tag", "128"},
		{"a:.b", "'.b' is not a tag", NULL},
		{"a:b?c=d", "'b?c=d' is not a tag", NULL},
		{"a:" HUNDRED TEN TEN TEN, "is not a tag", "128"},
		{"host.:x/a", "'host.:x' is not the name of a host", NULL},
		{"h.io:0/a", "'h.io:0' is not the name of a host", NULL},
		{"h.io:65536/a", "not the name of a host", NULL},
		{"-h.io/a", "not the name of a host", NULL},
		{"[::1/a", "not the name of a host", NULL},
		{"https://docker.io/debian", "has no 'https://'", "docker.io/library/debian:12"},
		{"docker://debian", "has no 'docker://'", NULL},
		{DIGEST_HEX, "id of an image", NULL},
		{"a@sha256:abc", "not followed by 'sha256:'", NULL},
		{"a@sha512:" DIGEST_HEX DIGEST_HEX, "not followed by 'sha256:'", NULL},
		{HUNDRED HUNDRED HUNDRED, "over 255 bytes", NULL},
	};
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct reference r;
		struct err e = {0};

		if (reference_parse(&a, cases[i].text, &r, &e) == 0)
			fail_msg("'%s' was read", cases[i].text);
		assert_int_equal(e.code, ERR_USAGE);
		if (!strstr(e.text, cases[i].why))
			fail_msg("'%s': %s", cases[i].text, e.text);
		if (cases[i].advice)
			assert_non_null(strstr(err_advice(&e), cases[i].advice));
		err_release(&e);
	}
	arena_release(&a);
}

static void a_password_is_not_repeated(void **state)
{
	struct arena a = {0};
	struct reference r;
	struct err e = {0};

	(void)state;
	assert_int_equal(reference_parse(&a, "me:s3cret@host.example/x:1", &r, &e), -1);
	assert_null(strstr(e.text, "s3cret"));
	err_release(&e);
	assert_int_equal(reference_parse(&a, "https://me:s3cret@host.example/x:1", &r, &e), -1);
	assert_null(strstr(e.text, "s3cret"));
	err_release(&e);
	arena_release(&a);
}

static void where_a_registry_is_asked(void **state)
{
	static const struct {
		const char *text, *url;
	} cases[] = {
		{"debian:12", "https://registry-1.docker.io/v2/library/debian"},
		{"quay.io/a/b", "https://quay.io/v2/a/b"},
		{"localhost:5000/x", "http://localhost:5000/v2/x"},
		{"127.1.2.3/x", "http://127.1.2.3/v2/x"},
		{"[::1]:1/x", "http://[::1]:1/v2/x"},
		{"127.evil.example/x", "https://127.evil.example/v2/x"},
		{"127.0.0.1.example/x", "https://127.0.0.1.example/v2/x"},
		{"localhost.example:80/x", "https://localhost.example:80/v2/x"},
		{"128.0.0.1/x", "https://128.0.0.1/v2/x"},
	};
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct reference r;

		assert_int_equal(reference_parse(&a, cases[i].text, &r, NULL), 0);
		assert_string_equal(reference_url(&a, &r, false), cases[i].url);
		assert_true(strncmp(reference_url(&a, &r, true), "http://", 7) == 0);
	}
	arena_release(&a);
}

/* --- challenges ------------------------------------------------------------------------------ */

static void challenges_are_read(void **state)
{
	static const struct {
		const char *header;
		enum challenge_kind kind;
		const char *realm, *service, *scope;
	} cases[] = {
		{"Bearer "
		 "realm=\"https://auth.example/token\",service=\"reg\",scope=\"repository:a:pull\"",
			CHALLENGE_BEARER, "https://auth.example/token", "reg", "repository:a:pull"},
		{"bearer Realm = \"https://a/\\\"b\" , error=\"x,y=z\", service=plain",
			CHALLENGE_BEARER, "https://a/\"b", "plain", ""},
		{"Basic realm=\"x\", Bearer realm=\"https://a\"", CHALLENGE_BEARER, "https://a", "",
			""},
		{"Bearer realm=\"https://a\", Basic realm=\"x\"", CHALLENGE_BEARER, "https://a", "",
			""},
		{"Negotiate abc==, Basic realm=\"x\"", CHALLENGE_BASIC, "x", "", ""},
		{"Negotiate, Basic realm=\"x\"", CHALLENGE_BASIC, "x", "", ""},
		{"Bearer", CHALLENGE_NONE, "", "", ""},
		{"Bearer service=\"x\"", CHALLENGE_NONE, "", "", ""},
		{"Basic", CHALLENGE_BASIC, "", "", ""},
		{"Digest realm=\"x\"", CHALLENGE_NONE, "", "", ""},
		{"", CHALLENGE_NONE, "", "", ""},
		{"=\"\", ,,=x", CHALLENGE_NONE, "", "", ""},
		{"Bearer realm=\"https://a", CHALLENGE_BEARER, "https://a", "", ""},
		{"Bearer realm=\"https://a\nX: y\"", CHALLENGE_NONE, "", "", ""},
	};
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct challenge c;

		challenge_parse(&a, str_of(cases[i].header), &c);
		if (c.kind != cases[i].kind)
			fail_msg("%s", cases[i].header);
		if (c.kind == CHALLENGE_NONE)
			continue;
		assert_true(str_is(c.realm, cases[i].realm));
		assert_true(str_is(c.service, cases[i].service));
		assert_true(str_is(c.scope, cases[i].scope));
	}
	arena_release(&a);
}

static void a_token_is_asked_for_at_a_safe_place(void **state)
{
	static const struct {
		const char *realm, *service, *scope;
		bool secure;
		const char *url;
	} cases[] = {
		{"https://a/t", "reg&x=1", "repository:p/q:pull", true,
			"https://a/t?service=reg%26x%3D1&scope=repository%3Ap%2Fq%3Apull"},
		{"https://a/t?x=1#f", "", "one two", true, "https://a/t?x=1&scope=one&scope=two"},
		{"https://a/t", "", "", true, "https://a/t?scope=repository%3Amy%2Fpath%3Apull"},
		{"http://a/t", "", "s", false, "http://a/t?scope=s"},
		{"http://a/t", "", "s", true, NULL},
		{"file:///etc/passwd", "", "s", false, NULL},
		{"/t", "", "s", false, NULL},
		{"https://", "", "s", true, NULL},
	};
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct challenge c = {CHALLENGE_BEARER, str_of(cases[i].realm),
			str_of(cases[i].service), str_of(cases[i].scope)};
		char *url = challenge_url(&a, &c, STR("my/path"), cases[i].secure);

		if (cases[i].url)
			assert_string_equal(url, cases[i].url);
		else
			assert_null(url);
	}
	arena_release(&a);
}

static void tokens_are_read(void **state)
{
	static const struct {
		const char *text, *token;
	} cases[] = {
		{"{\"token\": \"abc.d\", \"expires_in\": 300}", "abc.d"},
		{"{\"x\": [{}], \"access_token\": \"abc\"}", "abc"},
		{"{\"token\": null, \"access_token\": \"abc\"}", "abc"},
		{"{\"token\": \"\", \"access_token\": \"abc\"}", "abc"},
		{"{\"token\": {\"token\": \"no\"}}", NULL},
		{"{\"token\": \"a\\r\\nX: y\"}", NULL},
		{"{\"token\": \"a b\"}", NULL},
		{"{\"token\": \"s3cret\"", NULL},
		{"{}", NULL},
		{"[]", NULL},
		{"", NULL},
	};
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct str token;
		struct err e = {0};
		int rc = token_parse(&a, "realm", str_of(cases[i].text), &token, &e);

		assert_int_equal(rc, cases[i].token ? 0 : -1);
		if (cases[i].token)
			assert_true(str_is(token, cases[i].token));
		else
			assert_null(strstr(e.text, "s3cret"));
		err_release(&e);
	}
	arena_release(&a);
}

/* --- logins ---------------------------------------------------------------------------------- */

static void the_closest_login_counts(void **state)
{
	static const char file[] =
		"{\"auths\": {\"https://index.docker.io/v1/\": {\"auth\": \"aHVi\"},"
		" \"q.io\": {\"auth\": \"cQ==\"}, \"q.io/team\": {\"auth\": \"dGVhbQ==\"},"
		" \"h.io\": {}, \"h2.io\": {\"auth\": \"\", \"identitytoken\": \"x\"},"
		" \"r.io:5000\": {\"auth\": \"cjU=\", \"email\": \"x\"}}, \"HttpHeaders\": {}}";
	static const struct {
		const char *text, *login;
		bool helper;
	} cases[] = {
		{"debian", "aHVi", false},
		{"q.io/x", "cQ==", false},
		{"q.io/team/x", "dGVhbQ==", false},
		{"q.io/teams", "cQ==", false},
		{"h.io/x", "", true},
		{"h2.io/x", "", true},
		{"r.io:5000/x", "cjU=", false},
		{"r.io/x", "", false},
		{"q.io.example/x", "", false},
	};
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct reference r;
		struct str login;
		bool helper;
		struct err e = {0};

		assert_int_equal(reference_parse(&a, cases[i].text, &r, NULL), 0);
		if (login_parse(&a, "auth.json", str_of(file), &r, &login, &helper, &e) < 0)
			fail_msg("%s", e.text);
		if (!str_is(login, cases[i].login) || helper != cases[i].helper)
			fail_msg("'%s': '%.*s'", cases[i].text, STR_ARG(login));
	}
	arena_release(&a);
}

static void broken_logins_are_not_repeated(void **state)
{
	static const char *const texts[] = {
		"{\"auths\": {\"q.io\": {\"auth\": \"s3 cret\"}}}",
		"{\"auths\": {\"q.io\": {\"auth\": \"s3cret\\n\"}}}",
		"{\"auths\": {\"q.io\": \"s3cret\"}}",
		"{\"auths\": [\"s3cret\"]}",
		"{\"auths\": {\"q.io\": {\"auth\": \"czNjcmV0\"",
		"\"s3cret\"",
		"",
	};
	struct arena a = {0};
	struct reference r;

	(void)state;
	assert_int_equal(reference_parse(&a, "q.io/x", &r, NULL), 0);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct str login;
		bool helper;
		struct err e = {0};

		assert_int_equal(
			login_parse(&a, "auth.json", str_of(texts[i]), &r, &login, &helper, &e),
			-1);
		assert_int_equal(e.code, ERR_INPUT);
		assert_non_null(strstr(e.text, "auth.json:1:"));
		assert_null(strstr(e.text, "s3"));
		assert_null(strstr(e.text, "czNj"));
		err_release(&e);
	}
	arena_release(&a);
}

/* The first file that has the login; the one that is named counts alone. */
static void logins_are_where_podman_and_docker_keep_them(void **state)
{
	struct arena a = {0};
	char *dir = dir_temp(&a, getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", "logins", NULL);
	char *home = path_join(&a, dir, "home"),
	     *docker = path_join(&a, home, ".docker/config.json"),
	     *named = path_join(&a, dir, "named.json"),
	     *podman = path_join(&a, home, ".config/containers/auth.json");
	struct reference q, h;
	struct str login;
	bool helper;

	(void)state;
	assert_non_null(dir);
	unsetenv("REGISTRY_AUTH_FILE");
	unsetenv("DOCKER_CONFIG");
	unsetenv("XDG_RUNTIME_DIR");
	setenv("HOME", home, 1);
	reference_parse(&a, "q.io/x", &q, NULL);
	reference_parse(&a, "h.io/x", &h, NULL);
	assert_int_equal(login_find(&a, &q, &login, &helper, NULL), 0);
	assert_int_equal(login.n, 0);
	assert_int_equal(dir_make(path_dir(&a, docker), NULL), 0);
	assert_int_equal(dir_make(path_dir(&a, podman), NULL), 0);
	file_write(docker,
		STR("{\"auths\": {\"q.io\": {\"auth\": \"ZG9j\"}}, \"credsStore\": \"x\"}"), 0600,
		NULL);
	assert_int_equal(login_find(&a, &q, &login, &helper, NULL), 0);
	assert_true(str_is(login, "ZG9j") && !helper);
	assert_int_equal(login_find(&a, &h, &login, &helper, NULL), 0);
	assert_true(login.n == 0 && helper);
	file_write(podman, STR("{\"auths\": {\"q.io\": {\"auth\": \"cG9k\"}}}"), 0600, NULL);
	assert_int_equal(login_find(&a, &q, &login, &helper, NULL), 0);
	assert_true(str_is(login, "cG9k"));
	setenv("REGISTRY_AUTH_FILE", named, 1);
	assert_int_equal(login_find(&a, &q, &login, &helper, NULL), -1);
	file_write(named, STR("{}"), 0600, NULL);
	assert_int_equal(login_find(&a, &q, &login, &helper, NULL), 0);
	assert_int_equal(login.n, 0);
	unsetenv("REGISTRY_AUTH_FILE");
	assert_int_equal(dir_remove(dir, NULL), 0);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references_are_read_as_docker_reads_them),
		cmocka_unit_test(what_is_no_reference_says_why),
		cmocka_unit_test(a_password_is_not_repeated),
		cmocka_unit_test(where_a_registry_is_asked),
		cmocka_unit_test(challenges_are_read),
		cmocka_unit_test(a_token_is_asked_for_at_a_safe_place),
		cmocka_unit_test(tokens_are_read),
		cmocka_unit_test(the_closest_login_counts),
		cmocka_unit_test(broken_logins_are_not_repeated),
		cmocka_unit_test(logins_are_where_podman_and_docker_keep_them),
	};

	return cmocka_run_group_tests_name("images/reference", tests, NULL, NULL);
}
