/*
 * The relocation index: whatever is read must lie in the input, and every file that the reader
 * accepts must come back to the same bytes over other prefixes.
 */
#include "base/buf.h"
#include "packer/relocator/relocate.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SIZE_MAX_TRIED = 1 << 16 };

static int to_buf(void *ctx, const char *p, size_t n)
{
	return buf_add(ctx, p, n);
}

static void put_placeholder(const char *placeholder, enum relocate_encoding encoding, char *to)
{
	size_t n;

	while ((n = relocate_encode_next(&placeholder, encoding, to)) > 0)
		to += n;
}

/* The original, made up: noise with the placeholder at its offsets, and ends of strings. */
static void make_original(const struct relocate_entry *f, struct buf *to)
{
	struct relocate_offsets it = relocate_offsets_of(f);
	struct relocate_place place;

	buf_add(to, f->head, f->head_len);
	while (to->n < f->size)
		buf_putc(to, (char)(to->n % 7 ? 'a' + (char)(to->n % 26) : f->binary ? 0 : '\n'));
	while (relocate_offset_next(&it, &place))
		put_placeholder(f->placeholder, place.encoding, to->p + place.at);
}

static void move(const struct relocate_entry *f, struct buf *data, const char *from, const char *to)
{
	struct buf moved = {0};

	if (relocate_convert(f, data->p, data->n, from, to, to_buf, &moved) != 0 ||
		!relocate_holds(f, moved.p, moved.n, to))
		abort();
	buf_release(data);
	*data = moved;
}

static void try_entry(const struct relocate_entry *from_index)
{
	struct relocate_entry f = *from_index;
	CLEANUP_BUF original = {0};
	CLEANUP_BUF moving = {0};

	if (f.size > SIZE_MAX_TRIED || f.placeholder_len < 9)
		return;
	make_original(&f, &original);
	/* Only in a binary with several encodings a C string may run into the next string. */
	if (relocate_measure(&f, original.p, original.n, f.placeholder, &f.hash) < 0) {
		if (f.binary && f.forms)
			return;
		abort();
	}
	buf_str(&moving, buf_view(&original));
	move(&f, &moving, f.placeholder, "/x");
	move(&f, &moving, "/x", "/y z/abcd");
	if (!f.binary)
		move(&f, &moving, "/y z/abcd", "/somewhere/long/enough/to/need/a/line/of/its/own");
	else
		move(&f, &moving, "/y z/abcd", "/b");
	move(&f, &moving, f.binary ? "/b" : "/somewhere/long/enough/to/need/a/line/of/its/own",
		f.placeholder);
	if (!str_eq(buf_view(&moving), buf_view(&original)))
		abort();
}

/* The input with a right sum behind it, so that a fuzzer gets past that. */
static void with_sum(const uint8_t *data, size_t size, struct buf *to)
{
	struct relocate_hash s;
	uint64_t sum;

	buf_add(to, data, size);
	relocate_hash_init(&s);
	relocate_hash_add(&s, data, size);
	sum = relocate_hash_end(&s);
	for (int i = 0; i < 8; i++, sum >>= 8)
		buf_putc(to, (char)(sum & 0xff));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct relocate_error e;
	CLEANUP_BUF index = {0};
	struct relocation r;
	struct relocate_entry f;
	size_t cursor;
	uint64_t n = 0;

	with_sum(data, size, &index);
	if (relocation_open(&r, index.p, index.n, &e) < 0)
		return 0;
	cursor = r.first;
	for (; relocation_next(&r, &cursor, &f); n++)
		try_entry(&f);
	if (n != r.n_files)
		abort();
	return 0;
}
