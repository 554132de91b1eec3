#include "images/throwaway.h"

#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

/* --- comparing ------------------------------------------------------------------------------ */

static bool same_bytes(int a, int b)
{
	char x[32768], y[32768];

	for (;;) {
		ssize_t n = read_full(a, x, sizeof x), m = read_full(b, y, sizeof y);

		if (n < 0 || n != m || memcmp(x, y, (size_t)n) != 0)
			return false;
		if (n < (ssize_t)sizeof x)
			return true;
	}
}

static bool same_link(int dir_a, int dir_b, const char *rel)
{
	char x[4096], y[4096];
	ssize_t n = readlinkat(dir_a, rel, x, sizeof x), m = readlinkat(dir_b, rel, y, sizeof y);

	return n >= 0 && n == m && memcmp(x, y, (size_t)n) == 0;
}

/* A file that cannot be read counts as another one. */
static bool same_content(int dir_a, int dir_b, const char *rel)
{
	CLEANUP_FD a = openat(dir_a, rel, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	CLEANUP_FD b = openat(dir_b, rel, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	return a >= 0 && b >= 0 && same_bytes(a, b);
}

static bool same_time(const struct stat *a, const struct stat *b)
{
	return a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* trust_times: an equal time and size is enough (a copy keeps times, an upper does too). */
static bool same_entry(int dir_a, const struct stat *a, int dir_b, const struct stat *b,
	const char *rel, bool trust_times)
{
	/* a folder's copy is always open to its owner, a link's mode means nothing */
	mode_t ignored = S_ISDIR(a->st_mode) ? 0700 : S_ISLNK(a->st_mode) ? 07777 : 0;

	if ((a->st_mode | ignored) != (b->st_mode | ignored))
		return false;
	if (S_ISLNK(a->st_mode))
		return same_link(dir_a, dir_b, rel);
	if (!S_ISREG(a->st_mode))
		return true;
	if (a->st_size != b->st_size)
		return false;
	return (trust_times && same_time(a, b)) || same_content(dir_a, dir_b, rel);
}

/* --- what was changed ----------------------------------------------------------------------- */

struct compare {
	struct arena *a;
	struct changes *out;
	int here, there; /* what is walked, and what it is compared with */
	struct str skip; /* relative; empty: none */
};

static void add_change(struct compare *c, const char *rel)
{
	*VEC_PUSH(c->a, c->out) = arena_str(c->a, str_of(rel));
}

/* overlayfs: a device 0:0 stands for a removed path. */
static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

/* overlayfs: a folder that replaces the lower one instead of adding to it. */
static bool is_opaque(int dir, const char *rel)
{
	CLEANUP_FD fd = openat(dir, rel, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char value = 0;

	/* trusted: an overlay that podman or docker has mounted for root */
	return fd >= 0 &&
	       (fgetxattr(fd, "user.overlay.opaque", &value, 1) == 1 ||
		       fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1) &&
	       value == 'y';
}

/* What is thrown away may be locked, even for its owner; its mode has been looked at. */
static void unlock_folder(int dir, const char *rel, const struct stat *st)
{
	if (S_ISDIR(st->st_mode) && (st->st_mode & 0500) != 0500 &&
		fchmodat(dir, rel, (st->st_mode & 07777) | 0700, 0) < 0)
		log_debug("'%s' stays locked", rel);
}

static int visit_upper(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct compare *c = ctx;
	struct stat lower;
	bool there = fstatat(c->there, rel, &lower, AT_SYMLINK_NOFOLLOW) == 0;

	(void)e;
	if (is_whiteout(st)) {
		if (there)
			add_change(c, rel);
	} else if (!there || !same_entry(c->here, st, c->there, &lower, rel, false) ||
		   (S_ISDIR(st->st_mode) && is_opaque(c->here, rel))) {
		add_change(c, rel);
	}
	unlock_folder(c->here, rel, st);
	return 0;
}

static bool is_skipped(const struct compare *c, const char *rel)
{
	return c->skip.n > 0 && str_is(c->skip, rel);
}

static int visit_copy(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct compare *c = ctx;
	struct stat original;

	(void)e;
	if (fstatat(c->there, rel, &original, AT_SYMLINK_NOFOLLOW) < 0 ||
		!same_entry(c->here, st, c->there, &original, rel, true))
		add_change(c, rel);
	unlock_folder(c->here, rel, st);
	return 0;
}

static int visit_original(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct compare *c = ctx;
	struct stat copy;

	(void)e;
	if (is_skipped(c, rel))
		return DIR_SKIP;
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode) && !S_ISLNK(st->st_mode))
		return 0;
	if (fstatat(c->there, rel, &copy, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	/* an unreadable file never was in the copy */
	if (S_ISREG(st->st_mode) && faccessat(c->here, rel, R_OK, 0) < 0)
		return 0;
	add_change(c, rel);
	return S_ISDIR(st->st_mode) ? DIR_SKIP : 0;
}

static int open_both(const char *here, const char *there, struct compare *c, struct err *e)
{
	c->here = open(here, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	c->there = open(there, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->here < 0 || c->there < 0)
		return err_sys(e, "cannot open the folder '%s'", c->here < 0 ? here : there);
	return 0;
}

static int close_both(struct compare *c, int r)
{
	fd_cleanup(&c->here);
	fd_cleanup(&c->there);
	if (r == 0 && c->out->n > 0)
		qsort(c->out->v, c->out->n, sizeof *c->out->v, str_cmp_qsort);
	return r;
}

int changes_of_upper(
	struct arena *a, const char *lower, const char *upper, struct changes *out, struct err *e)
{
	struct compare c = {.a = a, .out = out};
	int r = open_both(upper, lower, &c, e);

	if (r == 0)
		r = dir_walk(c.here, visit_upper, &c, e);
	return close_both(&c, r);
}

/* The part of `path` below `dir`, or empty. */
static struct str below(const char *dir, const char *path)
{
	size_t n = strlen(dir);

	if (!path || strncmp(path, dir, n) != 0 || path[n] != '/')
		return (struct str){NULL, 0};
	return str_of(path + n + 1);
}

int changes_of_copy(struct arena *a, const char *original, const char *copy, const char *skip,
	struct changes *out, struct err *e)
{
	struct compare c = {.a = a, .out = out, .skip = below(original, skip)};
	int r = open_both(copy, original, &c, e), swap;

	if (r == 0)
		r = dir_walk(c.here, visit_copy, &c, e);
	swap = c.here;
	c.here = c.there;
	c.there = swap;
	if (r == 0)
		r = dir_walk(c.here, visit_original, &c, e);
	return close_both(&c, r);
}

bool same_file(const char *original, const char *copy)
{
	CLEANUP_FD a = open(original, O_RDONLY | O_CLOEXEC);
	CLEANUP_FD b = open(copy, O_RDONLY | O_CLOEXEC);
	struct stat x, y;

	return a >= 0 && b >= 0 && fstat(a, &x) == 0 && fstat(b, &y) == 0 &&
	       x.st_mode == y.st_mode && same_bytes(a, b);
}

bool same_bytes_in(const char *one, const char *other)
{
	CLEANUP_FD a = open(one, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	CLEANUP_FD b = open(other, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat x, y;

	return a >= 0 && b >= 0 && fstat(a, &x) == 0 && fstat(b, &y) == 0 && S_ISREG(x.st_mode) &&
	       S_ISREG(y.st_mode) && same_bytes(a, b);
}

/* --- copies --------------------------------------------------------------------------------- */

struct copying {
	int from, to;
	struct str skip;
};

static int copy_file(int from_dir, const char *from, int to_dir, const char *to,
	const struct stat *st, struct err *e)
{
	struct timespec times[2] = {st->st_atim, st->st_mtim};
	CLEANUP_FD in = openat(from_dir, from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	CLEANUP_FD out = -1;

	if (in < 0 && errno == EACCES) {
		log_debug("'%s' cannot be read and is left out of the copy", from);
		return 0;
	}
	if (in < 0)
		return err_sys(e, "cannot open '%s' to copy it", from);
	out = openat(to_dir, to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return err_sys(e, "cannot make '%s'", to);
	if (fd_copy(in, out, e) < 0)
		return err_wrap(e, "while copying '%s'", from);
	if (fchmod(out, st->st_mode & 07777) < 0 || futimens(out, times) < 0)
		return err_sys(e, "cannot set the mode of '%s'", to);
	return 0;
}

static int copy_link(const struct copying *c, const char *rel, struct err *e)
{
	char text[4096];
	ssize_t n = readlinkat(c->from, rel, text, sizeof text - 1);

	if (n < 0)
		return err_sys(e, "cannot read the link '%s'", rel);
	text[n] = 0;
	if (symlinkat(text, c->to, rel) < 0)
		return err_sys(e, "cannot make the link '%s'", rel);
	return 0;
}

static int visit_to_copy(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	const struct copying *c = ctx;

	if (c->skip.n > 0 && str_is(c->skip, rel))
		return DIR_SKIP;
	if (S_ISLNK(st->st_mode))
		return copy_link(c, rel, e);
	if (S_ISREG(st->st_mode))
		return copy_file(c->from, rel, c->to, rel, st, e);
	if (!S_ISDIR(st->st_mode))
		return 0;
	if (mkdirat(c->to, rel, 0700) < 0 ||
		fchmodat(c->to, rel, (st->st_mode & 07777) | 0700, 0) < 0)
		return err_sys(e, "cannot make the folder '%s'", rel);
	return 0;
}

static int copy_folder(
	const char *from, const char *to, const char *skip, const struct stat *st, struct err *e)
{
	CLEANUP_FD in = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP_FD out = -1;
	struct copying c = {.from = in, .skip = below(from, skip)};

	if (in < 0)
		return err_sys(e, "cannot open the folder '%s'", from);
	if (mkdir(to, 0700) < 0 || chmod(to, (st->st_mode & 07777) | 0700) < 0)
		return err_sys(e, "cannot make the folder '%s'", to);
	out = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (out < 0)
		return err_sys(e, "cannot open the folder '%s'", to);
	c.to = out;
	if (dir_walk(in, visit_to_copy, &c, e) < 0)
		return err_wrap(e, "while copying '%s'", from);
	return 0;
}

int copy_tree(const char *from, const char *to, const char *skip, struct err *e)
{
	struct stat st;

	if (stat(from, &st) < 0)
		return err_sys(e, "cannot copy '%s'", from);
	if (S_ISDIR(st.st_mode))
		return copy_folder(from, to, skip, &st, e);
	return copy_file(AT_FDCWD, from, AT_FDCWD, to, &st, e);
}
