#include "packer/chunks.h"

#include "base/tar_blocks.h"
#include "packer/layout.h"

#include <stdlib.h>

enum {
	CHUNKS_MAX = 1 << 20,
	/* What cannot be compressed grows a little (libdeflate and zstd: below 0.1 %). */
	PACKED_MAX = CHUNK_SIZE + (CHUNK_SIZE >> 7) + 1024,
	GZIP_HEADER = 20,
	GZIP_TRAILER = 8,
	SEEK_HEAD = 8, /* of the frame that the table is */
	SEEK_FOOT = 9,
	PLAIN_GROUP = 1 << 20, /* a tar is cut at the first header behind so many bytes */
	PLAIN_WINDOW = 64 << 10,
	PLAIN_HEADERS_MAX = 2000000,
};

struct search {
	struct arena *arena;
	const struct chunk_source *from;
	struct archive_chunks *out;
	struct hash *identity;
};

static uint32_t le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static int read_at(const struct search *s, void *p, size_t n, uint64_t at, struct err *e)
{
	return s->from->pread(s->from->ctx, p, n, at, e);
}

static int lies(const struct search *s, const char *what, uint64_t at, struct err *e)
{
	return err_set(e, ERR_INTEGRITY, "damaged archive '%s': %s at byte %llu", s->from->name,
		what, (unsigned long long)at);
}

/* The sizes as they are said; a chunk that is not full ends its segment. */
static int add(struct search *s, uint64_t at, uint32_t packed, uint32_t raw, struct err *e)
{
	struct archive_chunks *out = s->out;
	size_t n = out->list.n;
	bool first = n == 0 || out->list.v[n - 1].raw != CHUNK_SIZE;

	if (n == CHUNKS_MAX)
		return lies(s, "too many pieces", at, e);
	if (raw == 0 || raw > CHUNK_SIZE || raw % TAR_BLOCK)
		return lies(s, "a piece with an impossible size", at, e);
	*VEC_PUSH(s->arena, &out->list) = (struct archive_chunk){at, packed, raw, first};
	return 0;
}

/* --- gzip -------------------------------------------------------------------------------------- */

/* A header as gzip_member() writes it: of any time, level and system. */
static bool is_gzip_header(const uint8_t *p)
{
	return p[0] == 0x1f && p[1] == 0x8b && p[2] == 8 && p[3] == 4 && p[10] == 8 && p[11] == 0 &&
	       p[12] == 'E' && p[13] == 'B' && p[14] == 4 && p[15] == 0;
}

static int find_gzip(struct search *s, struct err *e)
{
	uint8_t p[GZIP_TRAILER + GZIP_HEADER];
	uint8_t *header = p + GZIP_TRAILER;
	uint64_t at = 0, size = s->from->size;

	if (size < GZIP_HEADER + GZIP_TRAILER)
		return 0;
	if (read_at(s, header, GZIP_HEADER, 0, e) < 0)
		return -1;
	if (!is_gzip_header(header))
		return 0;
	while (at < size) {
		uint32_t packed = le32(header + 16);
		uint64_t past = at + packed;
		bool last = past == size;

		if (!is_gzip_header(header))
			return lies(s, "no piece as envbuild packs them", at, e);
		if (packed < GZIP_HEADER + GZIP_TRAILER || packed > PACKED_MAX)
			return lies(s, "a piece with an impossible size", at, e);
		if (past > size || (!last && size - past < GZIP_HEADER))
			return lies(s, "cut short, or a piece that lies about its size,", at, e);
		if (read_at(s, p, last ? GZIP_TRAILER : sizeof p, past - GZIP_TRAILER, e) < 0 ||
			add(s, at, packed, le32(p + 4), e) < 0)
			return -1;
		hash_update(s->identity, p, GZIP_TRAILER);
		at = past;
	}
	s->out->form = CHUNK_GZIP;
	return 1;
}

/* --- zstd -------------------------------------------------------------------------------------- */

static int add_frames(
	struct search *s, const uint8_t *table, uint32_t n, uint64_t end, struct err *e)
{
	uint64_t at = 0;

