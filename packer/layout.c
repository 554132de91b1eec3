#include "packer/layout.h"

#include "base/file.h"
#include "packer/measure.h"

enum { RENAMED_MAX = 1 << 30 };

/* What ustar's time field holds. */
static const int64_t MTIME_MAX = 077777777777;

static void add_item(struct layout *l, const struct layout_item *item)
{
	*VEC_PUSH(l->arena, &l->items) = *item;
}

void layout_add_data(
	struct layout *l, struct str path, unsigned mode, int64_t mtime, struct str data)
{
	struct layout_item item = {
		.head = {.path = path,
			.type = MEMBER_FILE,
			.mode = mode,
			.size = data.n,
			.mtime = mtime < 0 ? 0 : mtime,
			.has_mtime = true},
		.data = data,
	};

	sha256_of(data.p, data.n, item.sha256);
	add_item(l, &item);
}

/*
 * What a group or others may write would be theirs to change in production, and what the owner may
 * not read cannot be relocated.  What was made here carries this user's umask: it is levelled.
 */
static unsigned mode_of(const struct content_entry *entry)
{
	if (entry->type == PATH_SOFTLINK)
		return 0777;
	if (entry->type == PATH_DIRECTORY || entry->generated)
		return entry->type == PATH_DIRECTORY || entry->mode & 0111 ? 0755 : 0644;
	return (entry->mode & 0755) | 0400;
}

static int64_t mtime_of(const struct content_entry *entry, int64_t epoch)
{
	int64_t t = entry->generated && entry->mtime == 0 ? epoch : entry->mtime;

	return t < 0 ? 0 : t > MTIME_MAX ? MTIME_MAX : t;
}

/*
 * A link into the build prefix would point nowhere elsewhere: it is made relative to its folder.
 * Others stay as they are.
 */
static struct str portable_link(
	struct arena *a, const struct content *c, const struct content_entry *entry)
{
	struct str link = entry->link, prefix = c->build_prefix;
	CLEANUP_BUF b = {0};

	if (prefix.n == 0 || !str_starts(link, prefix) ||
		(link.n > prefix.n && link.p[prefix.n] != '/'))
		return link;
	for (size_t i = 0; i < entry->path.n; i++)
		if (entry->path.p[i] == '/')
			buf_puts(&b, "../");
	buf_str(&b, str_sub(link, prefix.n + 1, link.n));
	if (b.n == 0)
		buf_putc(&b, '.');
	return arena_str(a, buf_view(&b));
}

/* --- for a place that is known ------------------------------------------------------------------ */

static int emit(void *ctx, const char *p, size_t n)
{
	return buf_add(ctx, p, n);
}

static int has_no_room(const struct layout *l, const struct relocate_entry *entry,
	enum relocate_encoding encoding, size_t units, struct err *e)
{
	if (units == SIZE_MAX)
		return err_set(e, ERR_FAIL, "path '%s' is not UTF-8, and '%s' has it in %s",
			l->dest_prefix, entry->path, relocate_encoding_name(encoding));
	err_set(e, ERR_FAIL, "path too long: '%s' has %zu bytes, and '%s' has room for %zu",
		l->dest_prefix, strlen(l->dest_prefix), entry->path, entry->placeholder_len);
	return err_advise(e, "pack for a path of at most %zu bytes", entry->placeholder_len);
}

/* The item's bytes become those with the prefix; its relocation goes on telling of `original`. */
static int convert(struct layout *l, struct layout_item *item, struct str original, struct err *e)
{
	struct relocate_entry *entry = &item->relocation->entry;
	enum relocate_encoding refused;
	CLEANUP_BUF b = {0};
	size_t units;

	if (!relocate_fits(entry, l->dest_prefix, &refused, &units))
		return has_no_room(l, entry, refused, units, e);
	if (relocation_file_measure(item->relocation, original, e) < 0)
		return -1;
	entry->head = arena_str(l->arena, str_n(entry->head, entry->head_len)).p;
	if (relocate_convert(entry, original.p, original.n, entry->placeholder, l->dest_prefix,
		    emit, &b) != 0)
		return err_set(e, ERR_INTEGRITY,
			"'%s' does not hold its placeholder where it should", entry->path);
	item->source = NULL;
	item->data = arena_str(l->arena, buf_view(&b));
	item->head.size = item->data.n;
	sha256_of(item->data.p, item->data.n, item->sha256);
	return 0;
}

/* Such a file is read now: its size is not known before. */
static int add_converted(struct layout *l, struct layout_item *item, struct err *e)
{
	uint8_t sum[SHA256_LEN];
	struct str mapped = {0};
	int rc = 0;

	if (item->source) {
		if (file_map(item->source, &mapped, e) < 0)
			return -1;
		sha256_of(mapped.p, mapped.n, sum);
		if (mapped.n != item->head.size ||
			(item->want && memcmp(item->want, sum, SHA256_LEN) != 0))
			rc = item_changed(item, e);
	}
	if (rc == 0)
		rc = convert(l, item, item->source ? mapped : item->data, e);
	file_unmap(mapped);
	if (rc == 0)
		add_item(l, item);
	return rc;
}

