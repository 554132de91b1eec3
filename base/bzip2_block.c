#include "base/bzip2_block.h"

#include "base/arena.h"

#include <endian.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
	MAX_BITS = 20, /* of a code */
	FAST_BITS = 11,
	MAX_SYMBOLS = 258,
	MAX_TABLES = 6,
	MAX_SELECTORS = 18002,
	GROUP = 50,
	RUN_A = 0,
	RUN_B = 1,
	MAX_RUN = 2 << 20,
};

/* --- bits --------------------------------------------------------------------------------- */

/* The next `have` bits are the highest of acc; the bytes from p on are not in it yet. */
struct bits {
	const uint8_t *in, *p;
	uint64_t acc;
	unsigned have;
	uint64_t limit; /* bits of input */
};

static inline void refill(struct bits *b)
{
	uint64_t next;

	memcpy(&next, b->p, sizeof next);
	b->acc |= be64toh(next) >> b->have;
	b->p += (63 - b->have) >> 3;
	b->have |= 56;
}

static inline void drop(struct bits *b, unsigned n)
{
	b->acc <<= n;
	b->have -= n;
}

/* n from 1 to 32.  Beyond the input come bits of no meaning: bits_over() says so. */
static inline uint32_t take(struct bits *b, unsigned n)
{
	if (b->have < n)
		refill(b);
	uint32_t v = (uint32_t)(b->acc >> (64 - n));
	drop(b, n);
	return v;
}

static inline uint64_t bits_at(const struct bits *b)
{
	return (uint64_t)(b->p - b->in) * 8 - b->have;
}

static inline bool bits_over(const struct bits *b)
{
	return bits_at(b) > b->limit;
}

static void bits_start(struct bits *b, const uint8_t *in, size_t n, unsigned from)
{
	*b = (struct bits){.in = in, .p = in + from / 8, .limit = (uint64_t)n * 8};
	refill(b);
	drop(b, from % 8);
}

/* --- codes -------------------------------------------------------------------------------- */

/* One Huffman table, decoded as libbz2 does it: damaged ones, too. */
struct codes {
	uint16_t fast[1 << FAST_BITS]; /* symbol << 5 | length; 0: a longer code, or none */
	int32_t limit[MAX_BITS + 3], base[MAX_BITS + 3];
	uint16_t symbols[MAX_SYMBOLS];
	unsigned min, max, n;
};

/* Of the code of `length` bits that begins `bits` (FAST_BITS of them); -1: it is not so long. */
static int symbol_of(const struct codes *c, uint32_t bits, unsigned length)
{
	int32_t v = (int32_t)bits;

	if (v > c->limit[length])
		return -1;
	v -= c->base[length];
	return v >= 0 && v < (int32_t)c->n ? c->symbols[v] : -2;
}

static void make_fast(struct codes *c)
{
	memset(c->fast, 0, sizeof c->fast);
	for (uint32_t bits = 0; bits < 1 << FAST_BITS;) {
		unsigned length = c->min;
		int symbol = -1;

		for (; length <= FAST_BITS && length <= c->max && symbol == -1; length++)
			symbol = symbol_of(c, bits >> (FAST_BITS - length), length);
		if (symbol < 0) {
			bits++;
			continue;
		}
		length--;
		/* All that begin with this code. */
		for (uint32_t end = ((bits >> (FAST_BITS - length)) + 1) << (FAST_BITS - length);
			bits < end; bits++)
			c->fast[bits] = (uint16_t)(symbol << 5 | (int)length);
	}
}

static void make_codes(struct codes *c, const uint8_t *lengths, unsigned n)
{
	int32_t vec = 0;
	unsigned k = 0;

	c->n = n;
	c->min = MAX_BITS;
	c->max = 1;
	memset(c->base, 0, sizeof c->base);
	memset(c->limit, 0, sizeof c->limit);
	for (unsigned i = 0; i < n; i++) {
		c->min = lengths[i] < c->min ? lengths[i] : c->min;
		c->max = lengths[i] > c->max ? lengths[i] : c->max;
		c->base[lengths[i] + 1]++;
	}
	for (unsigned length = c->min; length <= c->max; length++)
		for (unsigned i = 0; i < n; i++)
			if (lengths[i] == length)
				c->symbols[k++] = (uint16_t)i;
	for (unsigned i = 1; i < MAX_BITS + 3; i++)
		c->base[i] += c->base[i - 1];
	for (unsigned i = c->min; i <= c->max; i++) {
		vec += c->base[i + 1] - c->base[i];
		c->limit[i] = vec - 1;
		vec *= 2;
	}
	for (unsigned i = c->min + 1; i <= c->max; i++)
		c->base[i] = (c->limit[i - 1] + 1) * 2 - c->base[i];
	make_fast(c);
}

