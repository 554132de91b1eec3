/* Writing an index file: one pass, a block's sum taken when it is full. */
#include "solver/index_image.h"

#include "base/archive.h"
#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIECE = 32 * IMAGE_BLOCK };

struct image_writer {
	struct arena arena;
	struct file_out out;
	struct buf piece; /* not yet written, from a block's start on */
	uint64_t at;      /* bytes of payload so far */
	struct buf sums;
	struct {
		struct image_name *v;
		size_t n, cap;
	} names;
};

struct image_writer *image_begin(const char *path, struct err *e)
{
	struct image_writer *w = xcalloc(1, sizeof *w);

	if (file_begin(&w->out, path, 0644, e) == 0) {
		if (lseek(w->out.fd, IMAGE_START, SEEK_SET) == IMAGE_START)
			return w;
		err_sys(e, "cannot write '%s'", w->out.temp);
	}
	image_abort(w);
	return NULL;
}

void image_abort(struct image_writer *w)
{
	if (!w)
		return;
	file_abort(&w->out);
	buf_release(&w->piece);
	buf_release(&w->sums);
	arena_release(&w->arena);
	free(w);
}

/* Sums and writes whole blocks, and at the end the last one. */
static int flush(struct image_writer *w, bool all, struct err *e)
{
	size_t n = all ? w->piece.n : w->piece.n - w->piece.n % IMAGE_BLOCK;

	for (size_t at = 0; at < n; at += IMAGE_BLOCK) {
		size_t len = n - at < IMAGE_BLOCK ? n - at : IMAGE_BLOCK;
		uint32_t sum = crc32_of(str_n(w->piece.p + at, len));

		buf_add(&w->sums, &sum, sizeof sum);
	}
	if (n && write_full(w->out.fd, w->piece.p, n, e) < 0)
		return -1;
	memmove(w->piece.p, w->piece.p + n, w->piece.n - n);
	w->piece.n -= n;
	return 0;
}

static int put(struct image_writer *w, const void *p, size_t n, struct err *e)
{
	buf_add(&w->piece, p, n);
	w->at += n;
	return w->piece.n >= PIECE ? flush(w, false, e) : 0;
}

static int pad(struct image_writer *w, struct err *e)
{
	static const char zeros[8];

	return put(w, zeros, (size_t)(-w->at % 8), e);
}

int image_add(struct image_writer *w, struct str name, struct str bytes, struct err *e)
{
	struct image_name *to;

	if (w->at / 8 + bytes.n / 8 > UINT32_MAX)
		return err_set(e, ERR_INPUT, "index over 32 GiB");
	to = VEC_PUSH(&w->arena, &w->names);
	*to = (struct image_name){crc32_of(name), (uint32_t)(w->at / 8), (uint32_t)(bytes.n / 8)};
	return put(w, bytes.p, bytes.n, e);
}

/* --- the end ------------------------------------------------------------------------------ */

static int put_section(
	struct image_writer *w, struct image_section *s, const void *p, size_t n, struct err *e)
{
	*s = (struct image_section){w->at, n};
	return put(w, p, n, e) < 0 ? -1 : pad(w, e);
}

/* At most half of them taken. */
static int put_slots(struct image_writer *w, struct image_header *h, struct err *e)
{
	size_t n = 16;
	uint32_t *slots;

	while (n < 2 * w->names.n)
		n *= 2;
	slots = arena_array(&w->arena, uint32_t, n);
	for (size_t i = 0; i < w->names.n; i++) {
		size_t at = w->names.v[i].hash % n;

		while (slots[at])
			at = (at + 1) % n;
		slots[at] = (uint32_t)i + 1;
	}
	return put_section(w, &h->slots, slots, n * sizeof *slots, e);
}

static int put_specs(
	struct image_writer *w, struct image_header *h, const struct spec_set *set, struct err *e)
{
	const struct table *t = &set->numbers;
	struct image_spec *specs = arena_array(&w->arena, struct image_spec, t->n);
	uint64_t at = w->at;

	h->texts.at = at;
	for (size_t i = 0; i < t->n; i++) {
		const struct str text = t->entries[i].key;

		if (w->at - at + text.n > UINT32_MAX)
			return err_set(e, ERR_INPUT, "more than 4 GiB of dependencies");
		specs[i] = (struct image_spec){(uint32_t)(w->at - at), (uint32_t)text.n};
		if (put(w, text.p, text.n, e) < 0)
			return -1;
	}
	h->texts.n = w->at - at;
	if (pad(w, e) < 0)
		return -1;
	return put_section(w, &h->specs, specs, t->n * sizeof *specs, e);
}

static int put_ends(struct image_writer *w, struct image_header *h, struct err *e)
{
	if (flush(w, true, e) < 0 || write_full(w->out.fd, w->sums.p, w->sums.n, e) < 0)
		return -1;
	h->payload = w->at;
	h->size = IMAGE_START + w->at + w->sums.n;
	h->sums = crc32_of(buf_view(&w->sums));
	h->self = crc32_of(str_n((const char *)h, sizeof *h));
	if (pwrite(w->out.fd, h, sizeof *h, 0) != (ssize_t)sizeof *h)
		return err_sys(e, "cannot write '%s'", w->out.temp);
	return 0;
}

int image_end(struct image_writer *w, const uint8_t key[IMAGE_KEY], const struct spec_set *specs,
	size_t n_records, struct str base_url, struct err *e)
{
	struct image_header h = {
		.version = IMAGE_VERSION, .order = IMAGE_ORDER, .n_records = n_records};

	memcpy(h.magic, "ebindex", 8);
	memcpy(h.key, key, IMAGE_KEY);
	if (put_specs(w, &h, specs, e) < 0 || put_slots(w, &h, e) < 0 ||
		put_section(w, &h.names, w->names.v, w->names.n * sizeof *w->names.v, e) < 0 ||
		put_section(w, &h.base_url, base_url.p, base_url.n, e) < 0 ||
		put_ends(w, &h, e) < 0)
		return -1;
	return file_commit_unsynced(&w->out, e);
}
