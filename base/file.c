#include "base/file.h"

#include "base/buf.h"
#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { CHUNK = 256 << 10 };

void fd_cleanup(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

ssize_t read_full(int fd, void *p, size_t n)
{
	size_t got = 0;

	while (got < n) {
		ssize_t r = read(fd, (char *)p + got, n - got);

		if (r == 0)
			break;
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		got += (size_t)r;
	}
	return (ssize_t)got;
}

int write_full(int fd, const void *p, size_t n, struct err *e)
{
	while (n > 0) {
		ssize_t r = write(fd, p, n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_sys(e, "cannot write");
		p = (const char *)p + r;
		n -= (size_t)r;
	}
	return 0;
}

/* --- reading ---------------------------------------------------------------------------- */

static int open_to_read(int dirfd, const char *path, struct stat *st, struct err *e)
{
	/* O_NONBLOCK: opening a fifo must not wait for a writer. */
	CLEANUP_FD fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, st) < 0)
		return err_sys(e, "cannot open '%s'", path);
	if (S_ISDIR(st->st_mode)) {
		errno = EISDIR;
		return err_sys(e, "cannot read '%s'", path);
	}
	return steal_fd(&fd);
}

static int too_large(const char *path, size_t max, struct err *e)
{
	return err_set(e, ERR_INPUT, "file too large: '%s' has more than %zu bytes", path, max);
}

/* A file in /proc says size 0 and one that grows says too little: read until the end. */
static int read_rest(int fd, const char *path, size_t max, struct buf *b, struct err *e)
{
	for (;;) {
		char *room = buf_room(b, CHUNK);
		ssize_t got;

		if (!room)
			return too_large(path, max, e);
		got = read_full(fd, room, CHUNK);
		if (got < 0)
			return err_sys(e, "cannot read '%s'", path);
		b->n += (size_t)got;
		if (b->n > max)
			return too_large(path, max, e);
		if (got < CHUNK)
			return 0;
	}
}

int file_read_at(
	struct arena *a, int dirfd, const char *rel, size_t max, struct str *out, struct err *e)
{
	struct stat st;
	CLEANUP_FD fd = open_to_read(dirfd, rel, &st, e);
	CLEANUP_BUF longer = {0};
	size_t size;
	ssize_t got;
	char *p;

	if (fd < 0)
		return -1;
	size = st.st_size > 0 ? (size_t)st.st_size : 0;
	if (size > max)
		return too_large(rel, max, e);
	p = arena_alloc(a, size + 1);
	got = read_full(fd, p, size + 1);
	if (got < 0)
		return err_sys(e, "cannot read '%s'", rel);
	*out = str_n(p, (size_t)got);
	if ((size_t)got > size) {
		buf_str(&longer, *out);
		if (read_rest(fd, rel, max, &longer, e) < 0)
			return -1;
		*out = arena_str(a, buf_view(&longer));
	}
	return 0;
}

int file_read(struct arena *a, const char *path, size_t max, struct str *out, struct err *e)
{
	return file_read_at(a, AT_FDCWD, path, max, out, e);
}

int fd_map(int fd, struct str *out, struct err *e)
{
	struct stat st;
	void *p;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "cannot look at a file");
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return err_sys(e, "cannot map what is no regular file");
	}
	*out = (struct str){NULL, 0};
	if (st.st_size == 0)
		return 0;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return err_sys(e, "cannot map a file");
	*out = str_n(p, (size_t)st.st_size);
	return 0;
}

int file_map(const char *path, struct str *out, struct err *e)
{
	struct stat st;
	CLEANUP_FD fd = open_to_read(AT_FDCWD, path, &st, e);

	if (fd < 0)
		return -1;
	return fd_map(fd, out, e) < 0 ? err_wrap(e, "'%s'", path) : 0;
}

void file_unmap(struct str mapped)
{
	if (mapped.n)
		munmap((void *)mapped.p, mapped.n);
}

