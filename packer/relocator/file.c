/*
 * One file: does it hold a prefix, and what are its bytes with another.
 *
 * Both questions walk the file in the same way.  In text everything behind a placeholder moves
 * with the prefix's length.  In a binary each C string keeps its place and its length: every
 * placeholder in it is replaced and what they gave up is filled with NUL at the string's end, as
 * conda does (conda/core/portability.py, binary_replace).  Where the original has no NUL behind
 * the placeholder the string ends with the file.  Of files that hold the placeholder in other
 * encodings too the index says where each string ends in the original.
 */
#include "packer/relocator/relocate.h"

#include <stdio.h>
#include <string.h>

enum piece { PIECE_HEAD, PIECE_LITERAL, PIECE_PREFIX, PIECE_PAD };

/* Bytes that a prefix takes in each encoding; SIZE_MAX where it cannot be written in it. */
struct lengths {
	size_t bytes[RELOCATE_ENCODINGS];
};

/* The walk of one file; `piece` gets the bytes as they stand in the data.  PIECE_PAD is where a
 * string ends, and has none. */
struct walk {
	const struct relocate_entry *entry;
	const char *data, *prefix;
	uint64_t size;
	struct lengths lengths;
	uint64_t at;  /* in the data */
	uint64_t was; /* the same place in the original */
	int (*piece)(void *ctx, enum piece kind, enum relocate_encoding encoding, const char *p,
		uint64_t n);
	void *ctx;
};

static struct lengths lengths_of(const struct relocate_entry *f, const char *prefix)
{
	struct lengths l = {.bytes = {strlen(prefix)}};

	for (int i = RELOCATE_UTF8 + 1; f->forms && i < RELOCATE_ENCODINGS; i++) {
		enum relocate_encoding encoding = (enum relocate_encoding)i;
		size_t units = relocate_units(prefix, encoding);

		l.bytes[i] = units == SIZE_MAX ? SIZE_MAX : units * relocate_unit(encoding);
	}
	return l;
}

/* Does the prefix stand there?  Its bytes are known to lie in the data. */
static bool stands_at(const char *data, const char *prefix, size_t n, enum relocate_encoding x)
{
	char unit[4];

	if (x == RELOCATE_UTF8)
		return memcmp(data, prefix, n) == 0;
	while ((n = relocate_encode_next(&prefix, x, unit)) > 0) {
		if (memcmp(data, unit, n) != 0)
			return false;
		data += n;
	}
	return true;
}

/* Something else than the entry says stands there. */
enum { WALK_DIFFERS = -1 };

/* --- the first line ---------------------------------------------------------------------- */

struct line {
	char p[RELOCATE_HEAD_MAX + RELOCATE_HEAD_OFFSETS * RELOCATE_PATH_MAX + 64];
	size_t n;
};

static void line_add(struct line *line, const char *p, size_t n)
{
	if (n > sizeof line->p - line->n)
		n = sizeof line->p - line->n;
	memcpy(line->p + line->n, p, n);
	line->n += n;
}

/* The head's bytes [from, its end) with the prefix in them. */
static void line_add_head(
	struct line *line, const struct relocate_entry *f, size_t from, const char *prefix)
{
	struct relocate_offsets it = relocate_offsets_of(f);
	struct relocate_place place;

	while (relocate_offset_next(&it, &place) && place.at < f->head_len) {
		if (place.at < from)
			continue;
		line_add(line, f->head + from, place.at - from);
		line_add(line, prefix, strlen(prefix));
		from = place.past;
	}
	line_add(line, f->head + from, f->head_len - from);
}

/* "#! /PREFIX/bin/python -E": where the program starts and ends; false: no absolute path. */
static bool head_program(const struct relocate_entry *f, size_t *start, size_t *end)
{
	size_t i = 2;

	while (i < f->head_len && f->head[i] == ' ')
		i++;
	*start = i;
	while (i < f->head_len && (f->head[i - 1] == '\\' || !strchr(" \t\r", f->head[i])))
		i++;
	*end = i;
	return *start < f->head_len && f->head[*start] == '/';
}

