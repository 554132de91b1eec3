#include "builder/prefix_text.h"

/* --- text --------------------------------------------------------------------------------- */

static void add_escaped(struct buf *to, struct str prefix)
{
	for (size_t i = 0; i < prefix.n; i++) {
		if (prefix.p[i] == ' ')
			buf_putc(to, '\\');
		buf_putc(to, prefix.p[i]);
	}
}

static void replace_all(const struct replacement *r, struct buf *to)
{
	ptrdiff_t newline = str_chr(r->data, '\n');
	size_t at = 0;

	for (size_t i = 0; i < r->n_offsets; i++) {
		size_t hit = (size_t)r->offsets[i];
		buf_str(to, str_sub(r->data, at, hit));
		/* conda escapes only where a first line ends and names the prefix behind "#!". */
		if (newline >= 0 && hit < (size_t)newline && hit >= 2 &&
			memcmp(r->data.p + hit - 2, "#!", 2) == 0)
			add_escaped(to, r->prefix);
		else
			buf_str(to, r->prefix);
		at = hit + r->old_n;
	}
	buf_str(to, str_sub(r->data, at, r->data.n));
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

/* One C string [from, end) with the occurrences [i, j). */
static void replace_string(
	const struct replacement *r, size_t from, size_t end, size_t i, size_t j, struct buf *to)
{
	size_t at = from, padding = (j - i) * (r->old_n - r->prefix.n);

	for (; i < j; i++) {
		buf_str(to, str_sub(r->data, at, (size_t)r->offsets[i]));
		buf_str(to, r->prefix);
		at = (size_t)r->offsets[i] + r->old_n;
	}
	buf_str(to, str_sub(r->data, at, end));
	for (; padding > 0; padding--)
		buf_putc(to, '\0');
}

int replace_binary(const struct replacement *r, struct buf *to, struct err *e)
{
	size_t at = 0;

	if (r->prefix.n > r->old_n)
		return err_set(e, ERR_FAIL, "the path is %zu bytes long, the file has room for %zu",
			r->prefix.n, r->old_n);
	for (size_t i = 0, j; i < r->n_offsets; i = j) {
		size_t from = (size_t)r->offsets[i];
		const char *nul = memchr(r->data.p + from, '\0', r->data.n - from);
		size_t end = nul ? (size_t)(nul - r->data.p) : r->data.n;
		for (j = i + 1; j < r->n_offsets && r->offsets[j] < end; j++)
			;
		buf_str(to, str_sub(r->data, at, from));
		replace_string(r, from, end, i, j, to);
		at = end;
	}
	buf_str(to, str_sub(r->data, at, r->data.n));
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
