#include "packer/segment.h"

#include "base/work.h"
#include "builder/segment_cache.h"

#include <endian.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Raised when the same key would stand for other bytes or notes. */
static const char FORMAT[] = "envbuild segment 1";

struct known {
	bool keep, found;
	atomic_bool damaged;
	uint8_t key[SHA256_LEN];
	struct segment_file file;
};

struct segments {
	struct segments_request r;
	struct layout *layout;
	struct known *v; /* by the layout's segments */
	/* The one that is being made. */
	struct segment_out out;
	bool making, full;
	size_t made;
};

/* --- keys --------------------------------------------------------------------------------- */

static const char *compressor(enum pack_format f)
{
	switch (f) {
	case PACK_TAR_GZ:
		return gzip_version();
	case PACK_TAR_ZST:
		return zstd_version();
	case PACK_TAR:
	case PACK_SQUASHFS:
	case PACK_DIR:
		break;
	}
	return NULL;
}

static void add_number(struct buf *to, uint64_t v)
{
	uint64_t le = htole64(v);

	buf_add(to, &le, sizeof le);
}

static void add_text(struct buf *to, struct str text)
{
	add_number(to, text.n);
	buf_str(to, text);
}

static const uint8_t *sum_of(const struct layout_item *item)
{
	return item->source ? item->want : item->sha256;
}

static void add_relocation(struct buf *to, const struct layout_item *item)
{
	const struct relocation_file *file = item->relocation;
	const struct relocate_entry *f = &file->entry;

	add_number(to, f->binary + 2 * (uint64_t)f->forms);
	add_text(to, str_n(f->placeholder, f->placeholder_len));
	add_number(to, f->n_offsets);
	add_text(to, str_n((const char *)f->gaps, file->gaps_len));
	/* Of bytes that are not the original's its notes do not follow. */
	if (!item->source) {
		add_number(to, f->hash);
		add_text(to, str_n(f->head, f->head_len));
	}
}

/* All that decides the segment's bytes and notes; false where a file's sum is not known. */
static bool describe(const struct segments *g, const struct layout_segment *s, struct hash *to)
{
	CLEANUP_BUF b = {0};
	bool known = true;

	add_text(&b, str_of(FORMAT));
	add_text(&b, str_of(pack_format_name(g->r.format)));
	add_text(&b, str_of(compressor(g->r.format)));
	add_number(&b, (uint64_t)g->r.level);
	add_number(&b, CHUNK_SIZE);
	add_number(&b, s->bytes);
	for (size_t i = s->first; i < s->first + s->n && known; i++) {
		const struct layout_item *item = &g->layout->items.v[i];

		tar_header(&b, &item->head);
		if (item->head.type == MEMBER_FILE) {
			known = sum_of(item) != NULL;
			if (known)
				buf_add(&b, sum_of(item), SHA256_LEN);
		}
		add_number(&b, item->relocation != NULL);
		if (item->relocation)
			add_relocation(&b, item);
		hash_update(to, b.p, b.n);
		buf_clear(&b);
	}
	return known;
}

static int make_key(void *ctx, size_t i, struct err *e)
{
	struct segments *g = ctx;
	struct known *k = &g->v[i];
	struct hash *hash;

	(void)e;
	k->keep = g->layout->segments.v[i].keep;
	if (!k->keep)
		return 0;
	hash = hash_new(HASH_SHA256);
	k->keep = describe(g, &g->layout->segments.v[i], hash);
	hash_final(hash, k->key);
	hash_free(hash);
	return 0;
}

/* --- notes -------------------------------------------------------------------------------- */

/* Of each item that holds a prefix: u64 sum, u64 length of its head, the head. */
static void write_notes(const struct layout *l, const struct layout_segment *s, struct buf *to)
{
	for (size_t i = s->first; i < s->first + s->n; i++) {
		const struct relocation_file *file = l->items.v[i].relocation;

		if (!file)
			continue;
		add_number(to, file->entry.hash);
		add_text(to, str_n(file->entry.head, file->entry.head_len));
	}
}

static int take_number(struct str *rest, uint64_t *out)
{
	if (rest->n < sizeof *out)
		return -1;
	memcpy(out, rest->p, sizeof *out);
	*out = le64toh(*out);
	*rest = str_sub(*rest, sizeof *out, rest->n);
	return 0;
}