static bool is_blank(const char *p, size_t n)
{
	return strspn(p, " \t\r") >= n;
}

/*
 * The first line for a prefix.  One that the kernel would cut or split is made to look the
 * program up in PATH, as conda does (replace_long_shebang); with an argument, env needs -S.
 */
static void head_for(struct line *line, const struct relocate_entry *f, const char *prefix)
{
	size_t start, end, name;

	line->n = 0;
	line_add_head(line, f, 0, prefix);
	if (strcmp(prefix, f->placeholder) == 0 || !head_program(f, &start, &end) ||
		(line->n <= RELOCATE_SHEBANG_MAX && !strpbrk(prefix, " \t\r")))
		return;
	for (name = end; f->head[name - 1] != '/';)
		name--;
	line->n = 0;
	line_add(line, "#!/usr/bin/env ", 15);
	if (!is_blank(f->head + end, f->head_len - end))
		line_add(line, "-S ", 3);
	line_add(line, f->head + name, end - name);
	line_add_head(line, f, end, prefix);
}

static int walk_head(struct walk *w)
{
	struct line line;

	if (w->entry->head_len == 0)
		return 0;
	head_for(&line, w->entry, w->prefix);
	if (w->size < line.n || memcmp(w->data, line.p, line.n) != 0)
		return WALK_DIFFERS;
	w->at = line.n;
	w->was = w->entry->head_len;
	return w->piece(w->ctx, PIECE_HEAD, RELOCATE_UTF8, w->data, line.n);
}

/* --- the rest ---------------------------------------------------------------------------- */

static int walk_literal(struct walk *w, uint64_t n)
{
	int rc;

	if (n > w->size - w->at)
		return WALK_DIFFERS;
	rc = n ? w->piece(w->ctx, PIECE_LITERAL, RELOCATE_UTF8, w->data + w->at, n) : 0;
	w->at += n;
	w->was += n;
	return rc;
}

static int walk_prefix(struct walk *w, const struct relocate_place *place)
{
	size_t n = w->lengths.bytes[place->encoding];
	int rc;

	if (n > w->size - w->at || !stands_at(w->data + w->at, w->prefix, n, place->encoding))
		return WALK_DIFFERS;
	rc = w->piece(w->ctx, PIECE_PREFIX, place->encoding, w->data + w->at, n);
	w->at += n;
	w->was = place->past;
	return rc;
}

static int walk_text(struct walk *w)
{
	struct relocate_offsets it = relocate_offsets_of(w->entry);
	struct relocate_place place;
	int rc = walk_head(w);

	while (rc == 0 && relocate_offset_next(&it, &place)) {
		if (place.at < w->entry->head_len)
			continue;
		rc = walk_literal(w, place.at - w->was);
		if (rc == 0)
			rc = walk_prefix(w, &place);
	}
	return rc ? rc : walk_literal(w, w->entry->size - w->was);
}

/* The string that ends here has given up `pad` bytes, which must be NUL. */
static int walk_pad(struct walk *w, uint64_t pad)
{
	if (pad > w->size - w->at)
		return WALK_DIFFERS;
	for (uint64_t i = 0; i < pad; i++)
		if (w->data[w->at + i])
			return WALK_DIFFERS;
	w->at += pad;
	return w->piece(w->ctx, PIECE_PAD, RELOCATE_UTF8, NULL, 0);
}

/* A place of a string with what stands before it; *pad grows by what it gives up. */
static int walk_place(struct walk *w, const struct relocate_place *place, uint64_t *pad)
{
	/* Within a string the original's distances hold: every literal is kept. */
	int rc = walk_literal(w, place->at - w->was);

	if (rc == 0)
		rc = walk_prefix(w, place);
	*pad += place->past - place->at - w->lengths.bytes[place->encoding];
	return rc;
}

/* A C string from its first placeholder to its end.  *place is that placeholder's, and becomes
 * the first one behind the string; false in *more: there is none. */
