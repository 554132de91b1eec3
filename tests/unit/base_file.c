#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
	struct arena a;
	char *dir;
	int fd;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);
	const char *tmp = getenv("TMPDIR");

	f->dir = arena_printf(&f->a, "%s/base_file.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(f->dir));
	f->fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int rc = dir_remove(f->dir, NULL);

	close(f->fd);
	arena_release(&f->a);
	free(f);
	return rc;
}

static const char *in(struct fixture *f, const char *rel)
{
	return path_join(&f->a, f->dir, rel);
}

static int entries(const char *path)
{
	DIR *d = opendir(path);
	int n = -2; /* . and .. */

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

/* --- paths ------------------------------------------------------------------------------ */

static void paths_are_joined_and_split(void **state)
{
	static const struct {
		const char *dir, *rel, *joined;
	} cases[] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"a//", "b", "a/b"}, {"/", "b", "/b"},
		{"a", "/b", "/b"}, {"", "b", "b"}, {"//", "b", "/b"}, {"a", "b/c", "a/b/c"}};
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(path_join(&a, cases[i].dir, cases[i].rel), cases[i].joined);
	assert_string_equal(path_dir(&a, "a/b"), "a");
	assert_string_equal(path_dir(&a, "/b"), "/");
	assert_string_equal(path_dir(&a, "b"), ".");
	assert_string_equal(path_base("a/b"), "b");
	assert_string_equal(path_base("b"), "b");
	arena_release(&a);
}

static void absolute_paths_are_plain(void **state)
{
	static const struct {
		const char *path, *plain;
	} cases[] = {{"/", "/"}, {"//", "/"}, {"/a/./b//c/", "/a/b/c"}, {"/a/../b", "/b"},
		{"/../..", "/"}, {"/a/b/../../..", "/"}, {"/a/...", "/a/..."},
		{"/a/..b", "/a/..b"}};
	char *cwd = getcwd(NULL, 0);
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(path_absolute(&a, cases[i].path), cases[i].plain);
	assert_string_equal(path_absolute(&a, "."), cwd);
	assert_string_equal(path_absolute(&a, "x/.."), cwd);
	assert_string_equal(path_absolute(&a, "x"), path_join(&a, cwd, "x"));
	free(cwd);
	arena_release(&a);
}

static void unsafe_paths_are_known(void **state)
{
	static const char *const safe[] = {
		"a", "a/b", "...", "a/..b", ".hidden", "a b", "-", "~", "\xff\xfe", "a/b/c/d/e/f"};
	static const char *const unsafe[] = {"", "/", "/a", "a/", "a//b", ".", "..", "./a", "a/.",
		"a/./b", "../a", "a/../b", "a/.."};
	char long_name[300];

	(void)state;
	for (size_t i = 0; i < sizeof safe / sizeof *safe; i++)
		assert_true(path_is_safe(str_of(safe[i])));
	for (size_t i = 0; i < sizeof unsafe / sizeof *unsafe; i++)
		assert_false(path_is_safe(str_of(unsafe[i])));
	assert_false(path_is_safe(str_n("a\0b", 3)));
	assert_false(path_is_safe((struct str){NULL, 0}));
	memset(long_name, 'x', sizeof long_name);
	assert_true(path_is_safe(str_n(long_name, 255)));
	assert_false(path_is_safe(str_n(long_name, 256)));
}

static void a_path_has_a_maximum(void **state)
{
	CLEANUP_BUF b = {0};

	(void)state;
	while (b.n < 4094)
		buf_puts(&b, "x/");
	buf_putc(&b, 'x');
	assert_int_equal(b.n, 4095);
	assert_true(path_is_safe(buf_view(&b)));
	buf_putc(&b, 'x');
	assert_false(path_is_safe(buf_view(&b)));
}

/* --- reading ---------------------------------------------------------------------------- */

static void files_are_read_whole(void **state)
{
	static const size_t sizes[] = {0, 1, 4096, 300000};
	struct fixture *f = *state;
	const char *path = in(f, "file");

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		char *bytes = xmalloc(sizes[i]);
		struct str out, mapped;
		struct err e = {0};

		memset(bytes, 'b', sizes[i]);
		assert_int_equal(file_write(path, str_n(bytes, sizes[i]), 0644, &e), 0);
		assert_int_equal(file_read(&f->a, path, sizes[i], &out, &e), 0);
		assert_true(str_eq(out, str_n(bytes, sizes[i])));
		assert_int_equal(out.p[out.n], 0);
		assert_int_equal(file_map(path, &mapped, &e), 0);
		assert_true(str_eq(mapped, out));
		file_unmap(mapped);
		if (sizes[i]) {
			assert_int_equal(file_read(&f->a, path, sizes[i] - 1, &out, &e), -1);
			assert_int_equal(e.code, ERR_INPUT);
			err_release(&e);
		}
		free(bytes);
	}
}