	for (uint32_t i = 0; i < n; i++, table += 8) {
		uint32_t packed = le32(table), raw = le32(table + 4);

		/* Frames as other programs cut them. */
		if (raw == 0 || raw > CHUNK_SIZE || raw % TAR_BLOCK)
			return 0;
		if (packed == 0 || packed > PACKED_MAX || packed > end - at)
			return lies(s, "a seek table with an impossible size", end, e);
		if (add(s, at, packed, raw, e) < 0)
			return -1;
		at += packed;
	}
	if (at != end)
		return lies(s, "a seek table that does not fit the archive", end, e);
	return 1;
}

static int find_zstd(struct search *s, struct err *e)
{
	static const uint8_t magic[4] = {0x28, 0xb5, 0x2f, 0xfd},
			     seekable[4] = {0xb1, 0xea, 0x92, 0x8f};
	uint8_t begin[4], foot[SEEK_FOOT], *table;
	uint64_t size = s->from->size, length;
	uint32_t n;
	int rc;

	if (size < sizeof magic + SEEK_HEAD + SEEK_FOOT)
		return 0;
	if (read_at(s, begin, sizeof begin, 0, e) < 0 ||
		read_at(s, foot, sizeof foot, size - sizeof foot, e) < 0)
		return -1;
	/* A descriptor says what else is in the table; ours has nothing. */
	if (memcmp(begin, magic, 4) != 0 || memcmp(foot + 5, seekable, 4) != 0 || foot[4])
		return 0;
	n = le32(foot);
	length = SEEK_HEAD + 8 * (uint64_t)n + SEEK_FOOT;
	if (n == 0 || n > CHUNKS_MAX || length > size)
		return lies(s, "a seek table with an impossible count", size - sizeof foot, e);
	table = xmalloc(length);
	rc = read_at(s, table, length, size - length, e);
	if (rc == 0 && (le32(table) != 0x184D2A5E || le32(table + 4) != length - SEEK_HEAD))
		rc = lies(s, "a seek table that does not begin as one does", size - length, e);
	if (rc == 0)
		rc = add_frames(s, table + SEEK_HEAD, n, size - length, e);
	hash_update(s->identity, table, rc > 0 ? length : 0);
	free(table);
	s->out->form = CHUNK_ZSTD;
	return rc;
}

/* --- not compressed ---------------------------------------------------------------------------- */

/* What lies in the file, through a window that moves on. */
struct window {
	uint64_t at;
	size_t n;
	char p[PLAIN_WINDOW];
};

static const char *block_at(struct search *s, struct window *w, uint64_t at, struct err *e)
{
	if (at >= w->at && at + TAR_BLOCK <= w->at + w->n)
		return w->p + (at - w->at);
	w->at = at;
	w->n = s->from->size - at < sizeof w->p ? (size_t)(s->from->size - at) : sizeof w->p;
	return read_at(s, w->p, w->n, at, e) < 0 ? NULL : w->p;
}

/* [from, to), which begins with a header, in pieces. */
static int add_plain(struct search *s, uint64_t from, uint64_t to, struct err *e)
{
	for (uint64_t at = from; at < to;) {
		uint32_t n = to - at < CHUNK_SIZE ? (uint32_t)(to - at) : CHUNK_SIZE;

		if (s->out->list.n == CHUNKS_MAX)
			return lies(s, "too many pieces", at, e);
		*VEC_PUSH(s->arena, &s->out->list) = (struct archive_chunk){at, n, n, at == from};
		at += n;
	}
	return 0;
}

/* What is at its end is read first: so that begins a piece of its own. */
static bool is_cut(uint64_t from, uint64_t at, const struct member *m)
{
	return at > from && (at - from >= PLAIN_GROUP || str_is(m->path, RELOCATE_INDEX));
}

