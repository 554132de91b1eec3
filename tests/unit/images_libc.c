#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "images/libc.h"
#include "images/profile.h"
#include "tests/elf_maker.h"

static struct arena arena;
static char root[] = "/tmp/images_libc.XXXXXX";

static int make_root(void **state)
{
	(void)state;
	memcpy(root + sizeof root - 7, "XXXXXX", 6);
	return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
	struct err e = {0};

	(void)state;
	arena_release(&arena);
	return dir_remove(root, &e);
}

/* A libc.so.6 that defines GLIBC_2.2.5 and perhaps another version, with `tail` behind it. */
static void write_library(const char *rel, int machine, const char *version, struct str tail)
{
	const struct elf_plan plan = {.machine = machine,
		.soname = "libc.so.6",
		.defines = {"libc.so.6", "GLIBC_2.2.5", version},
		.tail = tail};
	CLEANUP_BUF bytes = {0};
	struct err e = {0};
	char *path = path_join(&arena, root, rel);

	elf_make(&bytes, &plan);
	assert_int_equal(dir_make(path_dir(&arena, path), &e), 0);
	assert_int_equal(file_write(path, buf_view(&bytes), 0755, &e), 0);
}

static int find(struct str *version, struct str *reason)
{
	struct err e = {0};

	return root_glibc(&arena, root, version, reason, &e);
}

static void the_newest_definition_tells(void **state)
{
	struct str version, reason;

	(void)state;
	write_library("usr/lib/libc.so.6", NATIVE, "GLIBC_2.17",
		STR("GLIBC_2.99 GNU C Library stable release version 2.12, by Roland"));
	assert_int_equal(find(&version, &reason), 1);
	assert_true(str_is(version, "2.17"));
}

/* 2.19 to 2.21 define no version of their own. */
static void the_banner_tells_where_it_says_a_newer_one(void **state)
{
	struct str version, reason;

	(void)state;
	write_library("lib64/libc.so.6", NATIVE, "GLIBC_2.18",
		STR("GNU C Library (Debian GLIBC) stable release version 2.19, by Roland"));
	assert_int_equal(find(&version, &reason), 1);
	assert_true(str_is(version, "2.19"));
}

static void what_is_no_version_does_not_count(void **state)
{
	struct str version, reason;

	(void)state;
	write_library("lib64/libc.so.6", NATIVE, "GLIBC_PRIVATE", STR("GLIBC_2.99"));
	assert_int_equal(find(&version, &reason), 1);
	assert_true(str_is(version, "2.2.5"));
	write_library("lib64/libc.so.6", NATIVE, "GLIBC_ABI_DT_RELR", STR(""));
	assert_int_equal(find(&version, &reason), 1);
	assert_true(str_is(version, "2.2.5"));
}

static void a_library_of_another_machine_does_not_count(void **state)
{
	struct str version, reason;

	(void)state;
	write_library("lib/libc.so.6", EM_386, NULL, STR("stable release version 2.12"));
	assert_int_equal(find(&version, &reason), 0);
	assert_true(str_find(reason, STR("no glibc")) >= 0);
}

static void musl_is_named(void **state)
{
	struct str version, reason;

	(void)state;
	write_library("lib/ld-musl-x86_64.so.1", NATIVE, NULL, STR("musl"));
	assert_int_equal(find(&version, &reason), 0);
	assert_true(str_find(reason, STR("is musl")) >= 0);
}

static void links_stay_inside_the_root(void **state)
{
	struct str version, reason;

	(void)state;
	/* the way out would find this machine's own library */
	assert_int_equal(symlink("/lib/x86_64-linux-gnu", path_join(&arena, root, "lib64")), 0);
	assert_int_equal(symlink("../../../../../../lib64", path_join(&arena, root, "lib")), 0);
	assert_int_equal(find(&version, &reason), 0);
	write_library("real/libc.so.6", NATIVE, NULL, STR("stable release version 2.5"));
	assert_int_equal(unlink(path_join(&arena, root, "lib64")), 0);
	assert_int_equal(symlink("/real", path_join(&arena, root, "lib64")), 0);
	assert_int_equal(find(&version, &reason), 1);
	assert_true(str_is(version, "2.5"));
}

static void a_root_satisfies_what_is_not_newer(void **state)
{
	struct profile p = {.name = STR("lab"), .glibc = STR("2.9")};
	struct err e = {0};
	struct str reason;

	(void)state;
	write_library("lib64/libc.so.6", NATIVE, "GLIBC_2.12", STR(""));
	assert_int_equal(root_satisfies(&arena, root, &p, &reason, &e), 1);
	p.glibc = STR("2.12");
	assert_int_equal(root_satisfies(&arena, root, &p, &reason, &e), 1);
	p.glibc = STR("2.100");
	assert_int_equal(root_satisfies(&arena, root, &p, &reason, &e), 0);
	assert_true(str_find(reason, STR("has glibc 2.12, target 'lab' says 2.100")) >= 0);
	assert_int_equal(root_satisfies(&arena, "/no/such", &p, &reason, &e), -1);
	err_release(&e);
}

