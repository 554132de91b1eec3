/*
 * The relocation index, conda-meta/envbuild/relocation.
 *
 *	"envbuild relocation 2\n"
 *	number           bytes of the placeholder table
 *	table            placeholders, each an absolute path and a NUL
 *	number           files; their paths rise in byte order
 *	for each file:
 *	  number         bytes of the path
 *	  path, NUL
 *	  't' or 'b'     text, or binary (strings padded with NUL), every placeholder in UTF-8;
 *	  'T' or 'B'     the same, each with its encoding.  Its placeholder is ASCII
 *	  number         where its placeholder starts in the table
 *	  number         bytes of the original
 *	  8 bytes        sum of the original outside head and placeholders, little endian
 *	  number         bytes of the head; 0: none.  Only text that starts with a shebang line in
 *	                 which a placeholder stands has one: that line without its newline
 *	  head
 *	  number         places, at least 1
 *	  each place     number: bytes between the placeholder before (at first: the file's start)
 *	                 and this one, so that places rise and never overlap
 *	    'T' and 'B'  byte: enum relocate_encoding
 *	    'B'          number: 0 where another placeholder of the same string is next; else 1 +
 *	                 bytes from the placeholder's end to the string's, which is at zero bytes
 *	8 bytes          sum of everything before, little endian
 *
 * A number is a little-endian base 128 varint of at most 9 bytes, the shortest that holds it.
 * Version 1 has neither 'T' nor 'B'; an index that needs neither is written as version 1.
 */
#include "packer/relocator/relocate.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int relocate_fail(struct relocate_error *e, enum relocate_status status, const char *fmt, ...)
{
	va_list ap;

	e->status = status;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	return -1;
}

/* --- the sum ----------------------------------------------------------------------------- */

static const uint64_t HASH_FACTOR = 0x9e3779b97f4a7c15u;

static void hash_word(struct relocate_hash *s, uint64_t word)
{
	s->h = ((s->h << 5 | s->h >> 59) ^ word) * HASH_FACTOR;
}

void relocate_hash_init(struct relocate_hash *s)
{
	*s = (struct relocate_hash){.h = HASH_FACTOR};
}

static uint64_t load_le64(const unsigned char *p)
{
	uint64_t v = 0;

	for (int i = 7; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

void relocate_hash_add(struct relocate_hash *s, const void *data, size_t n)
{
	const unsigned char *p = data;

	s->total += n;
	while (n) {
		if (s->fill == 0 && n >= 8) {
			hash_word(s, load_le64(p));
			p += 8;
			n -= 8;
			continue;
		}
		s->word |= (uint64_t)*p++ << (8 * s->fill);
		n--;
		if (++s->fill == 8) {
			hash_word(s, s->word);
			s->word = 0;
			s->fill = 0;
		}
	}
}

uint64_t relocate_hash_end(struct relocate_hash *s)
{
	uint64_t h;

	hash_word(s, s->word);
	hash_word(s, s->total);
	h = s->h;
	h = (h ^ h >> 32) * HASH_FACTOR;
	return h ^ h >> 29;
}

/* --- reading ----------------------------------------------------------------------------- */

bool relocate_path_is_safe(const char *path, size_t n)
{
	size_t from = 0;

	if (n == 0 || n > RELOCATE_PATH_MAX || memchr(path, 0, n))
		return false;
	for (size_t i = 0; i <= n; i++) {
		size_t len = i - from;

		if (i < n && path[i] != '/')
			continue;
		if (len == 0 || len > 255 || (len <= 2 && memcmp(path + from, "..", len) == 0))
			return false;
		from = i + 1;
	}
	return true;
}

bool relocate_prefix_is_good(const char *prefix)
{
	size_t n = strlen(prefix);

	return n > 1 && n <= RELOCATE_PATH_MAX && prefix[0] == '/' && prefix[n - 1] != '/' &&
	       !strchr(prefix, '\n');
}

struct reader {
	const unsigned char *p, *end;
};

static int read_number(struct reader *r, uint64_t *out)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 63 && r->p < r->end; shift += 7) {
		unsigned char byte = *r->p++;

		v |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		if (byte == 0 && shift)
			return -1;
		*out = v;
		return 0;
	}
	return -1;
}

static const char *read_bytes(struct reader *r, uint64_t n)
{
	const char *p = (const char *)r->p;

	if (n > (uint64_t)(r->end - r->p))
		return NULL;
	r->p += n;
	return p;
}