static int walk_string(
	struct walk *w, struct relocate_offsets *it, struct relocate_place *place, bool *more)
{
	const char *nul = memchr(w->data + w->at, 0, w->size - w->at);
	uint64_t end = nul ? (uint64_t)(nul - w->data) : w->size;
	uint64_t pad = 0;
	int rc;

	do {
		rc = walk_place(w, place, &pad);
		*more = relocate_offset_next(it, place);
	} while (rc == 0 && *more && w->at <= end && place->at - w->was < end - w->at);
	if (rc == 0 && w->at > end)
		rc = WALK_DIFFERS;
	if (rc == 0)
		rc = walk_literal(w, end - w->at);
	return rc ? rc : walk_pad(w, pad);
}

/* The same where the index says where a string ends: its places may be in several encodings. */
static int walk_known_string(
	struct walk *w, struct relocate_offsets *it, struct relocate_place *place, bool *more)
{
	uint64_t pad = 0, end;
	int rc;

	do {
		rc = walk_place(w, place, &pad);
		end = place->end;
		*more = relocate_offset_next(it, place);
	} while (rc == 0 && end == 0 && *more);
	if (rc == 0)
		rc = walk_literal(w, end - w->was);
	return rc ? rc : walk_pad(w, pad);
}

static int walk_binary(struct walk *w)
{
	struct relocate_offsets it = relocate_offsets_of(w->entry);
	struct relocate_place place;
	bool more = relocate_offset_next(&it, &place);
	enum relocate_encoding refused;
	size_t units;
	int rc = 0;

	if (w->size != w->entry->size || !relocate_fits(w->entry, w->prefix, &refused, &units))
		return WALK_DIFFERS;
	while (rc == 0 && more) {
		if (place.at < w->at)
			return WALK_DIFFERS;
		/* Between strings the data and the original agree. */
		w->was = w->at;
		rc = walk_literal(w, place.at - w->at);
		if (rc == 0)
			rc = (w->entry->forms ? walk_known_string : walk_string)(
				w, &it, &place, &more);
	}
	return rc ? rc : walk_literal(w, w->size - w->at);
}

static int walk_file(struct walk *w)
{
	int rc;

	w->lengths = lengths_of(w->entry, w->prefix);
	if (w->entry->binary)
		return walk_binary(w);
	rc = walk_text(w);
	return rc == 0 && w->at != w->size ? WALK_DIFFERS : rc;
}

/* --- the two questions ------------------------------------------------------------------- */

static int piece_to_hash(
	void *ctx, enum piece kind, enum relocate_encoding encoding, const char *p, uint64_t n)
{
	(void)encoding;
	if (kind == PIECE_LITERAL)
		relocate_hash_add(ctx, p, n);
	return 0;
}

int relocate_measure(const struct relocate_entry *entry, const char *data, uint64_t size,
	const char *prefix, uint64_t *hash)
{
	struct relocate_hash sum;
	struct walk w = {
		.entry = entry,
		.data = data,
		.size = size,
		.prefix = prefix,
		.piece = piece_to_hash,
		.ctx = &sum,
	};

	relocate_hash_init(&sum);
	if (walk_file(&w) != 0)
		return -1;
	*hash = relocate_hash_end(&sum);
	return 0;
}

bool relocate_holds(
	const struct relocate_entry *entry, const char *data, uint64_t size, const char *prefix)
{
	struct relocate_offsets it = relocate_offsets_of(entry);
	struct relocate_place first;
	uint64_t hash;

	/* Most answers are no, and most of those show at the first placeholder of a binary. */
	if (entry->binary && relocate_offset_next(&it, &first)) {
		size_t n = lengths_of(entry, prefix).bytes[first.encoding];

		if (first.at > size || n > size - first.at ||
			!stands_at(data + first.at, prefix, n, first.encoding))
			return false;
	}
	return relocate_measure(entry, data, size, prefix, &hash) == 0 && hash == entry->hash;
}

struct conversion {
	const struct relocate_entry *entry;
	const char *to;
	struct lengths lengths; /* of it */
	uint64_t pad;           /* bytes that the current string has given up */
	relocate_emit *emit;
	void *ctx;
};

