/* Index files: the same groups as the text they are made of, and any damage to them noticed. */
#include "tests/unit/solver_helper.h"

#include "base/hash.h"
#include "solver/channel_cache.h"
#include "solver/index_image.h"

#include <fcntl.h>
#include <sys/mman.h>

struct fixture {
	struct arena arena;
	char *dir, *cache;
	struct channel channel;
	struct err e;
};

static const uint8_t key[IMAGE_KEY] = {1, 2, 3};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	f->dir = fresh_dir(&f->arena);
	f->cache = path_join(&f->arena, f->dir, "cache");
	f->channel = (struct channel){.name = STR("main"), .url = STR("https://h/main")};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	dir_remove(f->dir, NULL);
	err_release(&f->e);
	arena_release(&f->arena);
	free(f);
	return 0;
}

static const char small[] =
	"{\"info\":{\"base_url\":\"https://cdn/x/\"},\"packages\":{"
	"\"a-1.0-0.tar.bz2\":{\"name\":\"a\",\"version\":\"1.0\",\"build\":\"0\"},"
	"\"a-1.0-0.f.tar.bz2\":{\"name\":\"a\",\"version\":\"1.0\",\"build\":\"0.f\","
	"\"depends\":[\"b >=1\",\"c\"],\"track_features\":\"x y\",\"md5\":"
	"\"00112233445566778899aabbccddeeff\",\"timestamp\":1500000000123},"
	"\"a-0.9-0.tar.bz2\":{\"name\":\"a\",\"version\":\"0.9\",\"build\":\"0\"},"
	"\"gone-1-0.tar.bz2\":{\"name\":\"gone\",\"version\":\"1\",\"build\":\"0\"}},"
	"\"packages.conda\":{\"a-1.0-0.conda\":{\"name\":\"a\",\"version\":\"1.0\",\"build\":\"0\","
	"\"build_number\":3,\"depends\":[\"b >=1\",\"c\"],\"constrains\":[\"d <2\"],"
	"\"license\":\"MIT\",\"license_family\":\"MIT\",\"size\":77,\"noarch\":\"python\","
	"\"python_site_packages_path\":\"lib/x\",\"sha256\":"
	"\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"},"
	"\"b-2-h_1.conda\":{\"name\":\"b\",\"version\":\"2\",\"build\":\"other\",\"noarch\":true},"
	"\"bad-2-0.conda\":{\"name\":\"bad\",\"version\":\"2\",\"depends\":7}},"
	"\"removed\":[\"gone-1-0.tar.bz2\"]}";

/* An index of text, and an index file made of it. */
static struct index *read_text(struct fixture *f, const char *text)
{
	struct index *ix = index_new();

	if (add_text(ix, f->dir, str_of(text), &f->channel, 0, "linux-64", &f->e) < 0)
		fail_msg("%s", f->e.text);
	return ix;
}

static char *write_image(struct fixture *f, const struct index *ix)
{
	char *path = path_join(&f->arena, f->dir, "index");

	if (groups_write(ix->sources.v[0]->groups, path, key, &f->e) < 0)
		fail_msg("%s", f->e.text);
	return path;
}

static struct index *read_image(struct fixture *f, const char *path)
{
	struct index *ix = index_new();
	struct image *m = image_open(path, key, &f->e);

	if (m && index_add_image(ix, m, &f->channel, 0, STR("linux-64"), &f->e) == 0)
		return ix;
	index_free(ix);
	return NULL;
}

/* All that an index says of a name, in words. */
static int tell_group(const struct index *ix, struct str name, struct buf *to, struct err *e)
{
	struct index_group g;
	int rc = index_group(ix, 0, name, &g, e);

	if (rc <= 0)
		return rc;
	for (size_t i = 0; i < g.n_builds; i++) {
		const struct group_build *b = &g.builds[i];
		const struct group_needs lists[] = {b->depends, b->constrains};
		struct record r;

		group_record(&g, i, &r);
		buf_printf(to, "%.*s %.*s %.*s %.*s %zu %zu %.*s|%.*s %.*s %.*s %.*s %zu %d %u\n",
			STR_ARG(r.fn), STR_ARG(r.name), STR_ARG(r.version), STR_ARG(r.build),
			(size_t)r.build_number, (size_t)r.timestamp, STR_ARG(r.track_features),
			STR_ARG(r.features), STR_ARG(r.license), STR_ARG(r.license_family),
			STR_ARG(r.python_site_packages_path), (size_t)r.size, (int)r.noarch,
			b->flags);
		buf_add(to, r.sha256, sizeof r.sha256);
		buf_add(to, r.md5, sizeof r.md5);
		for (size_t k = 0; k < 2; k++)
			for (uint32_t s = 0; s < lists[k].n; s++) {
				struct str text;

				if (index_spec(ix, 0, g.specs[lists[k].at + s], &text, e) < 0)
					return -1;
				buf_printf(to, "  %.*s%s\n", STR_ARG(text), k ? " (limit)" : "");
			}
	}
	return 1;
}

