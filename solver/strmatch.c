#include "solver/strmatch.h"

#include "base/buf.h"

#include <regex.h>
#include <stdlib.h>

enum { REGEX_MAX = 256, SUBJECT_MAX = 4096 };

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool str_same(struct str a, struct str b)
{
	size_t i;

	if (a.n != b.n)
		return false;
	for (i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

/* Goes back only to the last star, so that it takes at most pattern * s steps. */
bool str_glob(struct str pattern, struct str s)
{
	size_t i = 0, j = 0, star = SIZE_MAX, resume = 0;

	while (j < s.n) {
		if (i < pattern.n && pattern.p[i] == '*') {
			star = i++;
			resume = j;
		} else if (i < pattern.n && lower(pattern.p[i]) == lower(s.p[j])) {
			i++, j++;
		} else if (star != SIZE_MAX) {
			i = star + 1;
			j = ++resume;
		} else {
			return false;
		}
	}
	while (i < pattern.n && pattern.p[i] == '*')
		i++;
	return i == pattern.n;
}

/* --- Python's syntax to POSIX extended ---------------------------------------------------- */

static const char *class_of(char c, bool in_brackets)
{
	switch (c) {
	case 'd':
		return in_brackets ? "0-9" : "[0-9]";
	case 'w':
		return in_brackets ? "[:alnum:]_" : "[[:alnum:]_]";
	case 's':
		return in_brackets ? "[:space:]" : "[[:space:]]";
	case 'D':
		return in_brackets ? NULL : "[^0-9]";
	case 'W':
		return in_brackets ? NULL : "[^[:alnum:]_]";
	case 'S':
		return in_brackets ? NULL : "[^[:space:]]";
	default:
		return NULL;
	}
}

static bool alnum(char c)
{
	return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9');
}

/* One escape at text[i] == '\\'; returns how many characters it took, 0 where it is refused. */
static size_t put_escape(struct buf *to, struct str text, size_t i, bool in_brackets)
{
	const char *class;
	char c;

	if (i + 1 >= text.n)
		return 0;
	c = text.p[i + 1];
	class = class_of(c, in_brackets);
	if (class)
		buf_puts(to, class);
	else if (alnum(c) || (in_brackets && (c == ']' || c == '-' || c == '^' || c == '\\')))
		return 0;
	else if (in_brackets)
		buf_putc(to, c);
	else
		buf_printf(to, "\\%c", c);
	return 2;
}

/* A bracket expression from text[i] == '['; as put_escape. */
static size_t put_brackets(struct buf *to, struct str text, size_t i)
{
	size_t from = i, n;

	buf_putc(to, text.p[i++]);
	if (i < text.n && text.p[i] == '^')
		buf_putc(to, text.p[i++]);
	if (i < text.n && text.p[i] == ']')
		buf_putc(to, text.p[i++]);
	while (i < text.n && text.p[i] != ']') {
		if (text.p[i] == '\\') {
			n = put_escape(to, text, i, true);
			if (!n)
				return 0;
			i += n;
		} else {
			buf_putc(to, text.p[i++]);
		}
	}
	if (i >= text.n)
		return 0;
	buf_putc(to, ']');
	return i + 1 - from;
}

/* What stands behind "(" or a repetition: 0 to go on, else characters to pass over. */
static ptrdiff_t pass_over(struct str text, size_t i)
{
	char c = text.p[i], next = i + 1 < text.n ? text.p[i + 1] : 0;

	if (c == '(' && next == '?')
		return i + 2 < text.n && text.p[i + 2] == ':' ? 2 : -1;
	/* A lazy repetition matches what the greedy one does. */
	if ((c == '*' || c == '+' || c == '?' || c == '}') && next == '?')
		return 1;
	if ((c == '*' || c == '+' || c == '?' || c == '}') && (next == '+' || next == '*'))
		return -1;
	return 0;
}

static int translate(struct str text, struct buf *to)
{
	size_t i = 0, n, braces = 0;

	while (i < text.n) {
		char c = text.p[i];
		ptrdiff_t skip = pass_over(text, i);

		if (skip < 0 || !c || (c == '{' && ++braces > 2))
			return -1;
		if (c == '\\') {
			n = put_escape(to, text, i, false);
		} else if (c == '[') {
			n = put_brackets(to, text, i);
		} else {
			buf_putc(to, c);
			n = 1 + (size_t)skip;
		}
		if (!n)
			return -1;
		i += n;
	}
	return 0;
}

static int parse_regex(struct arena *a, struct str text, struct strmatch *m, struct err *e)
{
	CLEANUP_BUF to = {.max = 16 * REGEX_MAX};
	regex_t re;

	if (text.n > REGEX_MAX)
		return err_set(e, ERR_INPUT, "regular expression over %d characters", REGEX_MAX);
	if (translate(text, &to) < 0 || to.overflow ||
		regcomp(&re, to.p, REG_EXTENDED | REG_ICASE | REG_NOSUB) != 0)
		return err_set(
			e, ERR_INPUT, "regular expression '%.*s' is not supported", STR_ARG(text));
	regfree(&re);
	m->regex = arena_cstr(a, buf_view(&to));
	return 0;
}

int strmatch_parse(struct arena *a, struct str text, const struct strmatch **out, struct err *e)
{
	struct strmatch *m = arena_new(a, struct strmatch);

	m->text = text;
	if (text.n >= 2 && text.p[0] == '^' && text.p[text.n - 1] == '$') {
		m->kind = STRMATCH_REGEX;
		if (parse_regex(a, text, m, e) < 0)
			return -1;
	} else {
		m->kind = str_chr(text, '*') >= 0 ? STRMATCH_GLOB : STRMATCH_EQUAL;
	}
	*out = m;
	return 0;
}

/*
 * Compiled anew each time: specs with one are rare and live in arenas, which nobody tells that
 * there is something to free.
 */
static bool test_regex(const char *pattern, struct str s)
{
	char subject[SUBJECT_MAX];
	regex_t re;
	bool hit;

	if (s.n >= sizeof(subject))
		return false;
	if (s.n)
		memcpy(subject, s.p, s.n);
	subject[s.n] = 0;
	if (regcomp(&re, pattern, REG_EXTENDED | REG_ICASE | REG_NOSUB) != 0)
		return false;
	hit = regexec(&re, subject, 0, NULL, 0) == 0;
	regfree(&re);
	return hit;
}

bool strmatch_test(const struct strmatch *m, struct str s)
{
	switch (m->kind) {
	case STRMATCH_EQUAL:
		return str_same(m->text, s);
	case STRMATCH_GLOB:
		return str_glob(m->text, s);
	case STRMATCH_REGEX:
		return test_regex(m->regex, s);
	}
	return false;
}
