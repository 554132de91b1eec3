/* Taking entries out of the cache beside their users, and adding up space. */
#include "base/file.h"
#include "base/log.h"
#include "builder/disk.h"
#include "builder/entry.h"
#include "builder/layer.h"
#include "builder/take.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <time.h>

static const char REL[] = "pkgs/ab/abcd";

struct fixture {
	struct arena arena;
	struct cache cache;
	char *dir;
};

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);
	const char *tmp = getenv("TMPDIR");

	f->dir = dir_temp(&f->arena, tmp ? tmp : "/tmp", "upkeep", NULL);
	assert_non_null(f->dir);
	assert_int_equal(
		cache_open(&f->arena, path_join(&f->arena, f->dir, "cache"), &f->cache, NULL), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	dir_remove(f->dir, NULL);
	arena_release(&f->arena);
	free(f);
	return 0;
}

static char *make_entry(struct fixture *f, int64_t used)
{
	char *dir = path_join(&f->arena, f->cache.dir, REL);
	struct timespec times[2] = {{.tv_sec = used}, {.tv_sec = used}};

	assert_int_equal(dir_make(path_join(&f->arena, dir, "files"), NULL), 0);
	assert_int_equal(utimensat(AT_FDCWD, dir, times, 0), 0);
	return dir;
}

static int count_one(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	(void)rel;
	(void)st;
	(void)e;
	++*(size_t *)ctx;
	return 0;
}

static size_t left_in_tmp(struct fixture *f)
{
	CLEANUP_FD fd = open(path_join(&f->arena, f->cache.dir, "tmp"), O_RDONLY | O_DIRECTORY);
	size_t n = 0;

	assert_int_equal(dir_walk(fd, count_one, &n, NULL), 0);
	return n;
}

static void takes_what_is_old(void **state)
{
	struct fixture *f = *state;
	char *dir = make_entry(f, 1000);

	assert_int_equal(cache_take(&f->cache, REL, 1000), TAKEN);
	assert_false(path_exists(dir));
	assert_int_equal(cache_take(&f->cache, REL, 1000), TAKEN_GONE);
	assert_int_equal(left_in_tmp(f), 0);
}

static void leaves_what_is_used(void **state)
{
	struct fixture *f = *state;
	char *dir = make_entry(f, 1001);

	assert_int_equal(cache_take(&f->cache, REL, 1000), TAKEN_USED);
	assert_true(path_exists(dir));
	assert_int_equal(left_in_tmp(f), 0);
}

static void use_sets_the_time(void **state)
{
	struct fixture *f = *state;
	char *dir = make_entry(f, 1000);
	int64_t now;
	struct stat st;

	assert_int_equal(entry_touch(dir), 0);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(cache_clock(&f->cache, &now, NULL), 0);
	assert_true(now - st.st_mtime <= 5);
	assert_int_equal(cache_take(&f->cache, REL, now - CACHE_IN_USE_S), TAKEN_USED);
	assert_int_equal(entry_touch(path_join(&f->arena, f->dir, "nothing")), -1);
	/* A time to come, of a clock that is wrong, does not keep an entry for ever. */
	make_entry(f, now + 1000000);
	assert_int_equal(entry_touch(dir), 0);
	assert_int_equal(stat(dir, &st), 0);
	assert_true(st.st_mtime <= now + 5);
}

static void layers_are_asked_in_order(void **state)
{
	struct fixture *f = *state;
	struct arena *a = &f->arena;
	char *one = path_join(a, f->dir, "one"), *two = path_join(a, f->dir, "two");
	char *vault = path_join(a, f->dir, "vault");

	assert_int_equal(dir_make(path_join(a, one, "x"), NULL), 0);
	assert_int_equal(dir_make(path_join(a, two, "x"), NULL), 0);
	assert_int_equal(dir_make(vault, NULL), 0);
	assert_null(cache_find(a, &f->cache, "x"));
	cache_add_lower(a, &f->cache, arena_printf(a, "%s::%s", one, two));
	assert_int_equal(f->cache.n_layers, 2);
	assert_string_equal(cache_find(a, &f->cache, "x"), path_join(a, one, "x"));
	assert_int_equal(cache_add_vault(a, &f->cache, vault, NULL), 0);
	assert_string_equal(f->cache.layers[0], vault);
	assert_int_equal(dir_make(path_join(a, vault, "x"), NULL), 0);
	assert_string_equal(cache_find(a, &f->cache, "x"), path_join(a, vault, "x"));
	assert_int_equal(dir_make(path_join(a, f->cache.dir, "x"), NULL), 0);
	assert_string_equal(cache_find(a, &f->cache, "x"), path_join(a, f->cache.dir, "x"));
	assert_int_equal(cache_add_vault(a, &f->cache, path_join(a, f->dir, "no"), NULL), -1);
}

static void space_adds_up_by_stage(void **state)
{
	struct fixture *f = *state;
	char *later = path_join(&f->arena, f->dir, "not/yet/there");
	struct disk_use uses[] = {
		{f->dir, "one", 100, 0, 1}, {later, "two", 50, 1, 2}, {f->dir, "three", 120, 2, 2}};

	assert_int_equal(disk_peak(uses, 3, f->dir), 170);
	uses[2].to = 3;
	uses[1].from = 0;
	assert_int_equal(disk_peak(uses, 3, later), 170);
	uses[2].from = 1;
	assert_int_equal(disk_peak(uses, 3, f->dir), 270);
}

static void too_little_space_is_refused(void **state)
{
	struct fixture *f = *state;
	struct disk_use uses[2];
	struct err e = {0};
	uint64_t is_free;

	assert_int_equal(disk_free(f->dir, &is_free, NULL), 0);
	/* Two thirds each: not at once, but one after the other. */
	uses[0] = (struct disk_use){f->dir, "the one", is_free / 3 * 2, 0, 1};
	uses[1] = (struct disk_use){f->dir, "the other", is_free / 3 * 2, 2, 3};
	assert_int_equal(disk_check(uses, 2, &e), 0);
	uses[1].from = 1;
	assert_int_equal(disk_check(uses, 2, &e), -1);
	assert_int_equal(e.code, ERR_SYSTEM);
	assert_non_null(strstr(e.text, f->dir));
	assert_non_null(strstr(e.text, "the one, the other"));
	err_release(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(takes_what_is_old, set_up, tear_down),
		cmocka_unit_test_setup_teardown(leaves_what_is_used, set_up, tear_down),
		cmocka_unit_test_setup_teardown(use_sets_the_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(layers_are_asked_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(space_adds_up_by_stage, set_up, tear_down),
		cmocka_unit_test_setup_teardown(too_little_space_is_refused, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
