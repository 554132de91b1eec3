#include "base/zip_stored.h"

#include "base/arena.h"

#include <endian.h>
#include <stdlib.h>

enum {
	LOCAL = 0x04034b50,
	LISTED = 0x02014b50,
	END64 = 0x06064b50,
	LOCATOR64 = 0x07064b50,
	END = 0x06054b50,
};
enum { ENCRYPTED = 1, SIZES_BEHIND = 8, ZIP64_EXTRA = 1 };
enum {
	BUFFER = 32 << 10,
	MAX_MEMBERS = 1000,
	MAX_NAME = 4096,
	LOCAL_SIZE = 30, /* of the fixed parts, signatures included */
	LISTED_SIZE = 46,
	END_SIZE = 22,
	END64_SIZE = 56,
	LOCATOR64_SIZE = 20,
};

struct zip_member {
	struct str name;
	uint64_t offset, size;
	uint32_t crc;
	bool listed;
};

struct zip_stored {
	stream_read *read;
	void *ctx;
	struct arena arena;
	char *name;
	uint8_t buffer[BUFFER];
	size_t at, n;
	uint64_t offset; /* of buffer[at] in the zip */
	struct {
		struct zip_member *v;
		size_t n, cap;
	} members;
	uint64_t left; /* of the current member */
	uint32_t crc;
	bool ended;
};

/* --- bytes -------------------------------------------------------------------------------- */

static int fail(const struct zip_stored *z, struct err *e, const char *why)
{
	return err_set(e, ERR_INTEGRITY, "damaged archive '%s': %s", z->name, why);
}

/* Makes sure that n bytes (at most BUFFER) are there: 1, or 0 where the zip ends before. */
static int fill(struct zip_stored *z, size_t n, struct err *e)
{
	if (z->n - z->at >= n)
		return 1;
	memmove(z->buffer, z->buffer + z->at, z->n - z->at);
	z->n -= z->at;
	z->at = 0;
	while (z->n < n) {
		ptrdiff_t got = z->read(z->ctx, z->buffer + z->n, BUFFER - z->n, e);
		if (got < 0)
			return -1;
		if (got == 0)
			return 0;
		z->n += (size_t)got;
	}
	return 1;
}

static void skip(struct zip_stored *z, size_t n)
{
	z->at += n;
	z->offset += n;
}

/* The next n bytes, valid until the next call; NULL with *e set where there are not so many. */
static const uint8_t *need(struct zip_stored *z, size_t n, struct err *e)
{
	int rc = fill(z, n, e);

	if (rc == 0)
		fail(z, e, "cut short");
	if (rc <= 0)
		return NULL;
	const uint8_t *p = z->buffer + z->at;
	skip(z, n);
	return p;
}

static uint16_t u16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t u32(const uint8_t *p)
{
	return (uint32_t)u16(p) | (uint32_t)u16(p + 2) << 16;
}

static uint64_t u64(const uint8_t *p)
{
	return (uint64_t)u32(p) | (uint64_t)u32(p + 4) << 32;
}

/* --- headers ------------------------------------------------------------------------------ */

/*
 * Numbers that do not fit 32 bits stand in an extra field, in this order and only those that are
 * all ones in the header.
 */
static int read_zip64(
	struct zip_stored *z, size_t n, uint64_t *const *values, size_t n_values, struct err *e)
{
	const uint8_t *extra = n > BUFFER ? NULL : need(z, n, e);

	if (!extra)
		return n > BUFFER ? fail(z, e, "an extra field that is too long") : -1;
	while (n >= 4) {
		size_t size = u16(extra + 2), left = size;
		const uint8_t *p = extra + 4;
		if (size > n - 4)
			break;
		for (size_t i = 0; u16(extra) == ZIP64_EXTRA && i < n_values; i++) {
			if (*values[i] != UINT32_MAX)
				continue;
			if (left < 8)
				return fail(z, e, "an extra field without its numbers");
			*values[i] = u64(p);
			p += 8;
			left -= 8;
		}
		n -= 4 + size;
		extra += 4 + size;
	}
	return 0;
}

