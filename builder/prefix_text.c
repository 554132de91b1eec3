#include "builder/prefix_text.h"

static enum text_encoding encoding_at(const struct replacement *r, size_t i)
{
	return r->forms ? (enum text_encoding)r->forms[i].encoding : TEXT_UTF8;
}

static int does_not_fit(
	const struct replacement *r, enum text_encoding encoding, size_t units, struct err *e)
{
	if (encoding == TEXT_UTF8)
		err_set(e, ERR_FAIL, "the path is %zu bytes long, the file has room for %zu", units,
			r->old_n);
	else
		err_set(e, ERR_FAIL, "the path takes %zu units of %s, the file has room for %zu",
			units, text_encoding_name(encoding), r->old_n);
	return err_advise(e, "choose a shorter path");
}

int replacement_fits(const struct replacement *r, bool binary, struct err *e)
{
	bool seen[TEXT_ENCODINGS] = {false};

	for (size_t i = 0; i < r->n_offsets; i++) {
		enum text_encoding encoding = encoding_at(r, i);

		if (seen[encoding])
			continue;
		seen[encoding] = true;
		ptrdiff_t units = text_units(r->prefix, encoding);
		if (units < 0) {
			err_set(e, ERR_FAIL, "the path is not UTF-8, and the file has it in %s",
				text_encoding_name(encoding));
			return err_advise(e, "choose a path of plain letters");
		}
		if (binary && (size_t)units > r->old_n)
			return does_not_fit(r, encoding, (size_t)units, e);
		if (!r->forms)
			break;
	}
	return 0;
}

/* A text in the encodings that were asked for. */
struct encoded {
	struct str text;
	struct buf v[TEXT_ENCODINGS];
};

static struct str encoded_as(struct encoded *x, enum text_encoding encoding)
{
	if (encoding == TEXT_UTF8)
		return x->text;
	if (x->v[encoding].n == 0)
		text_encode(x->text, encoding, &x->v[encoding]);
	return buf_view(&x->v[encoding]);
}

static void encoded_release(struct encoded *x)
{
	for (size_t i = 0; i < TEXT_ENCODINGS; i++)
		buf_release(&x->v[i]);
}

/* --- text --------------------------------------------------------------------------------- */

static void add_escaped(struct buf *to, struct str prefix)
{
	for (size_t i = 0; i < prefix.n; i++) {
		if (prefix.p[i] == ' ')
			buf_putc(to, '\\');
		buf_putc(to, prefix.p[i]);
	}
}

/* Does "#!" stand before `at`, in this encoding? */
static bool is_behind_shebang(struct str data, size_t at, enum text_encoding encoding)
{
	CLEANUP_BUF mark = {0};

	text_encode(STR("#!"), encoding, &mark);
	return at >= mark.n && memcmp(data.p + at - mark.n, mark.p, mark.n) == 0;
}

static void replace_all(const struct replacement *r, struct buf *to)
{
	ptrdiff_t newline = str_chr(r->data, '\n');
	CLEANUP_BUF escaped_prefix = {0};
	struct encoded plain = {.text = r->prefix}, escaped = {0};
	size_t at = 0;

	add_escaped(&escaped_prefix, r->prefix);
	escaped.text = buf_view(&escaped_prefix);
	for (size_t i = 0; i < r->n_offsets; i++) {
		enum text_encoding encoding = encoding_at(r, i);
		size_t hit = (size_t)r->offsets[i];
		buf_str(to, str_sub(r->data, at, hit));
		/* conda escapes only where a first line ends and names the prefix behind "#!". */
		bool escape = newline >= 0 && hit < (size_t)newline &&
			      is_behind_shebang(r->data, hit, encoding);
		buf_str(to, encoded_as(escape ? &escaped : &plain, encoding));
		at = hit + r->old_n * text_unit(encoding);
	}
	buf_str(to, str_sub(r->data, at, r->data.n));
	encoded_release(&plain);
	encoded_release(&escaped);
}

/* The length of "/PATH" at the start of s, in which "\ " is no end. */
static size_t executable_length(struct str s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] != '\t' && s.p[n] != '\r') {
		if (s.p[n] == '\\' && n + 1 < s.n && s.p[n + 1] == ' ')
			n++;
		else if (s.p[n] == ' ')
			break;
		n++;
	}
	return n;
}