static int take_note(struct str *rest, struct relocate_entry *f)
{
	uint64_t n;

	if (take_number(rest, &f->hash) < 0 || take_number(rest, &n) < 0 || n > rest->n ||
		n > RELOCATE_HEAD_MAX)
		return -1;
	f->head = n ? rest->p : NULL;
	f->head_len = n;
	*rest = str_sub(*rest, n, rest->n);
	return 0;
}

int segment_notes_read(struct layout *l, const struct layout_segment *s, struct str rest)
{
	for (size_t i = s->first; i < s->first + s->n; i++) {
		struct layout_item *item = &l->items.v[i];

		if (item->relocation && take_note(&rest, &item->relocation->entry) < 0)
			return -1;
		if (item->source && item->want)
			memcpy(item->sha256, item->want, SHA256_LEN);
	}
	return rest.n ? -1 : 0;
}

/* --- finding ------------------------------------------------------------------------------ */

/* Its pieces are the chunks of the segment. */
static bool fits(const struct layout_segment *s, const struct segment_file *f)
{
	uint64_t at = 0;

	for (size_t i = 0; i < f->n_pieces; i++) {
		uint64_t want = s->bytes - at < CHUNK_SIZE ? s->bytes - at : CHUNK_SIZE;

		if (f->pieces[i].raw != want || want == 0)
			return false;
		at += want;
	}
	return at == s->bytes;
}

static void find(struct segments *g, size_t i)
{
	const struct layout_segment *s = &g->layout->segments.v[i];
	struct known *k = &g->v[i];

	if (!k->keep || s->bytes == 0 ||
		!segment_file_open(g->layout->arena, g->r.cache, k->key, &k->file))
		return;
	k->found = fits(s, &k->file) && segment_notes_read(g->layout, s, k->file.notes) == 0;
	if (!k->found) {
		segment_file_drop(&k->file);
		segment_file_close(&k->file);
	}
}

struct segments *segments_open(const struct segments_request *r, struct layout *l)
{
	struct segments *g;

	if (!r->cache || !compressor(r->format) || l->segments.n == 0)
		return NULL;
	g = xcalloc(1, sizeof *g);
	g->r = *r;
	g->layout = l;
	g->full = !r->keep;
	g->v = arena_array(l->arena, struct known, l->segments.n);
	if (work_run(r->jobs, l->segments.n, make_key, g, NULL) < 0)
		return g; /* interrupted: whoever goes on is told */
	for (size_t i = 0; i < l->segments.n; i++)
		find(g, i);
	return g;
}

/* --- taking and putting ------------------------------------------------------------------- */

bool segments_take(struct segments *g, size_t i, struct buf *to)
{
	const struct layout_chunk *chunk;
	struct known *k;

	if (!g)
		return false;
	chunk = &g->layout->chunks.v[i];
	k = &g->v[chunk->segment];
	if (!k->found || k->damaged)
		return false;
	if (segment_file_read(&k->file, chunk->from / CHUNK_SIZE, to))
		return true;
	if (!atomic_exchange(&k->damaged, true))
		segment_file_drop(&k->file);
	return false;
}

/* Also where the disk is full: then no other is begun. */
static void give_up(struct segments *g)
{
	segment_out_abort(&g->out);
	g->making = false;
	g->full = true;
}

void segments_put(struct segments *g, size_t i, struct str packed)
{
	const struct layout_chunk *chunk;
	const struct layout_segment *s;
	struct known *k;

	if (!g || g->full)
		return;
	chunk = &g->layout->chunks.v[i];
	k = &g->v[chunk->segment];
	s = &g->layout->segments.v[chunk->segment];
	if (!k->keep || k->found)
		return;
	if (chunk->from == 0) {
		g->making = segment_out_begin(g->r.cache, k->key, &g->out);
		if (!g->making)
			give_up(g);
	}
	if (g->making && !segment_out_add(&g->out, packed, chunk->to - chunk->from))
		give_up(g);
	if (g->making && chunk->to == s->bytes) {
		CLEANUP_BUF notes = {0};

		write_notes(g->layout, s, &notes);
		if (segment_out_commit(&g->out, buf_view(&notes)))
			g->made++;
		else
			give_up(g);
		segment_out_abort(&g->out);
		g->making = false;
	}
}

void segments_close(struct segments *g, size_t *reused, size_t *made)
{
	if (!g)
		return;
	segment_out_abort(&g->out);
	for (size_t i = 0; i < g->layout->segments.n; i++)
		if (g->v[i].found) {
			segment_file_close(&g->v[i].file);
			*reused += !g->v[i].damaged;
		}
	*made += g->made;
	free(g);
}