static void files_say_what_the_text_says(void **state)
{
	struct fixture *f = *state;
	struct index *text = read_text(f, small), *image = read_image(f, write_image(f, text));
	CLEANUP_BUF a = {0};
	CLEANUP_BUF b = {0};

	assert_non_null(image);
	assert_int_equal(image->n_records, 7);
	assert_int_equal(text->n_records, 7);
	for (size_t i = 0; i < groups_names(text->sources.v[0]->groups); i++) {
		struct str name = groups_name_at(text->sources.v[0]->groups, i);
		int found = tell_group(text, name, &a, &f->e);

		assert_int_equal(tell_group(image, name, &b, &f->e), found);
		assert_int_equal(found, !str_is(name, "gone"));
	}
	assert_true(str_eq(buf_view(&a), buf_view(&b)));
	/* A build with a dot in it stands between a-1.0-0.conda and the .tar.bz2 that it replaces. */
	assert_true(str_find(buf_view(&a), STR("a-1.0-0.conda")) >= 0);
	assert_true(str_find(buf_view(&a), STR("a-1.0-0.f.tar.bz2")) >= 0);
	assert_true(str_find(buf_view(&a), STR("a-1.0-0.tar.bz2")) < 0);
	assert_true(str_find(buf_view(&a), STR("b-2-h_1.conda b 2 other")) >= 0);
	assert_true(str_is(image->sources.v[0]->base_url, "https://cdn/x"));
	assert_int_equal(tell_group(image, STR("none"), &b, &f->e), 0);
	index_free(text);
	index_free(image);
}

static void the_same_records_make_the_same_file(void **state)
{
	struct fixture *f = *state;
	struct index *ix = read_text(f, small);
	struct str one, two;

	assert_int_equal(file_read(&f->arena, write_image(f, ix), 1 << 20, &one, NULL), 0);
	index_free(ix);
	ix = read_text(f, "{\"packages\":{\"z-1-0.conda\":{}}}");
	index_free(ix);
	ix = read_text(f, small);
	assert_int_equal(file_read(&f->arena, write_image(f, ix), 1 << 20, &two, NULL), 0);
	assert_true(str_eq(one, two));
	index_free(ix);
}

/* --- damage ------------------------------------------------------------------------------- */

static const char *const names[] = {"a", "b", "bad", "gone", "none"};

/* All of it, or -1 and ERR_INTEGRITY. */
static int tell_all(struct fixture *f, const char *path, struct buf *to)
{
	struct index *ix = read_image(f, path);
	int rc = ix ? 0 : -1;

	for (size_t i = 0; rc >= 0 && i < sizeof names / sizeof *names; i++)
		rc = tell_group(ix, str_of(names[i]), to, &f->e);
	if (rc >= 0)
		buf_str(to, ix->sources.v[0]->base_url);
	index_free(ix);
	return rc < 0 ? -1 : 0;
}

static void write_all(const char *path, struct str bytes)
{
	CLEANUP_FD fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write_full(fd, bytes.p, bytes.n, NULL), 0);
}

/* A file in memory, for tests that write thousands. */
static char *memory_file(struct fixture *f, int *fd)
{
	*fd = memfd_create("index", MFD_CLOEXEC);
	assert_true(*fd >= 0);
	return arena_printf(&f->arena, "/proc/self/fd/%d", *fd);
}

/* Refused, or nothing in it is used; never another answer. */
static void no_flipped_bit_changes_an_answer(void **state)
{
	struct fixture *f = *state;
	struct index *ix = read_text(f, small);
	char *path = write_image(f, ix), *bytes;
	CLEANUP_BUF want = {0};
	CLEANUP_FD fd = -1;
	size_t refused = 0;
	struct str file;

	assert_int_equal(tell_all(f, path, &want), 0);
	assert_int_equal(file_read(&f->arena, path, 1 << 20, &file, NULL), 0);
	path = memory_file(f, &fd);
	bytes = arena_cstr(&f->arena, file);
	for (size_t i = 0; i < file.n; i++) {
		CLEANUP_BUF got = {0};

		if (i >= sizeof(struct image_header) && i < IMAGE_START)
			continue;
		bytes[i] ^= (char)(1 << i % 8);
		write_all(path, str_n(bytes, file.n));
		bytes[i] ^= (char)(1 << i % 8);
		if (tell_all(f, path, &got) < 0) {
			assert_int_equal(f->e.code, ERR_INTEGRITY);
			err_release(&f->e);
			refused++;
			continue;
		}
		assert_true(str_eq(buf_view(&got), buf_view(&want)));
	}
	assert_int_equal(refused, file.n - IMAGE_START + sizeof(struct image_header));
	index_free(ix);
}

