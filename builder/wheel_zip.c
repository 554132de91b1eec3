/*
 * The central directory of a zip (PKWARE's APPNOTE 6.3.9, 4.3.7 to 4.3.16).  Python's zipfile, and
 * so pip, goes by it alone, while our reader goes by the headers in front of the members: a wheel
 * is only taken where both name the same, and where members lie one behind the other from the
 * first byte to the directory, so that nothing is hidden between them or inside one.
 */
#include "builder/dist.h"

#include <stdlib.h>

enum {
	END_SIZE = 22,
	END_COMMENT_MAX = 65535,
	LOCATOR_SIZE = 20,
	END64_SIZE = 56,
	ENTRY_SIZE = 46,
	HEADER_SIZE = 30,
	MEMBERS_MAX = 1000000,
};

static uint64_t number(const char *p, size_t bytes)
{
	uint64_t v = 0;

	while (bytes)
		v = v << 8 | (unsigned char)p[--bytes];
	return v;
}

struct directory {
	uint64_t offset, size, entries;
};

static bool has(struct str all, uint64_t at, const char *signature, size_t size)
{
	return at <= all.n && all.n - at >= size && memcmp(all.p + at, signature, 4) == 0;
}

/*
 * As Python looks for it: the last signature there is, behind which stands only a comment of at
 * most 64 KiB.
 */
static bool find_end(struct str all, size_t *at)
{
	for (size_t back = END_SIZE; back <= END_SIZE + END_COMMENT_MAX && back <= all.n; back++) {
		const char *p = all.p + all.n - back;

		if (memcmp(p, "PK\5\6", 4) != 0)
			continue;
		*at = all.n - back;
		return number(p + 20, 2) == back - END_SIZE;
	}
	return false;
}

/* A newer record in front of the end record, where there is one, is what counts. */
static bool find_directory(struct str all, struct directory *d)
{
	size_t end;
	uint64_t end64;
	const char *p;

	if (!find_end(all, &end))
		return false;
	p = all.p + end;
	*d = (struct directory){number(p + 16, 4), number(p + 12, 4), number(p + 10, 2)};
	if (end < LOCATOR_SIZE || !has(all, end - LOCATOR_SIZE, "PK\6\7", LOCATOR_SIZE))
		return d->offset + d->size == end;
	end64 = number(p - LOCATOR_SIZE + 8, 8);
	if (end64 != end - LOCATOR_SIZE - END64_SIZE || !has(all, end64, "PK\6\6", END64_SIZE))
		return false;
	p = all.p + end64;
	*d = (struct directory){number(p + 48, 8), number(p + 40, 8), number(p + 32, 8)};
	return d->size <= end64 && d->offset == end64 - d->size;
}

static int bad(const char *path, struct err *e, const char *why)
{
	return err_set(e, ERR_INTEGRITY, "damaged archive '%s': %s", path, why);
}

/* --- entries -------------------------------------------------------------------------------- */

struct entry {
	struct str name;
	uint64_t offset, size; /* of the header; of the packed data */
	bool descriptor;       /* sizes stand again behind the data */
};

struct entries {
	struct entry *v;
	size_t n, cap;
};

/* Numbers that do not fit 32 bits stand in the extra field 1, in this order. */
static bool wide_numbers(struct str extra, const char *p, struct entry *out)
{
	bool wide_whole = number(p + 24, 4) == UINT32_MAX;

	while (extra.n >= 4) {
		uint64_t id = number(extra.p, 2), size = number(extra.p + 2, 2), at = 4;

		if (size > extra.n - 4)
			return false;
		if (id == 1) {
			at += wide_whole ? 8 : 0;
			if (out->size == UINT32_MAX && at + 8 <= size + 4) {
				out->size = number(extra.p + at, 8);
				at += 8;
			}
			if (out->offset == UINT32_MAX && at + 8 <= size + 4)
				out->offset = number(extra.p + at, 8);
		}
		extra = str_sub(extra, (size_t)size + 4, extra.n);
	}
	return true;
}

static int read_entries(struct arena *a, struct str all, const struct directory *d,
	const char *path, struct entries *out, struct err *e)
{
	uint64_t at = d->offset, end = d->offset + d->size;

	for (uint64_t i = 0; i < d->entries; i++) {
		const char *p = all.p + at;
		uint64_t name, extra, whole;
		struct entry *entry;

		if (at > end || end - at < ENTRY_SIZE || !has(all, at, "PK\1\2", ENTRY_SIZE))
			return bad(path, e, "its directory is cut short");
		name = number(p + 28, 2);
		extra = number(p + 30, 2);
		whole = ENTRY_SIZE + name + extra + number(p + 32, 2);
		if (whole > end - at)
			return bad(path, e, "its directory is cut short");
		entry = VEC_PUSH(a, out);
		entry->name = arena_str(a, str_n(p + ENTRY_SIZE, name));
		entry->descriptor = number(p + 8, 2) & 8;
		entry->size = number(p + 20, 4);
		entry->offset = number(p + 42, 4);
		if (!wide_numbers(str_n(p + ENTRY_SIZE + name, extra), p, entry))
			return bad(path, e, "its directory has a broken field");
		at += whole;
	}
	return at == end ? 0 : bad(path, e, "its directory has more than it says");
}

static int cmp_offset(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

/* 12 bytes, 20 with wide numbers, with or without a signature of 4. */
static bool is_descriptor(uint64_t gap)
{
	return gap == 12 || gap == 16 || gap == 20 || gap == 24;
}

/* In the order of their offsets: does each begin where the one before ends? */
static bool follow_each_other(struct str all, const struct directory *d, struct entries *list)
{
	uint64_t end = 0;

	if (list->n)
		qsort(list->v, list->n, sizeof *list->v, cmp_offset);
	for (size_t i = 0; i < list->n; i++) {
		const struct entry *entry = &list->v[i];
		uint64_t next = i + 1 < list->n ? list->v[i + 1].offset : d->offset, head;

		if (entry->offset != end || !has(all, entry->offset, "PK\3\4", HEADER_SIZE) ||
			next < entry->offset || next > all.n)
			return false;
		head = HEADER_SIZE + number(all.p + entry->offset + 26, 2) +
		       number(all.p + entry->offset + 28, 2);
		if (next - entry->offset < head || next - entry->offset - head < entry->size)
			return false;
		end = entry->offset + head + entry->size;
		if (entry->descriptor && is_descriptor(next - end))
			end = next;
	}
	return end == d->offset;
}

static int read_directory(
	struct arena *a, struct str all, const char *path, struct zip_names *out, struct err *e)
{
	struct entries list = {0};
	struct directory d;

	if (!find_directory(all, &d))
		return bad(path, e, "it is no zip, or more stands in front of or behind it");
	if (d.entries > MEMBERS_MAX)
		return bad(path, e, "too many members");
	if (read_entries(a, all, &d, path, &list, e) < 0)
		return -1;
	if (!follow_each_other(all, &d, &list))
		return bad(path, e, "its members are not where its directory says");
	out->v = arena_array(a, struct str, list.n);
	for (size_t i = 0; i < list.n; i++)
		out->v[out->n++] = list.v[i].name;
	if (out->n)
		qsort(out->v, out->n, sizeof *out->v, str_cmp_qsort);
	return 0;
}

int zip_directory(struct arena *a, const char *path, struct zip_names *out, struct err *e)
{
	struct str all;
	int rc;

	*out = (struct zip_names){0};
	if (file_map(path, &all, e) < 0)
		return -1;
	rc = read_directory(a, all, path, out, e);
	file_unmap(all);
	return rc;
}
