/*
 * What an audit has read of an environment in a folder, so that only what changed is read again:
 * CACHE/audit/XX/KEY, a file each, KEY the sha256 of the folder's path.
 *
 * A file of the environment is taken for unchanged where all of its stamp is as it was.  What it
 * holds is kept only if its ctime, which nobody can set back, lies so far before the look that a
 * later write must have given it another one.  The kept file is read as if it were hostile.
 */
#ifndef BUILDER_PREFIX_CACHE_H
#define BUILDER_PREFIX_CACHE_H

#include "builder/binaries.h"

#include <sys/stat.h>

/* What tells that nobody wrote to a file or put another in its place; times in ns since 1970. */
struct file_stamp {
	uint64_t dev, ino, size;
	int64_t mtime, ctime;
	uint32_t mode;
};
void file_stamp_of(const struct stat *st, struct file_stamp *out);
bool file_stamp_same(const struct file_stamp *a, const struct file_stamp *b);

struct kept_package {
	struct str name, version, build, dist;
	/* Of conda: name, version, build, subdir, channel, fn, url and sums; NULL: of pip. */
	const struct record *record;
};

struct kept_file {
	struct str path;
	struct file_stamp stamp;
	ptrdiff_t package;      /* index into packages; -1: of none */
	bool read;              /* what follows is known */
	struct str link;        /* of a link; never with anything else */
	struct str interpreter; /* of a script */
	struct str leftover;    /* of a file that is no ELF file */
	struct binary *binary;  /* of one that is; its path is this one's */
};

struct kept_prefix {
	struct kept_package *packages;
	size_t n_packages;
	struct kept_file *files; /* rising by path */
	size_t n_files;
};

/* When a look at the folder open at fd begins. */
int64_t prefix_cache_horizon(int fd);
/* Would a write after that have given the file another time? */
bool file_stamp_lasts(const struct file_stamp *s, int64_t horizon);
/* false: nothing is kept, or it is damaged.  Texts live in the arena. */
bool prefix_cache_load(
	struct arena *a, const struct cache *c, const char *prefix, struct kept_prefix *out);
/* Where the cache is read-only or full nothing is kept, and that is nothing to tell. */
void prefix_cache_save(const struct cache *c, const char *prefix, const struct kept_prefix *p);
/* One such file; ERR_INTEGRITY. */
int prefix_cache_verify(const char *path, struct err *e);

void prefix_cache_encode(struct str prefix, const struct kept_prefix *p, struct buf *to);
/* Slices of the text, which lives as long.  -1: it is not what prefix_cache_encode made. */
int prefix_cache_decode(
	struct arena *a, struct str text, struct str prefix, struct kept_prefix *out);

#endif
