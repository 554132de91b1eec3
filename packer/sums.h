/*
 * conda-meta/envbuild/files: the sha256 of every regular file of an archive as packed, in the form
 * that `sha256sum -c` reads (right after unpacking, before anything is relocated).
 *
 * It is the last member.  So an archive that was cut between two compressed members is known by
 * its absence, and damage that a decompressor does not notice by a sum.
 */
#ifndef PACKER_SUMS_H
#define PACKER_SUMS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/table.h"

#define SUMS_PATH "conda-meta/envbuild/files"

/* One line, "HEX  PATH"; a path with a newline or a backslash as sha256sum escapes it. */
void sums_add(struct buf *to, struct str path, const uint8_t sha256[SHA256_LEN]);

/*
 * Is the text the list of exactly these files (path -> 32 bytes; SUMS_PATH itself is left out)?
 * ERR_INTEGRITY names the first that is missing, unknown or has another sum.  The sums are struck
 * out of the table as they are found.
 */
int sums_check(struct table *files, struct str text, struct err *e);
/* Reads such a list into the table: path -> 32 bytes, both in its arena.  ERR_INTEGRITY. */
int sums_read(struct table *out, struct str text, struct err *e);

#endif
