/* Channel names and local channels; channels over http are in tests/scenario/http-channel.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/archive.h"
#include "base/file.h"
#include "solver/channel.h"
#include "solver/index_open.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int add(struct arena *a, struct channel_list *list, const char *name, struct err *e)
{
	return channel_add(a, list, str_of(name), NULL, "/base/dir", e);
}

static void names_become_urls(void **state)
{
	static const struct {
		const char *name, *url, *fetch_url, *shown;
	} cases[] = {
		{"conda-forge", "https://conda.anaconda.org/conda-forge", NULL, NULL},
		{" conda-forge/ ", "https://conda.anaconda.org/conda-forge", NULL, "conda-forge/"},
		{"bioconda/label/x", "https://conda.anaconda.org/bioconda/label/x", NULL, NULL},
		{"conda-forge/linux-64", "https://conda.anaconda.org/conda-forge", NULL, NULL},
		{"conda-forge/noarch/", "https://conda.anaconda.org/conda-forge", NULL, NULL},
		{"https://host/x/", "https://host/x", NULL, NULL},
		{"https://host/x/linux-64/", "https://host/x", NULL, NULL},
		{"https://host", "https://host", NULL, NULL},
		{"https://me:pw@host:1/x", "https://host:1/x", "https://me:pw@host:1/x",
			"https://host:1/x"},
		{"https://host/t/tk-1/x/linux-64", "https://host/x", "https://host/t/tk-1/x",
			"https://host/x/linux-64"},
		{"file:///a/b/", "file:///a/b", NULL, NULL},
		{"file:///a%20b/noarch", "file:///a%20b", NULL, NULL},
		{"file://../x", "file:///base/x", NULL, NULL},
		{"/a//b/./c", "file:///a/b/c", NULL, NULL},
		{"/a b", "file:///a%20b", NULL, NULL},
		{"./x", "file:///base/dir/x", NULL, NULL},
		{"../x/../y/linux-64", "file:///base/y", NULL, NULL},
		{".", "file:///base/dir", NULL, NULL},
		{"/t/x", "file:///t/x", NULL, NULL},
		{"~/x", "file:///home/me/x", NULL, NULL},
	};
	CLEANUP_ARENA a = {0};

	(void)state;
	setenv("HOME", "/home/me", 1);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct channel_list list = {0};
		struct err e = {0};

		assert_int_equal(add(&a, &list, cases[i].name, &e), 0);
		assert_int_equal(list.n, 1);
		assert_string_equal(arena_cstr(&a, list.v[0].url), cases[i].url);
		assert_string_equal(list.v[0].fetch_url,
			cases[i].fetch_url ? cases[i].fetch_url : cases[i].url);
		if (cases[i].shown)
			assert_string_equal(arena_cstr(&a, list.v[0].name), cases[i].shown);
	}
}

static void a_list_has_each_channel_once(void **state)
{
	static const char *const names[] = {"nodefaults", "conda-forge", "defaults",
		"https://conda.anaconda.org/conda-forge/", "defaults", "bioconda",
		"https://me:pw@conda.anaconda.org/bioconda", "nodefaults"};
	static const char *const want[] = {"https://conda.anaconda.org/conda-forge",
		"https://repo.anaconda.com/pkgs/main", "https://repo.anaconda.com/pkgs/r",
		"https://conda.anaconda.org/bioconda"};
	CLEANUP_ARENA a = {0};
	struct channel_list list = {0};
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_int_equal(add(&a, &list, names[i], &e), 0);
	assert_int_equal(list.n, 4);
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(arena_cstr(&a, list.v[i].url), want[i]);
}

static void the_alias_stands_before_names_alone(void **state)
{
	CLEANUP_ARENA a = {0};
	struct channel_list list = {0};
	struct err e = {0};

	(void)state;
	channel_add(&a, &list, STR("x"),
		&(struct channel_rules){.alias = "https://me:pw@mirror/conda/"}, ".", &e);
	channel_add(&a, &list, STR("https://y/x"),
		&(struct channel_rules){.alias = "https://mirror"}, ".", &e);
	assert_int_equal(list.n, 2);
	assert_true(str_is(list.v[0].url, "https://mirror/conda/x"));
	assert_string_equal(list.v[0].fetch_url, "https://me:pw@mirror/conda/x");
	assert_true(str_is(list.v[1].url, "https://y/x"));
}

static void what_is_no_channel_is_refused(void **state)
{
	static const char *const names[] = {"", " ", "a b", "a//b", "a/../b", "x?y", "ftp://h/x",
		"https://", "https:///x", "https://h/a b", "https://h/x?token=secret",
		"file://host/x", "s3://bucket", "caf\xc3\xa9", "-", "x:y"};
	CLEANUP_ARENA a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct channel_list list = {0};
		struct err e = {0};
		int rc = add(&a, &list, names[i], &e);

		if (strcmp(names[i], "-") == 0)
			continue; /* odd, but a name like any other */
		assert_int_equal(rc, -1);
		assert_int_equal(e.code, ERR_INPUT);
		assert_null(strstr(e.text, "secret"));
		assert_int_equal(list.n, 0);
		err_release(&e);
	}
}

