#include "builder/facts.h"

#include "base/file.h"
#include "base/hash.h"
#include "builder/packed.h"

/*
 * Facts file, version 2 (packed.h).
 *
 *	8 bytes   "ebfacts2"
 *	32 bytes  sha256 of all that follows
 *	32 bytes  sha256 of the package file
 *	u32       noarch (enum noarch)
 *	text      info/index.json
 *	text x 3  pre-link, post-link, pre-unlink script; empty: none
 *	u32       number of entry points, each: text command, text module, text function
 *	u32       number of distinct placeholders, each a text
 *	u32       number of files, each, rising by path:
 *		text path
 *		u8   type (enum path_type)
 *		u8   1 no_link | 2 binary | 4 undeclared | 8 forms
 *		u32  mode
 *		u64  size
 *		u64  mtime (two's complement)
 *		32 bytes sha256                  not for PATH_DIRECTORY
 *		text link                        type PATH_SOFTLINK only
 *		u32  placeholder's number + 1, 0: none
 *		u32  number of offsets, each u64, rising   with a placeholder only
 *			with the bit 8 behind each: u8 encoding (enum text_encoding), u64 end
 *		text undeclared prefix           with the bit 4 only
 *
 * Version 1 knew UTF-8 alone: what stands in other encodings was not looked for.
 */
static const char MAGIC[8] = {'e', 'b', 'f', 'a', 'c', 't', 's', '2'};
static const char MAGIC_OLD[8] = {'e', 'b', 'f', 'a', 'c', 't', 's', '1'};
enum { HEADER = sizeof MAGIC + SHA256_LEN };
enum { BIT_NO_LINK = 1, BIT_BINARY = 2, BIT_UNDECLARED = 4, BIT_FORMS = 8 };

/* --- writing ------------------------------------------------------------------------------ */

/* The placeholders in order of their first file; index maps a text to its number + 1. */
static void number_placeholders(const struct package *p, struct table *index)
{
	for (size_t i = 0; i < p->n_files; i++)
		if (p->files[i].placeholder.n > 0)
			table_put(index, p->files[i].placeholder);
	for (size_t i = 0; i < index->n; i++)
		index->entries[i].value.num = i + 1;
}

static void put_file(struct buf *to, const struct package_file *f, const struct table *index)
{
	packed_put_text(to, f->path);
	packed_put_u8(to, (uint8_t)f->type);
	packed_put_u8(
		to, (uint8_t)((f->no_link ? BIT_NO_LINK : 0) | (f->binary ? BIT_BINARY : 0) |
			      (f->undeclared ? BIT_UNDECLARED : 0) | (f->forms ? BIT_FORMS : 0)));
	packed_put_u32(to, f->mode);
	packed_put_u64(to, f->size);
	packed_put_u64(to, (uint64_t)f->mtime);
	if (f->type != PATH_DIRECTORY)
		buf_add(to, f->sha256, sizeof f->sha256);
	if (f->type == PATH_SOFTLINK)
		packed_put_text(to, f->link);
	packed_put_u32(to, f->placeholder.n ? table_get(index, f->placeholder)->num : 0);
	if (f->placeholder.n) {
		packed_put_u32(to, f->n_offsets);
		for (size_t i = 0; i < f->n_offsets; i++) {
			packed_put_u64(to, f->offsets[i]);
			if (!f->forms)
				continue;
			packed_put_u8(to, f->forms[i].encoding);
			packed_put_u64(to, f->forms[i].end);
		}
	}
	if (f->undeclared)
		packed_put_text(to, f->undeclared_prefix);
}

void facts_encode(const struct package *p, struct buf *to)
{
	struct arena a = {0};
	struct table index = {.arena = &a};
	CLEANUP_BUF body = {0};
	uint8_t sum[SHA256_LEN];

	number_placeholders(p, &index);
	buf_add(&body, p->sha256, sizeof p->sha256);
	packed_put_u32(&body, p->noarch);
	packed_put_text(&body, p->index_json);
	packed_put_text(&body, p->pre_link);
	packed_put_text(&body, p->post_link);
	packed_put_text(&body, p->pre_unlink);
	packed_put_u32(&body, p->n_entry_points);
	for (size_t i = 0; i < p->n_entry_points; i++) {
		packed_put_text(&body, p->entry_points[i].command);
		packed_put_text(&body, p->entry_points[i].module);
		packed_put_text(&body, p->entry_points[i].function);
	}
	packed_put_u32(&body, index.n);
	for (size_t i = 0; i < index.n; i++)
		packed_put_text(&body, index.entries[i].key);
	packed_put_u32(&body, p->n_files);
	for (size_t i = 0; i < p->n_files; i++)
		put_file(&body, &p->files[i], &index);
	sha256_of(body.p, body.n, sum);
	buf_add(to, MAGIC, sizeof MAGIC);
	buf_add(to, sum, sizeof sum);
	buf_str(to, buf_view(&body));
	arena_release(&a);
}

/* --- reading ------------------------------------------------------------------------------ */

/* The form of offset i; *end is where the string before ends, and becomes where this one does. */
static void take_form(struct packed *c, struct package_file *f, size_t i, uint64_t *end)
{
	struct prefix_form *form = &f->forms[i];
	uint64_t past;

	form->encoding = packed_u8(c);
	form->end = packed_u64(c);
	if (form->encoding >= TEXT_ENCODINGS) {
		c->bad = true;
		return;
	}
	past = f->offsets[i] +
	       f->placeholder.n * (uint64_t)text_unit((enum text_encoding)form->encoding);
	if (past > f->size || (form->end && (!f->binary || form->end < past)) ||
		form->end > f->size || (f->binary && i + 1 == f->n_offsets && !form->end))
		c->bad = true;
	*end = form->end ? form->end : past;
}