bool path_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static int hash_fd(int fd, struct hash *sha256, struct hash *md5)
{
	char *chunk = xmalloc(CHUNK);
	ssize_t got;

	while ((got = read_full(fd, chunk, CHUNK)) > 0) {
		hash_update(sha256, chunk, (size_t)got);
		if (md5)
			hash_update(md5, chunk, (size_t)got);
	}
	free(chunk);
	return got < 0 ? -1 : 0;
}

int file_hash(const char *path, uint8_t sha256[32], uint8_t *md5, struct err *e)
{
	struct stat st;
	CLEANUP_FD fd = open_to_read(AT_FDCWD, path, &st, e);
	struct hash *one, *two;
	int rc;

	if (fd < 0)
		return -1;
	one = hash_new(HASH_SHA256);
	two = md5 ? hash_new(HASH_MD5) : NULL;
	rc = hash_fd(fd, one, two);
	if (rc < 0) {
		err_sys(e, "cannot read '%s'", path);
	} else {
		hash_final(one, sha256);
		if (two)
			hash_final(two, md5);
	}
	hash_free(one);
	hash_free(two);
	return rc;
}

/* --- writing ---------------------------------------------------------------------------- */

static bool fsync_wanted(void)
{
	const char *off = getenv("ENVBUILD_NO_FSYNC");

	return !(off && strcmp(off, "1") == 0);
}

/* 16 characters that no other process draws: the name of a temporary. */
static void random_name(char out[17])
{
	uint8_t bytes[8];

	if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
		abort(); /* up to 256 bytes never fail or fall short once the kernel has booted */
	hex_encode(bytes, sizeof bytes, out);
}

/* DIR/.NAME.RANDOM, NAME cut where the whole component would pass the limit of 255 bytes. */
static char *temp_path(const char *dir, size_t dir_n, const char *name, const char *suffix)
{
	struct buf b = {0};
	char random[17];
	int keep = NAME_MAX - 2 - (int)strlen(suffix) - 16;

	random_name(random);
	buf_printf(&b, "%.*s.%.*s.%s%s", (int)dir_n, dir, keep, name, random, suffix);
	return b.p;
}

