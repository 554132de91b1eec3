/*
 * Tar headers and stored zips, written by hand so that every byte is ours to keep.
 *
 * Tar: a POSIX ustar header (IEEE Std 1003.1-1988, 512 bytes).  Where a field does not fit, the
 * GNU extensions that every reader in use knows, busybox's included (docs/design/tar.md):
 * typeflag 'L' (path) and 'K' (link) records in front, numbers in base 256.
 *
 *	offset  0 name[100]  100 mode[8]  108 uid[8]  116 gid[8]  124 size[12]  136 mtime[12]
 *	      148 sum[8]  156 type  157 link[100]  257 magic[6]  263 version[2]  265 uname[32]
 *	      297 gname[32]  329 devmajor[8]  337 devminor[8]  345 prefix[155]
 */
#include "base/archive.h"

#include <assert.h>
#include <stdio.h>

enum { BLOCK = 512, NAME_MAX_USTAR = 100, PREFIX_MAX_USTAR = 155 };

/* Octal digits and a NUL over `width` bytes, else GNU's base 256: big-endian two's complement. */
static void put_number(char *field, size_t width, int64_t v)
{
	if (v >= 0 && (uint64_t)v >> (3 * (width - 1)) == 0) {
		for (size_t i = width - 1; i-- > 0; v >>= 3)
			field[i] = (char)('0' + (v & 7));
		return;
	}
	for (size_t i = width; i-- > 0; v >>= 8)
		field[i] = (char)(v & 0xff);
	field[0] = (char)(v < 0 ? 0xff : 0x80);
}

static void put_checksum(char *h)
{
	unsigned sum = 0;

	memset(h + 148, ' ', 8);
	for (size_t i = 0; i < BLOCK; i++)
		sum += (unsigned char)h[i];
	for (size_t i = 6; i-- > 0; sum >>= 3)
		h[148 + i] = (char)('0' + (sum & 7));
	h[154] = '\0';
}

static void add_block(struct buf *to, char *h)
{
	put_checksum(h);
	buf_add(to, h, BLOCK);
}

/* A GNU long name record: a header of type 'L' or 'K', then the text with its NUL, padded. */
static void add_long(struct buf *to, char type, struct str text)
{
	char h[BLOCK] = "././@LongLink";

	put_number(h + 100, 8, 0);
	put_number(h + 108, 8, 0);
	put_number(h + 116, 8, 0);
	put_number(h + 124, 12, (int64_t)text.n + 1);
	put_number(h + 136, 12, 0);
	h[156] = type;
	memcpy(h + 257, "ustar  ", 8);
	add_block(to, h);
	buf_str(to, text);
	buf_putc(to, '\0');
	tar_pad(to, text.n + 1);
}

/* Where to cut a path into prefix and name: the index of a slash, 0 for no prefix, -1: too long. */
static ptrdiff_t find_cut(struct str path)
{
	if (path.n <= NAME_MAX_USTAR)
		return 0;
	for (size_t i = path.n - NAME_MAX_USTAR - 1; i <= PREFIX_MAX_USTAR && i + 1 < path.n; i++)
		if (path.p[i] == '/' && i > 0)
			return (ptrdiff_t)i;
	return -1;
}

static char type_flag(enum member_type type)
{
	switch (type) {
	case MEMBER_FILE:
		return '0';
	case MEMBER_HARDLINK:
		return '1';
	case MEMBER_SYMLINK:
		return '2';
	case MEMBER_DIR:
		return '5';
	case MEMBER_OTHER:
		break;
	}
	assert(!"a device cannot be written");
	return '0';
}

static void put_path(struct buf *to, char *h, struct str path)
{
	ptrdiff_t cut = find_cut(path);

	if (cut < 0) {
		add_long(to, 'L', path);
		memcpy(h, path.p, NAME_MAX_USTAR);
	} else if (cut == 0) {
		memcpy(h, path.p, path.n);
	} else {
		memcpy(h + 345, path.p, (size_t)cut);
		memcpy(h, path.p + cut + 1, path.n - (size_t)cut - 1);
	}
}