/* A code over FAST_BITS bits: the symbol, or -1. */
static int take_long(const struct codes *c, struct bits *b)
{
	for (unsigned length = c->min; length <= c->max; length++) {
		int symbol = symbol_of(c, (uint32_t)(b->acc >> (64 - length)), length);
		if (symbol == -2)
			return -1;
		if (symbol >= 0) {
			drop(b, length);
			return symbol;
		}
	}
	return -1;
}

static inline int take_symbol(const struct codes *c, struct bits *b)
{
	if (b->have < MAX_BITS)
		refill(b);
	unsigned entry = c->fast[b->acc >> (64 - FAST_BITS)];
	if (!entry)
		return take_long(c, b);
	drop(b, entry & 31);
	return (int)(entry >> 5);
}

/* --- what precedes the symbols ------------------------------------------------------------ */

struct head {
	unsigned origin;
	uint8_t used[256]; /* the bytes that occur, which is the first order of move-to-front */
	unsigned n_used, n_tables, n_selectors;
	uint8_t selectors[MAX_SELECTORS];
	struct codes codes[MAX_TABLES];
};

static void read_used(struct head *h, struct bits *b)
{
	uint32_t rows = take(b, 16);

	h->n_used = 0;
	for (unsigned row = 0; row < 16; row++) {
		uint32_t columns = rows & (0x8000u >> row) ? take(b, 16) : 0;
		for (unsigned column = 0; column < 16; column++)
			if (columns & (0x8000u >> column))
				h->used[h->n_used++] = (uint8_t)(row * 16 + column);
	}
}

static bool read_selectors(struct head *h, struct bits *b)
{
	uint8_t order[MAX_TABLES] = {0, 1, 2, 3, 4, 5};

	h->n_tables = take(b, 3);
	h->n_selectors = take(b, 15);
	if (h->n_tables < 2 || h->n_tables > MAX_TABLES || h->n_selectors < 1)
		return false;
	for (unsigned i = 0; i < h->n_selectors; i++) {
		unsigned j = 0;

		while (take(b, 1))
			if (++j >= h->n_tables)
				return false;
		/* More than can be of use are read and not looked at, as in libbz2. */
		uint8_t table = order[j];
		memmove(order + 1, order, j);
		order[0] = table;
		if (i < MAX_SELECTORS)
			h->selectors[i] = table;
		if (bits_over(b))
			return false;
	}
	if (h->n_selectors > MAX_SELECTORS)
		h->n_selectors = MAX_SELECTORS;
	return true;
}

static bool read_codes(struct head *h, struct bits *b)
{
	unsigned n = h->n_used + 2;
	uint8_t lengths[MAX_SYMBOLS];

	for (unsigned t = 0; t < h->n_tables; t++) {
		unsigned length = take(b, 5);

		for (unsigned i = 0; i < n; i++) {
			for (;;) {
				if (length < 1 || length > MAX_BITS || bits_over(b))
					return false;
				if (!take(b, 1))
					break;
				length += take(b, 1) ? -1u : 1u;
			}
			lengths[i] = (uint8_t)length;
		}
		make_codes(&h->codes[t], lengths, n);
	}
	return true;
}

/* From behind the magic. */
static bool read_head(struct bz_block *block, struct head *h, struct bits *b)
{
	block->crc = take(b, 32);
	bool randomised = take(b, 1);
	h->origin = take(b, 24);
	read_used(h, b);
	return !randomised && h->n_used > 0 && read_selectors(h, b) && read_codes(h, b);
}

/* --- symbols ------------------------------------------------------------------------------ */

static inline uint8_t move_to_front(uint8_t *order, unsigned i)
{
	uint8_t c = order[i];

	if (i < 16)
		for (; i > 0; i--)
			order[i] = order[i - 1];
	else
		memmove(order + 1, order, i);
	order[0] = c;
	return c;
}

/* The runs and bytes into tt, each byte counted: how many, or -1. */
static int read_symbols(
	const struct head *h, struct bits *b, uint32_t *tt, uint32_t max, uint32_t counts[256])
{
	uint8_t order[256];
	uint32_t n = 0, run = 0, weight = 1;
	int end = (int)h->n_used + 1;

	memcpy(order, h->used, sizeof order);
	for (unsigned g = 0; g < h->n_selectors; g++) {
		const struct codes *codes = &h->codes[h->selectors[g]];

		for (unsigned i = 0; i < GROUP; i++) {
			int symbol = take_symbol(codes, b);
			if (symbol == RUN_A || symbol == RUN_B) {
				if (weight >= MAX_RUN)
					return -1;
				run += weight << symbol;
				weight *= 2;
				continue;
			}
			if (run) {
				if (run > max - n)
					return -1;
				counts[order[0]] += run;
				for (uint32_t stop = n + run; n < stop; n++)
					tt[n] = order[0];
				run = 0;
				weight = 1;
			}
			if (symbol == end)
				return (int)n;
			if (symbol < 0 || n >= max)
				return -1;
			uint8_t c = move_to_front(order, (unsigned)symbol - 1);
			counts[c]++;
			tt[n++] = c;
		}
		if (bits_over(b))
			return -1;
	}
	return -1;
}

