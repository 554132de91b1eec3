/*
 * Whole gzip members (RFC 1952) by libdeflate and zstd frames (RFC 8878) by libzstd.
 *
 * Neither carries a name or a time, so that the bytes depend on the input, the level and the
 * compressor's version alone.
 */
#include "base/archive.h"

#include <libdeflate.h>
#include <zstd.h>

enum { GZIP_HEADER = 20, GZIP_TRAILER = 8 };

static void put_le32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++, v >>= 8)
		p[i] = (uint8_t)v;
}

/* FLG says FEXTRA; no time; XFL by the level and an unknown system, as libdeflate has them. */
static void gzip_header(uint8_t *p, int level, uint32_t size)
{
	uint8_t xfl = level < 2 ? 4 : level < 8 ? 0 : 2;
	const uint8_t header[] = {
		0x1f, 0x8b, 8, 4, 0, 0, 0, 0, xfl, 255, 8, 0, 'E', 'B', 4, 0, 0, 0, 0, 0};

	_Static_assert(sizeof header == GZIP_HEADER, "the header's length");
	memcpy(p, header, sizeof header);
	put_le32(p + GZIP_HEADER - 4, size);
}

int gzip_member(struct str data, int level, struct buf *to, struct err *e)
{
	struct libdeflate_compressor *c;
	size_t bound, n = 0;
	uint8_t *room;

	if (level < 1 || level > 12)
		return err_set(e, ERR_FAIL, "no such gzip level: %d (1 to 12)", level);
	c = libdeflate_alloc_compressor(level);
	if (!c)
		return err_set(e, ERR_SYSTEM, "out of memory for gzip level %d", level);
	bound = libdeflate_deflate_compress_bound(c, data.n) + GZIP_HEADER + GZIP_TRAILER;
	room = bound > UINT32_MAX ? NULL : (uint8_t *)buf_room(to, bound);
	if (room)
		n = libdeflate_deflate_compress(c, data.n ? data.p : "", data.n, room + GZIP_HEADER,
			bound - GZIP_HEADER - GZIP_TRAILER);
	libdeflate_free_compressor(c);
	if (!n)
		return err_set(e, ERR_FAIL, "too much data for one gzip member: %zu bytes", data.n);
	gzip_header(room, level, (uint32_t)(GZIP_HEADER + n + GZIP_TRAILER));
	put_le32(room + GZIP_HEADER + n, crc32_of(data));
	put_le32(room + GZIP_HEADER + n + 4, (uint32_t)data.n);
	to->n += GZIP_HEADER + n + GZIP_TRAILER;
	to->p[to->n] = '\0';
	return 0;
}

int zstd_frame(struct str data, int level, struct buf *to, struct err *e)
{
	size_t bound = ZSTD_compressBound(data.n), n;
	ZSTD_CCtx *c;
	char *room;

	if (level < 1 || level > 19)
		return err_set(e, ERR_FAIL, "no such zstd level: %d (1 to 19)", level);
	room = buf_room(to, bound);
	c = ZSTD_createCCtx();
	if (!room || !c) {
		ZSTD_freeCCtx(c);
		return err_set(e, ERR_FAIL, "too much data for one zstd frame: %zu bytes", data.n);
	}
	ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, level);
	ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
	ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, 1);
	n = ZSTD_compress2(c, room, bound, data.n ? data.p : "", data.n);
	ZSTD_freeCCtx(c);
	if (ZSTD_isError(n))
		return err_set(e, ERR_FAIL, "zstd failed: %s", ZSTD_getErrorName(n));
	to->n += n;
	to->p[to->n] = '\0';
	return 0;
}

void zstd_seek_table(const struct zstd_seek *frames, size_t n, struct buf *to)
{
	const uint32_t head[] = {0x184D2A5E, (uint32_t)(8 * n + 9)};
	uint8_t word[4], descriptor = 0;

	for (size_t i = 0; i < 2; i++) {
		put_le32(word, head[i]);
		buf_add(to, word, sizeof word);
	}
	for (size_t i = 0; i < n; i++) {
		put_le32(word, frames[i].packed);
		buf_add(to, word, sizeof word);
		put_le32(word, frames[i].raw);
		buf_add(to, word, sizeof word);
	}
	put_le32(word, (uint32_t)n);
	buf_add(to, word, sizeof word);
	buf_add(to, &descriptor, 1);
	put_le32(word, 0x8F92EAB1);
	buf_add(to, word, sizeof word);
}

const char *gzip_version(void)
{
	return "libdeflate " LIBDEFLATE_VERSION_STRING;
}

const char *zstd_version(void)
{
	return "zstd " ZSTD_VERSION_STRING;
}

uint32_t crc32_add(uint32_t crc, struct str data)
{
	return libdeflate_crc32(crc, data.n ? data.p : "", data.n);
}

uint32_t crc32_of(struct str data)
{
	return crc32_add(0, data);
}
