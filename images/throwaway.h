/* Folders that a job may write to and that are thrown away: what was changed, and copies. */
#ifndef IMAGES_THROWAWAY_H
#define IMAGES_THROWAWAY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct changes {
	struct str *v; /* relative, sorted */
	size_t n, cap;
};

/*
 * What an overlay's upper folder says was changed below `lower`: files made or with other content
 * or mode, whiteouts (removed), folders that are new.  Files that were only touched are left out.
 */
int changes_of_upper(
	struct arena *a, const char *lower, const char *upper, struct changes *out, struct err *e);
/* The same by comparing a copy with its original. */
int changes_of_copy(struct arena *a, const char *original, const char *copy, const char *skip,
	struct changes *out, struct err *e);
/* Of two files: the same mode and bytes? */
bool same_file(const char *original, const char *copy);
/* The same bytes alone, of two regular files. */
bool same_bytes_in(const char *a, const char *b);
/*
 * Copies a file or a folder (reflinked where possible; links, modes and times kept; devices,
 * sockets and what cannot be read left out).  skip: an absolute path below `from` that is left out, or NULL.
 */
int copy_tree(const char *from, const char *to, const char *skip, struct err *e);

#endif
