/*
 * Kept segments: any bytes as such a file, as they are and with a right footer behind them, and as
 * the notes of a segment of two files with a prefix, are refused or read inside their bounds.
 */
#include "packer/segment.h"
#include "base/archive.h"
#include "builder/segment_cache.h"

#include <endian.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile char seen;

static void put32(struct buf *to, uint32_t v)
{
	uint32_t le = htole32(v);

	buf_add(to, &le, sizeof le);
}

static void try_file(struct str bytes)
{
	static const uint8_t key[SHA256_LEN];
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF piece = {0};
	CLEANUP_FD fd = memfd_create("segment", MFD_CLOEXEC);
	struct segment_file f = {.fd = -1};

	if (fd < 0 || write_full(fd, bytes.p, bytes.n, NULL) < 0)
		abort();
	if (segment_file_parse(&a, fd, key, &f) < 0)
		return;
	for (size_t i = 0; i < f.n_pieces; i++) {
		buf_clear(&piece);
		if (segment_file_read(&f, i, &piece) && piece.n != f.pieces[i].packed)
			abort();
	}
	for (size_t i = 0; i < f.notes.n; i++)
		seen = f.notes.p[i];
}

/* The first two bytes say how many pieces there are, and how long the notes. */
static void try_tail(struct str bytes)
{
	static const uint8_t key[SHA256_LEN];
	CLEANUP_BUF file = {0};
	size_t pieces, notes, tail;

	if (bytes.n < 2)
		return;
	pieces = (uint8_t)bytes.p[0] % 8;
	notes = (uint8_t)bytes.p[1];
	tail = pieces * 12 + notes;
	bytes = str_sub(bytes, 2, bytes.n);
	if (tail > bytes.n)
		return;
	buf_str(&file, bytes);
	buf_add(&file, key, sizeof key);
	put32(&file, (uint32_t)pieces);
	put32(&file, (uint32_t)notes);
	put32(&file, crc32_of(str_sub(buf_view(&file), bytes.n - tail, file.n)));
	buf_puts(&file, "EBSEGM1\n");
	try_file(buf_view(&file));
}

static void try_notes(struct str bytes)
{
	CLEANUP_ARENA a = {0};
	struct relocation_file files[2] = {0};
	struct layout_item items[2] = {{.relocation = &files[0]}, {.relocation = &files[1]}};
	struct layout l = {.arena = &a, .items = {items, 2, 2}};
	struct layout_segment s = {.n = 2};

	if (segment_notes_read(&l, &s, bytes) < 0)
		return;
	for (size_t i = 0; i < 2; i++)
		for (size_t k = 0; k < files[i].entry.head_len; k++)
			seen = files[i].entry.head[k];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = str_n((const char *)data, size);

	try_file(bytes);
	try_tail(bytes);
	try_notes(bytes);
	return 0;
}
