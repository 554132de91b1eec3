/* URLs and file:// fetching; what needs a server is in tests/scenario/http.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/http.h"
#include "base/http_credentials.h"
#include "base/http_mirrors.h"
#include "base/http_range.h"

#include <stdlib.h>

struct pair {
	const char *from, *to;
};

static void a_redacted_url_has_no_credentials(void **state)
{
	static const struct pair cases[] = {
		{"https://conda.anaconda.org/conda-forge",
			"https://conda.anaconda.org/conda-forge"},
		{"https://user:secret@host/x", "https://host/x"},
		{"https://user:p@ss@host:8080/x/", "https://host:8080/x/"},
		{"https://user@host", "https://host"},
		{"https://host/t/tk-123/chan/linux-64", "https://host/chan/linux-64"},
		{"https://host/t/tk-123", "https://host"},
		{"https://host/t/tk-123/", "https://host/"},
		{"https://host/a/t/tk/b", "https://host/a/b"},
		{"https://host/t/tk/t/tk2/b", "https://host/b"},
		{"https://host/t/t/t/tk/b", "https://host/b"},
		{"https://host/x?sig=abc", "https://host/x"},
		{"https://host/x#frag", "https://host/x"},
		{"https://host?x=user:pw@y", "https://host"},
		{"https://host/at@sign", "https://host/at@sign"},
		{"file:///home/t/me/channel", "file:///home/t/me/channel"},
		{"conda-forge", "conda-forge"},
		{"", ""},
	};
	CLEANUP_ARENA a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(http_redact(&a, cases[i].from), cases[i].to);
}

static void a_redacted_text_has_no_passwords(void **state)
{
	static const struct pair cases[] = {
		{"- https://me:pw@h/c # x\n- jq\n", "- https://h/c # x\n- jq\n"},
		{"[https://me:p@w@h, HTTP://u@g/x]", "[https://h, HTTP://g/x]"},
		{"--index-url=https://u:pw@h/simple#sha256=1",
			"--index-url=https://h/simple#sha256=1"},
		{"git+ssh://git@h/x and a@b", "git+ssh://git@h/x and a@b"},
		{"http://h/a@b \"https://h?q=a@b\" ://x@y",
			"http://h/a@b \"https://h?q=a@b\" ://x@y"},
		{"https://", "https://"},
		{"", ""},
	};
	CLEANUP_ARENA a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct str clean = http_redact_text(&a, str_of(cases[i].from));

		assert_string_equal(arena_cstr(&a, clean), cases[i].to);
	}
}

static void a_path_survives_its_url(void **state)
{
	static const struct pair cases[] = {
		{"/srv/channel", "file:///srv/channel"},
		{"/a b/c#d?e%f", "file:///a%20b/c%23d%3Fe%25f"},
		{"/\xc3\xa9\xff", "file:///%C3%A9%FF"},
		{"/x/1!2+3", "file:///x/1!2+3"},
	};
	CLEANUP_ARENA a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_string_equal(url_of_path(&a, cases[i].from), cases[i].to);
		assert_string_equal(path_of_url(&a, cases[i].to), cases[i].from);
	}
	assert_string_equal(path_of_url(&a, "file://localhost/x"), "/x");
	assert_string_equal(path_of_url(&a, "file:///100%"), "/100%");
	assert_null(path_of_url(&a, "file://host/x"));
	assert_null(path_of_url(&a, "file://"));
	assert_null(path_of_url(&a, "file:///x%00y"));
	assert_null(path_of_url(&a, "https://host/x"));
}

static void components_are_encoded_and_joined(void **state)
{
	CLEANUP_ARENA a = {0};

	(void)state;
	assert_string_equal(url_encode(&a, STR("x-1!2.0+l_1-h_0.conda")), "x-1!2.0+l_1-h_0.conda");
	assert_string_equal(url_encode(&a, STR("a/b c%")), "a%2Fb%20c%25");
	assert_string_equal(url_join(&a, "https://h/c/", "/linux-64"), "https://h/c/linux-64");
	assert_string_equal(url_join(&a, "https://h/c", "linux-64"), "https://h/c/linux-64");
}

static void credentials_go_below_their_url_alone(void **state)
{
	static const struct pair cases[] = {
		{"https://h/c/x", "https://u:old@h/c/x"},
		{"https://h/c/deep/x", "https://h/t/tk/c/deep/x"},
		{"https://h/chan/x", "https://h/chan/x"},
		{"https://h/c", "https://h/c"},
		{"https://h.evil/c/x", "https://h.evil/c/x"},
		{"http://h/c/x", "http://h/c/x"},
		{"https://own:pw@h/c/x", "https://own:pw@h/c/x"},
		{"https://root/t/own/x", "https://root/t/own/x"},
		{"https://root/x", "https://root/t/new/x"},
	};
	CLEANUP_ARENA a = {0};
	struct credentials list = {0};

	(void)state;
	credentials_add(&a, &list, "https://h/c/deep", "https://h/t/tk/c/deep");
	credentials_add(&a, &list, "https://h/c", "https://u:old@h/c");
	credentials_add(&a, &list, "https://root", "https://root/t/old");
	credentials_add(&a, &list, "https://root", "https://root/t/new");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(credentials_apply(&a, &list, cases[i].from), cases[i].to);
}

static void only_a_strong_validator_serves(void **state)
{
	static const struct {
		struct range_headers h;
		const char *want;
	} cases[] = {
		{{.etag = "\"a\"", .modified = -1, .date = -1}, "\"a\""},
		{{.etag = "\"a\"", .last_modified = "L", .modified = 1, .date = 9}, "\"a\""},
		{{.etag = "W/\"a\"", .modified = -1, .date = -1}, NULL},
		{{.etag = "W/\"a\"", .last_modified = "L", .modified = 1, .date = 9}, NULL},
		{{.last_modified = "L", .modified = 1, .date = 2}, "L"},
		{{.last_modified = "L", .modified = 2, .date = 2}, NULL},
		{{.last_modified = "L", .modified = 2, .date = -1}, NULL},
		{{.last_modified = "L", .modified = -1, .date = 2}, NULL},
		{{.etag = "\"a\"", .accept_ranges = "none"}, NULL},
		{{.etag = "\"a\"", .accept_ranges = "bytes"}, "\"a\""},
		{{.modified = -1, .date = 1}, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *got = range_validator(&cases[i].h);

		if (!got != !cases[i].want || (got && strcmp(got, cases[i].want) != 0))
			fail_msg("case %zu: %s", i, got ? got : "none");
	}
}

static void a_range_is_read_strictly(void **state)
{
	static const char *const wrong[] = {"", "bytes", "bytes ", "bytes 1", "bytes 1-",
		"bytes 1-2", "bytes 1-2/", "bytes -2/3", "bytes 2-1/3", "bytes 1-2/2", "bytes */3",
		"lines 1-2/3", "bytes 1-2/3x", "bytes +1-2/3", "bytes 1--2/3", "bytes 0-0/0",
		"bytes 0-9223372036854775807/*", "bytes 0-18446744073709551616/*"};
	uint64_t first, last;
	int64_t total;

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		if (range_parse(wrong[i], &first, &last, &total) == 0)
			fail_msg("taken: '%s'", wrong[i]);
	assert_int_equal(range_parse("bytes 100-299/300", &first, &last, &total), 0);
	assert_true(first == 100 && last == 299 && total == 300);
	assert_int_equal(range_parse("Bytes 0-0/*", &first, &last, &total), 0);
	assert_true(first == 0 && last == 0 && total == -1);
}

