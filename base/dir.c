#include "base/buf.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	MAX_WALK_DEPTH = 512,   /* one descriptor a level */
	MAX_REMOVE_DEPTH = 100, /* deeper folders are first moved up */
};

/* --- making ----------------------------------------------------------------------------- */

/* Opens the folder `name` below dirfd, made if it is missing; links are followed only on request. */
static int open_or_make(int dirfd, const char *name, int nofollow)
{
	if (mkdirat(dirfd, name, 0777) < 0 && errno != EEXIST)
		return -1;
	return openat(dirfd, name, O_PATH | O_DIRECTORY | O_CLOEXEC | nofollow);
}

static int make_below(int dirfd, const char *path, int nofollow, struct err *e)
{
	CLEANUP_FD at = -1;
	CLEANUP_BUF name = {0};
	struct str rest = str_of(path);

	if (path[0] == '/')
		at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	while (rest.p) {
		struct str part = str_cut(&rest, '/');
		int next;

		if (part.n == 0)
			continue;
		buf_clear(&name);
		buf_str(&name, part);
		next = open_or_make(at >= 0 ? at : dirfd, name.p, nofollow);
		if (next < 0)
			return err_sys(e, "cannot make the folder '%s'", path);
		fd_cleanup(&at);
		at = next;
	}
	return 0;
}

int dir_make(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	return make_below(AT_FDCWD, path, 0, e);
}

int dir_make_at(int dirfd, const char *rel, struct err *e)
{
	return make_below(dirfd, rel, O_NOFOLLOW, e);
}

/* --- removing --------------------------------------------------------------------------- */

struct removal {
	int top; /* the folder being emptied */
	unsigned moved;
	const char *path; /* for messages */
	struct err *e;
};

static int empty_folder(struct removal *r, int fd, int depth);

static int open_folder(int dirfd, const char *name)
{
	return openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Overlay leaves work/work with mode 000 and packages hold folders nobody may write to. */
static int open_to_empty(int dirfd, const char *name)
{
	int fd = open_folder(dirfd, name);
	struct stat st;

	if (fd < 0 && errno == EACCES && fchmodat(dirfd, name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
		fd = open_folder(dirfd, name);
	if (fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 0700) != 0700)
		fchmod(fd, 0700); /* where this fails, the removal itself will say so */
	return fd;
}

/*
 * A tree may be nested deeper than descriptors or stack allow: what is too deep moves up into the
 * top folder, which is emptied again and again until nothing is left.
 */
static bool move_up(struct removal *r, int dirfd, const char *name)
{
	char up[32];

	snprintf(up, sizeof up, ".removed.%u", r->moved++);
	return renameat(dirfd, name, r->top, up) == 0;
}

static int remove_folder(struct removal *r, int dirfd, const char *name, int depth)
{
	CLEANUP_FD fd = -1;

	if (depth > MAX_REMOVE_DEPTH && move_up(r, dirfd, name))
		return 0;
	fd = open_to_empty(dirfd, name);
	if (fd < 0) {
		if (errno == ENOTDIR)
			errno = EPERM; /* a file that may not be removed */
		return errno == ENOENT ? 0 : -1;
	}
	if (empty_folder(r, fd, depth + 1) < 0)
		return -1;
	return unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -1;
}

static int remove_entry(struct removal *r, int dirfd, const char *name, int depth)
{
	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	/* Linux answers EISDIR for a folder, POSIX allows EPERM. */
	if (errno != EISDIR && errno != EPERM)
		return -1;
	return remove_folder(r, dirfd, name, depth);
}

static int empty_folder(struct removal *r, int fd, int depth)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3), rc = 0;
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	if (!d) {
		fd_cleanup(&copy);
		return -1;
	}
	rewinddir(d); /* the offset is shared with fd, which may be read a second time */
	while (rc == 0 && (errno = 0, entry = readdir(d))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		rc = remove_entry(r, fd, entry->d_name, depth);
		if (rc < 0 && r->e && !r->e->text)
			err_sys(r->e, "cannot remove '%s' in '%s'", entry->d_name, r->path);
	}
	if (!entry && errno)
		rc = -1;
	closedir(d);
	return rc;
}