struct relocate_offsets relocate_offsets_of(const struct relocate_entry *entry)
{
	return (struct relocate_offsets){
		.entry = entry, .at = entry->gaps, .left = entry->n_offsets};
}

/* What 'T' and 'B' have behind an offset; out->past is known with the encoding. */
static int read_form(const struct relocate_entry *f, struct reader *r, struct relocate_place *out)
{
	uint64_t end;

	if (r->p == r->end || *r->p >= RELOCATE_ENCODINGS)
		return -1;
	out->encoding = (enum relocate_encoding) * r->p++;
	out->past = out->at + f->placeholder_len * relocate_unit(out->encoding);
	if (!f->binary)
		return 0;
	if (read_number(r, &end) < 0)
		return -1;
	/* Both are below 2^63; what lies behind the file is refused by who checks. */
	out->end = end ? out->past + (end - 1) : 0;
	return 0;
}

bool relocate_offset_next(struct relocate_offsets *it, struct relocate_place *out)
{
	const struct relocate_entry *f = it->entry;
	struct reader r = {it->at, f->gaps_end};
	uint64_t gap;

	if (it->left == 0 || read_number(&r, &gap) < 0)
		return false;
	*out = (struct relocate_place){.at = it->past + gap};
	out->past = out->at + f->placeholder_len;
	if (f->forms && read_form(f, &r, out) < 0)
		return false;
	it->at = r.p;
	it->left--;
	it->past = out->past;
	return true;
}

/* The placeholder that starts at `where` in the table, or NULL. */
static const char *placeholder_at(const struct relocation *x, uint64_t where)
{
	const char *table = (const char *)x->p + x->table;
	size_t n = x->table_end - x->table;

	if (where >= n || (where > 0 && table[where - 1] != 0))
		return NULL;
	return memchr(table + where, 0, n - where) ? table + where : NULL;
}

static bool is_ascii(const char *s)
{
	while (*s && (unsigned char)*s < 0x80)
		s++;
	return !*s;
}

/* A file as it is written down; what it says is not judged.  NULL, or what is cut off or odd. */
static const char *read_entry(
	const struct relocation *x, struct reader *r, struct relocate_entry *f)
{
	uint64_t path_len, where, head_len;
	const char *p;

	*f = (struct relocate_entry){0};
	if (read_number(r, &path_len) < 0 || path_len > RELOCATE_PATH_MAX ||
		!(f->path = read_bytes(r, path_len + 1)) || f->path[path_len] != 0 ||
		!relocate_path_is_safe(f->path, path_len))
		return "a path that leaves the environment";
	if (!(p = read_bytes(r, 1)) || !*p || !strchr(x->version == 1 ? "tb" : "tbTB", *p))
		return "an unknown mode";
	f->binary = *p == 'b' || *p == 'B';
	f->forms = *p == 'T' || *p == 'B';
	if (read_number(r, &where) < 0 || !(f->placeholder = placeholder_at(x, where)) ||
		!relocate_prefix_is_good(f->placeholder))
		return "a bad placeholder";
	f->placeholder_len = strlen(f->placeholder);
	if (f->forms && !is_ascii(f->placeholder))
		return "a placeholder that cannot be in other encodings";
	if (read_number(r, &f->size) < 0 || f->size > INT64_MAX / 2 || !(p = read_bytes(r, 8)))
		return "a bad size";
	f->hash = load_le64((const unsigned char *)p);
	if (read_number(r, &head_len) < 0 || head_len > RELOCATE_HEAD_MAX ||
		!(f->head = read_bytes(r, head_len)))
		return "a bad first line";
	f->head_len = head_len;
	if (read_number(r, &f->n_offsets) < 0 || f->n_offsets == 0 ||
		f->n_offsets > (uint64_t)(r->end - r->p))
		return "a bad number of offsets";
	f->gaps = r->p;
	f->gaps_end = r->end;
	return NULL;
}

/* A string ends in the file, before the next one; *end is that of the string before. */
static const char *check_form(const struct relocate_entry *f, const struct relocate_place *place,
	bool last, uint64_t *end)
{
	if (!f->binary || !f->forms)
		return NULL;
	if (place->at < *end)
		return "a placeholder in the string of another";
	*end = place->end;
	if (place->end > f->size)
		return "a string beyond the end of the file";
	return last && !place->end ? "a string without an end" : NULL;
}

/* A place in the head lies wholly in it, where the placeholder stands. */
static bool is_in_head(const struct relocate_entry *f, const struct relocate_place *place)
{
	return place->encoding == RELOCATE_UTF8 && place->past <= f->head_len &&
	       memcmp(f->head + place->at, f->placeholder, f->placeholder_len) == 0;
}

