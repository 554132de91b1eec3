/*
 * The order of an archive: its items, cut into segments and chunks (docs/design/archive.md).
 *
 * An item is one member of the tar.  A segment is a row of items that belong together, one tar
 * stream; a chunk is at most CHUNK_SIZE bytes of that stream and becomes one compressed member of
 * the archive.  All of it follows from the content alone.
 */
#ifndef PACKER_LAYOUT_H
#define PACKER_LAYOUT_H

#include "base/archive.h"
#include "base/hash.h"
#include "packer/pack.h"
#include "packer/relocation_write.h"

enum { CHUNK_SIZE = 8 << 20 };

struct layout_item {
	struct member head;
	const char *source;                 /* absolute path of a file, or */
	struct str data;                    /* the bytes themselves */
	const uint8_t *want;                /* sha256 that source must have; NULL: any */
	bool packaged;                      /* source is the cache's copy, want its package's */
	uint64_t start;                     /* in its segment's stream */
	uint32_t header;                    /* bytes of its header */
	struct relocation_file *relocation; /* NULL: holds no prefix; filled while read */
	uint8_t sha256[SHA256_LEN];         /* of a file; of one with a source filled while read */
};

struct layout_segment {
	size_t first, n;
	uint64_t bytes;
	bool keep; /* others may have it too: its compressed bytes are worth keeping (segment.h) */
};

struct layout_chunk {
	size_t segment;
	uint64_t from, to;
};

/* A zeroed layout with its arena set is empty. */
struct layout {
	struct arena *arena;
	/*
	 * What stands for the prefix in generated files: the content's build prefix, or one of the
	 * same length that does not name the machine it was built on.
	 */
	struct str build_prefix;
	const char *dest_prefix; /* what files hold in the archive; NULL: their placeholders */
	struct {
		struct layout_item *v;
		size_t n, cap;
	} items;
	struct {
		struct layout_segment *v;
		size_t n, cap;
	} segments;
	struct {
		struct layout_chunk *v;
		size_t n, cap;
	} chunks;
};

/* An item with the bytes given, which must live as long as the layout. */
void layout_add_data(
	struct layout *l, struct str path, unsigned mode, int64_t mtime, struct str data);
/* One of the content; its modes and times are made what the archive keeps. */
int layout_add_entry(struct layout *l, const struct content *c, const struct content_entry *entry,
	int64_t epoch, struct err *e);
/* Ends the segment of what was added since the one before, `tail` zero bytes behind it. */
void layout_end_segment(struct layout *l, uint64_t tail);

#endif