/* The way from each byte to the one behind it (the inverse of Burrows and Wheeler's transform). */
static void link_bytes(uint32_t *tt, uint32_t n, uint32_t counts[256])
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < 256; i++) {
		uint32_t count = counts[i];
		counts[i] = sum;
		sum += count;
	}
	for (uint32_t i = 0; i < n; i++)
		tt[counts[(uint8_t)tt[i]]++] |= i << 8;
}

enum bz_result bz_block_read(
	struct bz_block *block, const uint8_t *in, size_t n, unsigned from, int level)
{
	uint32_t counts[256] = {0};
	struct head *h = xmalloc(sizeof *h);
	struct bits b;
	int count = -1;

	if (!block->tt)
		block->tt = xmalloc(sizeof *block->tt * BZ_MAX_LEVEL * BZ_LEVEL_BYTES);
	bits_start(&b, in, n, from);
	take(&b, 24);
	take(&b, 24);
	if (read_head(block, h, &b))
		count = read_symbols(h, &b, block->tt, (uint32_t)level * BZ_LEVEL_BYTES, counts);
	uint32_t origin = h->origin;
	free(h);
	if (bits_over(&b))
		return BZ_BLOCK_SHORT;
	if (count < 0 || origin >= (uint32_t)count)
		return BZ_BLOCK_BAD;
	link_bytes(block->tt, (uint32_t)count, counts);
	block->end_bit = bits_at(&b);
	block->at = block->tt[origin] >> 8;
	block->left = (uint32_t)count;
	block->run = block->repeat = 0;
	block->last = 0;
	block->crc_is = 0xffffffff;
	return BZ_BLOCK_OK;
}

/* --- bytes -------------------------------------------------------------------------------- */

/* CRC-32 with the polynomial 0x04c11db7, highest bit first, eight bytes a step. */
static uint32_t crc_table[8][256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void make_crc_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i << 24;
		for (unsigned k = 0; k < 8; k++)
			c = c & 0x80000000 ? c << 1 ^ 0x04c11db7 : c << 1;
		crc_table[0][i] = c;
	}
	for (unsigned t = 1; t < 8; t++)
		for (unsigned i = 0; i < 256; i++) {
			uint32_t c = crc_table[t - 1][i];
			crc_table[t][i] = c << 8 ^ crc_table[0][c >> 24];
		}
}

static uint32_t crc_add(uint32_t crc, const uint8_t *p, size_t n)
{
	pthread_once(&crc_once, make_crc_table);
	for (; n >= 8; p += 8, n -= 8) {
		crc ^= (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
		crc = crc_table[7][crc >> 24] ^ crc_table[6][crc >> 16 & 255] ^
		      crc_table[5][crc >> 8 & 255] ^ crc_table[4][crc & 255] ^ crc_table[3][p[4]] ^
		      crc_table[2][p[5]] ^ crc_table[1][p[6]] ^ crc_table[0][p[7]];
	}
	for (; n > 0; p++, n--)
		crc = crc << 8 ^ crc_table[0][(crc >> 24 ^ *p) & 255];
	return crc;
}

/* Writes what is owed of a run: four equal bytes and a byte that says how many more. */
static inline uint8_t *write_repeat(struct bz_block *b, uint8_t *p, const uint8_t *end)
{
	size_t n = b->repeat < (size_t)(end - p) ? b->repeat : (size_t)(end - p);

	memset(p, b->last, n);
	b->repeat -= (unsigned)n;
	return p + n;
}

bool bz_block_write(struct bz_block *b, uint8_t *to, size_t size, size_t *n)
{
	uint8_t *p = to, *end = to + size, last = b->last;
	const uint32_t *tt = b->tt;
	uint32_t at = b->at, left = b->left;
	unsigned run = b->run;

	if (b->repeat)
		p = write_repeat(b, p, end);
	while (left > 0 && p < end) {
		uint32_t next = tt[at];
		uint8_t c = (uint8_t)next;
		at = next >> 8;
		left--;
		if (run == 4) {
			run = 0;
			b->repeat = c;
			b->last = last;
			p = write_repeat(b, p, end);
			continue;
		}
		run = c == last ? run + 1 : 1;
		last = c;
		*p++ = c;
	}
	b->at = at;
	b->left = left;
	b->run = run;
	b->last = last;
	*n = (size_t)(p - to);
	b->crc_is = crc_add(b->crc_is, to, *n);
	return left > 0 || run != 4;
}

void bz_block_release(struct bz_block *b)
{
	free(b->tt);
	*b = (struct bz_block){0};
}
