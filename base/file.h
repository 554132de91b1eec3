/*
 * Files and folders.  Every file appears by write-temp, fsync, rename; descriptors are
 * close-on-exec; paths are C strings; "rel" paths are relative to a directory descriptor.
 *
 * ENVBUILD_NO_FSYNC=1 in the environment turns fsync off, and nothing else: for tests, where only
 * a crash of the machine could tell the difference.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <sys/stat.h>
#include <sys/types.h>

void fd_cleanup(int *fd);
#define CLEANUP_FD __attribute__((cleanup(fd_cleanup))) int
/* Hands a descriptor out of its cleanup variable. */
static inline int steal_fd(int *fd)
{
	int keep = *fd;

	*fd = -1;
	return keep;
}

/* --- paths ------------------------------------------------------------------------------ */

/* a/b, with exactly one slash between; b alone where it is absolute. */
char *path_join(struct arena *a, const char *dir, const char *rel);
/* Absolute, without "." and ".." and double slashes; symlinks are not followed. */
char *path_absolute(struct arena *a, const char *path);
/* The folder that holds path ("." where there is no slash), and its last component. */
char *path_dir(struct arena *a, const char *path);
const char *path_base(const char *path);
/*
 * May a path from a package or archive be used below a prefix?  Not empty, not absolute, no
 * empty, "." or ".." component, no NUL, no component over 255 bytes, at most 4095 bytes.
 */
bool path_is_safe(struct str rel);

/* --- reading ---------------------------------------------------------------------------- */

/* The whole file, with a NUL behind it; an error names the path. At most max bytes (ERR_INPUT). */
int file_read(struct arena *a, const char *path, size_t max, struct str *out, struct err *e);
int file_read_at(
	struct arena *a, int dirfd, const char *rel, size_t max, struct str *out, struct err *e);
/* As file_read, mapped read-only; unmap with file_unmap.  An empty file gives {NULL, 0}. */
int file_map(const char *path, struct str *out, struct err *e);
/* The same of an open regular file; fd stays the caller's. */
int fd_map(int fd, struct str *out, struct err *e);
void file_unmap(struct str mapped);
/* Reads until n bytes or the end: the count, or -1 with errno. */
ssize_t read_full(int fd, void *p, size_t n);
int write_full(int fd, const void *p, size_t n, struct err *e);
bool path_exists(const char *path); /* also a dangling symlink */
/* sha256 (and md5, unless NULL) of a file. */
int file_hash(const char *path, uint8_t sha256[32], uint8_t *md5, struct err *e);

/* --- writing ---------------------------------------------------------------------------- */

/*
 * A file that appears whole or not at all:
 *	file_begin(&out, path, 0644, e); write to out.fd; file_commit(&out, e);
 * file_abort() removes the temporary and may be called after commit (it then does nothing), so
 * it serves as cleanup.  The temporary lies in the same folder, named .NAME.RANDOM.tmp.
 */
struct file_out {
	int fd; /* -1: closed */
	char *path, *temp;
};
int file_begin(struct file_out *out, const char *path, mode_t mode, struct err *e);
/* The same with the temporary in `tmp`, a folder of the same file system; NULL: beside it. */
int file_begin_in(
	struct file_out *out, const char *path, const char *tmp, mode_t mode, struct err *e);
int file_commit(struct file_out *out, struct err *e); /* fsync, rename, fsync of the folder */
/* Only the rename: for what can be made again and tells by itself whether it is whole. */
int file_commit_unsynced(struct file_out *out, struct err *e);
void file_abort(struct file_out *out);
#define CLEANUP_FILE_OUT __attribute__((cleanup(file_abort))) struct file_out

/* The three in one. */
int file_write(const char *path, struct str data, mode_t mode, struct err *e);
/* mkdir -p, mode 0777 & ~umask. */
int dir_make(const char *path, struct err *e);
/* The same below dirfd for paths from packages: a component that is a link is an error. */
int dir_make_at(int dirfd, const char *rel, struct err *e);
/* A new empty folder dir/.PREFIX.RANDOM; the path lives in the arena. dir is made if missing. */
char *dir_temp(struct arena *a, const char *dir, const char *prefix, struct err *e);
/* rm -rf that follows no link and first makes unreadable folders readable; absent is success. */
int dir_remove(const char *path, struct err *e);
int dir_remove_at(int dirfd, const char *rel, struct err *e);
/*
 * Creates a file that must not be there and takes its lock, so that whoever removes what killed runs
 * left can tell that its maker lives; the lock lasts as long as the descriptor.  Such a sweep may
 * come between the two steps and look, or remove it: then we wait, and make it again.  A file system
 * without locks gives it unlocked.  The descriptor, for reading and writing; -1 with errno.
 */
int file_make_guard(int dirfd, const char *name, mode_t mode);
/* fsync of a folder, so that a rename in it lasts. */
int dir_sync(const char *path, struct err *e);
/* fsync of an open file, where its file system knows that; path stands in the error. */
int fd_sync(int fd, const char *path, struct err *e);
/* syncfs of an open folder; path stands in the error. */
int disk_sync(int fd, const char *path, struct err *e);
/*
 * Copies a regular file's bytes: reflink (FICLONE), copy_file_range, read/write, whichever works
 * first.  The descriptors stay open; offsets are from 0.
 */
int fd_copy(int from, int to, struct err *e);
/* Bytes free for this user on the file system of path (or of its nearest existing parent). */
int disk_free(const char *path, uint64_t *bytes, struct err *e);

/* --- walking ---------------------------------------------------------------------------- */

/*
 * Visits everything below dirfd in byte order of names, a folder before what it holds; links are
 * not followed.  rel is relative to dirfd.  A visitor that returns non-zero ends the walk with
 * that value, except DIR_SKIP on a folder, which passes over what it holds.
 */
enum { DIR_SKIP = 100 };
typedef int dir_visitor(void *ctx, const char *rel, const struct stat *st, struct err *e);
int dir_walk(int dirfd, dir_visitor *visit, void *ctx, struct err *e);

#endif
