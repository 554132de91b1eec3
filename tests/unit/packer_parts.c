/* Split archives: names of parts, finding them, reading them as one, writing them. */
#include "packer/parts.h"

#include "base/file.h"
#include "base/hash.h"
#include "packer/sink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct place {
	struct arena a;
	char dir[64];
};

static int make_place(void **state)
{
	struct place *p = calloc(1, sizeof *p);

	snprintf(p->dir, sizeof p->dir, "%s/parts.XXXXXX",
		getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	*state = p;
	return mkdtemp(p->dir) ? 0 : -1;
}

static int drop_place(void **state)
{
	struct place *p = *state;

	dir_remove(p->dir, NULL);
	arena_release(&p->a);
	free(p);
	return 0;
}

static char *at(struct place *p, const char *name)
{
	return path_join(&p->a, p->dir, name);
}

static void put(struct place *p, const char *name, const char *text)
{
	assert_int_equal(file_write(at(p, name), str_of(text), 0644, NULL), 0);
}

/* 0, or the exit status of the error, whose text holds `why`. */
static int find(struct place *p, const char *name, struct archive_parts *out, const char *why)
{
	struct err e = {0};
	int rc = archive_parts_find(&p->a, at(p, name), out, &e);

	if (rc < 0) {
		if (!strstr(e.text, why))
			fail_msg("'%s' is not in '%s'", why, e.text);
		rc = err_exit_status(e.code);
		err_release(&e);
	}
	return rc;
}

static void names(void **state)
{
	static const struct {
		const char *name;
		size_t ending;
	} endings[] = {{"a.00", 3}, {"a.89", 3}, {"a.90", 0}, {"a.9000", 5}, {"a.9899", 5},
		{"a.9900", 0}, {"a.0000", 0}, {"a.0", 0}, {"a00", 0}, {".00", 0}, {"", 0},
		{"a.tar.gz", 0}, {"a.1x", 0}};
	struct place *p = *state;

	assert_string_equal(part_path(&p->a, "x", 0), "x.00");
	assert_string_equal(part_path(&p->a, "x", 89), "x.89");
	assert_string_equal(part_path(&p->a, "x", 90), "x.9000");
	assert_string_equal(part_path(&p->a, "x", PARTS_MAX - 1), "x.9899");
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
		assert_int_equal(part_ending(endings[i].name), endings[i].ending);
	for (size_t i = 0; i < PARTS_MAX; i++)
		assert_true(part_is_of("x", part_path(&p->a, "x", i)));
	assert_false(part_is_of("x", "y.00"));
	assert_false(part_is_of("x", "x.00.00"));
	assert_false(part_is_of("x", "x.sha256"));
}

static void found(void **state)
{
	struct place *p = *state;
	struct archive_parts parts;

	assert_int_equal(find(p, "a.tar", &parts, "nothing stands at"), 2);
	put(p, "a.tar.02", "c");
	assert_int_equal(find(p, "a.tar", &parts, "a.tar.00' is missing, but 'a.tar.02'"), 5);
	put(p, "a.tar.00", "a");
	assert_int_equal(find(p, "a.tar", &parts, "a.tar.01' is missing, but 'a.tar.02'"), 5);
	put(p, "a.tar.01", "bb");
	put(p, "a.tar.x", "not one of them");
	assert_int_equal(find(p, "a.tar", &parts, ""), 0);
	assert_true(parts.split && parts.n == 3 && parts.bytes == 4 && parts.sizes[1] == 2);
	assert_string_equal(parts.whole, at(p, "a.tar"));
	assert_int_equal(find(p, "a.tar.00", &parts, ""), 0);
	assert_true(parts.split && parts.n == 3);
	assert_string_equal(parts.whole, at(p, "a.tar"));
	assert_int_equal(find(p, "a.tar.01", &parts, "not the first part"), 2);
	put(p, "a.tar", "whole");
	assert_int_equal(find(p, "a.tar", &parts, ""), 0);
	assert_true(!parts.split && parts.n == 1 && parts.bytes == 5);
	put(p, "v1.02", "no part: its name has no archive's ending without it");
	assert_int_equal(find(p, "v1.02", &parts, ""), 0);
	assert_false(parts.split);
}

static void read_as_one(void **state)
{
	struct place *p = *state;
	struct archive_parts parts;
	struct archive_file *f;
	char text[10];

	put(p, "a.00", "abc");
	put(p, "a.01", "defg");
	put(p, "a.02", "h");
	assert_int_equal(find(p, "a", &parts, ""), 0);
	f = archive_file_open(&parts, NULL);
	assert_non_null(f);
	for (size_t from = 0; from <= 8; from++)
		for (size_t n = 0; n <= 9; n++) {
			size_t want = n < 8 - from ? n : 8 - from;

			assert_int_equal(archive_file_pread(f, text, n, from, NULL), want);
			assert_memory_equal(text, &"abcdefgh"[from], want);
		}
	archive_file_close(f);
}

/* Another set took the place of the first part between finding and opening. */
static void replaced(void **state)
{
	struct place *p = *state;
	struct archive_parts parts;
	struct err e = {0};

	put(p, "a.00", "abc");
	put(p, "a.01", "def");
	assert_int_equal(find(p, "a", &parts, ""), 0);
	put(p, "a.00", "ABC");
	assert_null(archive_file_open(&parts, &e));
	assert_non_null(strstr(e.text, "is being replaced"));
	err_release(&e);
	assert_int_equal(unlink(at(p, "a.00")), 0);
	assert_null(archive_file_open(&parts, &e));
	err_release(&e);
}

static struct str joined(struct place *p, const char *name)
{
	struct archive_parts parts;
	struct archive_file *f;
	struct str out;
	char *text;

	assert_int_equal(find(p, name, &parts, ""), 0);
	f = archive_file_open(&parts, NULL);
	text = arena_alloc(&p->a, parts.bytes + 1);
	out = str_n(text, parts.bytes);
	assert_int_equal(archive_file_pread(f, text, out.n, 0, NULL), out.n);
	archive_file_close(f);
	return out;
}

static void check_result(
	struct place *p, const char *name, const struct pack_result *result, uint64_t split)
{
	struct str text = joined(p, name);
	uint8_t sum[SHA256_LEN];

	assert_int_equal(result->bytes, text.n);
	sha256_of(text.p, text.n, sum);
	assert_memory_equal(sum, result->sha256, SHA256_LEN);
	assert_int_equal(result->n_parts, (text.n + split - 1) / split);
	for (size_t i = 0; i < result->n_parts; i++) {
		uint64_t from = i * split, n = text.n - from < split ? text.n - from : split;

		assert_int_equal(result->parts[i].bytes, n);
		sha256_of(text.p + from, n, sum);
		assert_memory_equal(sum, result->parts[i].sha256, SHA256_LEN);
	}
}

static void written(void **state)
{
	struct place *p = *state;
	struct pack_result result = {0};

	for (uint64_t split = 1; split <= 12; split++) {
		char *name = arena_printf(&p->a, "w%d", (int)split);
		struct sink *s = sink_open(at(p, name), split, NULL);

		for (size_t i = 0; i < 5; i++)
			assert_int_equal(sink_write(s, "abcdef", i, NULL), 0);
		assert_int_equal(sink_size(s), 10);
		assert_int_equal(sink_finish(s, &p->a, &result, NULL), 0);
		sink_close(s);
		check_result(p, name, &result, split);
		assert_true(str_is(joined(p, name), "aababcabcd"));
	}
}

/* Rewritten, read back and cut, as a squashfs is. */
static void rewritten(void **state)
{
	struct place *p = *state;
	struct pack_result result = {0};
	char text[8];

	for (uint64_t split = 1; split <= 12; split++) {
		char *name = arena_printf(&p->a, "r%d", (int)split);
		struct sink *s = sink_open(at(p, name), split, NULL);

		assert_int_equal(sink_pwrite(s, "0123456789", 10, 0, NULL), 0);
		assert_int_equal(sink_truncate(s, 7, NULL), 0);
		assert_int_equal(sink_pwrite(s, "xyz", 3, 6, NULL), 0);
		assert_int_equal(sink_pwrite(s, "AB", 2, 0, NULL), 0);
		assert_int_equal(sink_pread(s, text, 5, 4, NULL), 0);
		assert_memory_equal(text, "45xyz", 5);
		assert_int_equal(sink_pread(s, text, 5, 5, NULL), -1);
		assert_int_equal(sink_pwrite(s, "!", 1, 10, NULL), -1);
		assert_int_equal(sink_finish(s, &p->a, &result, NULL), 0);
		sink_close(s);
		check_result(p, name, &result, split);
		assert_true(str_is(joined(p, name), "AB2345xyz"));
	}
}

static void given_up(void **state)
{
	struct place *p = *state;
	struct sink *s = sink_open(at(p, "g"), 2, NULL);
	struct archive_parts parts;
	struct err e = {0};

	assert_int_equal(sink_write(s, "abcdef", 5, NULL), 0);
	sink_close(s);
	assert_int_equal(find(p, "g", &parts, "nothing stands at"), 2);
	s = sink_open(at(p, "g"), 1, NULL);
	for (int i = 0; i < PARTS_MAX; i++)
		assert_int_equal(sink_write(s, "x", 1, NULL), 0);
	assert_int_equal(sink_write(s, "x", 1, &e), -1);
	assert_non_null(strstr(e.text, "more than 990 parts"));
	err_release(&e);
	sink_close(s);
	assert_int_equal(find(p, "g", &parts, "nothing stands at"), 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(names, make_place, drop_place),
		cmocka_unit_test_setup_teardown(found, make_place, drop_place),
		cmocka_unit_test_setup_teardown(read_as_one, make_place, drop_place),
		cmocka_unit_test_setup_teardown(replaced, make_place, drop_place),
		cmocka_unit_test_setup_teardown(written, make_place, drop_place),
		cmocka_unit_test_setup_teardown(rewritten, make_place, drop_place),
		cmocka_unit_test_setup_teardown(given_up, make_place, drop_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
