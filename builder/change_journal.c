#include "builder/change_journal.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/table.h"
#include "builder/beneath.h"
#include "builder/installed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PLAN      TRANSACTION_DIR "/plan"
#define COMMITTED TRANSACTION_DIR "/committed"
#define OLD       TRANSACTION_DIR "/old"

/*
 * The file: the line of MAGIC; then for each path a letter, the path, a NUL (for K a second path and
 * its NUL); at the end END and a NUL.  Letters: D drop, A add, M made, L left, K keep, C (no path)
 * code ran.
 */
static const char MAGIC[] = "envbuild change 1\n";
enum { END = '.', MAX_JOURNAL = 1 << 30 };

/* --- writing ------------------------------------------------------------------------------ */

static void add_paths(struct buf *to, char letter, const struct path_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		buf_putc(to, letter);
		buf_str(to, set->v[i]);
		buf_putc(to, '\0');
	}
}

static void encode(const struct journal *j, struct buf *to)
{
	buf_puts(to, MAGIC);
	add_paths(to, 'D', &j->drop);
	add_paths(to, 'A', &j->add);
	add_paths(to, 'M', &j->made);
	add_paths(to, 'L', &j->left);
	for (size_t i = 0; i < j->keep.n; i++) {
		buf_putc(to, 'K');
		buf_str(to, j->keep.v[i].path);
		buf_putc(to, '\0');
		buf_str(to, j->keep.v[i].to);
		buf_putc(to, '\0');
	}
	if (j->ran_code)
		buf_add(to, "C", 2);
	buf_putc(to, END);
	buf_putc(to, '\0');
}

int journal_write(int fd, const char *prefix, const struct journal *j, struct err *e)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF text = {0};

	encode(j, &text);
	if (dir_make_at(fd, OLD, e) < 0)
		return -1;
	return file_write(path_join(&a, prefix, PLAN), buf_view(&text), 0600, e);
}

/* --- reading ------------------------------------------------------------------------------ */

static int damaged(const char *name, struct err *e)
{
	err_set(e, ERR_INTEGRITY, "'%s' is damaged", name);
	return err_advise(e, "install into a new folder");
}

static struct path_set *set_of(struct journal *j, char letter)
{
	switch (letter) {
	case 'D':
		return &j->drop;
	case 'A':
		return &j->add;
	case 'M':
		return &j->made;
	case 'L':
		return &j->left;
	}
	return NULL;
}

/* 1: that was the end; 0; -1: damaged */
static int decode_one(struct arena *a, struct str *rest, struct journal *j)
{
	struct str item = str_cut(rest, '\0'), path = str_sub(item, 1, item.n);
	struct path_set *set = item.n ? set_of(j, item.p[0]) : NULL;

	if (item.n == 1 && item.p[0] == END)
		return rest->n == 0 ? 1 : -1;
	if (item.n == 1 && item.p[0] == 'C') {
		j->ran_code = true;
		return 0;
	}
	if (!path_is_safe(path))
		return -1;
	if (set) {
		*VEC_PUSH(a, set) = path;
		return 0;
	}
	if (item.p[0] != 'K' || !rest->p)
		return -1;
	struct str to = str_cut(rest, '\0');
	*VEC_PUSH(a, &j->keep) = (struct kept_path){path, to};
	return path_is_safe(to) ? 0 : -1;
}

static int read_journal(
	struct arena *a, int fd, const char *name, struct journal *out, struct err *e)
{
	struct str text, magic = str_of(MAGIC);
	int rc = 0;

	if (file_read_at(a, fd, name, MAX_JOURNAL, &text, e) < 0)
		return -1;
	if (!str_starts(text, magic))
		return damaged(name, e);
	text = str_sub(text, magic.n, text.n);
	while (rc == 0 && text.p)
		rc = decode_one(a, &text, out);
	return rc == 1 ? 0 : damaged(name, e);
}

/* --- moving ------------------------------------------------------------------------------- */

