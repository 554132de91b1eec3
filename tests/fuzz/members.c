/*
 * Where the pieces of an archive lie, and tar block by block: whatever sizes it says, nothing is
 * read outside, and no piece is larger than it may be.
 */
#include "base/tar_blocks.h"
#include "packer/chunks.h"
#include "packer/layout.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int pread_memory(void *ctx, void *p, size_t n, uint64_t at, struct err *e)
{
	const struct str *data = ctx;

	(void)e;
	if (at > data->n || n > data->n - at)
		abort();
	memcpy(p, data->p + at, n);
	return 0;
}

/* Reads the tar as far as it is one; bodies are passed over. */
static void walk(struct str tar)
{
	struct tar_blocks t = {0};
	uint64_t at = 0;
	int rc = 0;

	while (rc >= 0 && at + TAR_BLOCK <= tar.n) {
		rc = tar_block(&t, tar.p + at);
		at += TAR_BLOCK;
		if (rc <= 0)
			continue;
		if (t.member.path.n == 0 || memchr(t.member.path.p, 0, t.member.path.n) ||
			(t.member.type != MEMBER_FILE && t.member.size) || !tar_blocks_between(&t))
			abort();
		at += tar_padded(t.member.size);
	}
	tar_blocks_release(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str all = str_n((const char *)data, size);
	struct chunk_source from = {pread_memory, &all, size, "fuzz"};
	struct chunk_reader *reader = chunk_reader_new();
	CLEANUP_ARENA a = {0};
	struct archive_chunks chunks;
	struct err e = {0};
	uint64_t end = 0;

	if (chunks_find(&a, &from, &chunks, &e) > 0) {
		for (size_t i = 0; i < chunks.list.n; i++) {
			const struct archive_chunk *c = &chunks.list.v[i];
			struct str raw;

			if (c->at != end || c->packed == 0 || c->packed > size - end ||
				c->raw == 0 || c->raw > CHUNK_SIZE || c->raw % TAR_BLOCK ||
				(i == 0 && !c->first))
				abort();
			end += c->packed;
			if (i > 16 || chunk_read(reader, &from, chunks.form, c, &raw, &e) < 0)
				break;
			if (raw.n != c->raw)
				abort();
			walk(raw);
		}
	}
	err_release(&e);
	walk(all);
	chunk_reader_free(reader);
	return 0;
}