static void take_offsets(struct arena *a, struct packed *c, struct package_file *f, bool forms)
{
	uint64_t end = 0;

	f->n_offsets = packed_count(c, sizeof(uint64_t));
	f->offsets = arena_array(a, uint64_t, f->n_offsets);
	if (forms && f->n_offsets)
		f->forms = arena_array(a, struct prefix_form, f->n_offsets);
	if (forms && !text_is_ascii(f->placeholder))
		c->bad = true;
	for (size_t i = 0; i < f->n_offsets; i++) {
		uint64_t at = f->offsets[i] = packed_u64(c);
		if (at < end || at > f->size || f->placeholder.n > f->size - at)
			c->bad = true;
		if (f->forms && !c->bad)
			take_form(c, f, i, &end);
		else
			end = at + f->placeholder.n;
	}
}

static void take_file(struct arena *a, struct packed *c, struct package_file *f,
	const struct str *placeholders, size_t n_placeholders)
{
	f->path = packed_text(c);
	uint8_t type = packed_u8(c), bits = packed_u8(c);
	f->type = (enum path_type)type;
	f->no_link = bits & BIT_NO_LINK;
	f->binary = bits & BIT_BINARY;
	f->undeclared = bits & BIT_UNDECLARED;
	f->mode = packed_u32(c);
	f->size = packed_u64(c);
	f->mtime = (int64_t)packed_u64(c);
	if (type > PATH_DIRECTORY || !path_is_safe(f->path) || f->mode & ~0777u)
		c->bad = true;
	if (f->type != PATH_DIRECTORY) {
		const char *sum = packed_take(c, SHA256_LEN);
		if (sum)
			memcpy(f->sha256, sum, SHA256_LEN);
	}
	if (f->type == PATH_SOFTLINK)
		f->link = arena_str(a, packed_text(c));
	uint32_t number = packed_u32(c);
	if (number > n_placeholders)
		c->bad = true;
	if (number && !c->bad) {
		f->placeholder = placeholders[number - 1];
		take_offsets(a, c, f, bits & BIT_FORMS);
	}
	if (f->undeclared)
		f->undeclared_prefix = packed_text(c);
}

static void take_files(
	struct arena *a, struct packed *c, struct package *out, const struct str *ph, size_t n_ph)
{
	enum { LEAST = 4 + 1 + 1 + 4 + 8 + 8 + 4 };

	out->n_files = packed_count(c, LEAST);
	out->files = arena_array(a, struct package_file, out->n_files);
	for (size_t i = 0; i < out->n_files && !c->bad; i++) {
		take_file(a, c, &out->files[i], ph, n_ph);
		if (i > 0 && str_cmp(out->files[i - 1].path, out->files[i].path) >= 0)
			c->bad = true;
	}
}

static void take_entry_points(struct arena *a, struct packed *c, struct package *out)
{
	out->n_entry_points = packed_count(c, 12);
	out->entry_points = arena_array(a, struct entry_point, out->n_entry_points);
	for (size_t i = 0; i < out->n_entry_points; i++) {
		out->entry_points[i].command = packed_text(c);
		out->entry_points[i].module = packed_text(c);
		out->entry_points[i].function = packed_text(c);
	}
}

bool facts_is_old(struct str text)
{
	return text.n >= HEADER && memcmp(text.p, MAGIC_OLD, sizeof MAGIC_OLD) == 0;
}

/* Of either version: what is in an old one is right as far as it goes. */
static int decode(struct arena *a, struct str text, struct package *out, struct err *e)
{
	struct packed c = {.rest = str_sub(text, HEADER, text.n)};
	uint8_t sum[SHA256_LEN];

	sha256_of(c.rest.p, c.rest.n, sum);
	if (memcmp(sum, text.p + sizeof MAGIC, sizeof sum) != 0)
		return err_set(e, ERR_INTEGRITY, "the facts file is damaged");
	const char *sha256 = packed_take(&c, SHA256_LEN);
	if (sha256)
		memcpy(out->sha256, sha256, SHA256_LEN);
	uint32_t noarch = packed_u32(&c);
	out->noarch = noarch <= NOARCH_PYTHON ? (enum noarch)noarch : NOARCH_NONE;
	out->index_json = packed_text(&c);
	out->pre_link = packed_text(&c);
	out->post_link = packed_text(&c);
	out->pre_unlink = packed_text(&c);
	take_entry_points(a, &c, out);
	size_t n_ph = packed_count(&c, 4);
	struct str *ph = arena_array(a, struct str, n_ph);
	for (size_t i = 0; i < n_ph; i++)
		ph[i] = packed_text(&c);
	take_files(a, &c, out, ph, n_ph);
	if (c.bad || c.rest.n > 0)
		return err_set(e, ERR_INTEGRITY, "the facts file is not whole");
	return 0;
}

int facts_decode(struct arena *a, struct str text, struct package *out, struct err *e)
{
	if (text.n < HEADER || memcmp(text.p, MAGIC, sizeof MAGIC) != 0)
		return err_set(e, ERR_INTEGRITY, "not a facts file of this version");
	return decode(a, text, out, e);
}

int facts_renew(
	struct arena *a, struct str text, const char *dir, struct package *out, struct err *e)
{
	size_t places = 0;

	if (!facts_is_old(text))
		return err_set(e, ERR_INTEGRITY, "not a facts file of an earlier version");
	if (decode(a, text, out, e) < 0)
		return -1;
	for (size_t i = 0; i < out->n_files; i++)
		if (facts_renew_file(a, dir, &out->files[i], &places, e) < 0)
			return -1;
	return 0;
}