static int emit_zeros(struct conversion *c, uint64_t n)
{
	static const char zeros[4096];
	int rc = 0;

	while (rc == 0 && n) {
		size_t some = n < sizeof zeros ? (size_t)n : sizeof zeros;

		rc = c->emit(c->ctx, zeros, some);
		n -= some;
	}
	return rc;
}

static int emit_prefix(struct conversion *c, enum relocate_encoding encoding)
{
	const char *rest = c->to;
	char unit[4];
	size_t n;
	int rc = 0;

	if (encoding == RELOCATE_UTF8)
		return c->emit(c->ctx, c->to, c->lengths.bytes[encoding]);
	while (rc == 0 && (n = relocate_encode_next(&rest, encoding, unit)) > 0)
		rc = c->emit(c->ctx, unit, n);
	return rc;
}

static int piece_to_emit(
	void *ctx, enum piece kind, enum relocate_encoding encoding, const char *p, uint64_t n)
{
	struct conversion *c = ctx;
	struct line line;

	switch (kind) {
	case PIECE_HEAD:
		head_for(&line, c->entry, c->to);
		return c->emit(c->ctx, line.p, line.n);
	case PIECE_LITERAL:
		return c->emit(c->ctx, p, n);
	case PIECE_PREFIX:
		c->pad += c->entry->placeholder_len * relocate_unit(encoding) -
			  c->lengths.bytes[encoding];
		return emit_prefix(c, encoding);
	case PIECE_PAD:
		n = c->pad;
		c->pad = 0;
		return emit_zeros(c, n);
	}
	return -1;
}

int relocate_convert(const struct relocate_entry *entry, const char *data, uint64_t size,
	const char *from, const char *to, relocate_emit *emit, void *ctx)
{
	struct conversion c = {.entry = entry,
		.to = to,
		.lengths = lengths_of(entry, to),
		.emit = emit,
		.ctx = ctx};
	enum relocate_encoding refused;
	size_t units;
	struct walk w = {
		.entry = entry,
		.data = data,
		.size = size,
		.prefix = from,
		.piece = piece_to_emit,
		.ctx = &c,
	};

	if (!relocate_fits(entry, to, &refused, &units))
		return -1;
	return walk_file(&w);
}

/* --- is there room ----------------------------------------------------------------------- */

static int does_not_fit(const char *prefix, const char *path, size_t room, size_t units,
	enum relocate_encoding encoding, struct relocate_error *e)
{
	if (units == SIZE_MAX)
		return relocate_fail(e, RELOCATE_FAILED,
			"path '%s' is not UTF-8, and '%s' has it in %s; move the environment to a "
			"path of plain letters",
			prefix, path, relocate_encoding_name(encoding));
	if (encoding == RELOCATE_UTF8)
		return relocate_fail(e, RELOCATE_FAILED,
			"path too long: '%s' has %zu bytes, and '%s' has room for %zu; move the "
			"environment to a path of at most %zu bytes",
			prefix, units, path, room, room);
	return relocate_fail(e, RELOCATE_FAILED,
		"path too long: '%s' takes %zu units of %s, and '%s' has room for %zu; move the "
		"environment to a path of at most %zu bytes",
		prefix, units, relocate_encoding_name(encoding), path, room, room);
}

int relocate_check_length(const struct relocation *index, const char *prefix,
	bool (*there)(void *ctx, const char *path), void *ctx, struct relocate_error *e)
{
	struct relocate_entry entry;
	size_t cursor = index->first, limit = SIZE_MAX, takes = 0, units;
	enum relocate_encoding encoding = RELOCATE_UTF8, refused;
	const char *path = NULL;

	while (relocation_next(index, &cursor, &entry))
		if (entry.placeholder_len < limit && (entry.binary || entry.forms) &&
			!relocate_fits(&entry, prefix, &refused, &units) &&
			(!there || there(ctx, entry.path))) {
			limit = entry.placeholder_len;
			takes = units;
			encoding = refused;
			path = entry.path;
		}
	return path ? does_not_fit(prefix, path, limit, takes, encoding, e) : 0;
}
