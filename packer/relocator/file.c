/*
 * One file: does it hold a prefix, and what are its bytes with another.
 *
 * Both questions walk the file in the same way.  In text everything behind a placeholder moves
 * with the prefix's length.  In a binary each C string keeps its place and its length: every
 * placeholder in it is replaced and what they gave up is filled with NUL at the string's end, as
 * conda does (conda/core/portability.py, binary_replace).  Where the original has no NUL behind
 * the placeholder the string ends with the file.
 */
#include "packer/relocator/relocate.h"

#include <stdio.h>
#include <string.h>

enum piece { PIECE_HEAD, PIECE_LITERAL, PIECE_PREFIX, PIECE_PAD };

/* The walk of one file; `piece` gets the bytes as they stand in the data.  For PIECE_PAD, n is
 * the number of placeholders in the string that ends. */
struct walk {
	const struct relocate_entry *entry;
	const char *data, *prefix;
	uint64_t size;
	size_t prefix_len;
	uint64_t at;  /* in the data */
	uint64_t was; /* the same place in the original */
	int (*piece)(void *ctx, enum piece kind, const char *p, uint64_t n);
	void *ctx;
};

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
	uint64_t at;

	while (relocate_offset_next(&it, f->placeholder_len, &at) && at < f->head_len) {
		if (at < from)
			continue;
		line_add(line, f->head + from, at - from);
		line_add(line, prefix, strlen(prefix));
		from = it.past;
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
	return w->piece(w->ctx, PIECE_HEAD, w->data, line.n);
}

/* --- the rest ---------------------------------------------------------------------------- */

static int walk_literal(struct walk *w, uint64_t n)
{
	int rc;

	if (n > w->size - w->at)
		return WALK_DIFFERS;
	rc = n ? w->piece(w->ctx, PIECE_LITERAL, w->data + w->at, n) : 0;
	w->at += n;
	w->was += n;
	return rc;
}

static int walk_prefix(struct walk *w)
{
	int rc;

	if (w->prefix_len > w->size - w->at ||
		memcmp(w->data + w->at, w->prefix, w->prefix_len) != 0)
		return WALK_DIFFERS;
	rc = w->piece(w->ctx, PIECE_PREFIX, w->data + w->at, w->prefix_len);
	w->at += w->prefix_len;
	w->was += w->entry->placeholder_len;
	return rc;
}

static int walk_text(struct walk *w)
{
	struct relocate_offsets it = relocate_offsets_of(w->entry);
	uint64_t offset;
	int rc = walk_head(w);

	while (rc == 0 && relocate_offset_next(&it, w->entry->placeholder_len, &offset)) {
		if (offset < w->entry->head_len)
			continue;
		rc = walk_literal(w, offset - w->was);
		if (rc == 0)
			rc = walk_prefix(w);
	}
	return rc ? rc : walk_literal(w, w->entry->size - w->was);
}

/* The string that ends at `end` has given up `pad` bytes, which must be NUL. */
static int walk_pad(struct walk *w, uint64_t end, uint64_t n_placeholders)
{
	uint64_t pad = n_placeholders * (w->entry->placeholder_len - w->prefix_len);
	int rc = walk_literal(w, end - w->at);

	if (rc)
		return rc;
	if (pad > w->size - w->at)
		return WALK_DIFFERS;
	for (uint64_t i = 0; i < pad; i++)
		if (w->data[w->at + i])
			return WALK_DIFFERS;
	w->at += pad;
	return w->piece(w->ctx, PIECE_PAD, NULL, n_placeholders);
}

/* A C string from its first placeholder to its end.  *offset is that placeholder's, and becomes
 * the first one behind the string; false in *more: there is none. */
static int walk_string(struct walk *w, struct relocate_offsets *it, uint64_t *offset, bool *more)
{
	const char *nul = memchr(w->data + w->at, 0, w->size - w->at);
	uint64_t end = nul ? (uint64_t)(nul - w->data) : w->size;
	uint64_t n = 0;
	int rc;

	do {
		/* Within a string the original's distances hold: every literal is kept. */
		rc = walk_literal(w, *offset - w->was);
		if (rc == 0)
			rc = walk_prefix(w);
		n++;
		*more = relocate_offset_next(it, w->entry->placeholder_len, offset);
	} while (rc == 0 && *more && w->at <= end && *offset - w->was < end - w->at);
	if (rc)
		return rc;
	return w->at > end ? WALK_DIFFERS : walk_pad(w, end, n);
}

static int walk_binary(struct walk *w)
{
	struct relocate_offsets it = relocate_offsets_of(w->entry);
	uint64_t offset;
	bool more = relocate_offset_next(&it, w->entry->placeholder_len, &offset);
	int rc = 0;

	if (w->size != w->entry->size || w->prefix_len > w->entry->placeholder_len)
		return WALK_DIFFERS;
	while (rc == 0 && more) {
		if (offset < w->at)
			return WALK_DIFFERS;
		rc = walk_literal(w, offset - w->at);
		w->was = w->at;
		if (rc == 0)
			rc = walk_string(w, &it, &offset, &more);
	}
	return rc ? rc : walk_literal(w, w->size - w->at);
}

static int walk_file(struct walk *w)
{
	int rc;

	w->prefix_len = strlen(w->prefix);
	if (w->entry->binary)
		return walk_binary(w);
	rc = walk_text(w);
	return rc == 0 && w->at != w->size ? WALK_DIFFERS : rc;
}

/* --- the two questions ------------------------------------------------------------------- */

static int piece_to_hash(void *ctx, enum piece kind, const char *p, uint64_t n)
{
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
	size_t n = strlen(prefix);
	uint64_t hash, at;

	/* Most answers are no, and most of those show at the first placeholder of a binary. */
	if (entry->binary && relocate_offset_next(&it, entry->placeholder_len, &at) &&
		(at > size || n > size - at || memcmp(data + at, prefix, n) != 0))
		return false;
	return relocate_measure(entry, data, size, prefix, &hash) == 0 && hash == entry->hash;
}

struct conversion {
	const struct relocate_entry *entry;
	const char *to;
	size_t to_len;
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

static int piece_to_emit(void *ctx, enum piece kind, const char *p, uint64_t n)
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
		return c->emit(c->ctx, c->to, c->to_len);
	case PIECE_PAD:
		return emit_zeros(c, n * (c->entry->placeholder_len - c->to_len));
	}
	return -1;
}

int relocate_convert(const struct relocate_entry *entry, const char *data, uint64_t size,
	const char *from, const char *to, relocate_emit *emit, void *ctx)
{
	struct conversion c = {
		.entry = entry, .to = to, .to_len = strlen(to), .emit = emit, .ctx = ctx};
	struct walk w = {
		.entry = entry,
		.data = data,
		.size = size,
		.prefix = from,
		.piece = piece_to_emit,
		.ctx = &c,
	};

	if (entry->binary && c.to_len > entry->placeholder_len)
		return -1;
	return walk_file(&w);
}
