/* Wheels in the cache: by sum and name, and what was built of a source. */
#include "base/file.h"
#include "base/hash.h"
#include "builder/layer.h"
#include "builder/wheels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define NAME STR("demo-1.0-py3-none-any.whl")

struct fixture {
	struct arena a;
	struct cache cache;
	char dir[64];
	char *file;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	snprintf(f->dir, sizeof f->dir, "/tmp/envbuild-wheels.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(cache_open(&f->a, path_join(&f->a, f->dir, "cache"), &f->cache, NULL), 0);
	f->file = path_join(&f->a, f->dir, "file");
	assert_int_equal(file_write(f->file, STR("some bytes"), 0644, NULL), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(dir_remove(f->dir, NULL), 0);
	arena_release(&f->a);
	free(f);
	return 0;
}

static void test_put(void **state)
{
	struct fixture *f = *state;
	uint8_t sum[SHA256_LEN], want[SHA256_LEN];

	sha256_of("some bytes", 10, want);
	assert_null(cache_find_wheel(&f->a, &f->cache, want, NAME));
	assert_int_equal(wheel_put(&f->a, &f->cache, f->file, NAME, sum, NULL), 0);
	assert_memory_equal(sum, want, SHA256_LEN);
	assert_non_null(cache_find_wheel(&f->a, &f->cache, want, NAME));
	assert_int_equal(wheel_put(&f->a, &f->cache, f->file, NAME, sum, NULL), 0);
}

/* A damaged wheel is as good as absent, and is replaced. */
static void test_damaged(void **state)
{
	struct fixture *f = *state;
	uint8_t sum[SHA256_LEN];
	char *path;

	assert_int_equal(wheel_put(&f->a, &f->cache, f->file, NAME, sum, NULL), 0);
	path = cache_find_wheel(&f->a, &f->cache, sum, NAME);
	assert_int_equal(file_write(path, STR("other"), 0644, NULL), 0);
	assert_null(cache_find_wheel(&f->a, &f->cache, sum, NAME));
	assert_int_equal(wheel_put(&f->a, &f->cache, f->file, NAME, sum, NULL), 0);
	assert_non_null(cache_find_wheel(&f->a, &f->cache, sum, NAME));
}

static void test_names(void **state)
{
	static const char *const BAD[] = {"../demo-1.0-py3-none-any.whl",
		"x/demo-1.0-py3-none-any.whl", "demo.whl", "demo-1.0.tar.gz", ""};
	struct fixture *f = *state;
	uint8_t sum[SHA256_LEN];

	for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
		struct err e = {0};

		assert_int_equal(wheel_put(&f->a, &f->cache, f->file, str_of(BAD[i]), sum, &e), -1);
		assert_int_equal(e.code, ERR_INTEGRITY);
		err_release(&e);
	}
}

static void test_built(void **state)
{
	struct fixture *f = *state;
	uint8_t sum[SHA256_LEN], found[SHA256_LEN];
	struct str name;

	assert_int_equal(wheel_put(&f->a, &f->cache, f->file, NAME, sum, NULL), 0);
	assert_int_equal(wheel_built_find(&f->a, &f->cache, STR("key"), &name, found), 0);
	assert_int_equal(wheel_built_put(&f->a, &f->cache, STR("key"), NAME, sum, NULL), 0);
	assert_int_equal(wheel_built_find(&f->a, &f->cache, STR("key"), &name, found), 1);
	assert_true(str_eq(name, NAME));
	assert_memory_equal(found, sum, SHA256_LEN);
	assert_int_equal(wheel_built_find(&f->a, &f->cache, STR("other"), &name, found), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_put, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_built, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
