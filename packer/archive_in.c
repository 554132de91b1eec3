#include "packer/archive_in.h"

#include "packer/squashfs.h"
#include "packer/tree_read.h"

#include <stdlib.h>
#include <sys/stat.h>

/* One of the readers is there. */
struct archive_in {
	struct arena arena;
	char *name; /* for messages */
	struct archive_parts parts;
	struct archive_file *file; /* NULL: a folder */
	struct tar_reader *tar;
	struct squashfs_reader *squashfs;
	struct tree_reader *tree;
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

static int open_file(struct archive_in *in, struct err *e)
{
	char begin[4];
	ptrdiff_t n;

	in->file = archive_file_open(&in->parts, e);
	if (!in->file || (n = archive_file_pread(in->file, begin, sizeof begin, 0, e)) < 0)
		return -1;
	if (squashfs_is(str_n(begin, (size_t)n)))
		in->squashfs = squashfs_open(in->file, in->parts.whole, e);
	else
		in->tar = tar_open(read_file, in, in->parts.whole, e);
	return in->squashfs || in->tar ? 0 : -1;
}

struct archive_in *archive_open(const char *operand, struct err *e)
{
	struct archive_in *in = xcalloc(1, sizeof *in);
	struct stat st;
	int rc;

	in->name = arena_strdup(&in->arena, operand);
	if (stat(operand, &st) == 0 && S_ISDIR(st.st_mode))
		rc = (in->tree = tree_open(operand, e)) ? 0 : -1;
	else if ((rc = archive_parts_find(&in->arena, operand, &in->parts, e)) == 0)
		rc = archive_parts_advise(&in->parts, open_file(in, e), e);
	if (rc == 0)
		return in;
	archive_close(in);
	return NULL;
}

int archive_next(struct archive_in *in, struct member *m, struct err *e)
{
	if (in->tree)
		return tree_next(in->tree, m, e);
	return archive_parts_advise(&in->parts,
		in->squashfs ? squashfs_next(in->squashfs, m, e) : tar_next(in->tar, m, e), e);
}

ptrdiff_t archive_read(void *ctx, void *p, size_t n, struct err *e)
{
	struct archive_in *in = ctx;
	ptrdiff_t got;

	if (in->tree)
		return tree_read(in->tree, p, n, e);
	got = in->squashfs ? squashfs_read(in->squashfs, p, n, e) : tar_read(in->tar, p, n, e);
	archive_parts_advise(&in->parts, got < 0 ? -1 : 0, e);
	return got;
}

int archive_read_all(
	struct archive_in *in, struct arena *a, size_t max, struct str *out, struct err *e)
{
	CLEANUP_BUF text = {.max = max};
	char piece[16 << 10];
	ptrdiff_t n;

	while ((n = archive_read(in, piece, sizeof piece, e)) > 0)
		if (buf_add(&text, piece, (size_t)n) < 0)
			return err_set(
				e, ERR_INTEGRITY, "member over %zu bytes in '%s'", max, in->name);
	if (n < 0)
		return -1;
	*out = arena_str(a, buf_view(&text));
	return 0;
}

int archive_cut_off(const struct archive_in *in, const char *missing, struct err *e)
{
	err_set(e, ERR_INTEGRITY, "'%s' is cut off: '%s' is missing", in->name, missing);
	return archive_parts_advise(&in->parts, -1, e);
}

void archive_close(struct archive_in *in)
{
	if (!in)
		return;
	tar_close(in->tar);
	squashfs_reader_close(in->squashfs);
	tree_reader_close(in->tree);
	archive_file_close(in->file);
	arena_release(&in->arena);
	free(in);
}
