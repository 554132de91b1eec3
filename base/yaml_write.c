#include "base/buf.h"
#include "base/yaml.h"

#include <stdio.h>

enum quoting { PLAIN, SINGLE, DOUBLE };

/* Does the slice consist of bytes of the set, at least one? */
static bool all_of(struct str s, const char *set)
{
	for (size_t i = 0; i < s.n; i++)
		if (!s.p[i] || !strchr(set, s.p[i]))
			return false;
	return s.n > 0;
}

/* Words that YAML 1.1 takes for a truth value or nothing. */
static bool is_word(struct str s)
{
	static const char *const words[] = {"y", "n", "yes", "no", "on", "off", "true", "false",
		"null", "~", "=", "<<", ".inf", "+.inf", "-.inf", ".nan"};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (s.n == strlen(words[i]) && strncasecmp(s.p, words[i], s.n) == 0)
			return true;
	return false;
}

/*
 * Could a reader of YAML 1.1 or 1.2 see a number, a time or a date in it?  Somewhat more than
 * their patterns match: integers in any base, decimal fractions with an exponent, sexagesimal
 * numbers (12:30), dates.
 */
static bool is_number(struct str s)
{
	ptrdiff_t exponent, dot;
	struct str rest;

	if (s.n && (s.p[0] == '+' || s.p[0] == '-'))
		s = str_sub(s, 1, s.n);
	if (s.n > 2 && s.p[0] == '0' && strchr("xob", s.p[1]) &&
		all_of(str_sub(s, 2, s.n), "0123456789abcdefABCDEF_"))
		return true;
	if (s.n > 4 && all_of(str_sub(s, 0, 4), "0123456789") && s.p[4] == '-')
		return true;
	if (!s.n || !strchr("0123456789.", s.p[0]))
		return false;
	if (all_of(s, "0123456789_:.") && str_chr(s, ':') >= 0)
		return true;
	exponent = str_chr(s, 'e') >= 0 ? str_chr(s, 'e') : str_chr(s, 'E');
	if (exponent > 0) {
		rest = str_sub(s, (size_t)exponent + 1, s.n);
		if (rest.n && (rest.p[0] == '+' || rest.p[0] == '-'))
			rest = str_sub(rest, 1, rest.n);
		if (!all_of(rest, "0123456789_"))
			return false;
		s = str_sub(s, 0, (size_t)exponent);
	}
	dot = str_chr(s, '.');
	return all_of(s, "0123456789_.") &&
	       (dot < 0 || str_chr(str_sub(s, (size_t)dot + 1, s.n), '.') < 0);
}

/* A character that YAML's readers would refuse, fold or change when it stands there itself. */
static bool needs_escape(struct str c)
{
	unsigned char first = (unsigned char)c.p[0];

	if (c.n == 1)
		return first < 0x20 || first == 0x7f;
	return (c.n == 2 && first == 0xc2 && (unsigned char)c.p[1] < 0xa0) || /* C1 controls */
	       str_is(c, "\xe2\x80\xa8") || str_is(c, "\xe2\x80\xa9") ||      /* separators */
	       str_is(c, "\xef\xbb\xbf") ||                                   /* byte order mark */
	       (c.n == 3 && first == 0xef && (unsigned char)c.p[1] == 0xbf &&
		       (unsigned char)c.p[2] >= 0xbe); /* U+FFFE, U+FFFF */
}

static bool needs_double_quotes(struct str s)
{
	for (size_t i = 0, n; i < s.n; i += n) {
		n = utf8_sequence(str_sub(s, i, s.n));
		if (needs_escape(str_sub(s, i, i + n)))
			return true;
	}
	return false;
}

static enum quoting quoting_for(struct str s)
{
	if (needs_double_quotes(s))
		return DOUBLE;
	if (s.n == 0 || strchr("-?:,[]{}#&*!|>'\"%@` ", s.p[0]) || s.p[s.n - 1] == ' ' ||
		s.p[s.n - 1] == ':' || str_starts(s, STR("...")))
		return SINGLE;
	if (str_find(s, STR(": ")) >= 0 || str_find(s, STR(" #")) >= 0 || is_word(s) ||
		is_number(s))
		return SINGLE;
	return PLAIN;
}

static void write_single(struct buf *to, struct str s)
{
	struct str rest = s;

	buf_putc(to, '\'');
	while (rest.p) {
		buf_str(to, str_cut(&rest, '\''));
		if (rest.p)
			buf_puts(to, "''");
	}
	buf_putc(to, '\'');
}

/* The code point of a valid sequence. */
static unsigned decode(struct str c)
{
	unsigned v = (unsigned char)c.p[0];

	if (c.n > 1)
		v &= 0xffu >> (c.n + 1);
	for (size_t i = 1; i < c.n; i++)
		v = v << 6 | ((unsigned char)c.p[i] & 0x3f);
	return v;
}

static void write_escape(struct buf *to, struct str c)
{
	if (str_is(c, "\n"))
		buf_puts(to, "\\n");
	else if (str_is(c, "\t"))
		buf_puts(to, "\\t");
	else if (str_is(c, "\"") || str_is(c, "\\"))
		buf_printf(to, "\\%c", c.p[0]);
	else
		buf_printf(to, "\\u%04X", decode(c));
}

static void write_double(struct buf *to, struct str s)
{
	buf_putc(to, '"');
	for (size_t i = 0, n; i < s.n; i += n) {
		struct str c;

		n = utf8_sequence(str_sub(s, i, s.n));
		c = str_sub(s, i, i + n);
		if (needs_escape(c) || c.p[0] == '"' || c.p[0] == '\\') {
			write_escape(to, c);
		} else {
			buf_str(to, c);
		}
	}
	buf_putc(to, '"');
}

/* Bytes that are not UTF-8 cannot be written in YAML: they become U+FFFD, in *clean. */
static struct str only_utf8(struct str s, struct buf *clean)
{
	if (str_is_utf8(s))
		return s;
	for (size_t i = 0, n; i < s.n; i += n ? n : 1) {
		n = utf8_sequence(str_sub(s, i, s.n));
		if (n == 0)
			buf_puts(clean, "\xef\xbf\xbd");
		else
			buf_str(clean, str_sub(s, i, i + n));
	}
	return buf_view(clean);
}

void yaml_write_scalar(struct buf *to, struct str s)
{
	CLEANUP_BUF clean = {0};

	s = only_utf8(s, &clean);
	switch (quoting_for(s)) {
	case PLAIN:
		buf_str(to, s);
		break;
	case SINGLE:
		write_single(to, s);
		break;
	case DOUBLE:
		write_double(to, s);
		break;
	}
}
