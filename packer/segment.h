/*
 * The compressed segments of an archive that a cache keeps (docs/design/archive.md, cache.md): made
 * once, and taken by every later archive that has the same segment.
 *
 *	g = segments_open(cache, ...);              finds what is there; no file of a package is read
 *	segments_take(g, chunk, &packed)            else the chunk is made, and
 *	segments_put(g, chunk, packed, raw)         given here
 *	segments_close(g, &reused, &made);
 *
 * A segment is kept if the layout says so and the sums of all its files are known.  Nothing here is
 * an error: where the cache cannot be read or written, archives are made without it.
 */
#ifndef PACKER_SEGMENT_H
#define PACKER_SEGMENT_H

#include "packer/layout.h"

struct segments;
struct segments_request {
	const struct cache *cache; /* NULL: none */
	bool keep;                 /* what is made goes there */
	enum pack_format format;
	int level;
	unsigned jobs;
};

/*
 * NULL where nothing is kept, which all others take.  Of segments that are there it fills in what
 * else only reading their files would tell: sums and relocations of the items.
 */
struct segments *segments_open(const struct segments_request *r, struct layout *l);
/* Appends the bytes of chunk i; false where it has to be made.  From any thread. */
bool segments_take(struct segments *g, size_t i, struct buf *to);
/* Chunk i as it stands in the archive: each in its order, one thread at a time. */
void segments_put(struct segments *g, size_t i, struct str packed);
/* For the fuzzer: what is noted of the segment's items, into these; -1 where it is not theirs. */
int segment_notes_read(struct layout *l, const struct layout_segment *s, struct str notes);
/* How many there were, and how many were kept anew. */
void segments_close(struct segments *g, size_t *reused, size_t *made);

#endif
