#include "builder/segment_cache.h"

#include "base/archive.h"
#include "base/log.h"
#include "builder/entry.h"

#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/*
 * Numbers are little-endian.
 *
 *	the pieces, one behind another
 *	for each: u32 packed bytes, u32 raw bytes, u32 CRC-32 of the packed bytes
 *	the notes
 *	u8[32] key, u32 number of pieces, u32 bytes of the notes,
 *	u32 CRC-32 of all that stands between the pieces and here, "EBSEGM1\n"
 *
 * CRC-32 finds what disks and kills do at 10 GB/s; who means harm could change facts as well.
 */
enum { ROW = 12, HEAD = SHA256_LEN + 8, FOOTER = HEAD + 4 + 8, PIECES_MAX = 1 << 24 };
static const char MAGIC[] = "EBSEGM1\n";

static void put32(struct buf *to, uint32_t v)
{
	uint32_t le = htole32(v);

	buf_add(to, &le, sizeof le);
}

static uint32_t get32(const char *p)
{
	uint32_t le;

	memcpy(&le, p, sizeof le);
	return le32toh(le);
}

static char *path_of(struct arena *a, const char *dir, const uint8_t key[SHA256_LEN])
{
	char hex[SHA256_HEX + 1];

	hex_encode(key, SHA256_LEN, hex);
	return arena_printf(a, "%s/segments/%.2s/%s", dir, hex, hex);
}

/* --- reading ------------------------------------------------------------------------------ */

static bool read_at(int fd, void *p, size_t n, uint64_t at)
{
	size_t done = 0;
	ssize_t got = 1;

	while (done < n && got > 0) {
		got = pread(fd, (char *)p + done, n - done, (off_t)(at + done));
		done += got > 0 ? (size_t)got : 0;
	}
	return done == n;
}

/* The rows must lead from the beginning to where the rows themselves begin. */
static bool take_rows(struct arena *a, const char *rows, uint64_t end, struct segment_file *out)
{
	uint64_t at = 0;

	out->pieces = arena_array(a, struct segment_piece, out->n_pieces + 1);
	for (size_t i = 0; i < out->n_pieces; i++, rows += ROW) {
		struct segment_piece *p = &out->pieces[i];

		*p = (struct segment_piece){at, get32(rows), get32(rows + 4), get32(rows + 8)};
		at += p->packed;
	}
	return at == end;
}

int segment_file_parse(
	struct arena *a, int fd, const uint8_t key[SHA256_LEN], struct segment_file *out)
{
	char footer[FOOTER], *tail;
	struct stat st;
	uint64_t size, rows, notes;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < FOOTER)
		return -1;
	size = (uint64_t)st.st_size - FOOTER;
	if (!read_at(fd, footer, FOOTER, size) || memcmp(footer + HEAD + 4, MAGIC, 8) != 0 ||
		memcmp(footer, key, SHA256_LEN) != 0)
		return -1;
	out->fd = fd;
	out->n_pieces = get32(footer + SHA256_LEN);
	rows = (uint64_t)out->n_pieces * ROW;
	notes = get32(footer + SHA256_LEN + 4);
	if (out->n_pieces > PIECES_MAX || rows + notes > size)
		return -1;
	tail = arena_alloc(a, rows + notes + 1);
	if (!read_at(fd, tail, rows + notes, size - rows - notes) ||
		get32(footer + HEAD) !=
			crc32_add(crc32_of(str_n(tail, rows + notes)), str_n(footer, HEAD)))
		return -1;
	out->notes = str_n(tail + rows, notes);
	return take_rows(a, tail, size - rows - notes, out) ? 0 : -1;
}

static void throw_away(const char *path)
{
	log_warn("'%s' is damaged: that part of the archive is compressed anew", path);
	unlink(path); /* in a layer it stays */
}

