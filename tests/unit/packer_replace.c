/*
 * A finished archive takes the place of an older one, and is killed at each call that changes
 * something: who reads then gets the old one, the new one or an error, and who does it again gets
 * the new one alone.
 */
#include "packer/replace.h"

#include "base/file.h"
#include "packer/parts.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- calls that kill -------------------------------------------------------------------------- */

static int calls_left = -1; /* -1: all */
static bool exchanges = true;

static void count(void)
{
	if (calls_left == 0)
		_exit(77);
	if (calls_left > 0)
		calls_left--;
}

int rename(const char *from, const char *to)
{
	count();
	return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int renameat2(int a, const char *from, int b, const char *to, unsigned flags)
{
	count();
	if (exchanges)
		return (int)syscall(SYS_renameat2, a, from, b, to, flags);
	errno = EINVAL;
	return -1;
}

int unlink(const char *path)
{
	count();
	return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

/* --- sets ------------------------------------------------------------------------------------- */

static char dir[64];
static struct arena arena;

static char *at(const char *name)
{
	return path_join(&arena, dir, name);
}

/* n 0: nothing, 1: a whole, others: n - 1 parts. */
static const char *make_set(const char *name, char letter, size_t n)
{
	char *all = arena_strdup(&arena, "");

	for (size_t i = 0; i < (n == 1 ? 1 : n - 1) && n; i++) {
		char *text = arena_printf(&arena, "<%c%zu of %zu>", letter, i, n);

		all = arena_printf(&arena, "%s%s", all, text);
		assert_int_equal(file_write(n == 1 ? at(name) : part_path(&arena, at(name), i),
					 str_of(text), 0644, NULL),
			0);
	}
	return all;
}

/* What a reader gets; NULL: an error. */
static const char *read_set(const char *operand)
{
	struct archive_parts parts;
	struct archive_file *f;
	char *text;

	if (archive_parts_find(&arena, at(operand), &parts, NULL) < 0 ||
		!(f = archive_file_open(&parts, NULL)))
		return NULL;
	text = arena_alloc(&arena, parts.bytes + 1);
	assert_int_equal(archive_file_pread(f, text, parts.bytes, 0, NULL), parts.bytes);
	archive_file_close(f);
	return text;
}

/* cat a.tar.* */
static const char *cat_all(void)
{
	char *all = arena_strdup(&arena, "");
	glob_t found;

	if (glob(at("a.tar.*"), 0, NULL, &found) != 0)
		return NULL;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct str text;

		assert_int_equal(file_read(&arena, found.gl_pathv[i], 100, &text, NULL), 0);
		all = arena_printf(&arena, "%s%.*s", all, STR_ARG(text));
	}
	globfree(&found);
	return all;
}

static void check_text(const char *how, const char *got, const char *old, const char *new)
{
	if (got && strcmp(got, old) != 0 && strcmp(got, new) != 0)
		fail_msg("%s: '%s', neither '%s' nor '%s'", how, got, old, new);
}

/* What does not begin with a first part is no archive. */
static void check_readers(const char *old, const char *new)
{
	const char *all = cat_all();

	check_text("by its name", read_set("a.tar"), old, new);
	check_text("by the first part", read_set("a.tar.00"), old, new);
	if (all && strncmp(all, old, 3) != 0 && strncmp(all, new, 3) != 0)
		all = NULL;
	check_text("joined by cat", all, old, new);
}

static int put_in_place(size_t n)
{
	return n == 1 ? replace_file(at("temp"), at("a.tar"), NULL)
		      : replace_parts(at("temp"), n - 1, at("a.tar"), NULL);
}

static bool in_child(int (*act)(size_t), size_t n, int kill_at)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		calls_left = kill_at;
		_exit(act(n) < 0 ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 1);
	return WEXITSTATUS(status) == 0;
}

