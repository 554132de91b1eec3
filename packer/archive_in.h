/*
 * Reading an archive member by member, whatever its form: a tar, a squashfs, as one file or the parts
 * of a split one, or a folder that one was unpacked to.
 *
 *	struct archive_in *in = archive_open("demo.tar.gz", e);
 *	while ((rc = archive_next(in, &m, e)) > 0)
 *		archive_read(in, p, n, e);
 *	archive_close(in);
 *
 * What a member says is not believed: paths are as stored.  Folders may come or not; one comes before
 * what it holds.
 */
#ifndef PACKER_ARCHIVE_IN_H
#define PACKER_ARCHIVE_IN_H

#include "base/archive.h"
#include "packer/parts.h"

struct archive_in;
struct archive_in *archive_open(const char *operand, struct err *e);
/* 1 and *m filled (valid until the next call), 0 at the end, -1 with *e set. */
int archive_next(struct archive_in *in, struct member *m, struct err *e);
/* Bytes of the current member: a stream_read. */
ptrdiff_t archive_read(void *in, void *p, size_t n, struct err *e);
/* The whole current member, at most max bytes. */
int archive_read_all(
	struct archive_in *in, struct arena *a, size_t max, struct str *out, struct err *e);
/* The error where a member that ends each archive of ours is not there. */
int archive_cut_off(const struct archive_in *in, const char *missing, struct err *e);
void archive_close(struct archive_in *in); /* NULL is allowed */

#endif
