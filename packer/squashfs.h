/*
 * Squashfs images (format 4.0), written and read through libsquashfs of squashfs-tools-ng.
 *
 *	struct squashfs_writer *w = squashfs_begin(sink, &options, e);
 *	squashfs_add(w, layout, step, e);	as often as there are layouts
 *	squashfs_finish(w, e);
 *	squashfs_close(w);
 *
 * The bytes follow from the items alone: times are theirs, those of folders and of the image the
 * epoch, owners are 0:0, blocks have 128 KiB; there is neither an export table nor an attribute.
 */
#ifndef PACKER_SQUASHFS_H
#define PACKER_SQUASHFS_H

#include "base/archive.h"
#include "base/log.h"
#include "packer/layout.h"
#include "packer/parts.h"
#include "packer/sink.h"

enum squashfs_compressor {
	SQUASHFS_GZIP, /* every kernel mounts it */
	SQUASHFS_ZSTD, /* from Linux 4.14 on */
};
enum { SQUASHFS_GZIP_LEVEL_MAX = 9, SQUASHFS_ZSTD_LEVEL_MAX = 19 };

struct squashfs_options {
	enum squashfs_compressor compressor;
	int level; /* from 1 */
	unsigned jobs;
	int64_t epoch; /* seconds */
};

struct squashfs_writer;
struct squashfs_writer *squashfs_begin(
	struct sink *sink, const struct squashfs_options *options, struct err *e);
/*
 * Appends the items, whose texts must live until squashfs_finish; folders they lie in are made.
 * Hashes them on the way, and measures those that hold a prefix.
 */
int squashfs_add(struct squashfs_writer *w, struct layout *l, struct step *step, struct err *e);
int squashfs_finish(struct squashfs_writer *w, struct err *e);
void squashfs_close(struct squashfs_writer *w); /* NULL is allowed */

/*
 * Reading: members as archive_in.h gives them, folders first, then the others as their bytes lie in
 * the image, so that papers come first.  Nothing the image says is believed: ERR_INTEGRITY.
 */
struct squashfs_reader;
/* Do the bytes begin one? */
bool squashfs_is(struct str begin);
/* The file stays the caller's; name stands in errors. */
struct squashfs_reader *squashfs_open(struct archive_file *f, const char *name, struct err *e);
int squashfs_next(struct squashfs_reader *r, struct member *m, struct err *e);
ptrdiff_t squashfs_read(struct squashfs_reader *r, void *p, size_t n, struct err *e);
void squashfs_reader_close(struct squashfs_reader *r); /* NULL is allowed */

#endif
