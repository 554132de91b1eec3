/* The index of made-up packages; real ones are in tests/scenario/channel-index.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/archive.h"
#include "base/file.h"
#include "base/hash.h"
#include "builder/channel_index.h"

#include <stdlib.h>

struct fixture {
	char dir[64];
	struct arena a;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	strcpy(f->dir, "/tmp/envbuild-index-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	dir_remove(f->dir, NULL);
	arena_release(&f->a);
	free(f);
	return 0;
}

/* Writes DIR/SUBDIR/FN, a .conda with this index.json; returns md5|sha256|size. */
static struct str put_conda(
	struct fixture *f, const char *subdir, const char *fn, const char *index)
{
	CLEANUP_BUF tar = {0}, packed = {0}, zip = {0};
	struct member m = {
		.path = STR("info/index.json"), .type = MEMBER_FILE, .size = strlen(index)};
	char *dir = path_join(&f->a, f->dir, subdir), *path = path_join(&f->a, dir, fn);
	struct zip_part part = {.name = STR("info-x.tar.zst")};
	uint8_t sha256[SHA256_LEN], md5[MD5_LEN];
	char hex[SHA256_HEX + 1], md5_hex[MD5_HEX + 1];

	tar_header(&tar, &m);
	buf_puts(&tar, index);
	tar_pad(&tar, m.size);
	tar_end(&tar);
	zstd_frame(buf_view(&tar), 3, &packed, NULL);
	part.data = buf_view(&packed);
	zip_store(&part, 1, &zip, NULL);
	assert_int_equal(dir_make(dir, NULL), 0);
	assert_int_equal(file_write(path, buf_view(&zip), 0644, NULL), 0);
	assert_int_equal(file_hash(path, sha256, md5, NULL), 0);
	hex_encode(sha256, SHA256_LEN, hex);
	hex_encode(md5, MD5_LEN, md5_hex);
	return arena_strf(&f->a, "%s|%s|%zu", md5_hex, hex, zip.n);
}

static struct str read_index(struct fixture *f, const char *subdir)
{
	struct str text;
	char *path = arena_printf(&f->a, "%s/%s/repodata.json", f->dir, subdir);

	assert_int_equal(file_read(&f->a, path, 1 << 20, &text, NULL), 0);
	return text;
}

static void a_record_keeps_its_fields_in_order(void **state)
{
	struct fixture *f = *state;
	struct channel_index_result result;
	struct str sums, md5, sha256;

	sums = put_conda(f, "linux-64", "x-1.0-h_0.conda",
		"{\"version\":\"1.0\",\"name\":\"x\",\"build\":\"h_0\",\"build_number\":0,"
		"\"unknown\":{\"a\":[1]},\"depends\":[\"a >=1\",\"b\"],\"noarch\":null,"
		"\"license\":\"caf\xc3\xa9 \\\"q\\\"\",\"timestamp\":1500000000123,"
		"\"subdir\":\"linux-64\",\"url\":\"https://me:pw@h/x\",\"preferred_env\":false,"
		"\"name\":\"x\"}");
	assert_int_equal(channel_index(f->dir, 2, &result, NULL), 0);
	assert_int_equal(result.packages, 1);
	assert_int_equal(result.subdirs, 2);
	md5 = str_cut(&sums, '|');
	sha256 = str_cut(&sums, '|');
	assert_string_equal(read_index(f, "linux-64").p,
		arena_printf(&f->a,
			"{\"info\":{\"subdir\":\"linux-64\"},\"packages\":{},\"packages.conda\":{"
			"\"x-1.0-h_0.conda\":{\"build\":\"h_0\",\"build_number\":0,"
			"\"depends\":[\"a >=1\",\"b\"],\"license\":\"caf\xc3\xa9 \\\"q\\\"\","
			"\"md5\":\"%.*s\",\"name\":\"x\",\"noarch\":null,"
			"\"preferred_env\":false,\"sha256\":\"%.*s\",\"size\":%.*s,"
			"\"subdir\":\"linux-64\",\"timestamp\":1500000000123,"
			"\"version\":\"1.0\"}},\"removed\":[],\"repodata_version\":1}\n",
			STR_ARG(md5), STR_ARG(sha256), STR_ARG(sums)));
	assert_string_equal(read_index(f, "noarch").p,
		"{\"info\":{\"subdir\":\"noarch\"},\"packages\":{},\"packages.conda\":{},"
		"\"removed\":[],\"repodata_version\":1}\n");
}

static void a_missing_subdir_is_the_folders(void **state)
{
	struct fixture *f = *state;
	struct channel_index_result result;

	put_conda(f, "osx-64", "x-1-0.conda", "{\"version\":\"1\",\"name\":\"x\",\"build\":\"0\"}");
	assert_int_equal(channel_index(f->dir, 1, &result, NULL), 0);
	assert_non_null(strstr(read_index(f, "osx-64").p, "\"subdir\":\"osx-64\",\"version\""));
}

static void the_first_fault_is_told_whatever_the_threads(void **state)
{
	struct fixture *f = *state;
	struct channel_index_result result;

	for (int i = 0; i < 20; i++)
		put_conda(f, "linux-64", arena_printf(&f->a, "x-%d-0.conda", 10 + i),
			i < 5 ? arena_printf(&f->a,
					"{\"version\":\"%d\",\"name\":\"x\",\"build\":\"0\"}",
					10 + i)
			      : "{\"version\":\"1\",\"name\":\"x\"}");
	for (unsigned jobs = 1; jobs <= 4; jobs++) {
		struct err e = {0};

		assert_int_equal(channel_index(f->dir, jobs, &result, &e), -1);
		assert_int_equal(e.code, ERR_INTEGRITY);
		assert_non_null(strstr(e.text, "no build in info/index.json"));
		assert_non_null(strstr(e.text, "x-15-0.conda"));
		err_release(&e);
	}
	assert_false(path_exists(arena_printf(&f->a, "%s/linux-64/repodata.json", f->dir)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_record_keeps_its_fields_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(a_missing_subdir_is_the_folders, setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_first_fault_is_told_whatever_the_threads, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
