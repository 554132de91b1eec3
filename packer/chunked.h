/*
 * Unpacking an archive of ours on several threads (docs/design/archive.md, Unpacking).
 *
 *	struct chunked *c;
 *	if (chunked_open(path, &c, e) > 0)
 *		rc = chunked_unpack(c, &place, prefix, jobs, e);
 *	chunked_close(c);
 */
#ifndef PACKER_CHUNKED_H
#define PACKER_CHUNKED_H

#include "base/hash.h"
#include "packer/place.h"

struct chunked;

/*
 * 1; 0 where the archive has no such form and is to be read in one row (*out is NULL); -1.  Nothing
 * is believed but that the end says which files there are.
 */
int chunked_open(const char *archive, struct chunked **out, struct err *e);
void chunked_close(struct chunked *c); /* NULL is allowed */
/* Other archives and other prefixes (NULL: none) have others. */
void chunked_identity(const struct chunked *c, const char *prefix, uint8_t out[SHA256_LEN]);
/* Is it the path of a file of the archive, or of one that unpacking makes? */
bool chunked_has(const struct chunked *c, struct str path);

/*
 * Everything, each file's sum compared with the archive's list before it is written, and files with
 * a prefix written as they are for `prefix` (NULL: as packed).  Once.
 */
int chunked_unpack(struct chunked *c, const struct place *place, const char *prefix, unsigned jobs,
	struct err *e);

#endif