/* Who is root would else have a file where /dev/null was. */
static int check_place(const char *path, struct err *e)
{
	static const struct str streams = STR_INIT("/proc/self/fd/");
	char target[32];
	ssize_t n = readlink(path, target, sizeof target);
	struct stat st;

	/* Of any other link only the link is replaced. */
	if (n >= 0 ? !str_starts(str_n(target, (size_t)n), streams)
		   : lstat(path, &st) < 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		return 0;
	return err_set(e, ERR_USAGE, "'%s' is no place for a file", path);
}

int file_begin_in(
	struct file_out *out, const char *path, const char *tmp, mode_t mode, struct err *e)
{
	const char *name = path_base(path);
	CLEANUP_ARENA a = {0};
	char *folder = tmp ? path_join(&a, tmp, "") : NULL;

	*out = (struct file_out){.fd = -1};
	if (check_place(path, e) < 0)
		return -1;
	out->temp = folder ? temp_path(folder, strlen(folder), name, ".tmp")
			   : temp_path(path, (size_t)(name - path), name, ".tmp");
	out->fd = open(out->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (out->fd < 0) {
		err_sys(e, "cannot create '%s'", path);
		free(out->temp);
		out->temp = NULL;
		return -1;
	}
	out->path = xstrdup(path);
	return 0;
}

int file_begin(struct file_out *out, const char *path, mode_t mode, struct err *e)
{
	return file_begin_in(out, path, NULL, mode, e);
}

static int sync_parent(const char *path, struct err *e)
{
	struct arena a = {0};
	int rc = dir_sync(path_dir(&a, path), e);

	arena_release(&a);
	return rc;
}

int file_commit_unsynced(struct file_out *out, struct err *e)
{
	if (close(steal_fd(&out->fd)) < 0 || rename(out->temp, out->path) < 0)
		return err_sys(e, "cannot write '%s'", out->path);
	free(out->temp);
	out->temp = NULL;
	return 0;
}

int file_commit(struct file_out *out, struct err *e)
{
	if (fsync_wanted() && fsync(out->fd) < 0) {
		err_sys(e, "cannot write '%s'", out->path);
		fd_cleanup(&out->fd);
		return -1;
	}
	return file_commit_unsynced(out, e) < 0 ? -1 : sync_parent(out->path, e);
}

void file_abort(struct file_out *out)
{
	int saved = errno;

	/* A zeroed file_out was never begun: its descriptor is not ours. */
	if (!out->path)
		return;
	fd_cleanup(&out->fd);
	if (out->temp)
		unlink(out->temp);
	free(out->temp);
	free(out->path);
	*out = (struct file_out){.fd = -1};
	errno = saved;
}

int file_write(const char *path, struct str data, mode_t mode, struct err *e)
{
	CLEANUP_FILE_OUT out = {.fd = -1};

	if (file_begin(&out, path, mode, e) < 0)
		return -1;
	if (write_full(out.fd, data.p, data.n, e) < 0)
		return err_wrap(e, "while writing '%s'", path);
	return file_commit(&out, e);
}

enum { GUARD_TRIES = 100 };

int file_make_guard(int dirfd, const char *name, mode_t mode)
{
	for (int tries = 0;; tries++) {
		int fd = openat(
			dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
		struct stat st;

		if (fd < 0)
			return -1;
		while (flock(fd, LOCK_EX) < 0 && errno == EINTR)
			;
		if (tries == GUARD_TRIES || fstat(fd, &st) < 0 || st.st_nlink > 0)
			return fd;
		close(fd);
	}
}

int dir_sync(const char *path, struct err *e)
{
	CLEANUP_FD fd = -1;

	if (!fsync_wanted())
		return 0;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Some file systems (overlay on old kernels, FUSE) have no fsync for folders. */
	if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL && errno != ENOTSUP))
		return err_sys(e, "cannot sync the folder '%s'", path);
	return 0;
}

int fd_sync(int fd, const char *path, struct err *e)
{
	if (fsync_wanted() && fsync(fd) < 0 && errno != EINVAL && errno != ENOTSUP)
		return err_sys(e, "cannot write '%s'", path);
	return 0;
}

int disk_sync(int fd, const char *path, struct err *e)
{
	if (fsync_wanted() && syncfs(fd) < 0)
		return err_sys(e, "cannot write '%s' to disk", path);
	return 0;
}

char *dir_temp(struct arena *a, const char *dir, const char *prefix, struct err *e)
{
	char *path, *random;

	if (dir_make(dir, e) < 0)
		return NULL;
	random = temp_path("", 0, prefix, "");
	path = path_join(a, dir, random);
	free(random);
	if (mkdir(path, 0777) < 0) {
		err_sys(e, "cannot make a folder in '%s'", dir);
		return NULL;
	}
	return path;
}

static int copy_by_hand(int from, int to, struct err *e)
{
	char *chunk = xmalloc(CHUNK);
	ssize_t got;
	int rc = 0;

	while (rc == 0 && (got = read_full(from, chunk, CHUNK)) != 0) {
		if (got < 0)
			rc = err_sys(e, "cannot read");
		else
			rc = write_full(to, chunk, (size_t)got, e);
	}
	free(chunk);
	return rc;
}

int fd_copy(int from, int to, struct err *e)
{
	ssize_t n;

	if (lseek(from, 0, SEEK_SET) < 0 || lseek(to, 0, SEEK_SET) < 0)
		return err_sys(e, "cannot copy");
	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	do
		n = copy_file_range(from, NULL, to, NULL, (size_t)1 << 30, 0);
	while (n > 0 || (n < 0 && errno == EINTR));
	/* Both offsets have moved together; go on from there.  After an end this reads nothing more,
	 * save for files of /proc, whose size the kernel does not know. */
	return copy_by_hand(from, to, e);
}

int disk_free(const char *path, uint64_t *bytes, struct err *e)
{
	struct arena a = {0};
	const char *p = path_absolute(&a, path);
	struct statvfs vfs;
	int rc;

	while ((rc = statvfs(p, &vfs)) < 0 && (errno == ENOENT || errno == ENOTDIR) && p[1])
		p = path_dir(&a, p);
	if (rc < 0)
		err_sys(e, "cannot tell the free space of '%s'", path);
	else
		*bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	arena_release(&a);
	return rc;
}
