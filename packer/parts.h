/*
 * The files that make up one archive: NAME.tar.gz, or the parts NAME.tar.gz.00, .01 ... of a split
 * one, as `split -d` writes them; joined in their order they are the archive.
 *
 * An operand is the archive's own name, whether that file is there or only its parts, or the name
 * of its first part.
 */
#ifndef PACKER_PARTS_H
#define PACKER_PARTS_H

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

enum { PARTS_MAX = 990 }; /* split goes on with 990000 */

struct archive_parts {
	char *whole;  /* the path of the whole, without a part's ending */
	char **paths; /* in their order; of one that is not split only `whole` */
	uint64_t *sizes;
	size_t n;
	uint64_t bytes; /* of all */
	bool split;
	struct stat first; /* of the first: tells one set from another that took its place */
};

/* The name of the part i < PARTS_MAX. */
char *part_path(struct arena *a, const char *whole, size_t i);
/* Characters of a part's ending at the end of a name, ".00" or ".9000"; 0: it is none of a part. */
size_t part_ending(const char *name);
/* Is the name, without its folder, that of a part of the archive of that name? */
bool part_is_of(const char *whole, const char *name);

/*
 * ERR_USAGE where nothing stands there or where another part than the first is named, ERR_INTEGRITY
 * where a part before another is missing (the last ones are missed by who reads NAME.sha256 or the
 * archive's end).  Texts live in the arena.
 */
int archive_parts_find(
	struct arena *a, const char *operand, struct archive_parts *out, struct err *e);

/*
 * Hands rc on.  Damage of a split one often is that the last of its parts were not brought along: the
 * error says so.
 */
int archive_parts_advise(const struct archive_parts *parts, int rc, struct err *e);

/*
 * All parts as one file that is read at any place, from several threads at once.  ERR_USAGE where what
 * stands there is no file, ERR_FAIL where another set has begun to take their place meanwhile.
 */
struct archive_file;
struct archive_file *archive_file_open(const struct archive_parts *parts, struct err *e);
uint64_t archive_file_size(const struct archive_file *f);
/* Up to n bytes, fewer only at the end; -1 with *e set. */
ptrdiff_t archive_file_pread(struct archive_file *f, void *p, size_t n, uint64_t at, struct err *e);
void archive_file_close(struct archive_file *f); /* NULL is allowed */

#endif