static size_t n_files(void)
{
	size_t n = 0;
	DIR *d = opendir(dir);

	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void begin(void)
{
	snprintf(dir, sizeof dir, "%s/place.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(dir));
}

static void end(void)
{
	assert_int_equal(dir_remove(dir, NULL), 0);
	arena_release(&arena);
}

static void one_kill(size_t old_n, size_t new_n, int kill_at, bool *killed)
{
	const char *old, *new;

	begin();
	old = make_set("a.tar", 'o', old_n);
	new = make_set("temp", 'n', new_n);
	*killed = !in_child(put_in_place, new_n, kill_at);
	check_readers(old, new);
	if (*killed) { /* the next run makes it anew */
		for (size_t i = 0; i < 10; i++)
			unlink(part_path(&arena, at("temp"), i));
		unlink(at("temp"));
		make_set("temp", 'n', new_n);
		assert_int_equal(put_in_place(new_n), 0);
	}
	assert_string_equal(read_set("a.tar"), new);
	assert_int_equal(n_files(), new_n == 1 ? 1 : new_n - 1);
	end();
}

static void archives(void **state)
{
	static const size_t olds[] = {0, 1, 2, 4, 7}, news[] = {1, 2, 4};
	int kills = 0;

	(void)state;
	for (size_t o = 0; o < sizeof olds / sizeof *olds; o++)
		for (size_t n = 0; n < sizeof news / sizeof *news; n++) {
			bool killed = true;

			for (int at_call = 0; killed; at_call++) {
				one_kill(olds[o], news[n], at_call, &killed);
				kills += killed;
			}
		}
	assert_true(kills > 60);
}

/* --- folders ---------------------------------------------------------------------------------- */

static void make_folder(const char *name, const char *text)
{
	assert_int_equal(
		dir_make(at(arena_printf(&arena, "%s/conda-meta/envbuild", name)), NULL), 0);
	assert_int_equal(
		file_write(at(arena_printf(&arena, "%s/conda-meta/envbuild/manifest.json", name)),
			str_of(text), 0644, NULL),
		0);
}

static const char *read_folder(const char *name)
{
	struct str text;

	if (file_read(&arena,
		    at(arena_printf(&arena, "%s/conda-meta/envbuild/manifest.json", name)), 100,
		    &text, NULL) < 0)
		return NULL;
	return text.p;
}

static int put_folder(size_t n)
{
	(void)n;
	return replace_folder(at("temp"), at("a"), at("aside"), NULL);
}

static void folders(void **state)
{
	(void)state;
	for (int way = 0; way < 4; way++) {
		bool killed = true, old = way & 1;

		exchanges = way & 2;
		for (int at_call = 0; killed; at_call++) {
			const char *got;

			begin();
			if (old)
				make_folder("a", "old");
			make_folder("temp", "new");
			killed = !in_child(put_folder, 0, at_call);
			got = read_folder("a");
			/* Without an exchange there is none for a moment. */
			assert_true(got ? strcmp(got, "new") == 0 || strcmp(got, "old") == 0
					: !old || !exchanges);
			assert_true(killed || (strcmp(got, "new") == 0 && n_files() == 1));
			end();
		}
	}
	exchanges = true;
}

static int checked(const char *name)
{
	struct err e = {0};
	int rc = replace_check_folder(at(name), &e);
	int status = rc < 0 ? err_exit_status(e.code) : 0;

	err_release(&e);
	return status;
}

static void other_things(void **state)
{
	(void)state;
	begin();
	assert_int_equal(checked("nothing"), 0);
	make_folder("ours", "x");
	assert_int_equal(checked("ours"), 0);
	assert_int_equal(dir_make(at("theirs/conda-meta"), NULL), 0);
	assert_int_equal(checked("theirs"), 2);
	assert_int_equal(file_write(at("file"), STR("x"), 0644, NULL), 0);
	assert_int_equal(checked("file"), 2);
	assert_int_equal(symlink("ours", at("link")), 0);
	assert_int_equal(checked("link"), 2);
	make_folder("temp", "new");
	assert_int_equal(replace_folder(at("temp"), at("theirs"), at("aside"), NULL), -1);
	assert_true(path_exists(at("theirs/conda-meta")));
	end();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(archives),
		cmocka_unit_test(folders),
		cmocka_unit_test(other_things),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
