/*
 * Where the pieces of an archive of ours lie, found without decompressing it (docs/design/archive.md).
 *
 * A tar.gz is hopped over by what its members say of themselves, a tar.zst has a table at its end,
 * a tar is hopped over by its headers.  All of that is only said, until a chunk is decompressed: it
 * then has exactly `raw` bytes or is damaged.
 */
#ifndef PACKER_CHUNKS_H
#define PACKER_CHUNKS_H

#include "base/archive.h"
#include "base/hash.h"

enum chunk_form { CHUNK_GZIP, CHUNK_ZSTD, CHUNK_PLAIN };

struct archive_chunk {
	uint64_t at;     /* in the archive */
	uint32_t packed; /* bytes there */
	uint32_t raw;    /* bytes of tar, in whole blocks; at most CHUNK_SIZE (packer/layout.h) */
	bool first;      /* a header begins it; else it goes on where the one before ended */
};

struct archive_chunks {
	enum chunk_form form;
	struct {
		struct archive_chunk *v;
		size_t n, cap;
	} list;
	/* Of sizes and sums as the archive says them: another archive has another, unless somebody
	 * wants it to have the same. */
	uint8_t identity[SHA256_LEN];
};

/* Exactly n bytes at `at`, all of which lie in the archive. */
typedef int chunk_pread(void *ctx, void *p, size_t n, uint64_t at, struct err *e);
struct chunk_source {
	chunk_pread *pread;
	void *ctx;
	uint64_t size;
	const char *name; /* for errors */
};

/*
 * 1; 0 where the archive has no such form; -1 where it has and lies (ERR_INTEGRITY), or cannot be
 * read.  The list lives in the arena.
 */
int chunks_find(struct arena *a, const struct chunk_source *from, struct archive_chunks *out,
	struct err *e);

/* For decompressing: one thread at a time. */
struct chunk_reader;
struct chunk_reader *chunk_reader_new(void);
void chunk_reader_free(struct chunk_reader *r); /* NULL is allowed */
/* The chunk's bytes of tar, valid until the next call; from several threads with readers of their own. */
int chunk_read(struct chunk_reader *r, const struct chunk_source *from, enum chunk_form form,
	const struct archive_chunk *chunk, struct str *out, struct err *e);

#endif
