#include "builder/change_busy.h"

#include "base/buf.h"
#include "base/file.h"
#include "builder/installed.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { MAX_MARK = 4096, TRIES = 20 };

struct mark {
	struct str pid, host, since;
};

static void host_name(char out[256])
{
	if (gethostname(out, 255) < 0 || !out[0])
		snprintf(out, 256, "localhost");
	out[255] = '\0';
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Is the open file still the one of that name? */
static bool still_named(int dir, const char *name, int fd)
{
	struct stat open_st, named;

	return fstat(fd, &open_st) == 0 && fstatat(dir, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       same_file(&open_st, &named);
}

/* "PID\nHOST\nSINCE\n" */
static struct mark parse_mark(struct arena *a, int dir)
{
	struct str text = {0};
	struct mark m = {0};

	if (file_read_at(a, dir, BUSY_MARK, MAX_MARK, &text, NULL) < 0)
		return m;
	m.pid = str_cut(&text, '\n');
	m.host = str_cut(&text, '\n');
	m.since = str_cut(&text, '\n');
	return m;
}

static char *describe(struct arena *a, int dir)
{
	static const struct str NOTHING = STR_INIT("?");
	struct mark m = parse_mark(a, dir);

	return arena_printf(a, "process %.*s on host '%.*s' since %.*s",
		STR_ARG(m.pid.n ? m.pid : NOTHING), STR_ARG(m.host.n ? m.host : NOTHING),
		STR_ARG(m.since.n ? m.since : NOTHING));
}

static int fail_busy(struct arena *a, int dir, const char *path, bool elsewhere, struct err *e)
{
	err_set(e, ERR_FAIL, "another envbuild works in '%s': %s", path, describe(a, dir));
	if (elsewhere)
		return err_advise(e,
			"wait for it; where that process is surely gone, remove '%s/" BUSY_MARK "'",
			path);
	return err_advise(e, "wait until it is done");
}

/* Our own mark under a name of its own, locked: a descriptor. */
static int make_mark(int dir, const char *temp, const char *path, struct err *e)
{
	CLEANUP_BUF text = {0};
	char host[256], since[32];
	time_t now = time(NULL);
	struct tm tm;

	host_name(host);
	gmtime_r(&now, &tm);
	strftime(since, sizeof since, "%Y-%m-%d %H:%M:%SZ", &tm);
	buf_printf(&text, "%ld\n%s\n%s\n", (long)getpid(), host, since);
	unlinkat(dir, temp, 0);
	/* Where locks are refused, the mark alone must do. */
	CLEANUP_FD fd = file_make_guard(dir, temp, 0644);
	if (fd < 0)
		return err_sys(e, "cannot write in '%s'", path);
	if (write_full(fd, text.p, text.n, e) < 0)
		return -1;
	return steal_fd(&fd);
}

static bool is_of_this_host(struct arena *a, int dir)
{
	struct mark m = parse_mark(a, dir);
	char host[256];

	host_name(host);
	return m.pid.n == 0 || str_is(m.host, host);
}

/* Where locks are refused: is there a process of that number? */
static bool pid_lives(struct arena *a, int dir)
{
	uint64_t pid;

	return str_u64(parse_mark(a, dir).pid, INT32_MAX, &pid) == 0 && pid > 0 &&
	       (kill((pid_t)pid, 0) == 0 || errno != ESRCH);
}

/* Does a process of this host hold the mark that is open as fd?  Takes its lock where not. */
static bool is_held(struct arena *a, int dir, int fd, int lock)
{
	if (flock(fd, lock | LOCK_NB) == 0)
		return false;
	return errno == EWOULDBLOCK || (is_of_this_host(a, dir) && pid_lives(a, dir));
}

/*
 * Removes the mark of a dead process: 1 it is gone, 0 somebody lives (or may: *elsewhere).  Who
 * holds the lock of the file that still has the name is the only one to remove it.
 */
static int remove_dead(struct arena *a, int dir, bool *elsewhere)
{
	CLEANUP_FD fd = openat(dir, BUSY_MARK, O_RDWR | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT;
	if (is_held(a, dir, fd, LOCK_EX))
		return 0;
	if (!still_named(dir, BUSY_MARK, fd))
		return 1;
	*elsewhere = !is_of_this_host(a, dir);
	if (*elsewhere)
		return 0;
	return unlinkat(dir, BUSY_MARK, 0) == 0 || errno == ENOENT;
}

/* The mark appears whole and only where there is none, also where files have but one name. */
static int show(int dir, const char *temp)
{
	if (linkat(dir, temp, dir, BUSY_MARK, 0) == 0)
		return 0;
	if (errno == EEXIST || errno == ENOENT)
		return -1;
	int why = errno;
	if (renameat2(dir, temp, dir, BUSY_MARK, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno == EINVAL || errno == ENOSYS)
		errno = why;
	return -1;
}

static int take(struct arena *a, int dir, const char *temp, const char *path, struct err *e)
{
	bool elsewhere = false;

	for (int i = 0; i < TRIES; i++) {
		if (show(dir, temp) == 0)
			return 0;
		if (errno != EEXIST && errno != ENOENT)
			return err_sys(e, "cannot write '" BUSY_MARK "' in '%s'", path);
		if (!remove_dead(a, dir, &elsewhere))
			break;
	}
	return fail_busy(a, dir, path, elsewhere, e);
}

/* Marks that were being made when their process was killed: nobody holds them. */
static int sweep(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	int dir = *(int *)ctx;

	(void)e;
	if (S_ISREG(st->st_mode) && str_starts(str_of(rel), STR(BUSY_MARK "."))) {
		CLEANUP_FD fd = openat(dir, rel, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			unlinkat(dir, rel, 0);
	}
	return S_ISDIR(st->st_mode) ? DIR_SKIP : 0;
}

int busy_take(struct busy *b, int dir, const char *path, struct err *e)
{
	CLEANUP_ARENA a = {0};
	char host[256];

	*b = (struct busy){dir, -1};
	host_name(host);
	char *temp = arena_printf(&a, BUSY_MARK ".%.64s.%ld", host, (long)getpid());
	for (char *p = temp; *p; p++)
		if (*p == '/')
			*p = '_';
	CLEANUP_FD fd = make_mark(dir, temp, path, e);
	int rc = fd < 0 ? -1 : take(&a, dir, temp, path, e);
	unlinkat(dir, temp, 0);
	if (rc < 0)
		return -1;
	b->mark = steal_fd(&fd);
	dir_walk(dir, sweep, &dir, NULL);
	return 0;
}

void busy_release(struct busy *b)
{
	if (b->mark < 0)
		return;
	if (still_named(b->dir, BUSY_MARK, b->mark))
		unlinkat(b->dir, BUSY_MARK, 0);
	fd_cleanup(&b->mark);
	b->mark = -1;
}

char *busy_who(struct arena *a, int dir)
{
	CLEANUP_FD fd = openat(dir, BUSY_MARK, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	if (!is_held(a, dir, fd, LOCK_SH) && is_of_this_host(a, dir))
		return NULL;
	return describe(a, dir);
}