/* Shortens the first line of what begins at `from` in the buffer. */
static void shorten_shebang(struct buf *to, size_t from)
{
	struct str rest = str_sub(buf_view(to), from, to->n), line = str_cut(&rest, '\n');
	size_t at = 2;

	if (line.n < 3 || memcmp(line.p, "#!", 2) != 0)
		return;
	while (at < line.n && line.p[at] == ' ')
		at++;
	if (at == line.n || line.p[at] != '/')
		return;
	struct str path = str_sub(line, at, line.n);
	path = str_sub(path, 0, executable_length(path));
	size_t slash = (size_t)str_rchr(path, '/');
	struct str folder = str_sub(path, 0, slash), name = str_sub(path, slash + 1, path.n);
	if (line.n <= SHEBANG_MAX && str_find(folder, STR("\\ ")) < 0)
		return;
	CLEANUP_BUF tail = {0};
	buf_puts(&tail, "#!/usr/bin/env ");
	buf_str(&tail, name);
	buf_str(&tail, str_sub(buf_view(to), from + at + path.n, to->n));
	to->n = from;
	buf_str(to, buf_view(&tail));
}

void replace_text(const struct replacement *r, struct buf *to)
{
	size_t from = to->n;

	replace_all(r, to);
	shorten_shebang(to, from);
}

/* --- binary ------------------------------------------------------------------------------- */

/* Where the string with the occurrences from i on ends, and which is the first behind it. */
static size_t string_end(const struct replacement *r, size_t i, size_t *next)
{
	size_t from = (size_t)r->offsets[i], k = i;

	if (r->forms) {
		while (r->forms[k].end == 0 && k + 1 < r->n_offsets)
			k++;
		*next = k + 1;
		return (size_t)r->forms[k].end;
	}
	const char *nul = memchr(r->data.p + from, '\0', r->data.n - from);
	size_t end = nul ? (size_t)(nul - r->data.p) : r->data.n;
	while (++k < r->n_offsets && r->offsets[k] < end)
		;
	*next = k;
	return end;
}

/* One string [.., end) with the occurrences [i, j). */
static void replace_string(const struct replacement *r, struct encoded *prefix, size_t end,
	size_t i, size_t j, struct buf *to)
{
	size_t at = (size_t)r->offsets[i], padding = 0;

	for (; i < j; i++) {
		enum text_encoding encoding = encoding_at(r, i);
		struct str new = encoded_as(prefix, encoding);
		size_t old_n = r->old_n * text_unit(encoding);

		buf_str(to, str_sub(r->data, at, (size_t)r->offsets[i]));
		buf_str(to, new);
		at = (size_t)r->offsets[i] + old_n;
		padding += old_n - new.n;
	}
	buf_str(to, str_sub(r->data, at, end));
	for (; padding > 0; padding--)
		buf_putc(to, '\0');
}

int replace_binary(const struct replacement *r, struct buf *to, struct err *e)
{
	struct encoded prefix = {.text = r->prefix};
	size_t at = 0;

	if (replacement_fits(r, true, e) < 0)
		return -1;
	for (size_t i = 0, j; i < r->n_offsets; i = j) {
		size_t end = string_end(r, i, &j);
		buf_str(to, str_sub(r->data, at, (size_t)r->offsets[i]));
		replace_string(r, &prefix, end, i, j, to);
		at = end;
	}
	buf_str(to, str_sub(r->data, at, r->data.n));
	encoded_release(&prefix);
	return 0;
}

/* --- entry points ------------------------------------------------------------------------- */

void entry_point_shebang(struct str python, struct buf *to)
{
	/* "#!", the path and the newline. */
	if (python.n + 3 <= SHEBANG_MAX && str_chr(python, ' ') < 0)
		buf_printf(to, "#!%.*s\n", STR_ARG(python));
	else
		buf_printf(
			to, "#!/bin/sh\n'''exec' \"%.*s\" \"$0\" \"$@\" #'''\n", STR_ARG(python));
}

void entry_point_self_locating(struct str python, struct buf *to)
{
	struct str name = str_base(python);

	/* To sh the second line is ":", to Python the start of a text that ends in the fifth. */
	buf_printf(to,
		"#!/bin/sh\n"
		"''':'\n"
		"self=$(readlink -f -- \"$0\" 2>/dev/null) || self=$0\n"
		"exec \"${self%%/*}/%.*s\" \"$0\" \"$@\"\n"
		"'''\n",
		STR_ARG(name));
}