static void no_cut_file_is_taken(void **state)
{
	struct fixture *f = *state;
	struct index *ix = read_text(f, small);
	char *path = write_image(f, ix);
	CLEANUP_FD fd = -1;
	struct str file;

	assert_int_equal(file_read(&f->arena, path, 1 << 20, &file, NULL), 0);
	path = memory_file(f, &fd);
	for (size_t n = 0; n < file.n; n += n < IMAGE_START - 64 ? 61 : 1) {
		write_all(path, str_n(file.p, n));
		assert_null(read_image(f, path));
		assert_int_equal(f->e.code, ERR_INTEGRITY);
		err_release(&f->e);
	}
	assert_null(read_image(f, path_join(&f->arena, f->dir, "nothing")));
	index_free(ix);
}

static void a_file_of_something_else_is_refused(void **state)
{
	static const uint8_t other[IMAGE_KEY] = {1, 2, 4};
	struct fixture *f = *state;
	struct index *ix = read_text(f, small);
	char *path = write_image(f, ix);

	assert_null(image_open(path, other, &f->e));
	assert_int_equal(f->e.code, ERR_INTEGRITY);
	index_free(ix);
}

/* --- as part of a solve -------------------------------------------------------------------- */

/* A channel whose noarch is in the cache as if it had been fetched, compressed. */
static void make_channel(struct fixture *f, const char *text)
{
	CLEANUP_FILE_OUT out = {.fd = -1};
	CLEANUP_BUF packed = {0};
	struct index_entry entry;
	uint8_t sum[SHA256_LEN];

	f->channel.fetch_url = arena_cstr(&f->arena, f->channel.url);
	assert_int_equal(
		index_entry_load(&f->arena, f->cache, "https://h/main/linux-64", &entry, &f->e), 0);
	assert_int_equal(index_entry_store_missing(&entry, &f->e), 0);
	assert_int_equal(
		index_entry_load(&f->arena, f->cache, "https://h/main/noarch", &entry, &f->e), 0);
	assert_int_equal(zstd_frame(str_of(text), 3, &packed, NULL), 0);
	sha256_of(packed.p, packed.n, sum);
	assert_int_equal(index_entry_download(&entry, &out, &f->e), 0);
	assert_int_equal(write_full(out.fd, packed.p, packed.n, NULL), 0);
	assert_int_equal(index_entry_store(&entry, &out, sum, packed.n,
				 &(struct index_origin){.ending = STR(".zst")}, &f->e),
		0);
}

/* The url of the one package of the answer, or the error. */
static char *answer(struct fixture *f, const char *spec)
{
	const struct spec_line line = {.text = str_of(spec)};
	const struct solve_request request = {.channels = &f->channel,
		.n_channels = 1,
		.subdir = STR("linux-64"),
		.specs = &line,
		.n_specs = 1,
		.cache_dir = f->cache,
		.offline = true};
	struct solution s = {0};
	char *text;

	if (solve(&f->arena, &request, &s, &f->e) == 0)
		return arena_cstr(&f->arena, s.records[0]->url);
	text = arena_strdup(&f->arena, f->e.text);
	err_release(&f->e);
	return text;
}

static int find_image(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	char *found = ctx;

	(void)e;
	if (S_ISREG(st->st_mode) && strcmp(path_base(rel), "index") == 0)
		snprintf(found, 256, "%s", rel);
	return 0;
}

