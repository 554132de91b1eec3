/* The lines of a requirements file, as pip puts them together (pip/_internal/req/req_file.py). */
#include "solver/requirements_lines.h"

#include <stdlib.h>

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

int lines_split(struct arena *a, const char *name, struct str text, struct physical_line **out,
	size_t *n, struct err *e)
{
	struct {
		struct physical_line *v;
		size_t n, cap;
	} list = {0};
	int line = 0;

	if (str_starts(text, STR("\xef\xbb\xbf")))
		text = str_sub(text, 3, text.n);
	if (str_starts(text, STR("\xff\xfe")) || str_starts(text, STR("\xfe\xff")) ||
		str_chr(text, '\0') >= 0)
		return err_set(e, ERR_INPUT, "'%s' is not text in UTF-8", name);
	while (text.n) {
		size_t end = 0;

		while (end < text.n && text.p[end] != '\n' && text.p[end] != '\r')
			end++;
		*VEC_PUSH(a, &list) = (struct physical_line){str_sub(text, 0, end), ++line};
		if (end + 1 < text.n && text.p[end] == '\r' && text.p[end + 1] == '\n')
			end++;
		text = str_sub(text, end + 1, text.n);
	}
	*out = list.v;
	*n = list.n;
	return 0;
}

/* "#" at the beginning or behind white space; the offset of what is cut off, or -1. */
static ptrdiff_t comment_at(struct str line)
{
	for (size_t i = 0; i < line.n; i++) {
		if (line.p[i] != '#' || (i && !is_space(line.p[i - 1])))
			continue;
		while (i && is_space(line.p[i - 1]))
			i--;
		return (ptrdiff_t)i;
	}
	return -1;
}

static struct str without_comment(struct str line)
{
	ptrdiff_t at = comment_at(line);

	return str_trim(at < 0 ? line : str_sub(line, 0, (size_t)at));
}

static bool is_variable(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'))
			return false;
	}
	return s.n > 0;
}

/* ${NAME} of the process's environment; one that is not set stays as it is written. */
static struct str expand(struct arena *a, struct str line)
{
	CLEANUP_BUF b = {0};
	struct str rest = line;
	ptrdiff_t at;

	while ((at = str_find(rest, STR("${"))) >= 0) {
		struct str name = str_sub(rest, (size_t)at + 2, rest.n);
		ptrdiff_t end = str_chr(name, '}');
		const char *value = NULL;

		if (end < 0)
			break;
		name = str_sub(name, 0, (size_t)end);
		if (is_variable(name))
			value = getenv(arena_cstr(a, name));
		buf_str(&b, str_sub(rest, 0, (size_t)at));
		if (value)
			buf_puts(&b, value);
		else
			buf_puts(&b, "${");
		rest = str_sub(rest, (size_t)at + 2 + (value ? name.n + 1 : 0), rest.n);
	}
	buf_str(&b, rest);
	return arena_str(a, buf_view(&b));
}

static void add_line(struct arena *a, struct logical_lines *out, struct str joined, int line)
{
	struct str written = without_comment(joined);

	if (!written.n)
		return;
	written = arena_str(a, written);
	*VEC_PUSH(a, out) = (struct logical_line){written, expand(a, written), line};
}

void lines_join(
	struct arena *a, const struct physical_line *lines, size_t n, struct logical_lines *out)
{
	CLEANUP_BUF joined = {0};
	bool open = false;
	int first = 0;

	for (size_t i = 0; i < n; i++) {
		struct str text = lines[i].text;
		bool comment = comment_at(text) == 0;

		if (!open)
			first = lines[i].line;
		if (str_ends(text, STR("\\")) && !comment) {
			while (text.n && text.p[text.n - 1] == '\\')
				text.n--;
			buf_str(&joined, text);
			open = true;
			continue;
		}
		if (comment)
			buf_putc(&joined, ' ');
		buf_str(&joined, text);
		add_line(a, out, buf_view(&joined), first);
		buf_clear(&joined);
		open = false;
	}
	add_line(a, out, buf_view(&joined), first);
}

/* --- words ---------------------------------------------------------------------------------- */

/* Reads a quoted part from *i, which stands behind the quote; -1 where it is not closed. */
static int quoted(struct str text, size_t *i, char quote, struct buf *to)
{
	for (; *i < text.n; ++*i) {
		char c = text.p[*i];

		if (c == quote) {
			++*i;
			return 0;
		}
		if (c == '\\' && quote == '"' && *i + 1 < text.n &&
			(text.p[*i + 1] == '"' || text.p[*i + 1] == '\\'))
			c = text.p[++*i];
		buf_putc(to, c);
	}
	return -1;
}

static int word(struct str text, size_t *i, struct buf *to)
{
	while (*i < text.n && !is_space(text.p[*i])) {
		char c = text.p[(*i)++];

		if (c == '\'' || c == '"') {
			if (quoted(text, i, c, to) < 0)
				return -1;
			continue;
		}
		if (c == '\\') {
			if (*i == text.n)
				return -1;
			c = text.p[(*i)++];
		}
		buf_putc(to, c);
	}
	return 0;
}

int words_split(struct arena *a, struct str text, struct words *out)
{
	CLEANUP_BUF b = {0};

	for (size_t i = 0;;) {
		while (i < text.n && is_space(text.p[i]))
			i++;
		if (i == text.n)
			return 0;
		buf_clear(&b);
		if (word(text, &i, &b) < 0)
			return -1;
		*VEC_PUSH(a, out) = arena_str(a, buf_view(&b));
	}
}