/* --- built elsewhere ---------------------------------------------------------------------------- */

/* Does it hold a build prefix that another stands for in the archive? */
static bool is_renamed(
	const struct layout *l, const struct content *c, const struct content_entry *entry)
{
	return str_eq(entry->prefix, c->build_prefix) && entry->prefix.n == l->build_prefix.n &&
	       !str_eq(entry->prefix, l->build_prefix);
}

/* Puts the prefix of the archive in the place of the build prefix, which has the same length. */
static int rename_prefix(
	const struct layout *l, const struct content_entry *entry, char *p, size_t size)
{
	int rc = 0;

	for (size_t i = 0; i < entry->n_offsets && rc == 0; i++) {
		CLEANUP_BUF from = {0};
		CLEANUP_BUF to = {0};
		enum text_encoding encoding =
			entry->forms ? (enum text_encoding)entry->forms[i].encoding : TEXT_UTF8;
		uint64_t at = entry->offsets[i];

		if (text_encode(entry->prefix, encoding, &from) < 0 ||
			text_encode(l->build_prefix, encoding, &to) < 0 || from.n != to.n ||
			at > size || from.n > size - at || memcmp(p + at, from.p, from.n) != 0)
			rc = -1;
		else
			memcpy(p + at, to.p, to.n);
	}
	return rc;
}

/* Such a file is read now, its prefix replaced, and measured.  They are few and small. */
static int add_renamed(struct layout *l, const struct content_entry *entry,
	struct layout_item *item, struct err *e)
{
	struct content_entry renamed = *entry;
	char *p;

	renamed.prefix = l->build_prefix;
	item->relocation = arena_new(l->arena, struct relocation_file);
	if (relocation_file_make(l->arena, &renamed, item->relocation, e) < 0 ||
		file_read(l->arena, item->source, RENAMED_MAX, &item->data, e) < 0)
		return -1;
	if (item->data.n != entry->size)
		return err_set(e, ERR_FAIL, "'%s' changed while it was packed", item->source);
	p = arena_cstr(l->arena, item->data);
	item->data.p = p;
	if (rename_prefix(l, entry, p, item->data.n) < 0)
		return err_set(e, ERR_INTEGRITY,
			"'%s' does not hold its placeholder where it should", item->source);
	item->source = NULL;
	if (l->dest_prefix)
		return add_converted(l, item, e);
	sha256_of(item->data.p, item->data.n, item->sha256);
	add_item(l, item);
	return relocation_file_measure(item->relocation, item->data, e);
}

/* --- items -------------------------------------------------------------------------------------- */

int layout_add_entry(struct layout *l, const struct content *c, const struct content_entry *entry,
	int64_t epoch, struct err *e)
{
	struct layout_item item = {
		.head = {.path = entry->path,
			.mode = mode_of(entry),
			.mtime = mtime_of(entry, epoch),
			.has_mtime = true},
	};

	switch (entry->type) {
	case PATH_FILE:
		item.head.type = MEMBER_FILE;
		item.head.size = entry->size;
		item.source = entry->source;
		item.want = entry->sha256;
		item.packaged = item.want && !entry->generated;
		sha256_of("", 0, item.sha256);
		break;
	case PATH_SOFTLINK:
		item.head.type = MEMBER_SYMLINK;
		item.head.link = portable_link(l->arena, c, entry);
		break;
	case PATH_DIRECTORY:
		item.head.type = MEMBER_DIR;
		break;
	}
	if (entry->type == PATH_FILE && entry->n_offsets && is_renamed(l, c, entry))
		return add_renamed(l, entry, &item, e);
	if (entry->type == PATH_FILE && entry->prefix.n && entry->n_offsets) {
		item.relocation = arena_new(l->arena, struct relocation_file);
		if (relocation_file_make(l->arena, entry, item.relocation, e) < 0)
			return -1;
		if (l->dest_prefix)
			return add_converted(l, &item, e);
	}
	add_item(l, &item);
	return 0;
}

static uint64_t padded(uint64_t size)
{
	return (size + 511) / 512 * 512;
}

void layout_end_segment(struct layout *l, uint64_t tail)
{
	const struct layout_segment *last =
		l->segments.n ? &l->segments.v[l->segments.n - 1] : NULL;
	struct layout_segment s = {.first = last ? last->first + last->n : 0};
	CLEANUP_BUF header = {0};

	s.n = l->items.n - s.first;
	for (size_t i = s.first; i < l->items.n; i++) {
		struct layout_item *item = &l->items.v[i];

		buf_clear(&header);
		tar_header(&header, &item->head);
		item->start = s.bytes;
		item->header = (uint32_t)header.n;
		s.bytes += header.n + padded(item->head.size);
	}
	s.bytes += tail;
	for (uint64_t at = 0; at < s.bytes; at += CHUNK_SIZE)
		*VEC_PUSH(l->arena, &l->chunks) = (struct layout_chunk){
			.segment = l->segments.n,
			.from = at,
			.to = s.bytes - at < CHUNK_SIZE ? s.bytes : at + CHUNK_SIZE,
		};
	*VEC_PUSH(l->arena, &l->segments) = s;
}
