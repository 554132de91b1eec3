/*
 * Whole gzip members (RFC 1952) by libdeflate and zstd frames (RFC 8878) by libzstd.
 *
 * Neither carries a name or a time, so that the bytes depend on the input, the level and the
 * compressor's version alone.
 */
#include "base/archive.h"

#include <libdeflate.h>
#include <zstd.h>

int gzip_member(struct str data, int level, struct buf *to, struct err *e)
{
	struct libdeflate_compressor *c;
	size_t bound, n;
	char *room;

	if (level < 1 || level > 12)
		return err_set(e, ERR_FAIL, "no such gzip level: %d (1 to 12)", level);
	c = libdeflate_alloc_compressor(level);
	if (!c)
		return err_set(e, ERR_SYSTEM, "out of memory for gzip level %d", level);
	bound = libdeflate_gzip_compress_bound(c, data.n);
	room = buf_room(to, bound);
	n = room ? libdeflate_gzip_compress(c, data.n ? data.p : "", data.n, room, bound) : 0;
	libdeflate_free_compressor(c);
	if (!n)
		return err_set(e, ERR_FAIL, "too much data for one gzip member: %zu bytes", data.n);
	to->n += n;
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
