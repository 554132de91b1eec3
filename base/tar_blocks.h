/*
 * Tar in pieces, block by block, exactly as tar_header() of base/archive.h writes it: for who has
 * the pieces of an archive of ours in memory and reads several at once.  What other programs write
 * besides (pax headers, sparse files) is an error here; tar_open() reads that.
 *
 *	struct tar_blocks t = {0};
 *	while (more && (rc = tar_block(&t, block)) >= 0)
 *		if (rc == 1) ... t.member, whose t.member.size bytes follow, padded to blocks ...
 *	tar_blocks_release(&t);
 */
#ifndef BASE_TAR_BLOCKS_H
#define BASE_TAR_BLOCKS_H

#include "base/archive.h"

enum { TAR_BLOCK = 512 };

struct tar_blocks {
	struct member
		member; /* the one whose header was complete last; valid until the next call */
	struct buf path, link;
	struct buf *into;   /* a long name that is being read */
	uint64_t name_left; /* bytes of it still to come, with its NUL */
	bool long_path, long_link;
	unsigned zeros; /* blocks at the end */
};

/*
 * The next block that is not a member's body: 1 a member's header is complete, 0 it is not yet, or
 * this was an end block, -1 no such tar.  Behind an end block only end blocks may follow.
 */
int tar_block(struct tar_blocks *t, const char block[TAR_BLOCK]);
/* May a piece end here, between two members? */
bool tar_blocks_between(const struct tar_blocks *t);
/* What a body takes. */
static inline uint64_t tar_padded(uint64_t size)
{
	return (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
}
void tar_blocks_release(struct tar_blocks *t);

#endif