static int remove_tree(int dirfd, const char *rel, struct err *e)
{
	struct err inner = {0};
	struct removal r = {.path = rel, .e = &inner};
	CLEANUP_FD top = open_to_empty(dirfd, rel);
	unsigned moved;

	r.top = top;
	if (top < 0)
		return err_sys(e, "cannot remove '%s'", rel);
	do {
		moved = r.moved;
		if (empty_folder(&r, top, 0) == 0)
			continue;
		if (!inner.text)
			err_sys(&inner, "cannot remove '%s'", rel);
		return err_move(e, &inner);
	} while (r.moved != moved);
	if (unlinkat(dirfd, rel, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_sys(e, "cannot remove '%s'", rel);
	return 0;
}

int dir_remove_at(int dirfd, const char *rel, struct err *e)
{
	struct buf name = {0};
	int rc = 0;

	/* "link/" would follow the link. */
	buf_puts(&name, rel);
	while (name.n > 1 && name.p[name.n - 1] == '/')
		name.p[--name.n] = '\0';
	if (unlinkat(dirfd, name.p, 0) < 0 && errno != ENOENT) {
		if (errno == EISDIR || errno == EPERM)
			rc = remove_tree(dirfd, name.p, e);
		else
			rc = err_sys(e, "cannot remove '%s'", name.p);
	}
	buf_release(&name);
	return rc;
}

int dir_remove(const char *path, struct err *e)
{
	return dir_remove_at(AT_FDCWD, path, e);
}

/* --- walking ---------------------------------------------------------------------------- */

struct walk {
	dir_visitor *visit;
	void *ctx;
	struct buf rel;
	struct err *e;
};

struct names {
	struct str *v;
	size_t n, cap;
};

static int list_names(int fd, struct arena *a, struct names *names)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;
	int saved;

	if (!d) {
		fd_cleanup(&copy);
		return -1;
	}
	rewinddir(d); /* the offset is shared with the caller's descriptor */
	while ((errno = 0, entry = readdir(d)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			*VEC_PUSH(a, names) = arena_str(a, str_of(entry->d_name));
	saved = errno;
	closedir(d);
	errno = saved;
	if (saved)
		return -1;
	if (names->n)
		qsort(names->v, names->n, sizeof *names->v, str_cmp_qsort);
	return 0;
}

static int walk_folder(struct walk *w, int fd, int depth);

static int walk_entry(struct walk *w, int dirfd, const char *name, int depth)
{
	CLEANUP_FD fd = -1;
	struct stat st;
	int rc;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(w->e, "cannot read '%s'", w->rel.p);
	rc = w->visit(w->ctx, w->rel.p, &st, w->e);
	if (!S_ISDIR(st.st_mode) || rc != 0)
		return rc == DIR_SKIP && S_ISDIR(st.st_mode) ? 0 : rc;
	if (depth >= MAX_WALK_DEPTH)
		return err_set(w->e, ERR_INTEGRITY, "folders nested over %d levels: '%.200s...'",
			MAX_WALK_DEPTH, w->rel.p);
	fd = open_folder(dirfd, name);
	if (fd < 0)
		return err_sys(w->e, "cannot read the folder '%s'", w->rel.p);
	return walk_folder(w, fd, depth + 1);
}

static int walk_folder(struct walk *w, int fd, int depth)
{
	struct arena a = {0};
	struct names names = {0};
	size_t keep = w->rel.n;
	int rc = 0;

	if (list_names(fd, &a, &names) < 0)
		rc = err_sys(w->e, "cannot read the folder '%s'", keep ? w->rel.p : ".");
	for (size_t i = 0; i < names.n && rc == 0; i++) {
		if (keep)
			buf_putc(&w->rel, '/');
		buf_str(&w->rel, names.v[i]);
		rc = walk_entry(w, fd, names.v[i].p, depth);
		w->rel.n = keep;
		w->rel.p[keep] = '\0';
	}
	arena_release(&a);
	return rc;
}

int dir_walk(int dirfd, dir_visitor *visit, void *ctx, struct err *e)
{
	struct walk w = {.visit = visit, .ctx = ctx, .e = e};
	int rc = walk_folder(&w, dirfd, 0);

	buf_release(&w.rel);
	return rc;
}