/* The one index file in the cache; NULL: there is none. */
static char *image_path(struct fixture *f)
{
	CLEANUP_FD fd = open(f->cache, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char rel[256] = "";

	assert_true(fd >= 0);
	dir_walk(fd, find_image, rel, NULL);
	return *rel ? path_join(&f->arena, f->cache, rel) : NULL;
}

static void a_damaged_file_is_made_anew(void **state)
{
	struct fixture *f = *state;
	char *want, *bad, *path;
	struct str whole, now;

	make_channel(f, small);
	want = answer(f, "b");
	bad = answer(f, "bad");
	assert_non_null(strstr(want, "https://cdn/x/b-2-h_1.conda"));
	assert_non_null(strstr(bad, "bad-2-0.conda"));
	assert_non_null(strstr(bad, "channel 'main': record of 'bad-2-0.conda': 'depends': "));
	path = image_path(f);
	assert_non_null(path);
	assert_int_equal(file_read(&f->arena, path, 1 << 20, &whole, NULL), 0);
	assert_string_equal(answer(f, "b"), want);
	assert_string_equal(answer(f, "bad"), bad);
	for (size_t at = 8; at<whole.n; at += at> IMAGE_START ? 97 : 1021) {
		char *bytes = arena_cstr(&f->arena, whole);

		bytes[at] ^= 1;
		write_all(path, str_n(bytes, whole.n));
		assert_string_equal(answer(f, "b"), want);
		assert_int_equal(file_read(&f->arena, path, 1 << 20, &now, NULL), 0);
		if (at < sizeof(struct image_header) || at >= IMAGE_START)
			assert_true(str_eq(now, whole));
	}
	assert_int_equal(unlink(path), 0);
	assert_string_equal(answer(f, "b"), want);
	assert_non_null(image_path(f));
}

/* What the channel has today counts, whatever was kept of yesterday's. */
static void a_changed_channel_is_noticed(void **state)
{
	struct fixture *f = *state;
	char *path, *stale;
	struct str old;

	make_channel(f, small);
	assert_non_null(strstr(answer(f, "b"), "b-2-h_1.conda"));
	path = image_path(f);
	assert_int_equal(file_read(&f->arena, path, 1 << 20, &old, NULL), 0);
	make_channel(
		f, "{\"packages.conda\":{\"b-3-0.conda\":{\"name\":\"b\",\"version\":\"3\"}}}");
	assert_non_null(strstr(answer(f, "b"), "b-3-0.conda"));
	write_all(path, old);
	assert_non_null(strstr(answer(f, "b"), "b-3-0.conda"));
	stale = answer(f, "a");
	assert_non_null(strstr(stale, "a"));
	assert_null(strstr(stale, ".conda"));
}

static void no_place_for_it_is_no_error(void **state)
{
	struct fixture *f = *state;
	char *path;

	make_channel(f, small);
	assert_non_null(strstr(answer(f, "b"), "b-2-h_1.conda"));
	path = image_path(f);
	unlink(path);
	assert_int_equal(dir_make(path_join(&f->arena, path, "in/the/way"), NULL), 0);
	assert_non_null(strstr(answer(f, "b"), "b-2-h_1.conda"));
	assert_null(image_path(f));
}

/* --- real data ---------------------------------------------------------------------------- */

static void every_real_group_is_the_same(void **state)
{
	static const char *const files[] = {"repodata/conda-forge/noarch/repodata.json.zst",
		"repodata/pkgs-main-2021/linux-64/repodata.json.zst",
		"repodata/pkgs-free-2016/linux-64/repodata.json.zst"};
	struct fixture *f = *state;

	if (!shared_path(&f->arena, "repodata")) {
		print_message("the shared data is not there (ENVBUILD_SHARED_DATA)\n");
		skip();
	}
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		struct index *text = index_new(), *image;
		const struct groups *groups;

		if (index_add_file(text, shared_path(&f->arena, files[i]), &f->channel, 0,
			    STR("noarch"), &f->e) < 0)
			fail_msg("%s", f->e.text);
		image = read_image(f, write_image(f, text));
		assert_non_null(image);
		groups = text->sources.v[0]->groups;
		for (size_t k = 0; k < groups_names(groups); k++) {
			struct str name = groups_name_at(groups, k);
			CLEANUP_BUF a = {0};
			CLEANUP_BUF b = {0};

			assert_int_equal(tell_group(text, name, &a, &f->e),
				tell_group(image, name, &b, &f->e));
			assert_true(str_eq(buf_view(&a), buf_view(&b)));
		}
		index_free(text);
		index_free(image);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(files_say_what_the_text_says, setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_same_records_make_the_same_file, setup, teardown),
		cmocka_unit_test_setup_teardown(no_flipped_bit_changes_an_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(no_cut_file_is_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_file_of_something_else_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_file_is_made_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(a_changed_channel_is_noticed, setup, teardown),
		cmocka_unit_test_setup_teardown(no_place_for_it_is_no_error, setup, teardown),
		cmocka_unit_test_setup_teardown(every_real_group_is_the_same, setup, teardown),
	};

	setenv("ENVBUILD_NO_FSYNC", "1", 1);
	return cmocka_run_group_tests_name("solver index image", tests, NULL, NULL);
}