static int hop_plain(struct search *s, struct tar_blocks *t, struct window *w, struct err *e)
{
	uint64_t size = s->from->size, from = 0, header = 0, at = 0;
	size_t n = 0;

	while (at < size) {
		bool fresh = tar_blocks_between(t);
		const char *block = block_at(s, w, at, e);
		int rc = block ? tar_block(t, block) : -1;

		if (!block)
			return -1;
		/* Not as we write it, or too much of it: that is read in one row. */
		if (rc < 0 || n++ == PLAIN_HEADERS_MAX)
			return 0;
		if (fresh)
			header = at;
		hash_update(s->identity, block, TAR_BLOCK);
		at += TAR_BLOCK;
		if (rc == 0)
			continue;
		/* Hard links are none of ours. */
		if (t->member.type == MEMBER_HARDLINK || t->member.size > size - at ||
			tar_padded(t->member.size) > size - at)
			return 0;
		if (is_cut(from, header, &t->member)) {
			if (add_plain(s, from, header, e) < 0)
				return -1;
			from = header;
		}
		at += tar_padded(t->member.size);
	}
	if (t->zeros != 2 || !tar_blocks_between(t))
		return 0;
	return add_plain(s, from, size, e) < 0 ? -1 : 1;
}

static int find_plain(struct search *s, struct err *e)
{
	struct tar_blocks t = {0};
	struct window *w;
	int rc;

	if (s->from->size == 0 || s->from->size % TAR_BLOCK)
		return 0;
	w = xcalloc(1, sizeof *w);
	rc = hop_plain(s, &t, w, e);
	free(w);
	tar_blocks_release(&t);
	s->out->form = CHUNK_PLAIN;
	return rc;
}

int chunks_find(
	struct arena *a, const struct chunk_source *from, struct archive_chunks *out, struct err *e)
{
	struct search s = {.arena = a, .from = from, .out = out};
	static int (*const forms[])(struct search *, struct err *) = {
		find_gzip, find_zstd, find_plain};
	int rc = 0;

	*out = (struct archive_chunks){0};
	s.identity = hash_new(HASH_SHA256);
	for (size_t i = 0; i < sizeof forms / sizeof *forms && rc == 0; i++) {
		out->list.n = 0;
		rc = forms[i](&s, e);
	}
	for (size_t i = 0; i < out->list.n; i++) {
		uint32_t sizes[] = {out->list.v[i].packed, out->list.v[i].raw};

		hash_update(s.identity, sizes, sizeof sizes);
	}
	hash_final(s.identity, out->identity);
	hash_free(s.identity);
	return rc;
}

/* --- decompressing ------------------------------------------------------------------------------ */

struct chunk_reader {
	struct gzip_reader *gzip;
	struct zstd_reader *zstd;
	struct buf packed, raw;
};

struct chunk_reader *chunk_reader_new(void)
{
	return xcalloc(1, sizeof(struct chunk_reader));
}

void chunk_reader_free(struct chunk_reader *r)
{
	if (!r)
		return;
	gzip_reader_free(r->gzip);
	zstd_reader_free(r->zstd);
	buf_release(&r->packed);
	buf_release(&r->raw);
	free(r);
}

static int unpack_chunk(struct chunk_reader *r, const char *name, enum chunk_form form,
	const struct archive_chunk *chunk, struct err *e)
{
	switch (form) {
	case CHUNK_GZIP:
		if (!r->gzip)
			r->gzip = gzip_reader_new();
		if (gzip_unpack(r->gzip, buf_view(&r->packed), buf_room(&r->raw, chunk->raw),
			    chunk->raw, name, e) < 0)
			return -1;
		r->raw.n = chunk->raw;
		return 0;
	case CHUNK_ZSTD:
		if (!r->zstd)
			r->zstd = zstd_reader_new();
		if (zstd_unpack(r->zstd, buf_view(&r->packed), chunk->raw, name, &r->raw, e) < 0)
			return -1;
		if (r->raw.n == chunk->raw)
			return 0;
		return err_set(e, ERR_INTEGRITY,
			"damaged archive '%s': its seek table lies about a frame", name);
	case CHUNK_PLAIN:
		break;
	}
	return 0;
}

int chunk_read(struct chunk_reader *r, const struct chunk_source *from, enum chunk_form form,
	const struct archive_chunk *chunk, struct str *out, struct err *e)
{
	struct buf *packed = &r->packed;

	buf_clear(packed);
	buf_clear(&r->raw);
	if (from->pread(from->ctx, buf_room(packed, chunk->packed), chunk->packed, chunk->at, e) <
		0)
		return -1;
	packed->n = chunk->packed;
	if (unpack_chunk(r, from->name, form, chunk, e) < 0)
		return -1;
	*out = form == CHUNK_PLAIN ? buf_view(packed) : buf_view(&r->raw);
	return 0;
}