static int read_name(struct zip_stored *z, size_t n, struct str *name, struct err *e)
{
	const uint8_t *p = n > 0 && n <= MAX_NAME ? need(z, n, e) : NULL;

	if (p)
		*name = arena_str(&z->arena, str_n((const char *)p, n));
	if (n == 0 || n > MAX_NAME || (p && str_chr(*name, '\0') >= 0))
		return fail(z, e, "a member without a usable name");
	return p ? 0 : -1;
}

/* What local header and list say alike: p points at the version needed. */
static int check_kind(const struct zip_stored *z, const uint8_t *p, struct err *e)
{
	unsigned flags = u16(p + 2), method = u16(p + 4);

	if (flags & ENCRYPTED)
		return fail(z, e, "an encrypted member");
	if (method != 0)
		return fail(z, e, "a member that is not stored");
	if (flags & SIZES_BEHIND)
		return fail(z, e, "a member whose size stands behind it");
	return 0;
}

static int read_local(struct zip_stored *z, struct zip_member *m, struct err *e)
{
	uint64_t at = z->offset;
	const uint8_t *p = need(z, LOCAL_SIZE, e);
	uint64_t packed = 0, *values[] = {&m->size, &packed};

	if (!p || check_kind(z, p + 4, e) < 0)
		return -1;
	*m = (struct zip_member){.offset = at, .crc = u32(p + 14), .size = u32(p + 22)};
	packed = u32(p + 18);
	size_t n_name = u16(p + 26), n_extra = u16(p + 28);
	if (read_name(z, n_name, &m->name, e) < 0 || read_zip64(z, n_extra, values, 2, e) < 0)
		return -1;
	return packed == m->size ? 0 : fail(z, e, "the sizes of a stored member differ");
}

static int skip_bytes(struct zip_stored *z, size_t n, struct err *e)
{
	for (size_t piece; n > 0; n -= piece) {
		piece = n < BUFFER ? n : BUFFER;
		if (!need(z, piece, e))
			return -1;
	}
	return 0;
}

static struct zip_member *find_member(struct zip_stored *z, uint64_t offset)
{
	for (size_t i = 0; i < z->members.n; i++)
		if (z->members.v[i].offset == offset)
			return &z->members.v[i];
	return NULL;
}

/* One entry of the list: it must be a member that was read, as it was read. */
static int read_listed(struct zip_stored *z, struct err *e)
{
	const uint8_t *p = need(z, LISTED_SIZE, e);
	uint64_t size = 0, packed = 0, offset = 0, *values[] = {&size, &packed, &offset};
	struct str name;

	if (!p || check_kind(z, p + 6, e) < 0)
		return -1;
	uint32_t crc = u32(p + 16);
	packed = u32(p + 20);
	size = u32(p + 24);
	offset = u32(p + 42);
	size_t n_name = u16(p + 28), n_extra = u16(p + 30), n_comment = u16(p + 32);
	bool other_part = u16(p + 34) != 0 && u16(p + 34) != UINT16_MAX;
	if (read_name(z, n_name, &name, e) < 0)
		return -1;
	if (read_zip64(z, n_extra, values, 3, e) < 0 || skip_bytes(z, n_comment, e) < 0)
		return -1;
	struct zip_member *m = find_member(z, offset);
	if (!m || m->listed || other_part || !str_eq(m->name, name) || m->crc != crc ||
		m->size != size || packed != size)
		return fail(z, e, "its list of members is not what it holds");
	m->listed = true;
	return 0;
}

/* The zip64 record and its locator, which must agree with the plain end. */
static int read_end64(struct zip_stored *z, uint64_t n, uint64_t from, struct err *e)
{
	uint64_t at = z->offset;
	const uint8_t *p = need(z, END64_SIZE, e);

	if (!p)
		return -1;
	if (u64(p + 24) != n || u64(p + 32) != n || u64(p + 40) != at - from || u64(p + 48) != from)
		return fail(z, e, "its list of members is not what it holds");
	uint64_t rest = u64(p + 4) - (END64_SIZE - 12);
	if (rest > BUFFER || skip_bytes(z, (size_t)rest, e) < 0)
		return rest > BUFFER ? fail(z, e, "an extra field that is too long") : -1;
	p = need(z, LOCATOR64_SIZE, e);
	if (!p)
		return -1;
	return u32(p) == LOCATOR64 && u64(p + 8) == at ? 0 : fail(z, e, "a damaged end");
}