static bool open_in(
	struct arena *a, const char *dir, const uint8_t key[SHA256_LEN], struct segment_file *out)
{
	char *path = path_of(a, dir, key);
	CLEANUP_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	*out = (struct segment_file){.fd = -1, .path = path};
	if (fd < 0)
		return false;
	if (segment_file_parse(a, fd, key, out) < 0) {
		throw_away(path);
		return false;
	}
	out->fd = steal_fd(&fd);
	return true;
}

bool segment_file_open(struct arena *a, const struct cache *c, const uint8_t key[SHA256_LEN],
	struct segment_file *out)
{
	bool found = open_in(a, c->dir, key, out);

	if (found)
		entry_touch(out->path);
	for (size_t i = 0; !found && i < c->n_layers; i++)
		found = open_in(a, c->layers[i], key, out);
	return found;
}

bool segment_file_read(const struct segment_file *f, size_t i, struct buf *to)
{
	const struct segment_piece *piece = &f->pieces[i];
	char *room = buf_room(to, piece->packed);

	if (!room || !read_at(f->fd, room, piece->packed, piece->at) ||
		crc32_of(str_n(room, piece->packed)) != piece->crc)
		return false;
	to->n += piece->packed;
	return true;
}

void segment_file_drop(const struct segment_file *f)
{
	throw_away(f->path);
}

void segment_file_close(struct segment_file *f)
{
	fd_cleanup(&f->fd);
	f->fd = -1;
}

int segment_file_verify(const char *path, struct err *e)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF piece = {0};
	CLEANUP_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct segment_file f;
	uint8_t key[SHA256_LEN];

	if (fd < 0)
		return err_sys(e, "cannot read '%s'", path);
	if (hex_decode(str_of(path_base(path)), key, SHA256_LEN) < 0 ||
		segment_file_parse(&a, fd, key, &f) < 0)
		return err_set(e, ERR_INTEGRITY, "it is cut or damaged");
	for (size_t i = 0; i < f.n_pieces; i++) {
		buf_clear(&piece);
		if (!segment_file_read(&f, i, &piece))
			return err_set(e, ERR_INTEGRITY, "its piece %zu is damaged", i);
	}
	return 0;
}

/* --- making ------------------------------------------------------------------------------- */

bool segment_out_begin(
	const struct cache *c, const uint8_t key[SHA256_LEN], struct segment_out *out)
{
	CLEANUP_ARENA a = {0};
	char *path = path_of(&a, c->dir, key);

	*out = (struct segment_out){.file = {.fd = -1}};
	memcpy(out->key, key, SHA256_LEN);
	return dir_make(path_dir(&a, path), NULL) == 0 &&
	       file_begin_in(&out->file, path, path_join(&a, c->dir, "tmp"), 0644, NULL) == 0;
}

bool segment_out_add(struct segment_out *out, struct str packed, uint64_t raw)
{
	put32(&out->rows, (uint32_t)packed.n);
	put32(&out->rows, (uint32_t)raw);
	put32(&out->rows, crc32_of(packed));
	return packed.n <= UINT32_MAX && raw <= UINT32_MAX &&
	       write_full(out->file.fd, packed.p, packed.n, NULL) == 0;
}

bool segment_out_commit(struct segment_out *out, struct str notes)
{
	uint32_t pieces = (uint32_t)(out->rows.n / ROW);
	struct buf *tail = &out->rows;

	if (notes.n > UINT32_MAX)
		return false;
	buf_str(tail, notes);
	buf_add(tail, out->key, SHA256_LEN);
	put32(tail, pieces);
	put32(tail, (uint32_t)notes.n);
	put32(tail, crc32_of(buf_view(tail)));
	buf_add(tail, MAGIC, 8);
	return write_full(out->file.fd, tail->p, tail->n, NULL) == 0 &&
	       file_commit_unsynced(&out->file, NULL) == 0;
}

void segment_out_abort(struct segment_out *out)
{
	file_abort(&out->file);
	buf_release(&out->rows);
}
