/* The C library of a root file system, and opening files inside a root. */
#ifndef IMAGES_LIBC_H
#define IMAGES_LIBC_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "images/elf.h"

/*
 * Opens `path` (absolute or not) as a process whose root is root_fd would: symlinks, absolute
 * ones and ".." included, never lead out of it.  openat2(RESOLVE_IN_ROOT) where the kernel has it
 * (5.6), else component by component.  A close-on-exec descriptor, or -1 with errno.
 */
int open_in_root(int root_fd, const char *path, int flags);
/* The second way alone. */
int open_in_root_walking(int root_fd, const char *path, int flags);
/*
 * The folder `path` as O_PATH, made where it is missing (0755), with those above it; a symlink that
 * leads nowhere in the root gets its folder there.
 */
int make_in_root(int root_fd, const char *path);

/* The place of a root's C library, relative ("usr/lib64/libc.so.6"), or NULL. */
const char *root_libc_place(int root_fd);

/*
 * The glibc of a root folder, read from its libc.so.6 itself: from the newest GLIBC_2.N that it
 * defines, or from its banner ("stable release version 2.19") where that says a newer one.
 * 1: *version is "2.17"; 0: none there, *reason says why (musl, no C library at all); -1: error.
 */
int root_glibc(
	struct arena *a, const char *root, struct str *version, struct str *reason, struct err *e);

/* "2.17", the newest GLIBC_ version that a libc.so.6 defines; empty: none. */
struct str glibc_of_definitions(const struct elf *libc);
/* Numbers with a dot between each, as in "2.3.4" or "12". */
bool version_is_numeric(struct str s);
/* Compares "2.9" and "2.17" by their numbers: <0, 0, >0. */
int glibc_cmp(struct str a, struct str b);

#endif
