#include "images/layer.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "images/libc.h"
#include "images/whiteout.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { CHUNK = 256 << 10, LINK_MAX_BYTES = 4095, PATH_ROOM = 4096, NAME_ROOM = 256 };
/* Smaller files are written without asking whether there is room for them. */
static const uint64_t LARGE_FILE = 1 << 20;
/* Of a layer, for their times; a million folders have as much. */
static const size_t FOLDER_PATHS_MAX = 64 << 20;

/* Times of folders are set when all that lies in them is there. */
struct folder_time {
	struct str path;
	int64_t mtime;
};

struct folder_times {
	struct folder_time *v;
	size_t n, cap;
};

struct applying {
	struct layering *l;
	struct tar_reader *tar;
	const char *name;
	struct arena arena;
	struct owned own;
	struct owned done;           /* whiteouts */
	struct folder_times given;   /* by the layer */
	struct folder_times touched; /* as they were before the layer put something there */
	size_t path_bytes;           /* of both */
	struct table seen;           /* inodes of the latter */
	char *chunk;
};

static int refuse(const struct applying *p, struct str path, struct err *e, const char *why)
{
	return err_set(e, ERR_INTEGRITY, "%s: '%.*s' in layer '%s'", why, STR_ARG(path), p->name);
}

static int fail(const struct applying *p, struct str path, struct err *e, const char *what)
{
	if (errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG)
		return refuse(p, path, e, "the path leads through a file, in circles or too deep");
	err_sys(e, "cannot %s '%.*s'", what, STR_ARG(path));
	return err_wrap(e, "in layer '%s'", p->name);
}

/* --- where an entry goes -------------------------------------------------------------------- */

struct place {
	int dir; /* -1: there is no such folder */
	char name[NAME_ROOM];
};

/* Cuts a safe path in two. */
static void split(struct str path, char dir[PATH_ROOM], char name[NAME_ROOM])
{
	ptrdiff_t slash = str_rchr(path, '/');
	size_t n = slash < 0 ? 0 : (size_t)slash;
	struct str last = str_sub(path, (size_t)(slash + 1), path.n);

	memcpy(dir, path.p, n);
	dir[n] = '\0';
	memcpy(name, last.p, last.n);
	name[last.n] = '\0';
}

/* The folder that holds path, in place->dir, the caller's to close. */
static int find_place(
	const struct applying *p, struct str path, bool make, struct place *out, struct err *e)
{
	char dir[PATH_ROOM];

	split(path, dir, out->name);
	if (make)
		out->dir = make_in_root(p->l->root_fd, dir);
	else
		out->dir = open_in_root(p->l->root_fd, *dir ? dir : ".", O_PATH | O_DIRECTORY);
	if (out->dir >= 0 || (!make && (errno == ENOENT || errno == ENOTDIR)))
		return 0;
	return fail(p, path, e, "open the folder of");
}

