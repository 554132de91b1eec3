/* The archive: where its pieces lie, and what its end says of all of it. */
#include "base/tar_blocks.h"
#include "packer/chunked_inside.h"
#include "packer/layout.h"
#include "packer/sums.h"

#include <stdlib.h>
#include <sys/stat.h>

/* A longer end is read in one row. */
enum { END_MAX = 256 << 20 };

/* --- its pieces -------------------------------------------------------------------------------- */

static int pread_archive(void *ctx, void *p, size_t n, uint64_t at, struct err *e)
{
	struct chunked *c = ctx;
	ptrdiff_t got = archive_file_pread(c->file, p, n, at, e);

	if (got >= 0 && (size_t)got != n)
		return err_set(e, ERR_INTEGRITY, "'%s' is cut short", c->name);
	return got < 0 ? -1 : 0;
}

/* The last segment in memory; 0 where it is not to be had so. */
static int read_end(struct chunked *c, struct buf *to, struct err *e)
{
	struct chunk_reader *reader = chunk_reader_new();
	size_t first = c->chunks.list.n - 1;
	int rc = 1;

	while (first > 0 && !c->chunks.list.v[first].first)
		first--;
	to->max = END_MAX;
	for (size_t i = first; i < c->chunks.list.n && rc > 0; i++) {
		struct str piece;

		if (chunk_read(reader, &c->source, c->chunks.form, &c->chunks.list.v[i], &piece,
			    e) < 0)
			rc = -1;
		else if (buf_str(to, piece) < 0)
			rc = 0;
	}
	chunk_reader_free(reader);
	return rc;
}

struct end {
	struct str index, sums, record; /* NULL: not there */
};

/* What the end holds: 1; 0 where that is none of ours, or cut off, which reading in a row will say. */
static int look_at_end(struct chunked *c, struct str tar, struct end *end, struct err *e)
{
	struct tar_blocks t = {0};
	size_t at = 0;
	int rc = 0;

	while (at < tar.n && (rc = tar_block(&t, tar.p + at)) >= 0) {
		const struct member *m = &t.member;
		struct str body;

		at += TAR_BLOCK;
		if (rc == 0)
			continue;
		if (m->size > tar.n - at || tar_padded(m->size) > tar.n - at)
			break;
		body = str_n(tar.p + at, m->size);
		at += tar_padded(m->size);
		if (m->type != MEMBER_FILE)
			continue;
		if (str_is(m->path, RELOCATE_INDEX)) {
			end->index = body;
			c->index_m.mode = m->mode;
			c->index_m.mtime = m->mtime;
		} else if (str_is(m->path, SUMS_PATH)) {
			end->sums = body;
		} else if (str_is(m->path, RELOCATE_RECORD_PATH)) {
			end->record = body;
		}
	}
	tar_blocks_release(&t);
	if (rc >= 0 && at == tar.n)
		return end->sums.p != NULL;
	/* Somebody else's zstd may have a table too; such gzip members are ours alone. */
	if (c->chunks.form != CHUNK_GZIP)
		return 0;
	return err_set(e, ERR_INTEGRITY,
		"damaged archive '%s': no tar as envbuild writes it at its end", c->name);
}

/* --- its files --------------------------------------------------------------------------------- */

static size_t lines_of(struct str text)
{
	size_t n = 0;

	while (text.n) {
		str_cut(&text, '\n');
		n++;
	}
	return n;
}

static struct listed *listed_of(const struct chunked *c, struct str path)
{
	union table_value *found = table_get(&c->files, path);

	return found ? found->ptr : NULL;
}

static int read_sums(struct chunked *c, struct str text, struct err *e)
{
	struct listed *own;
	size_t lines = lines_of(text);

	if (lines > PLACE_MEMBERS_MAX)
		return err_set(e, ERR_INTEGRITY,
			"damaged list of files '" SUMS_PATH "': it has more than %d",
			PLACE_MEMBERS_MAX);
	c->files.arena = &c->arena;
	if (sums_read(&c->files, text, e) < 0)
		return -1;
	if (c->files.n != lines || listed_of(c, STR(SUMS_PATH)))
		return err_set(e, ERR_INTEGRITY,
			"damaged list of files '" SUMS_PATH
			"': a path is there twice, or it lists itself");
	for (size_t i = 0; i < c->files.n; i++) {
		struct listed *l = arena_new(&c->arena, struct listed);

		memcpy(l->sha256, c->files.entries[i].value.ptr, SHA256_LEN);
		c->files.entries[i].value.ptr = l;
	}
	own = arena_new(&c->arena, struct listed);
	sha256_of(text.p, text.n, own->sha256);
	table_put(&c->files, STR(SUMS_PATH))->ptr = own;
	return 0;
}

