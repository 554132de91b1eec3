/*
 * One bzip2 block at a time: bits in, bytes out.
 *
 * Private to base/bzip2.c, which finds the blocks and checks what lies around them.  The format is
 * described by Julian Seward's bzip2 1.0.8 (decompress.c, huffman.c) and
 * https://github.com/dsnet/compress/blob/master/doc/bzip2-format.pdf; what libbz2 1.0.8 takes for
 * damaged is damaged here, but for blocks marked "randomised" (by bzip2 before 0.9.5, 1999), which
 * are refused.
 */
#ifndef BASE_BZIP2_BLOCK_H
#define BASE_BZIP2_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	BZ_MAX_LEVEL = 9,
	BZ_LEVEL_BYTES = 100000, /* of a block before runs are expanded */
	BZ_PAD = 256,            /* bytes that must be readable behind the input */
};

enum bz_result {
	BZ_BLOCK_OK,
	BZ_BLOCK_SHORT, /* the input ends before the block does */
	BZ_BLOCK_BAD,
};

struct bz_block {
	uint32_t *tt; /* BZ_MAX_LEVEL * BZ_LEVEL_BYTES, allocated when first needed */
	uint32_t crc; /* as the block says, and (bz_block_write) as it is */
	uint32_t crc_is;
	uint64_t end_bit; /* where the block ends, from the first bit of the input */
	/* What is left to write. */
	uint32_t at, left;
	unsigned run, repeat;
	uint8_t last;
};

void bz_block_release(struct bz_block *b);
/*
 * Reads the block whose magic begins at bit `from` of in (bit 0 is the highest of the first byte)
 * and which was compressed at `level` (1-9).  The n bytes of input are followed by BZ_PAD more that
 * may be read and are not believed.
 */
enum bz_result bz_block_read(
	struct bz_block *b, const uint8_t *in, size_t n, unsigned from, int level);
/*
 * The next bytes of a block that was read: as many as fit, 0 when all are written.  false: the
 * block is bad (it ends within a run); whether its sum is right is for the caller to see at the end.
 */
bool bz_block_write(struct bz_block *b, uint8_t *to, size_t size, size_t *n);

#endif
