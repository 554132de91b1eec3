/*
 * For tests of the solver: folders and files of the test's own, tables of tests/data, locks.
 */
#ifndef TESTS_SOLVER_FILES_H
#define TESTS_SOLVER_FILES_H

#include "base/buf.h"
#include "base/file.h"
#include "solver/lock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define UNUSED __attribute__((unused))

/* A fresh folder; the caller removes it with dir_remove(). */
UNUSED static char *fresh_dir(struct arena *a)
{
	struct err e = {0};
	const char *tmp = getenv("TMPDIR");
	char *dir = dir_temp(a, tmp ? tmp : "/tmp", "solver-test", &e);

	if (!dir)
		fail_msg("%s", e.text);
	return dir;
}

/* A file below dir, with the folders it needs. */
UNUSED static void put_file(struct arena *a, const char *dir, const char *rel, const char *text)
{
	char *path = path_join(a, dir, rel);
	struct err e = {0};

	if (dir_make(path_dir(a, path), &e) < 0 || file_write(path, str_of(text), 0644, &e) < 0)
		fail_msg("%s", e.text);
}

/* A file of tests/data. */
UNUSED static struct str read_table(struct arena *a, const char *path)
{
	struct err e = {0};
	struct str text;

	if (file_read(a, path, 16 << 20, &text, &e) < 0)
		fail_msg("%s", e.text);
	return text;
}

/* The next line that is neither empty nor a comment; false at the end. */
UNUSED static bool next_line(struct str *rest, struct str *line)
{
	while (rest->n) {
		*line = str_cut(rest, '\n');
		if (line->n && line->p[0] != '#')
			return true;
	}
	return false;
}

UNUSED static struct str write_lock(struct arena *a, const struct lock *lock)
{
	struct buf b = {0};
	struct str text;

	lock_write(lock, &b);
	text = arena_str(a, buf_view(&b));
	buf_release(&b);
	return text;
}

UNUSED static struct lock parse_lock(struct arena *a, struct str text)
{
	struct lock lock;
	struct err e = {0};

	if (lock_parse(a, "test.lock", text, &lock, &e) < 0)
		fail_msg("%s", e.text);
	return lock;
}

/* Fails with the first place where the texts differ. */
UNUSED static void check_same(struct str a, struct str b)
{
	size_t i = 0;

	while (i < a.n && i < b.n && a.p[i] == b.p[i])
		i++;
	if (i == a.n && i == b.n)
		return;
	i = i < 60 ? 0 : i - 60;
	fail_msg("they differ:\n%.*s\nand:\n%.*s", STR_ARG(str_sub(a, i, i + 120)),
		STR_ARG(str_sub(b, i, i + 120)));
}

#endif