/* What is used before its turn comes is what the list says. */
static int check_early(struct chunked *c, struct str path, struct str data, struct err *e)
{
	const struct listed *l = listed_of(c, path);
	uint8_t sum[SHA256_LEN];

	sha256_of(data.p, data.n, sum);
	if (l && memcmp(l->sha256, sum, SHA256_LEN) == 0)
		return 0;
	return err_set(e, ERR_INTEGRITY, "'%.*s' in '%s' is not what its list of files says",
		STR_ARG(path), c->name);
}

int chunked_read_index(struct chunked *c, struct err *e)
{
	struct relocate_error why = {0};
	struct relocate_entry entry;
	size_t cursor;

	if (!c->index.p)
		return place_no_index(c->name, e);
	if (check_early(c, STR(RELOCATE_INDEX), c->index, e) < 0)
		return -1;
	if (relocation_open(&c->relocation, c->index.p, c->index.n, &why) < 0)
		return err_set(e, why.status == RELOCATE_DAMAGED ? ERR_INTEGRITY : ERR_FAIL, "%s",
			why.text);
	cursor = c->relocation.first;
	while (relocation_next(&c->relocation, &cursor, &entry)) {
		struct listed *l = listed_of(c, str_of(entry.path));

		if (!l)
			return err_set(e, ERR_INTEGRITY,
				"the relocation index names '%s', which is no file of '%s'",
				entry.path, c->name);
		l->relocation = arena_new(&c->arena, struct relocate_entry);
		*l->relocation = entry;
	}
	return 0;
}

/* The path that all files hold already, of what was packed for one. */
static int read_record(struct chunked *c, struct str record, struct err *e)
{
	char prefix[RELOCATE_PATH_MAX + 1];

	if (check_early(c, STR(RELOCATE_RECORD_PATH), record, e) < 0)
		return -1;
	if (relocate_record_parse(record.p, record.n, prefix)) {
		c->held = arena_strdup(&c->arena, prefix);
		return 0;
	}
	return err_set(
		e, ERR_INTEGRITY, "damaged record '" RELOCATE_RECORD_PATH "' in '%s'", c->name);
}

static int read_lists(struct chunked *c, struct err *e)
{
	CLEANUP_BUF tar = {0};
	struct end end = {0};
	int rc = read_end(c, &tar, e);

	if (rc > 0)
		rc = look_at_end(c, buf_view(&tar), &end, e);
	if (rc <= 0)
		return rc;
	if (end.index.p)
		c->index = arena_str(&c->arena, end.index);
	if (read_sums(c, end.sums, e) < 0 || (end.record.p && read_record(c, end.record, e) < 0))
		return -1;
	return 1;
}

/* Only in a file can one hop; opening a pipe would already disturb who writes into it. */
static bool is_file(const struct archive_parts *parts)
{
	struct stat st;

	return parts->split || (stat(parts->whole, &st) == 0 && S_ISREG(st.st_mode));
}

int chunked_open(const char *archive, struct chunked **out, struct err *e)
{
	struct chunked *c = xcalloc(1, sizeof *c);
	int rc = archive_parts_find(&c->arena, archive, &c->parts, e);

	if (rc == 0 && is_file(&c->parts)) {
		c->file = archive_file_open(&c->parts, e);
		rc = c->file ? 1 : -1;
	}
	if (rc > 0) {
		c->name = c->parts.whole;
		c->source = (struct chunk_source){.pread = pread_archive,
			.ctx = c,
			.size = archive_file_size(c->file),
			.name = c->name};
		rc = chunks_find(&c->arena, &c->source, &c->chunks, e);
	}
	if (rc > 0)
		rc = read_lists(c, e);
	if (c->file)
		archive_parts_advise(&c->parts, rc, e);
	*out = rc > 0 ? c : NULL;
	if (rc <= 0)
		chunked_close(c);
	return rc;
}

void chunked_close(struct chunked *c)
{
	if (!c)
		return;
	archive_file_close(c->file);
	arena_release(&c->arena);
	free(c);
}

void chunked_identity(const struct chunked *c, const char *prefix, uint8_t out[SHA256_LEN])
{
	struct hash *h = hash_new(HASH_SHA256);

	hash_update(h, c->chunks.identity, SHA256_LEN);
	for (size_t i = 0; i < c->files.n; i++)
		hash_update(
			h, ((struct listed *)c->files.entries[i].value.ptr)->sha256, SHA256_LEN);
	hash_update(h, prefix ? prefix : "", prefix ? strlen(prefix) : 0);
	hash_final(h, out);
	hash_free(h);
}

bool chunked_has(const struct chunked *c, struct str path)
{
	return table_get(&c->files, path) || str_is(path, RELOCATE_RECORD_PATH);
}