static void files_without_a_size_are_read_too(void **state)
{
	struct fixture *f = *state;
	struct str out;
	struct err e = {0};

	assert_int_equal(file_read(&f->a, "/proc/self/status", 1 << 20, &out, &e), 0);
	assert_true(str_starts(out, STR("Name:")));
	assert_int_equal(file_read(&f->a, "/proc/self/status", 100, &out, &e), -1);
	err_release(&e);
	assert_int_equal(file_read(&f->a, "/dev/zero", 1 << 20, &out, &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
	err_release(&e);
}

static void reading_errors_name_the_path(void **state)
{
	struct fixture *f = *state;
	struct str out;
	struct err e = {0};

	assert_int_equal(file_read(&f->a, "/no/file", 1, &out, &e), -1);
	assert_string_equal(e.text, "cannot open '/no/file': No such file or directory");
	err_release(&e);
	assert_int_equal(file_read(&f->a, "/usr", 1, &out, &e), -1);
	assert_string_equal(e.text, "cannot read '/usr': Is a directory");
	err_release(&e);
	assert_int_equal(mkfifo(in(f, "fifo"), 0600), 0);
	assert_int_equal(file_read(&f->a, in(f, "fifo"), 1, &out, &e), 0); /* does not hang */
	assert_int_equal(out.n, 0);
	assert_int_equal(file_map(in(f, "fifo"), &out, &e), -1);
	err_release(&e);
}

static void a_file_has_its_hashes(void **state)
{
	struct fixture *f = *state;
	uint8_t sha256[32], md5[16];

	assert_int_equal(file_write(in(f, "abc"), STR("abc"), 0644, NULL), 0);
	assert_int_equal(file_hash(in(f, "abc"), sha256, md5, NULL), 0);
	assert_int_equal(sha256[0], 0xba);
	assert_int_equal(sha256[31], 0xad);
	assert_int_equal(md5[0], 0x90);
	assert_int_equal(file_hash(in(f, "abc"), sha256, NULL, NULL), 0);
	assert_int_equal(file_hash(in(f, "none"), sha256, NULL, NULL), -1);
}

/* --- writing ---------------------------------------------------------------------------- */

static void a_file_appears_whole_or_not_at_all(void **state)
{
	struct fixture *f = *state;
	struct file_out out;
	struct str now;

	assert_int_equal(file_write(in(f, "x"), STR("old"), 0644, NULL), 0);
	assert_int_equal(file_begin(&out, in(f, "x"), 0600, NULL), 0);
	assert_int_equal(entries(f->dir), 2);
	assert_int_equal(write_full(out.fd, "new", 3, NULL), 0);
	assert_int_equal(file_read(&f->a, in(f, "x"), 10, &now, NULL), 0);
	assert_true(str_is(now, "old"));
	assert_int_equal(file_commit(&out, NULL), 0);
	assert_int_equal(file_read(&f->a, in(f, "x"), 10, &now, NULL), 0);
	assert_true(str_is(now, "new"));
	assert_int_equal(mode_of(in(f, "x")), 0600);
	file_abort(&out);
	assert_true(path_exists(in(f, "x")));
	assert_int_equal(entries(f->dir), 1);
}

static void an_aborted_file_leaves_nothing(void **state)
{
	struct fixture *f = *state;

	{
		CLEANUP_FILE_OUT out = {.fd = -1};

		assert_int_equal(file_begin(&out, in(f, "x"), 0644, NULL), 0);
		assert_int_equal(write_full(out.fd, "new", 3, NULL), 0);
	}
	assert_int_equal(entries(f->dir), 0);
	{
		CLEANUP_FILE_OUT out = {0}; /* never begun: descriptor 0 is not its own */
	}
	assert_true(fcntl(0, F_GETFD) >= 0);
}

static void a_failed_commit_leaves_the_old_file(void **state)
{
	struct fixture *f = *state;
	struct err e = {0};

	assert_int_equal(dir_make(in(f, "x/y"), NULL), 0); /* a folder cannot be replaced */
	assert_int_equal(file_write(in(f, "x"), STR("new"), 0644, &e), -1);
	assert_non_null(strstr(e.text, "cannot write '"));
	err_release(&e);
	assert_int_equal(entries(f->dir), 1);
	assert_true(path_exists(in(f, "x/y")));
	assert_int_equal(file_write(in(f, "none/x"), STR("new"), 0644, &e), -1);
	assert_non_null(strstr(e.text, "cannot create '"));
	err_release(&e);
}

static void modes_follow_the_umask(void **state)
{
	struct fixture *f = *state;
	mode_t old = umask(027);

	assert_int_equal(file_write(in(f, "a"), STR("x"), 0666, NULL), 0);
	assert_int_equal(file_write(in(f, "b"), STR("x"), 0755, NULL), 0);
	assert_int_equal(dir_make(in(f, "c/d"), NULL), 0);
	umask(old);
	assert_int_equal(mode_of(in(f, "a")), 0640);
	assert_int_equal(mode_of(in(f, "b")), 0750);
	assert_int_equal(mode_of(in(f, "c/d")), 0750);
}

static void the_longest_name_can_be_written(void **state)
{
	struct fixture *f = *state;
	char name[256];

	memset(name, 'n', 255);
	name[255] = '\0';
	assert_int_equal(file_write(in(f, name), STR("x"), 0644, NULL), 0);
	assert_true(path_exists(in(f, name)));
	assert_int_equal(entries(f->dir), 1);
}

static void a_link_is_replaced_not_followed(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(file_write(in(f, "target"), STR("x"), 0644, NULL), 0);
	assert_int_equal(symlinkat("target", f->fd, "link"), 0);
	assert_int_equal(file_write(in(f, "link"), STR("yy"), 0644, NULL), 0);
	assert_int_equal(lstat(in(f, "link"), &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(stat(in(f, "target"), &st), 0);
	assert_int_equal(st.st_size, 1);
	assert_int_equal(symlinkat("nowhere", f->fd, "dangling"), 0);
	assert_true(path_exists(in(f, "dangling")));
	assert_false(path_exists(in(f, "nowhere")));
}

static void what_is_no_file_is_not_replaced(void **state)
{
	struct fixture *f = *state;
	struct err e = {0};
	struct stat st;

	assert_int_equal(mkfifoat(f->fd, "fifo", 0600), 0);
	assert_int_equal(symlinkat("fifo", f->fd, "to-fifo"), 0);
	assert_int_equal(symlinkat("/proc/self/fd/1", f->fd, "stdout"), 0);
	assert_int_equal(symlinkat("/dev/null", f->fd, "null"), 0);
	assert_int_equal(file_write(in(f, "fifo"), STR("x"), 0644, &e), -1);
	assert_non_null(strstr(e.text, "/fifo' is no place for a file"));
	err_release(&e);
	assert_int_equal(file_write(in(f, "stdout"), STR("x"), 0644, NULL), -1);
	/* Damage in a cache: the link goes, what it leads to stays. */
	assert_int_equal(file_write(in(f, "to-fifo"), STR("x"), 0644, NULL), 0);
	assert_int_equal(file_write(in(f, "null"), STR("x"), 0644, NULL), 0);
	assert_int_equal(fstatat(f->fd, "null", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(stat("/dev/null", &st), 0);
	assert_true(S_ISCHR(st.st_mode));
	assert_int_equal(fstatat(f->fd, "fifo", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISFIFO(st.st_mode));
}

static void folders_are_made_below_a_descriptor(void **state)
{
	struct fixture *f = *state;
	struct err e = {0};

	assert_int_equal(dir_make_at(f->fd, "a/b/c", &e), 0);
	assert_int_equal(dir_make_at(f->fd, "a/b/c", &e), 0);
	assert_int_equal(symlinkat("/tmp", f->fd, "out"), 0);
	assert_int_equal(dir_make_at(f->fd, "out/evil", &e), -1);
	err_release(&e);
	assert_int_equal(dir_make_at(f->fd, "out", &e), -1);
	err_release(&e);
	assert_int_equal(file_write(in(f, "file"), STR(""), 0644, NULL), 0);
	assert_int_equal(dir_make_at(f->fd, "file/x", &e), -1);
	err_release(&e);
	/* By name, a link that the user made is followed. */
	assert_int_equal(symlinkat("a", f->fd, "alias"), 0);
	assert_int_equal(dir_make(in(f, "alias/z"), &e), 0);
	assert_true(path_exists(in(f, "a/z")));
}

static void temporary_folders_are_new(void **state)
{
	struct fixture *f = *state;
	char *one = dir_temp(&f->a, in(f, "made"), "pkg", NULL);
	char *two = dir_temp(&f->a, in(f, "made"), "pkg", NULL);

	assert_non_null(one);
	assert_non_null(two);
	assert_string_not_equal(one, two);
	assert_int_equal(strncmp(path_base(one), ".pkg.", 5), 0);
	assert_int_equal(entries(one), 0);
}

static void bytes_are_copied(void **state)
{
	struct fixture *f = *state;
	char *bytes = xmalloc(700001);
	struct str out;
	int from, to;

	for (size_t i = 0; i < 700001; i++)
		bytes[i] = (char)(i * 7 + i / 1000);
	assert_int_equal(file_write(in(f, "a"), str_n(bytes, 700001), 0644, NULL), 0);
	from = open(in(f, "a"), O_RDONLY | O_CLOEXEC);
	to = open(in(f, "b"), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(fd_copy(from, to, NULL), 0);
	assert_int_equal(file_read(&f->a, in(f, "b"), 1 << 20, &out, NULL), 0);
	assert_true(str_eq(out, str_n(bytes, 700001)));
	close(from);
	close(to);
	free(bytes);
	from = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	to = open(in(f, "c"), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(fd_copy(from, to, NULL), 0);
	assert_int_equal(file_read(&f->a, in(f, "c"), 1 << 20, &out, NULL), 0);
	assert_true(str_starts(out, STR("Name:")));
	close(from);
	close(to);
}

static void free_space_is_told(void **state)
{
	struct fixture *f = *state;
	uint64_t here = 0, below = 0;

	assert_int_equal(disk_free(f->dir, &here, NULL), 0);
	assert_int_equal(disk_free(in(f, "not/yet/there"), &below, NULL), 0);
	assert_true(here > 0 && below > 0);
}

/* --- removing and walking --------------------------------------------------------------- */

static void links_are_not_followed_when_removing(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(dir_make(in(f, "keep/sub"), NULL), 0);
	assert_int_equal(file_write(in(f, "keep/file"), STR("x"), 0644, NULL), 0);
	assert_int_equal(dir_make(in(f, "tree/sub"), NULL), 0);
	assert_int_equal(symlinkat("../keep", f->fd, "tree/link"), 0);
	assert_int_equal(symlinkat("../../keep/file", f->fd, "tree/sub/link"), 0);
	assert_int_equal(symlinkat("keep", f->fd, "link"), 0);
	assert_int_equal(dir_remove(in(f, "tree"), NULL), 0);
	assert_int_equal(dir_remove(in(f, "link/"), NULL), 0);
	assert_false(path_exists(in(f, "tree")));
	assert_false(path_exists(in(f, "link")));
	assert_true(path_exists(in(f, "keep/file")));
	assert_true(path_exists(in(f, "keep/sub")));
	assert_int_equal(dir_remove(in(f, "keep/file"), NULL), 0);
	assert_int_equal(dir_remove(in(f, "keep/file"), NULL), 0);
	assert_int_equal(dir_remove_at(f->fd, "keep", NULL), 0);
	assert_int_equal(entries(f->dir), 0);
}

static void deep_trees_are_removed(void **state)
{
	enum { DEPTH = 3000 };
	struct fixture *f = *state;
	int at = dup(f->fd);

	for (int i = 0; i < DEPTH; i++) {
		int next;

		assert_int_equal(mkdirat(at, "d", 0755), 0);
		assert_int_equal(symlinkat("/", at, "link"), 0);
		next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(at);
		at = next;
	}
	close(at);
	assert_int_equal(dir_remove(in(f, "d"), NULL), 0);
	assert_false(path_exists(in(f, "d")));
}

static void wide_folders_are_removed(void **state)
{
	struct fixture *f = *state;
	struct arena a = {0};

	assert_int_equal(dir_make(in(f, "wide"), NULL), 0);
	for (int i = 0; i < 2000; i++)
		assert_int_equal(mkdirat(f->fd, arena_printf(&a, "wide/%d", i), 0755), 0);
	assert_int_equal(dir_remove(in(f, "wide"), NULL), 0);
	assert_false(path_exists(in(f, "wide")));
	arena_release(&a);
}

/* As somebody to whom modes mean something: root passes through them all. */
static int remove_unreadable(const char *dir)
{
	struct arena a = {0};

	if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
		return 77;
	if (dir_make(path_join(&a, dir, "tree/work/work/deep"), NULL) < 0 ||
		dir_make(path_join(&a, dir, "tree/readonly/sub"), NULL) < 0 ||
		chmod(path_join(&a, dir, "tree/work/work/deep"), 0) < 0 ||
		chmod(path_join(&a, dir, "tree/work/work"), 0) < 0 ||
		chmod(path_join(&a, dir, "tree/readonly"), 0555) < 0 ||
		chmod(path_join(&a, dir, "tree"), 0) < 0)
		return 2;
	if (dir_remove(path_join(&a, dir, "tree"), NULL) < 0)
		return 3;
	return path_exists(path_join(&a, dir, "tree")) ? 4 : 0;
}

static void unreadable_folders_are_removed(void **state)
{
	struct fixture *f = *state;
	int status = 0;
	pid_t pid;

	assert_int_equal(chmod(f->dir, 0777), 0);
	pid = fork();
	if (pid == 0)
		_exit(remove_unreadable(f->dir));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		puts("# skip unreadable_folders_are_removed: the user cannot be changed here");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

struct visits {
	struct buf seen;
	const char *skip, *stop;
};

static int visit(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct visits *v = ctx;

	(void)e;
	buf_printf(&v->seen, "%s%s ", rel,
		S_ISDIR(st->st_mode)   ? "/"
		: S_ISLNK(st->st_mode) ? "@"
				       : "");
	if (v->stop && strcmp(rel, v->stop) == 0)
		return 42;
	return v->skip && strcmp(rel, v->skip) == 0 ? DIR_SKIP : 0;
}

static void a_walk_is_in_byte_order(void **state)
{
	struct fixture *f = *state;
	struct visits v = {0};

	assert_int_equal(dir_make(in(f, "b/x"), NULL), 0);
	assert_int_equal(dir_make(in(f, "a"), NULL), 0);
	assert_int_equal(dir_make(in(f, "B"), NULL), 0);
	assert_int_equal(file_write(in(f, "a/1"), STR(""), 0644, NULL), 0);
	assert_int_equal(file_write(in(f, "a.txt"), STR(""), 0644, NULL), 0);
	assert_int_equal(file_write(in(f, "\xc3\xa9"), STR(""), 0644, NULL), 0);
	assert_int_equal(symlinkat("a", f->fd, "b/link"), 0);
	for (int i = 0; i < 2; i++) { /* the descriptor can be walked again */
		buf_clear(&v.seen);
		assert_int_equal(dir_walk(f->fd, visit, &v, NULL), 0);
		assert_string_equal(v.seen.p, "B/ a/ a/1 a.txt b/ b/link@ b/x/ \xc3\xa9 ");
	}
	v.skip = "a";
	v.stop = "b/link";
	buf_clear(&v.seen);
	assert_int_equal(dir_walk(f->fd, visit, &v, NULL), 42);
	assert_string_equal(v.seen.p, "B/ a/ a.txt b/ b/link@ ");
	buf_release(&v.seen);
}

static void an_empty_folder_is_walked(void **state)
{
	struct fixture *f = *state;
	struct visits v = {0};

	assert_int_equal(dir_walk(f->fd, visit, &v, NULL), 0);
	assert_int_equal(v.seen.n, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_joined_and_split),
		cmocka_unit_test(absolute_paths_are_plain),
		cmocka_unit_test(unsafe_paths_are_known),
		cmocka_unit_test(a_path_has_a_maximum),
		TEST(files_are_read_whole),
		TEST(files_without_a_size_are_read_too),
		TEST(reading_errors_name_the_path),
		TEST(a_file_has_its_hashes),
		TEST(a_file_appears_whole_or_not_at_all),
		TEST(an_aborted_file_leaves_nothing),
		TEST(a_failed_commit_leaves_the_old_file),
		TEST(modes_follow_the_umask),
		TEST(the_longest_name_can_be_written),
		TEST(a_link_is_replaced_not_followed),
		TEST(what_is_no_file_is_not_replaced),
		TEST(folders_are_made_below_a_descriptor),
		TEST(temporary_folders_are_new),
		TEST(bytes_are_copied),
		TEST(free_space_is_told),
		TEST(links_are_not_followed_when_removing),
		TEST(deep_trees_are_removed),
		TEST(wide_folders_are_removed),
		TEST(unreadable_folders_are_removed),
		TEST(a_walk_is_in_byte_order),
		TEST(an_empty_folder_is_walked),
	};

	return cmocka_run_group_tests_name("base/file", tests, NULL, NULL);
}