void tar_header(struct buf *to, const struct member *m)
{
	bool is_dir = m->type == MEMBER_DIR;
	CLEANUP_BUF path = {0};
	char h[BLOCK] = {0};

	buf_str(&path, m->path);
	if (is_dir && (path.n == 0 || path.p[path.n - 1] != '/'))
		buf_putc(&path, '/');
	if (m->type == MEMBER_SYMLINK || m->type == MEMBER_HARDLINK) {
		if (m->link.n > NAME_MAX_USTAR)
			add_long(to, 'K', m->link);
		memcpy(h + 157, m->link.p, m->link.n < NAME_MAX_USTAR ? m->link.n : NAME_MAX_USTAR);
	}
	put_path(to, h, buf_view(&path));
	put_number(h + 100, 8, m->mode & 07777);
	put_number(h + 108, 8, 0);
	put_number(h + 116, 8, 0);
	put_number(h + 124, 12, m->type == MEMBER_FILE ? (int64_t)m->size : 0);
	put_number(h + 136, 12, m->has_mtime ? m->mtime : 0);
	h[156] = type_flag(m->type);
	memcpy(h + 257, "ustar\00000", 8);
	put_number(h + 329, 8, 0);
	put_number(h + 337, 8, 0);
	add_block(to, h);
}

void tar_pad(struct buf *to, uint64_t size)
{
	static const char zeros[BLOCK];

	if (size % BLOCK)
		buf_add(to, zeros, BLOCK - size % BLOCK);
}

void tar_end(struct buf *to)
{
	static const char zeros[2 * BLOCK];

	buf_add(to, zeros, sizeof zeros);
}

/* --- zip (PKWARE APPNOTE 6.3), stored entries only ----------------------------------------- */

enum { DOS_DATE_1980 = 0x21 };

static void put_le(struct buf *to, uint32_t v, int bytes)
{
	for (; bytes > 0; bytes--, v >>= 8)
		buf_putc(to, (char)(v & 0xff));
}

/* What a local header and a central directory entry have in common: version to name length. */
static void put_zip_fields(struct buf *to, const struct zip_part *part)
{
	put_le(to, 20, 2);
	put_le(to, 0, 2);
	put_le(to, 0, 2);
	put_le(to, 0, 2);
	put_le(to, DOS_DATE_1980, 2);
	put_le(to, crc32_of(part->data), 4);
	put_le(to, (uint32_t)part->data.n, 4);
	put_le(to, (uint32_t)part->data.n, 4);
	put_le(to, (uint32_t)part->name.n, 2);
	put_le(to, 0, 2);
}

static void put_central(struct buf *to, const struct zip_part *part, uint32_t offset)
{
	put_le(to, 0x02014b50, 4);
	put_le(to, 3 << 8 | 20, 2); /* made on unix */
	put_zip_fields(to, part);
	put_le(to, 0, 2);
	put_le(to, 0, 2);
	put_le(to, 0, 2);
	put_le(to, 0100644u << 16, 4);
	put_le(to, offset, 4);
	buf_str(to, part->name);
}

int zip_store(const struct zip_part *parts, size_t n, struct buf *to, struct err *e)
{
	CLEANUP_BUF central = {0};
	size_t start = to->n;

	if (n > UINT16_MAX)
		return err_set(e, ERR_FAIL, "too many members for a zip: %zu", n);
	for (size_t i = 0; i < n; i++) {
		if (parts[i].data.n > INT32_MAX || to->n - start > INT32_MAX ||
			parts[i].name.n > UINT16_MAX)
			return err_set(
				e, ERR_FAIL, "too large for a zip: '%.*s'", STR_ARG(parts[i].name));
		put_central(&central, &parts[i], (uint32_t)(to->n - start));
		put_le(to, 0x04034b50, 4);
		put_zip_fields(to, &parts[i]);
		buf_str(to, parts[i].name);
		buf_str(to, parts[i].data);
	}
	start = to->n - start;
	buf_str(to, buf_view(&central));
	put_le(to, 0x06054b50, 4);
	put_le(to, 0, 4);
	put_le(to, (uint32_t)n, 2);
	put_le(to, (uint32_t)n, 2);
	put_le(to, (uint32_t)central.n, 4);
	put_le(to, (uint32_t)start, 4);
	put_le(to, 0, 2);
	return to->overflow ? err_set(e, ERR_FAIL, "too large for its buffer: the zip") : 0;
}
