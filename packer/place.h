/*
 * Making what an archive holds below one descriptor, and never outside: component by component,
 * following no link.  Several threads may work in one place, each with folders of its own.
 *
 * In a place that is resumed, where a run that was killed has left files, one that is as it shall
 * be is left alone, and any other is made anew.
 */
#ifndef PACKER_PLACE_H
#define PACKER_PLACE_H

#include "base/archive.h"

#include <limits.h>
#include <stdbool.h>

/* A temporary file in the place begins so. */
#define PLACE_TEMP_START ".envbuild-unpack."

struct place {
	const char *archive; /* for messages */
	const char *path;    /* where it will lie */
	int root;
	bool resumed;
};

enum { PLACE_MEMBERS_MAX = 1000000 };
/* What was met of an archive so far: as much of it as is kept in memory is bounded. */
struct place_count {
	size_t members, names; /* names: bytes of paths and links' targets */
};
/* ERR_INTEGRITY where the member is one too many. */
int place_count(struct place_count *n, const char *archive, const struct member *m, struct err *e);

/* The folder of the member before: members come in order.  {.fd = -1} in the beginning. */
struct place_folder {
	int fd;
	struct buf path;
};
void place_folder_release(struct place_folder *f);

/* ERR_INTEGRITY: "'PATH' in 'ARCHIVE' WHY". */
int place_hostile(const struct place *p, struct str path, const char *why, struct err *e);

/* ERR_INTEGRITY: the archive does not say where it holds a prefix. */
int place_no_index(const char *archive, struct err *e);

/* A file on its way. */
struct place_file {
	const struct place *place;
	struct str path; /* the caller's, until the end */
	int dir;         /* the folder's */
	char name[NAME_MAX + 1];
	int fd;
	bool whole; /* there already, and the same so far */
	uint64_t at;
	unsigned mode;
	int64_t mtime;
};

/*
 * m is a file; size is what it will have.  -1: nothing was made.  After success either
 * place_file_end() or place_file_drop() follows.
 */
int place_file_begin(const struct place *p, struct place_folder *folder, const struct member *m,
	uint64_t size, struct place_file *out, struct err *e);
int place_file_put(struct place_file *f, const void *bytes, size_t n, struct err *e);
/* Sets mode and time. */
int place_file_end(struct place_file *f, struct err *e);
void place_file_drop(struct place_file *f);

/* A folder, symlink or hard link to a file that is there; the last also says no to other types. */
int place_make(
	const struct place *p, struct place_folder *folder, const struct member *m, struct err *e);

#endif