/* The places lie in the file, those of the head in it. */
static const char *check_offsets(struct relocate_entry *f, struct reader *r)
{
	struct relocate_offsets it = relocate_offsets_of(f);
	struct relocate_place place;
	uint64_t in_head = 0, end = 0;

	for (uint64_t i = 0; i < f->n_offsets; i++) {
		const char *why;

		if (!relocate_offset_next(&it, &place) || place.at > f->size ||
			place.past > f->size)
			return "an offset beyond the end of the file";
		why = check_form(f, &place, i + 1 == f->n_offsets, &end);
		if (why)
			return why;
		if (place.at >= f->head_len)
			continue;
		if (!is_in_head(f, &place) || ++in_head > RELOCATE_HEAD_OFFSETS)
			return "a first line without the placeholder at its offset";
	}
	if (f->head_len &&
		(f->binary || in_head == 0 || f->head_len < 2 || f->size < f->head_len ||
			memcmp(f->head, "#!", 2) != 0 || memchr(f->head, 0, f->head_len) ||
			memchr(f->head, '\n', f->head_len)))
		return "a first line that is no shebang";
	f->gaps_end = it.at;
	r->p = it.at;
	return NULL;
}

static int check_files(struct relocation *x, struct reader *r, struct relocate_error *e)
{
	const char *before = "";

	for (uint64_t i = 0; i < x->n_files; i++) {
		struct relocate_entry f;
		const char *why = read_entry(x, r, &f);

		if (!why)
			why = check_offsets(&f, r);
		if (!why && strcmp(before, f.path) >= 0)
			why = "paths out of order";
		if (why)
			return relocate_fail(e, RELOCATE_DAMAGED,
				"damaged relocation index: %s in file %llu", why,
				(unsigned long long)i + 1);
		before = f.path;
	}
	return 0;
}

static uint64_t sum_of(const void *p, size_t n)
{
	struct relocate_hash s;

	relocate_hash_init(&s);
	relocate_hash_add(&s, p, n);
	return relocate_hash_end(&s);
}

/* The version it says it is, 0 where it does not begin as an index. */
static unsigned version_of(const unsigned char *p, size_t n)
{
	const size_t magic = sizeof RELOCATE_MAGIC - 1;

	if (n < magic + 2 + 8 || memcmp(p, RELOCATE_MAGIC, magic) != 0 || p[magic + 1] != '\n' ||
		p[magic] < '1' || p[magic] > '9')
		return 0;
	return (unsigned)(p[magic] - '0');
}

int relocation_open(struct relocation *x, const void *data, size_t n, struct relocate_error *e)
{
	const unsigned char *p = data;
	unsigned version = version_of(p, n);
	struct reader r;
	uint64_t table_len;

	if (version == 0)
		return relocate_fail(e, RELOCATE_DAMAGED,
			"damaged relocation index: it does not begin as one does");
	if (version > 2)
		return relocate_fail(e, RELOCATE_FAILED,
			"relocation index of version %u, this program knows 1 and 2: use the "
			"environment's own bin/conda-unpack or a newer envbuild",
			version);
	if (load_le64(p + n - 8) != sum_of(p, n - 8))
		return relocate_fail(
			e, RELOCATE_DAMAGED, "damaged relocation index: its sum differs");
	r = (struct reader){p + sizeof RELOCATE_MAGIC + 1, p + n - 8};
	*x = (struct relocation){.p = p, .n = n, .version = version};
	if (read_number(&r, &table_len) < 0 || !read_bytes(&r, table_len))
		return relocate_fail(
			e, RELOCATE_DAMAGED, "damaged relocation index: its table is cut off");
	x->table_end = (size_t)(r.p - p);
	x->table = x->table_end - table_len;
	if (read_number(&r, &x->n_files) < 0)
		return relocate_fail(
			e, RELOCATE_DAMAGED, "damaged relocation index: it is cut off");
	x->first = (size_t)(r.p - p);
	if (check_files(x, &r, e) < 0)
		return -1;
	if (r.p != r.end)
		return relocate_fail(e, RELOCATE_DAMAGED,
			"damaged relocation index: something follows its last file");
	return 0;
}

bool relocation_next(const struct relocation *x, size_t *cursor, struct relocate_entry *out)
{
	struct reader r = {x->p + *cursor, x->p + x->n - 8};

	if (r.p >= r.end || read_entry(x, &r, out) || check_offsets(out, &r))
		return false;
	*cursor = (size_t)(r.p - x->p);
	return true;
}
