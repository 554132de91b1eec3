/*
 * Numbers and texts one behind the other, as the files of facts hold them.
 *
 * Numbers are little-endian; a text is u32 length and that many bytes.  Reading takes any bytes: after
 * the first read beyond the end everything reads as zero and `bad` stays set.
 */
#ifndef BUILDER_PACKED_H
#define BUILDER_PACKED_H

#include "base/buf.h"
#include "base/table.h"

void packed_put_u8(struct buf *to, uint8_t v);
void packed_put_u32(struct buf *to, uint64_t v);
void packed_put_u64(struct buf *to, uint64_t v);
void packed_put_text(struct buf *to, struct str s);
/* Texts by number, each stored once; 0 is the empty one.  Their bytes must outlive the numbering. */
struct packed_texts {
	struct table index;
};
void packed_put_number(struct buf *to, struct packed_texts *texts, struct str s);
void packed_put_texts(struct buf *to, const struct packed_texts *texts);

struct packed {
	struct str rest;
	bool bad;
};

/* n bytes, or NULL. */
const char *packed_take(struct packed *c, size_t n);
uint8_t packed_u8(struct packed *c);
uint32_t packed_u32(struct packed *c);
uint64_t packed_u64(struct packed *c);
/* Points into the text that is read. */
struct str packed_text(struct packed *c);
/* A count of things that need at least `each` bytes. */
size_t packed_count(struct packed *c, size_t each);

struct packed_list {
	struct str *v;
	size_t n;
};
/* What packed_put_texts wrote; the array lives in the arena.  A text with a NUL is bad. */
struct packed_list packed_read_texts(struct arena *a, struct packed *c);
/* A text by its number. */
struct str packed_number(struct packed *c, const struct packed_list *texts);

#endif
