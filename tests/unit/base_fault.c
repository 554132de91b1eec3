/*
 * What is left when a system call fails: the functions below stand in for libc's and fail the n-th
 * call of those that write files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { DATA = 100000 };

static struct {
	bool armed;
	int countdown; /* the call that fails when it reaches 0 */
	int error;
	bool short_writes; /* at most 1,000 bytes at a time */
} fault;

static bool fails(void)
{
	if (!fault.armed || fault.countdown-- != 0)
		return false;
	errno = fault.error;
	return true;
}

ssize_t write(int fd, const void *p, size_t n)
{
	if (fails())
		return -1;
	if (fault.armed && fault.short_writes && n > 1000)
		n = 1000;
	return syscall(SYS_write, fd, p, n);
}

int fsync(int fd)
{
	return fails() ? -1 : (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to)
{
	return fails() ? -1 : (int)syscall(SYS_rename, from, to);
}

static int entries(const char *dir)
{
	DIR *d = opendir(dir);
	int n = -2;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Replaces a file while the n-th call fails; the number of calls it came to, or -1 if it failed. */
static int replace(const char *dir, int n, int error, bool short_writes)
{
	struct arena a = {0};
	const char *path = path_join(&a, dir, "file");
	char *data = arena_alloc(&a, DATA);
	struct err e = {0};
	struct str now;
	int rc;

	assert_int_equal(file_write(path, STR("old"), 0644, NULL), 0);
	memset(data, 'n', DATA);
	fault.armed = true;
	fault.countdown = n;
	fault.error = error;
	fault.short_writes = short_writes;
	rc = file_write(path, str_n(data, DATA), 0644, &e);
	fault.armed = false;
	assert_int_equal(entries(dir), 1);
	assert_int_equal(file_read(&a, path, DATA, &now, NULL), 0);
	/* The last call is the fsync of the folder: by then the new file stands there. */
	assert_true(str_is(now, "old") || str_eq(now, str_n(data, DATA)));
	if (rc == 0)
		assert_int_equal(now.n, DATA);
	else
		assert_non_null(e.text);
	if (rc < 0 && error == ENOSPC)
		assert_non_null(e.advice);
	err_release(&e);
	arena_release(&a);
	return rc < 0 ? -1 : n - fault.countdown;
}

static void nothing_half_done_is_left(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct arena a = {0};
	char *dir = arena_printf(&a, "%s/base_fault.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	int n = 0;

	(void)state;
	unsetenv("ENVBUILD_NO_FSYNC");
	assert_non_null(mkdtemp(dir));
	while (replace(dir, n, ENOSPC, false) < 0)
		n++;
	assert_int_equal(n, 4); /* write, fsync, rename, fsync */
	for (n = 0; replace(dir, n, EIO, true) < 0; n++)
		;
	assert_int_equal(n, 103);
	/* An interrupted write is no failure. */
	assert_int_equal(replace(dir, 0, EINTR, false), 5);
	assert_int_equal(setenv("ENVBUILD_NO_FSYNC", "1", 1), 0);
	for (n = 0; replace(dir, n, EIO, false) < 0; n++)
		;
	assert_int_equal(n, 2);
	assert_int_equal(dir_remove(dir, NULL), 0);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_half_done_is_left),
	};

	return cmocka_run_group_tests_name("base/fault", tests, NULL, NULL);
}