/* Is it that there is nothing of that name, rather than that it cannot be reached? */
static bool is_absent(int error)
{
	return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

static bool is_there(struct beneath *b, struct str path)
{
	struct stat st;
	char name[256];
	int dir = beneath_parent(b, path, name, NULL);

	return dir >= 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int open_old(int fd, struct err *e)
{
	int old = openat(fd, OLD, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (old < 0)
		err_sys(e, "cannot open '" OLD "'");
	return old;
}

static int move_one(struct beneath *from, struct beneath *to, struct str path, struct err *e)
{
	char name[256], target[256];
	int dir = beneath_parent(from, path, name, NULL);

	if (dir < 0) {
		if (is_absent(errno))
			return 0;
		return err_sys(e, "cannot reach '%.*s'", STR_ARG(path));
	}
	int aside = beneath_parent(to, path, target, e);
	if (aside < 0)
		return -1;
	if (renameat(dir, name, aside, target) == 0 || errno == ENOENT)
		return 0;
	return err_sys(e, "cannot move '%.*s' out of the way", STR_ARG(path));
}

int journal_move(int fd, const struct journal *j, size_t from, struct err *e)
{
	CLEANUP_FD old = open_old(fd, e);
	struct beneath source, target;
	int rc = 0;

	if (old < 0)
		return -1;
	beneath_init(&source, fd, false);
	beneath_init(&target, old, true);
	for (size_t i = from; i < j->drop.n && rc == 0; i++)
		rc = move_one(&source, &target, j->drop.v[i], e);
	beneath_release(&source);
	beneath_release(&target);
	return rc;
}

/* --- undoing ------------------------------------------------------------------------------ */

/* Something else than what we make there, such as a folder, stays. */
static int remove_new(struct beneath *b, struct str path, struct err *e)
{
	char name[256];
	int dir = beneath_parent(b, path, name, NULL);

	if (dir < 0 && is_absent(errno))
		return 0;
	if (dir < 0 || (unlinkat(dir, name, 0) < 0 && errno != ENOENT && errno != EISDIR))
		return err_sys(e, "cannot remove '%.*s'", STR_ARG(path));
	return 0;
}

/* Deepest first, since the list is sorted; what is not empty stays. */
static void remove_folders(int fd, const struct path_set *set)
{
	struct beneath b;
	char name[256];

	beneath_init(&b, fd, false);
	for (size_t i = set->n; i-- > 0;) {
		int dir = beneath_parent(&b, set->v[i], name, NULL);
		if (dir >= 0)
			unlinkat(dir, name, AT_REMOVEDIR);
	}
	beneath_release(&b);
}

static int restore(struct beneath *old, struct beneath *to, struct str path, struct err *e)
{
	char name[256], target[256];
	int aside = beneath_parent(old, path, name, NULL), dir;
	struct stat st;

	if (aside < 0 || fstatat(aside, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (is_absent(errno))
			return 0;
		return err_sys(e, "cannot reach what was '%.*s'", STR_ARG(path));
	}
	dir = beneath_parent(to, path, target, e);
	if (dir < 0)
		return -1;
	if (renameat(aside, name, dir, target) == 0)
		return 0;
	/* A script may have made a folder there. */
	if (errno == EISDIR && dir_remove_at(dir, target, e) < 0)
		return -1;
	if (renameat(aside, name, dir, target) < 0)
		return err_sys(e, "cannot bring back '%.*s'", STR_ARG(path));
	return 0;
}

static int undo_paths(int fd, int old, const struct journal *j, struct err *e)
{
	CLEANUP_ARENA a = {0};
	struct table dropped = {.arena = &a};
	struct beneath from, to;
	int rc = 0;

	for (size_t i = 0; i < j->drop.n; i++)
		table_put(&dropped, j->drop.v[i]);
	beneath_init(&to, fd, false);
	for (size_t i = 0; i < j->add.n && rc == 0; i++)
		if (!table_get(&dropped, j->add.v[i]))
			rc = remove_new(&to, j->add.v[i], e);
	beneath_release(&to);
	if (rc < 0)
		return -1;
	remove_folders(fd, &j->made);
	beneath_init(&from, old, false);
	beneath_init(&to, fd, true);
	for (size_t i = 0; i < j->drop.n && rc == 0; i++)
		rc = restore(&from, &to, j->drop.v[i], e);
	beneath_release(&from);
	beneath_release(&to);
	return rc;
}

/* The plan goes last, so that this may be killed too. */
static int remove_journal(int fd, const char *name, struct err *e)
{
	if (dir_remove_at(fd, OLD, e) < 0)
		return -1;
	if (name && unlinkat(fd, name, 0) < 0 && errno != ENOENT)
		return err_sys(e, "cannot remove '%s'", name);
	return dir_remove_at(fd, TRANSACTION_DIR, e);
}

static int undo(int fd, struct journal *j, struct err *e)
{
	struct arena a = {0};
	CLEANUP_FD old = open_old(fd, NULL);
	int rc = read_journal(&a, fd, PLAN, j, e);

	if (rc == 0 && old >= 0)
		rc = undo_paths(fd, old, j, e);
	if (rc == 0)
		rc = remove_journal(fd, PLAN, e);
	arena_release(&a);
	return rc;
}

int journal_undo(int fd, struct err *e)
{
	struct journal j = {0};

	interrupt_hold();
	int rc = undo(fd, &j, e);
	interrupt_release();
	return rc;
}

/* --- completing --------------------------------------------------------------------------- */

int journal_commit(int fd, struct err *e)
{
	if (renameat(fd, PLAN, fd, COMMITTED) < 0)
		return err_sys(e, "cannot commit the change");
	CLEANUP_FD dir = openat(fd, TRANSACTION_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0 && !getenv("ENVBUILD_NO_FSYNC"))
		fsync(dir);
	return 0;
}

static int keep_one(
	struct beneath *old, struct beneath *to, const struct kept_path *k, struct err *e)
{
	char name[256], target[256];

	if (!is_there(old, k->path))
		return 0;
	int aside = beneath_parent(old, k->path, name, e);
	int dir = aside < 0 ? -1 : beneath_parent(to, k->to, target, e);
	if (dir < 0)
		return -1;
	if (renameat(aside, name, dir, target) < 0)
		return err_sys(e, "cannot keep '%.*s'", STR_ARG(k->to));
	return 0;
}

static int keep_all(int fd, const struct journal *j, struct err *e)
{
	CLEANUP_FD old = open_old(fd, NULL);
	struct beneath from, to;
	int rc = 0;

	if (old < 0)
		return 0;
	beneath_init(&from, old, false);
	beneath_init(&to, fd, true);
	for (size_t i = 0; i < j->keep.n && rc == 0; i++)
		rc = keep_one(&from, &to, &j->keep.v[i], e);
	beneath_release(&from);
	beneath_release(&to);
	return rc;
}

static int finish(int fd, struct err *e)
{
	struct arena a = {0};
	struct journal j = {0};
	int rc = read_journal(&a, fd, COMMITTED, &j, e);

	if (rc == 0)
		rc = keep_all(fd, &j, e);
	if (rc == 0) {
		remove_folders(fd, &j.left);
		rc = remove_journal(fd, COMMITTED, e);
	}
	arena_release(&a);
	return rc;
}

int journal_finish(int fd, struct err *e)
{
	interrupt_hold();
	int rc = finish(fd, e);
	interrupt_release();
	return rc;
}

/* A link in its place would lead what is renamed and removed to somewhere else. */
static int check_folders(int fd, struct err *e)
{
	static const char *const folders[] = {"conda-meta", TRANSACTION_DIR, OLD};
	struct stat st;

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		if (fstatat(fd, folders[i], &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode))
			return err_set(e, ERR_INTEGRITY, "'%s' is no folder", folders[i]);
	return 0;
}

int journal_recover(int fd, enum journal_state *out, bool *ran_code, struct err *e)
{
	struct journal j = {0};
	struct stat st;
	int rc = 0;

	*out = JOURNAL_NONE;
	*ran_code = false;
	if (check_folders(fd, e) < 0)
		return -1;
	if (fstatat(fd, TRANSACTION_DIR, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	interrupt_hold();
	if (fstatat(fd, COMMITTED, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		*out = JOURNAL_COMPLETED;
		rc = finish(fd, e);
	} else if (fstatat(fd, PLAN, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		*out = JOURNAL_UNDONE;
		rc = undo(fd, &j, e);
		*ran_code = j.ran_code;
	} else {
		rc = remove_journal(fd, NULL, e);
	}
	interrupt_release();
	return rc;
}
