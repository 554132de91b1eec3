/*
 * Compressed segments of archives in the package cache (docs/design/cache.md): CACHE/segments/XX/KEY,
 * a file each.  What a segment is and what its key is made of is the packer's business
 * (packer/segment.h); here are bytes in pieces, and notes.
 *
 * A file appears by rename and is never changed.  It is not synced: it can be made again at any
 * time, and tells by itself whether it is whole.  Nobody takes a lock.
 */
#ifndef BUILDER_SEGMENT_CACHE_H
#define BUILDER_SEGMENT_CACHE_H

#include "base/buf.h"
#include "base/file.h"
#include "base/hash.h"
#include "builder/package.h"

/* One compressed member of an archive. */
struct segment_piece {
	uint64_t at;          /* in the file */
	uint32_t packed, raw; /* bytes of it, and of what it holds */
	uint32_t crc;         /* CRC-32 of the packed bytes */
};

struct segment_file {
	int fd;
	char *path;
	struct segment_piece *pieces;
	size_t n_pieces;
	struct str notes;
};

/*
 * In the cache, else in a layer below it; false where none has a whole one.  One that is cut or
 * damaged is thrown away, with a warning.  Its pieces are looked at only when they are read.  The
 * time of one in the cache is set: it is in use.
 */
bool segment_file_open(struct arena *a, const struct cache *c, const uint8_t key[SHA256_LEN],
	struct segment_file *out);
/* Appends piece i; false where it is not what was kept, then nothing is appended.  Any thread. */
bool segment_file_read(const struct segment_file *f, size_t i, struct buf *to);
/* It is not what it should be: a warning, and it is thrown away. */
void segment_file_drop(const struct segment_file *f);
void segment_file_close(struct segment_file *f);
/* All of one file, whose last component is its key; ERR_INTEGRITY. */
int segment_file_verify(const char *path, struct err *e);
/* The same of an open file, without its pieces: fills *out but for path. */
int segment_file_parse(
	struct arena *a, int fd, const uint8_t key[SHA256_LEN], struct segment_file *out);

/*
 * Making one: begin, each piece in its order, commit; abort where something failed.  Each says
 * whether it went well, and where it did not, the cache is read-only or full: nothing to tell.
 */
struct segment_out {
	struct file_out file;
	struct buf rows;
	uint8_t key[SHA256_LEN];
};
bool segment_out_begin(
	const struct cache *c, const uint8_t key[SHA256_LEN], struct segment_out *out);
bool segment_out_add(struct segment_out *out, struct str packed, uint64_t raw);
bool segment_out_commit(struct segment_out *out, struct str notes);
void segment_out_abort(struct segment_out *out); /* also of one that was committed, or zeroed */

#endif