/* Takes away what stands there, but keeps a folder where one is wanted: 1. */
static int clear_place(const struct applying *p, struct str path, const struct place *at,
	bool want_dir, struct err *e)
{
	struct stat st;

	if (fstatat(at->dir, at->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail(p, path, e, "look at");
	if (S_ISDIR(st.st_mode) && want_dir)
		return 1;
	if (dir_remove_at(at->dir, at->name, e) < 0)
		return err_wrap(e, "while replacing '%.*s'", STR_ARG(path));
	return 0;
}

static int add_time(
	struct applying *p, struct folder_times *to, struct str path, int64_t mtime, struct err *e)
{
	p->path_bytes += path.n;
	if (p->path_bytes > FOLDER_PATHS_MAX)
		return refuse(p, path, e, "more names of folders than are allowed");
	*VEC_PUSH(&p->arena, to) = (struct folder_time){arena_str(&p->arena, path), mtime};
	return 0;
}

/* A layer that names no folder changes none. */
static int keep_time(struct applying *p, struct str path, int dir, struct err *e)
{
	ptrdiff_t slash = str_rchr(path, '/');
	struct str key;
	struct stat st;

	if (slash < 0 || fstat(dir, &st) < 0)
		return 0;
	key = str_n((const char *)&st.st_ino, sizeof st.st_ino);
	if (table_get(&p->seen, key))
		return 0;
	table_put(&p->seen, arena_str(&p->arena, key))->num = 1;
	path = str_sub(path, 0, (size_t)slash);
	return add_time(p, &p->touched, path, st.st_mtim.tv_sec, e);
}

/* --- the types ------------------------------------------------------------------------------ */

static bool is_zero(const char *p, size_t n)
{
	return n == 0 || (*p == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/* Pieces of zeros become holes. */
static int write_data(struct applying *p, struct str path, int fd, struct err *e)
{
	uint64_t size = 0;
	ptrdiff_t got;

	while ((got = tar_read(p->tar, p->chunk, CHUNK, e)) > 0) {
		size_t n = (size_t)got;

		if (n > p->l->max_bytes - p->l->bytes)
			return refuse(p, path, e, "it unpacks to more than is allowed");
		p->l->bytes += n;
		size += n;
		if (interrupt_check(e) < 0)
			return -1;
		if (is_zero(p->chunk, n) ? lseek(fd, (off_t)n, SEEK_CUR) < 0
					 : write_full(fd, p->chunk, n, e) < 0)
			return err_wrap(e, "while writing '%.*s'", STR_ARG(path));
	}
	if (got < 0)
		return err_wrap(e, "member '%.*s' of layer '%s'", STR_ARG(path), p->name);
	return ftruncate(fd, (off_t)size) < 0 ? fail(p, path, e, "write") : 0;
}

/* What a header promises is held against the limit and the disk before it is written. */
static int check_size(const struct applying *p, const struct member *m, struct err *e)
{
	struct statvfs vfs;
	char needed[24], is_free[24];
	uint64_t room;

	if (m->size == UINT64_MAX || m->size <= LARGE_FILE)
		return 0;
	if (m->size > p->l->max_bytes - p->l->bytes)
		return refuse(p, m->path, e, "it unpacks to more than is allowed");
	if (fstatvfs(p->l->root_fd, &vfs) < 0 || vfs.f_blocks == 0)
		return 0; /* the file system does not tell */
	room = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	if (m->size <= room)
		return 0;
	err_set(e, ERR_SYSTEM, "too little space on the disk for '%.*s': %s needed, %s free",
		STR_ARG(m->path), format_bytes(m->size, needed), format_bytes(room, is_free));
	return err_advise(e, "free some, or name a folder on another disk with ENVBUILD_DATA");
}

static int set_times(int dir, const char *name, const struct member *m)
{
	struct timespec t = {.tv_sec = m->mtime}, times[2] = {t, t};

	return m->has_mtime ? utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) : 0;
}

static int put_file(
	struct applying *p, const struct member *m, const struct place *at, struct err *e)
{
	CLEANUP_FD fd = openat(
		at->dir, at->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail(p, m->path, e, "make");
	if (check_size(p, m, e) < 0 || write_data(p, m->path, fd, e) < 0)
		return -1;
	if (fchmod(fd, (m->mode & 01777) | 0600) < 0 || set_times(at->dir, at->name, m) < 0)
		return fail(p, m->path, e, "set mode and time of");
	return 0;
}

static int put_symlink(
	const struct applying *p, const struct member *m, const struct place *at, struct err *e)
{
	char text[LINK_MAX_BYTES + 1];

	if (m->link.n == 0 || m->link.n > LINK_MAX_BYTES || memchr(m->link.p, '\0', m->link.n))
		return refuse(p, m->path, e, "a symlink without a usable target");
	memcpy(text, m->link.p, m->link.n);
	text[m->link.n] = '\0';
	if (symlinkat(text, at->dir, at->name) < 0 || set_times(at->dir, at->name, m) < 0)
		return fail(p, m->path, e, "make the symlink");
	return 0;
}

static int put_folder(
	struct applying *p, const struct member *m, const struct place *at, struct err *e)
{
	int is_there = clear_place(p, m->path, at, true, e);
	CLEANUP_FD fd = -1;

	if (is_there < 0)
		return -1;
	if (!is_there && mkdirat(at->dir, at->name, 0700) < 0)
		return fail(p, m->path, e, "make the folder");
	fd = openat(at->dir, at->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchmod(fd, (m->mode & 01777) | 0700) < 0)
		return fail(p, m->path, e, "set the mode of");
	return m->has_mtime ? add_time(p, &p->given, m->path, m->mtime, e) : 0;
}

/* The file that a hard link names: 1 it is the one at that place already, 0, or -1. */
static int check_target(const struct applying *p, const struct member *m, const struct place *to,
	const struct place *at, struct err *e)
{
	struct stat st, now;

	if (to->dir < 0 || fstatat(to->dir, to->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return refuse(p, m->path, e, "a hard link to what is not there");
	if (S_ISDIR(st.st_mode))
		return refuse(p, m->path, e, "a hard link to a folder");
	return fstatat(at->dir, at->name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	       now.st_ino == st.st_ino;
}

static int put_hardlink(
	const struct applying *p, const struct member *m, const struct place *at, struct err *e)
{
	struct str link = m->link;
	struct place to = {.dir = -1};
	CLEANUP_FD dir = -1;
	int same;

	if (str_starts(link, STR("./")))
		link = str_sub(link, 2, link.n);
	if (!path_is_safe(link))
		return refuse(p, m->path, e, "a hard link to an unsafe path");
	if (find_place(p, link, false, &to, e) < 0)
		return -1;
	dir = to.dir;
	same = check_target(p, m, &to, at, e);
	if (same)
		return same < 0 ? -1 : 0;
	if (clear_place(p, m->path, at, false, e) < 0)
		return -1;
	if (linkat(to.dir, to.name, at->dir, at->name, 0) == 0)
		return 0;
	if (errno == ENOENT)
		return refuse(p, m->path, e, "a hard link to what is not there");
	return fail(p, m->path, e, "make the hard link");
}

/* --- entries -------------------------------------------------------------------------------- */

/* Of lower layers; what is left out takes their place too. */
static int leave_out(struct applying *p, const struct member *m, struct err *e)
{
	struct place at;
	CLEANUP_FD dir = -1;

	p->l->left_out++;
	log_debug("'%.*s' is neither file, folder nor link and is left out", STR_ARG(m->path));
	if (find_place(p, m->path, false, &at, e) < 0)
		return -1;
	dir = at.dir;
	return dir < 0 ? 0 : clear_place(p, m->path, &at, false, e);
}

static int put_type(
	struct applying *p, const struct member *m, const struct place *at, struct err *e)
{
	switch (m->type) {
	case MEMBER_FILE:
		return put_file(p, m, at, e);
	case MEMBER_SYMLINK:
		return put_symlink(p, m, at, e);
	case MEMBER_DIR:
		return put_folder(p, m, at, e);
	case MEMBER_HARDLINK:
		return put_hardlink(p, m, at, e);
	case MEMBER_OTHER:
		break;
	}
	return 0;
}

static int put(struct applying *p, const struct member *m, struct err *e)
{
	bool replaces = m->type == MEMBER_FILE || m->type == MEMBER_SYMLINK;
	struct place at = {.dir = -1};
	CLEANUP_FD dir = -1;

	if (m->type == MEMBER_OTHER)
		return leave_out(p, m, e);
	if (find_place(p, m->path, true, &at, e) < 0)
		return -1;
	dir = at.dir;
	if (keep_time(p, m->path, dir, e) < 0)
		return -1;
	if ((replaces && clear_place(p, m->path, &at, false, e) < 0) || put_type(p, m, &at, e) < 0)
		return -1;
	if (p->l->n_layers > 0)
		owned_add(&p->own, dir, at.name);
	return 0;
}

static int whiteout(struct applying *p, struct str path, struct err *e)
{
	struct place at;
	CLEANUP_FD dir = -1;
	int r;

	if (find_place(p, path, false, &at, e) < 0)
		return -1;
	dir = at.dir;
	/* what a whiteout has left is the layer's own: looking again would take long and find nothing */
	if (dir < 0 || is_owned(&p->done, dir, at.name))
		return 0;
	owned_add(&p->done, dir, at.name);
	if (keep_time(p, path, dir, e) < 0)
		return -1;
	if (!strcmp(at.name, WHITEOUT_OPAQUE))
		r = whiteout_all(&p->own, dir, e);
	else
		r = whiteout_one(&p->own, dir, at.name + strlen(WHITEOUT), e);
	return r < 0 ? err_wrap(e, "whiteout '%.*s' of layer '%s'", STR_ARG(path), p->name) : 0;
}

/* By its name: 1 to be put there, 0 dealt with, -1. */
static int look_at_name(struct applying *p, struct str path, struct err *e)
{
	struct str rest = path;
	size_t depth = 0;

	if (!path_is_safe(path))
		return refuse(p, path, e, "unsafe path");
	while (rest.p) {
		struct str part = str_cut(&rest, '/');

		if (++depth > LAYER_DEPTH_MAX)
			return refuse(p, path, e, "folders nested too deep");
		if (!str_starts(part, STR(WHITEOUT)))
			continue;
		if (str_starts(part, STR(WHITEOUT_MARK)) &&
			(rest.p || !str_is(part, WHITEOUT_OPAQUE)))
			return 0;
		if (rest.p || str_is(part, WHITEOUT) || str_is(part, WHITEOUT ".") ||
			str_is(part, WHITEOUT ".."))
			return refuse(p, path, e, "a whiteout of nothing");
		return p->l->n_layers > 0 ? whiteout(p, path, e) : 0;
	}
	return 1;
}

static int put_member(struct applying *p, struct member *m, struct err *e)
{
	int r;

	if (interrupt_check(e) < 0)
		return -1;
	if (p->l->entries++ >= p->l->max_entries)
		return refuse(p, m->path, e, "more members than are allowed");
	r = look_at_name(p, m->path, e);
	return r > 0 ? put(p, m, e) : r;
}

/* Folders whose place was taken by something else meanwhile are passed over. */
static int set_given_times(const struct applying *p, struct err *e)
{
	for (size_t i = 0; i < p->given.n; i++) {
		struct member m = {.mtime = p->given.v[i].mtime, .has_mtime = true};
		struct place at;
		CLEANUP_FD dir = -1;
		struct stat st;

		if (find_place(p, p->given.v[i].path, false, &at, e) < 0)
			return -1;
		dir = at.dir;
		if (dir >= 0 && fstatat(dir, at.name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			S_ISDIR(st.st_mode) && set_times(dir, at.name, &m) < 0)
			return fail(p, p->given.v[i].path, e, "set the time of");
	}
	return 0;
}

static int set_touched_times(const struct applying *p, struct err *e)
{
	for (size_t i = 0; i < p->touched.n; i++) {
		struct timespec t = {.tv_sec = p->touched.v[i].mtime}, times[2] = {t, t};
		CLEANUP_FD fd =
			open_in_root(p->l->root_fd, p->touched.v[i].path.p, O_RDONLY | O_DIRECTORY);

		if (fd >= 0 && futimens(fd, times) < 0)
			return fail(p, p->touched.v[i].path, e, "set the time of");
	}
	return 0;
}

static int apply(struct applying *p, struct err *e)
{
	struct member m;
	int r;

	while ((r = tar_next(p->tar, &m, e)) > 0)
		if (put_member(p, &m, e) < 0)
			return -1;
	return r < 0 || set_touched_times(p, e) < 0 ? -1 : set_given_times(p, e);
}

int layer_apply(struct layering *l, stream_read *read, void *ctx, const char *name, struct err *e)
{
	struct applying p = {.l = l, .name = name};
	int r = -1;

	p.own.table.arena = p.done.table.arena = p.seen.arena = &p.arena;
	p.chunk = arena_alloc(&p.arena, CHUNK);
	p.tar = tar_open(read, ctx, name, e);
	if (p.tar)
		r = apply(&p, e);
	tar_close(p.tar);
	arena_release(&p.arena);
	l->n_layers++;
	return r;
}