static const struct {
	const char *path, *want; /* want NULL: an error */
} places[] = {
	{"a/b/file", "in"},
	{"/a/b/file", "in"},
	{"a//./b/../b/file", "in"},
	{"../../../a/b/file", "in"},
	{"up/file", "in"},
	{"absolute/b/file", "in"},
	{"chain", "in"},
	{"loop", NULL},
	{"a/b/file/x", NULL},
	{"none", NULL},
	{"out", NULL},
};

static void make_places(void)
{
	struct err e = {0};

	assert_int_equal(dir_make(path_join(&arena, root, "a/b"), &e), 0);
	assert_int_equal(file_write(path_join(&arena, root, "a/b/file"), STR("in"), 0644, &e), 0);
	assert_int_equal(symlink("../../../../a/b", path_join(&arena, root, "up")), 0);
	assert_int_equal(symlink("/a", path_join(&arena, root, "absolute")), 0);
	assert_int_equal(symlink("absolute/b/file", path_join(&arena, root, "chain")), 0);
	assert_int_equal(symlink("loop", path_join(&arena, root, "loop")), 0);
	assert_int_equal(symlink("/etc/passwd", path_join(&arena, root, "out")), 0);
}

typedef int opener(int, const char *, int);

static void open_places(opener *open_one)
{
	CLEANUP_FD dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		CLEANUP_FD fd = open_one(dir, places[i].path, O_RDONLY);
		char text[8] = "";

		if (!places[i].want) {
			assert_int_equal(fd, -1);
			continue;
		}
		assert_true(fd >= 0);
		assert_int_equal(read(fd, text, sizeof text - 1), 2);
		assert_string_equal(text, places[i].want);
	}
}

static void paths_are_resolved_as_in_the_root(void **state)
{
	(void)state;
	make_places();
	open_places(open_in_root);
}

/* openat2 gives up then where a path has "..", which is how many of lib's links are. */
static void renames_elsewhere_do_no_harm(void **state)
{
	char *a, *b;
	pid_t renamer;
	size_t failed = 0;

	(void)state;
	make_places();
	a = path_join(&arena, root, "x");
	b = path_join(&arena, root, "y");
	assert_int_equal(mkdir(a, 0755), 0);
	renamer = fork();
	if (renamer == 0)
		alarm(20); /* whatever becomes of this test */
	while (renamer == 0)
		if (rename(a, b) < 0 || rename(b, a) < 0)
			_exit(1);
	CLEANUP_FD dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 30000; i++) {
		CLEANUP_FD fd = open_in_root(dir, "up/file", O_PATH);

		failed += fd < 0;
	}
	kill(renamer, SIGKILL);
	assert_int_equal(waitpid(renamer, NULL, 0), renamer);
	assert_int_equal(failed, 0);
}

static void old_kernels_resolve_the_same(void **state)
{
	(void)state;
	make_places();
	open_places(open_in_root_walking);
}

/* path: where the folder is then, below the root. */
static void check_made(const char *path, const char *want)
{
	CLEANUP_FD root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP_FD fd = make_in_root(root_fd, path);
	struct stat made, st;

	if (fd < 0 || fstat(fd, &made) < 0 || stat(path_join(&arena, root, want), &st) < 0 ||
		st.st_ino != made.st_ino)
		fail_msg("'%s' is not '%s'", path, want);
}

static void folders_are_made_in_the_root(void **state)
{
	struct err e = {0};

	(void)state;
	assert_int_equal(symlink("usr/lib", path_join(&arena, root, "lib")), 0);
	assert_int_equal(symlink("/tmp/../../etc", path_join(&arena, root, "out")), 0);
	assert_int_equal(file_write(path_join(&arena, root, "file"), STR("x"), 0644, &e), 0);
	check_made("", ".");
	check_made("a/b/c", "a/b/c");
	check_made("a/b", "a/b");
	check_made("lib/x/y", "usr/lib/x/y");
	check_made("out/x", "etc/x");
	check_made("a/../../../b", "b");
	CLEANUP_FD root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(make_in_root(root_fd, "file/x"), -1);
	assert_int_equal(errno, ENOTDIR);
}

int main(void)
{
#define IN_ROOT(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)
	const struct CMUnitTest tests[] = {
		IN_ROOT(the_newest_definition_tells),
		IN_ROOT(the_banner_tells_where_it_says_a_newer_one),
		IN_ROOT(what_is_no_version_does_not_count),
		IN_ROOT(a_library_of_another_machine_does_not_count),
		IN_ROOT(musl_is_named),
		IN_ROOT(links_stay_inside_the_root),
		IN_ROOT(a_root_satisfies_what_is_not_newer),
		IN_ROOT(paths_are_resolved_as_in_the_root),
		IN_ROOT(renames_elsewhere_do_no_harm),
		IN_ROOT(old_kernels_resolve_the_same),
		IN_ROOT(folders_are_made_in_the_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