/* --- local channels ------------------------------------------------------------------------ */

struct fixture {
	char dir[64];
	char *channel, *cache;
	struct http *http;
	struct channel_list list;
	struct arena a;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	strcpy(f->dir, "/tmp/envbuild-channel-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	f->channel = path_join(&f->a, f->dir, "a channel");
	f->cache = path_join(&f->a, f->dir, "cache");
	f->http = http_new(&(struct http_options){.offline = true});
	dir_make(path_join(&f->a, f->channel, "linux-64"), NULL);
	channel_add(&f->a, &f->list, str_of(f->channel), NULL, "/", NULL);
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

static void put(struct fixture *f, const char *ending, struct str body, time_t mtime)
{
	char *path = arena_printf(&f->a, "%s/linux-64/repodata.json%s", f->channel, ending);
	struct timespec times[2] = {{.tv_sec = mtime}, {.tv_sec = mtime}};

	assert_int_equal(file_write(path, body, 0644, NULL), 0);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void put_zst(struct fixture *f, const char *text, time_t mtime)
{
	CLEANUP_BUF b = {0};

	zstd_frame(str_of(text), 3, &b, NULL);
	put(f, ".zst", buf_view(&b), mtime);
}

/* The path of the linux-64 index; noarch is asked for, too, and missing. */
static char *fetch(struct fixture *f, struct err *e)
{
	struct index_request r[2] = {{.channel = &f->list.v[0], .subdir = STR("linux-64")},
		{.channel = &f->list.v[0], .subdir = STR("noarch")}};

	if (channel_fetch_indexes(&f->a, f->http, f->cache, false, r, 2, e) < 0)
		return NULL;
	assert_null(r[1].file.path);
	return r[0].file.path;
}

/* Which of the folder's files is taken. */
static void assert_taken(struct fixture *f, const char *ending)
{
	char *path = fetch(f, NULL);

	assert_non_null(path);
	assert_string_equal(
		path, arena_printf(&f->a, "%s/linux-64/repodata.json%s", f->channel, ending));
}

static void a_plain_index_is_taken_first(void **state)
{
	struct fixture *f = *state;

	put_zst(f, "{\"old\":1}", 1000);
	put(f, "", STR("{\"new\":1}"), 1000);
	assert_taken(f, "");
}

static void a_newer_compressed_index_wins(void **state)
{
	struct fixture *f = *state;

	put(f, "", STR("{\"old\":1}"), 1000);
	put_zst(f, "{\"new\":1}", 1001);
	assert_taken(f, ".zst");
	put(f, ".bz2", STR("{\"newer\":1}"), 1002);
	assert_taken(f, ".bz2");
	put(f, "", STR("{\"newest\":1}"), 1003);
	assert_taken(f, "");
}

static void a_damaged_local_index_names_its_channel(void **state)
{
	static const char *const bodies[] = {"{\"cut\":", "[]", "<html>", "{} {}"};
	struct fixture *f = *state;
	const struct solve_request request = {.channels = f->list.v,
		.n_channels = 1,
		.subdir = STR("linux-64"),
		.cache_dir = f->cache,
		.http = f->http};

	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		struct opening *o = opening_new(&request);
		struct err e = {0};

		put_zst(f, bodies[i], 1000 + (time_t)i);
		assert_null(opening_open(o, true, &e));
		assert_int_equal(e.code, ERR_INTEGRITY);
		assert_non_null(strstr(e.text, f->channel));
		assert_non_null(strstr(e.text, "linux-64/repodata.json.zst"));
		err_release(&e);
		opening_free(o);
	}
}

static void a_folder_without_an_index_is_told_how(void **state)
{
	struct fixture *f = *state;
	struct err e = {0};

	assert_null(fetch(f, &e));
	assert_int_equal(e.code, ERR_NETWORK);
	assert_non_null(strstr(err_advice(&e), "envbuild channel index"));
	err_release(&e);
	dir_remove(f->channel, NULL);
	assert_null(fetch(f, &e));
	assert_int_equal(e.code, ERR_NETWORK);
	assert_non_null(strstr(err_advice(&e), "make demo"));
	err_release(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_become_urls),
		cmocka_unit_test(a_list_has_each_channel_once),
		cmocka_unit_test(the_alias_stands_before_names_alone),
		cmocka_unit_test(what_is_no_channel_is_refused),
		cmocka_unit_test_setup_teardown(a_plain_index_is_taken_first, setup, teardown),
		cmocka_unit_test_setup_teardown(a_newer_compressed_index_wins, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_damaged_local_index_names_its_channel, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_folder_without_an_index_is_told_how, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