static void only_the_missing_part_continues(void **state)
{
	static const struct {
		const char *range, *etag;
		int64_t length, known;
		bool good;
	} cases[] = {
		{"bytes 100-299/300", "\"a\"", 200, 300, true},
		{"bytes 100-299/300", NULL, -1, -1, true},
		{"bytes 100-299/*", "\"a\"", 200, 300, true},
		{"bytes 100-199/300", "\"a\"", 100, 300, true},
		{"bytes 99-299/300", "\"a\"", 201, 300, false},
		{"bytes 101-299/300", "\"a\"", 199, 300, false},
		{"bytes 100-299/300", "\"b\"", 200, 300, false},
		{"bytes 100-299/300", "W/\"a\"", 200, 300, false},
		{"bytes 100-300/301", "\"a\"", 201, 300, false},
		{"bytes 100-299/300", "\"a\"", 150, 300, false},
		{NULL, "\"a\"", 200, 300, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct range_headers h = {.content_range = cases[i].range,
			.etag = cases[i].etag,
			.length = cases[i].length};
		int64_t whole = 0;

		if (range_continues(&h, "\"a\"", 100, cases[i].known, &whole) != cases[i].good)
			fail_msg("case %zu", i);
	}
}

static void assert_places(
	struct arena *a, const struct mirrors *list, const char *url, const char *want)
{
	CLEANUP_BUF got = {0};
	size_t n;
	struct place *places = mirrors_places(a, list, url, &n);

	for (size_t i = 0; i < n; i++)
		buf_printf(&got, "%s%s%s", i ? " " : "", places[i].url,
			places[i].is_origin ? "!" : "");
	assert_string_equal(got.p, want);
}

static void a_url_has_its_places(void **state)
{
	CLEANUP_ARENA a = {0};
	struct mirrors list = {0};

	(void)state;
	assert_places(&a, &list, "https://h/c/x", "https://h/c/x!");
	mirrors_add(&a, &list, "https://h/c/", "https://m/c/");
	mirrors_add(&a, &list, "https://h/c", "file:///n");
	mirrors_add(&a, &list, "https://h/c", "https://m/c");
	mirrors_add(&a, &list, "https://h/c/deep", "https://d");
	assert_places(&a, &list, "https://h/c/x", "https://h/c/x! https://m/c/x file:///n/x");
	assert_places(&a, &list, "https://u:p@h/t/tk/c/x?q",
		"https://u:p@h/t/tk/c/x?q! https://m/c/x file:///n/x");
	assert_places(&a, &list, "https://h/c/deep/x", "https://h/c/deep/x! https://d/x");
	assert_places(&a, &list, "https://h/chan/x", "https://h/chan/x!");
	assert_places(&a, &list, "https://h/c", "https://h/c!");
	assert_ptr_equal(mirrors_find(&list, "https://other/c/x"), NULL);
	assert_true(mirror_failed(&list, mirrors_find(&list, "https://h/c/x")));
	assert_places(&a, &list, "https://h/c/x", "https://m/c/x file:///n/x https://h/c/x!");
	assert_true(mirror_failed(&list, mirrors_find(&list, "https://m/c/x")));
	assert_places(&a, &list, "https://h/c/x", "file:///n/x https://h/c/x! https://m/c/x");
	assert_false(mirror_failed(&list, mirrors_find(&list, "https://h/c/x")));
	assert_places(&a, &list, "https://h/c/x", "file:///n/x https://m/c/x https://h/c/x!");
}

static int take(void *ctx, const void *p, size_t n, struct err *e)
{
	(void)e;
	return buf_add(ctx, p, n);
}

static int refuse(void *ctx, const void *p, size_t n, struct err *e)
{
	(void)ctx;
	(void)p;
	(void)n;
	return err_set(e, ERR_TEST, "no more");
}

struct fixture {
	char dir[64];
	struct http *http;
	struct arena a;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	strcpy(f->dir, "/tmp/envbuild-http-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	f->http = http_new(&(struct http_options){0});
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	http_free(f->http);
	dir_remove(f->dir, NULL);
	arena_release(&f->a);
	free(f);
	return 0;
}

static void a_file_is_fetched_in_order(void **state)
{
	struct fixture *f = *state;
	char *path = path_join(&f->a, f->dir, "a file");
	size_t n = (3 << 20) + 17;
	char *data = arena_alloc(&f->a, n);
	CLEANUP_BUF got = {0};
	struct err e = {0};
	struct http_request r = {
		.url = url_of_path(&f->a, path), .write = take, .ctx = &got, .max_bytes = n};
	struct str body;

	for (size_t i = 0; i < n; i++)
		data[i] = (char)(i * 2654435761u >> 24);
	assert_int_equal(file_write(path, str_n(data, n), 0644, &e), 0);
	assert_int_equal(http_fetch(f->http, &r, 1, &e), 0);
	assert_int_equal(r.status, 200);
	assert_false(r.failed);
	assert_true(str_eq(buf_view(&got), str_n(data, n)));
	assert_int_equal(http_get(f->http, &f->a, r.url, n, &body, &e), 0);
	assert_true(str_eq(body, str_n(data, n)));
	buf_clear(&got);
	r.max_bytes = n - 1;
	assert_int_equal(http_fetch(f->http, &r, 1, &e), -1);
	assert_int_equal(e.code, ERR_INTEGRITY);
	assert_true(r.failed);
	err_release(&e);
}

static void a_missing_file_is_an_answer_only_if_allowed(void **state)
{
	struct fixture *f = *state;
	char *url = url_of_path(&f->a, path_join(&f->a, f->dir, "missing"));
	struct http_request r = {.url = url, .allow_missing = true};
	struct err e = {0};

	assert_int_equal(http_fetch(f->http, &r, 1, &e), 0);
	assert_int_equal(r.status, 404);
	r.allow_missing = false;
	assert_int_equal(http_fetch(f->http, &r, 1, &e), -1);
	assert_int_equal(e.code, ERR_NETWORK);
	assert_non_null(strstr(e.text, url));
	assert_non_null(strstr(e.text, "No such file"));
	err_release(&e);
	r.url = url_of_path(&f->a, f->dir);
	assert_int_equal(http_fetch(f->http, &r, 1, &e), -1);
	assert_non_null(strstr(e.text, "not a regular file"));
	err_release(&e);
}

static void the_writer_decides(void **state)
{
	struct fixture *f = *state;
	char *path = path_join(&f->a, f->dir, "x");
	struct http_request r = {.url = url_of_path(&f->a, path), .write = refuse};
	struct err e = {0};

	assert_int_equal(file_write(path, STR("x"), 0644, &e), 0);
	assert_int_equal(http_fetch(f->http, &r, 1, &e), -1);
	assert_int_equal(e.code, ERR_TEST);
	assert_string_equal(e.text, "no more");
	err_release(&e);
}

static void offline_asks_nobody(void **state)
{
	struct http *http = http_new(&(struct http_options){.offline = true});
	struct http_request r = {.url = "https://me:secret@conda.invalid/x"};
	struct err e = {0};

	(void)state;
	assert_int_equal(http_fetch(http, &r, 1, &e), -1);
	assert_int_equal(e.code, ERR_NETWORK);
	assert_non_null(strstr(e.text, "https://conda.invalid/x"));
	assert_null(strstr(e.text, "secret"));
	assert_non_null(strstr(err_advice(&e), "--offline"));
	err_release(&e);
	http_free(http);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_redacted_url_has_no_credentials),
		cmocka_unit_test(a_redacted_text_has_no_passwords),
		cmocka_unit_test(a_path_survives_its_url),
		cmocka_unit_test(components_are_encoded_and_joined),
		cmocka_unit_test(credentials_go_below_their_url_alone),
		cmocka_unit_test(only_a_strong_validator_serves),
		cmocka_unit_test(a_range_is_read_strictly),
		cmocka_unit_test(only_the_missing_part_continues),
		cmocka_unit_test(a_url_has_its_places),
		cmocka_unit_test_setup_teardown(a_file_is_fetched_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_missing_file_is_an_answer_only_if_allowed, setup, teardown),
		cmocka_unit_test_setup_teardown(the_writer_decides, setup, teardown),
		cmocka_unit_test(offline_asks_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
