/*
 * From a layout to the bytes of the archive: chunks are read and compressed on several threads, or
 * taken from segments that a cache has kept, and written in their order, hashed meanwhile.
 */
#ifndef PACKER_STREAM_H
#define PACKER_STREAM_H

#include "base/log.h"
#include "packer/layout.h"
#include "packer/sink.h"

#include <pthread.h>

struct stream {
	struct sink *sink;
	enum pack_format format;
	int level;
	unsigned jobs;
	const struct cache *cache; /* that keeps segments; NULL: none */
	bool keep;                 /* new ones too */
	size_t reused, made;       /* segments of it, so far */
	struct step *step;         /* ticked by chunk; NULL: none */
	struct buf frames;         /* a struct zstd_seek for each; its owner releases it */
};

/*
 * Appends every chunk of the layout; hashes its items on the way, and measures those that hold a
 * prefix.  At most 2 * jobs chunks are in memory.
 */
int stream_write(struct stream *s, struct layout *l, struct err *e);
/* What stands behind the last chunk: the seek table of a tar.zst. */
int stream_end(struct stream *s, struct err *e);

#endif