/* Behind the list, which began at `from`. */
static int read_end(struct zip_stored *z, uint64_t from, struct err *e)
{
	uint64_t n = z->members.n, size = z->offset - from;
	int rc = fill(z, 4, e);

	if (rc > 0 && u32(z->buffer + z->at) == END64 && read_end64(z, n, from, e) < 0)
		return -1;
	const uint8_t *p = rc < 0 ? NULL : need(z, END_SIZE, e);
	if (!p)
		return -1;
	if (u32(p) != END || (u16(p + 8) != n && u16(p + 8) != UINT16_MAX) ||
		(u16(p + 10) != n && u16(p + 10) != UINT16_MAX) ||
		(u32(p + 12) != size && u32(p + 12) != UINT32_MAX) ||
		(u32(p + 16) != from && u32(p + 16) != UINT32_MAX))
		return fail(z, e, "its list of members is not what it holds");
	if (skip_bytes(z, u16(p + 20), e) < 0 || (rc = fill(z, 1, e)) < 0)
		return -1;
	return rc == 0 ? 0 : fail(z, e, "bytes behind its end");
}

static int read_list(struct zip_stored *z, struct err *e)
{
	uint64_t from = z->offset;

	for (size_t i = 0; i < z->members.n; i++) {
		int rc = fill(z, 4, e);
		if (rc < 0)
			return -1;
		if (rc == 0 || u32(z->buffer + z->at) != LISTED)
			return fail(z, e, "its list of members is not what it holds");
		if (read_listed(z, e) < 0)
			return -1;
	}
	return read_end(z, from, e);
}

/* --- outside ------------------------------------------------------------------------------ */

struct zip_stored *zip_stored_open(stream_read *read, void *ctx, const char *name)
{
	struct zip_stored *z = xcalloc(1, sizeof *z);

	z->read = read;
	z->ctx = ctx;
	z->name = xstrdup(name);
	return z;
}

void zip_stored_close(struct zip_stored *z)
{
	if (!z)
		return;
	arena_release(&z->arena);
	free(z->name);
	free(z);
}

ptrdiff_t zip_stored_read(void *zip, void *p, size_t n, struct err *e)
{
	struct zip_stored *z = zip;

	ptrdiff_t got;

	if (n > z->left)
		n = (size_t)z->left;
	if (n == 0)
		return 0;
	if (z->n > z->at) {
		got = (ptrdiff_t)(z->n - z->at < n ? z->n - z->at : n);
		memcpy(p, z->buffer + z->at, (size_t)got);
		z->at += (size_t)got;
	} else if ((got = z->read(z->ctx, p, n, e)) <= 0) {
		return got < 0 ? -1 : fail(z, e, "cut short");
	}
	z->offset += (uint64_t)got;
	z->left -= (uint64_t)got;
	z->crc = crc32_add(z->crc, str_n(p, (size_t)got));
	if (z->left == 0 && z->crc != z->members.v[z->members.n - 1].crc)
		return fail(z, e, "the sum of a member is wrong");
	return got;
}

static int finish_member(struct zip_stored *z, struct err *e)
{
	char rest[4096];
	ptrdiff_t got;

	while ((got = zip_stored_read(z, rest, sizeof rest, e)) > 0)
		;
	return got < 0 ? -1 : 0;
}

int zip_stored_next(struct zip_stored *z, struct str *name, uint64_t *size, struct err *e)
{
	if (z->ended)
		return 0;
	if (finish_member(z, e) < 0)
		return -1;
	int rc = fill(z, 4, e);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return fail(z, e, z->members.n ? "cut short" : "it is no zip");
	uint32_t signature = u32(z->buffer + z->at);
	if (signature != LOCAL) {
		z->ended = true;
		if (z->members.n == 0)
			return fail(z, e, "it is no zip, or an empty one");
		return read_list(z, e) < 0 ? -1 : 0;
	}
	if (z->members.n >= MAX_MEMBERS)
		return fail(z, e, "more than 1000 members");
	struct zip_member *m = VEC_PUSH(&z->arena, &z->members);
	if (read_local(z, m, e) < 0)
		return -1;
	if (m->size == 0 && m->crc != 0)
		return fail(z, e, "the sum of a member is wrong");
	z->left = m->size;
	z->crc = 0;
	*name = m->name;
	*size = m->size;
	return 1;
}
