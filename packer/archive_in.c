#include "packer/archive_in.h"

#include <stdlib.h>

struct archive_in {
	struct arena arena;
	struct archive_parts parts;
	struct archive_file *file;
	struct tar_reader *tar;
	uint64_t at; /* in the file */
};

/* A stream_read over the parts. */
static ptrdiff_t read_file(void *ctx, void *p, size_t n, struct err *e)
{
	struct archive_in *in = ctx;
	ptrdiff_t got = archive_file_pread(in->file, p, n, in->at, e);

	if (got > 0)
		in->at += (uint64_t)got;
	return got;
}

struct archive_in *archive_open(const char *operand, struct err *e)
{
	struct archive_in *in = xcalloc(1, sizeof *in);

	if (archive_parts_find(&in->arena, operand, &in->parts, e) == 0 &&
		(in->file = archive_file_open(&in->parts, e)) != NULL)
		in->tar = tar_open(read_file, in, in->parts.whole, e);
	if (in->tar)
		return in;
	archive_close(in);
	return NULL;
}

int archive_next(struct archive_in *in, struct member *m, struct err *e)
{
	return tar_next(in->tar, m, e);
}

ptrdiff_t archive_read(void *ctx, void *p, size_t n, struct err *e)
{
	struct archive_in *in = ctx;

	return tar_read(in->tar, p, n, e);
}

int archive_read_all(
	struct archive_in *in, struct arena *a, size_t max, struct str *out, struct err *e)
{
	return tar_read_all(in->tar, a, max, out, e);
}

void archive_close(struct archive_in *in)
{
	if (!in)
		return;
	tar_close(in->tar);
	archive_file_close(in->file);
	arena_release(&in->arena);
	free(in);
}
