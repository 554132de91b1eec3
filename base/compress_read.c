/* What is whole in memory: zstd frames (RFC 8878) by libzstd, gzip members (RFC 1952) by libdeflate. */
#include "base/archive.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <zstd.h>

struct zstd_reader {
	ZSTD_DCtx *c;
};

struct zstd_reader *zstd_reader_new(void)
{
	struct zstd_reader *z = xcalloc(1, sizeof *z);

	z->c = ZSTD_createDCtx();
	if (!z->c)
		abort(); /* nothing but memory can be missing */
	return z;
}

void zstd_reader_free(struct zstd_reader *z)
{
	if (!z)
		return;
	ZSTD_freeDCtx(z->c);
	free(z);
}

static int too_large(size_t max, const char *name, struct err *e)
{
	return err_set(e, ERR_INTEGRITY, "'%s' holds more than the %zu bytes it may", name, max);
}

static int damaged(const char *name, const char *why, struct err *e)
{
	return err_set(e, ERR_INTEGRITY, "damaged zstd file '%s': %s", name, why);
}

/* How much to make room for, where nothing is known or all of it came. */
static size_t next_room(size_t done, size_t max, struct str left)
{
	unsigned long long told = ZSTD_getFrameContentSize(left.p, left.n);
	size_t room = done ? done : left.n * 4 + 4096;

	if (told != ZSTD_CONTENTSIZE_UNKNOWN && told != ZSTD_CONTENTSIZE_ERROR)
		room = (size_t)told + 1;
	return room < max - done + 1 ? room : max - done + 1;
}

int zstd_unpack(struct zstd_reader *z, struct str data, size_t max, const char *name,
	struct buf *to, struct err *e)
{
	ZSTD_inBuffer in = {data.p, data.n, 0};
	unsigned long long told = ZSTD_getFrameContentSize(data.p, data.n);
	size_t done = 0, more = 1;

	if (told == ZSTD_CONTENTSIZE_ERROR)
		return damaged(name, "not in this format", e);
	if (told != ZSTD_CONTENTSIZE_UNKNOWN && told > max)
		return too_large(max, name, e);
	ZSTD_DCtx_reset(z->c, ZSTD_reset_session_only);
	while (in.pos < in.size || more) {
		size_t room = next_room(done, max, str_n(data.p + in.pos, in.size - in.pos));
		ZSTD_outBuffer out = {buf_room(to, room), room, 0};
		size_t before = in.pos;

		more = ZSTD_decompressStream(z->c, &out, &in);
		if (ZSTD_isError(more))
			return damaged(name, ZSTD_getErrorName(more), e);
		to->n += out.pos;
		done += out.pos;
		if (done > max)
			return too_large(max, name, e);
		if (more && out.pos == 0 && in.pos == before)
			return damaged(name, "cut short", e);
	}
	return 0;
}

/* --- gzip ---------------------------------------------------------------------------------- */

struct gzip_reader {
	struct libdeflate_decompressor *d;
};

struct gzip_reader *gzip_reader_new(void)
{
	struct gzip_reader *g = xcalloc(1, sizeof *g);

	g->d = libdeflate_alloc_decompressor();
	if (!g->d)
		abort(); /* nothing but memory can be missing */
	return g;
}

void gzip_reader_free(struct gzip_reader *g)
{
	if (!g)
		return;
	libdeflate_free_decompressor(g->d);
	free(g);
}

int gzip_unpack(struct gzip_reader *g, struct str member, char *to, size_t n, const char *name,
	struct err *e)
{
	size_t used, got;

	switch (libdeflate_gzip_decompress_ex(g->d, member.p, member.n, to, n, &used, &got)) {
	case LIBDEFLATE_SUCCESS:
		if (used == member.n && got == n)
			return 0;
		return err_set(e, ERR_INTEGRITY,
			"damaged gzip file '%s': a member lies about its size", name);
	case LIBDEFLATE_INSUFFICIENT_SPACE:
	case LIBDEFLATE_SHORT_OUTPUT:
		return err_set(e, ERR_INTEGRITY,
			"damaged gzip file '%s': a member lies about its size", name);
	case LIBDEFLATE_BAD_DATA:
		break;
	}
	return err_set(e, ERR_INTEGRITY, "damaged gzip file '%s': bad data or another sum", name);
}
