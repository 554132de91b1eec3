#include "builder/text_encoding.h"

const char *text_encoding_name(enum text_encoding encoding)
{
	switch (encoding) {
	case TEXT_UTF8:
		break;
	case TEXT_UTF16LE:
	case TEXT_UTF16BE:
		return "UTF-16";
	case TEXT_UTF32LE:
	case TEXT_UTF32BE:
		return "UTF-32";
	}
	return "UTF-8";
}

size_t text_unit(enum text_encoding encoding)
{
	switch (encoding) {
	case TEXT_UTF8:
		break;
	case TEXT_UTF16LE:
	case TEXT_UTF16BE:
		return 2;
	case TEXT_UTF32LE:
	case TEXT_UTF32BE:
		return 4;
	}
	return 1;
}

/* The character that s begins with, cut off; -1 where it begins with none. */
static int32_t next_character(struct str *s)
{
	const unsigned char *p = (const unsigned char *)s->p;
	size_t n = utf8_sequence(*s);
	int32_t c;

	if (n == 0)
		return -1;
	c = n == 1 ? p[0] : p[0] & (0x7f >> n);
	for (size_t i = 1; i < n; i++)
		c = c << 6 | (p[i] & 0x3f);
	*s = str_sub(*s, n, s->n);
	return c;
}

ptrdiff_t text_units(struct str utf8, enum text_encoding encoding)
{
	size_t unit = text_unit(encoding);
	ptrdiff_t n = 0;

	if (unit == 1)
		return (ptrdiff_t)utf8.n;
	while (utf8.n) {
		int32_t c = next_character(&utf8);

		if (c < 0)
			return -1;
		n += unit == 2 && c > 0xffff ? 2 : 1;
	}
	return n;
}

static void add_unit(struct buf *to, uint32_t v, enum text_encoding encoding)
{
	size_t n = text_unit(encoding);
	bool big = encoding == TEXT_UTF16BE || encoding == TEXT_UTF32BE;

	for (size_t i = 0; i < n; i++)
		buf_putc(to, (char)(v >> 8 * (big ? n - 1 - i : i) & 0xff));
}

int text_encode(struct str utf8, enum text_encoding encoding, struct buf *to)
{
	if (encoding == TEXT_UTF8)
		return buf_str(to, utf8);
	while (utf8.n) {
		int32_t c = next_character(&utf8);

		if (c < 0)
			return -1;
		if (text_unit(encoding) == 2 && c > 0xffff) {
			add_unit(to, 0xd800 + ((uint32_t)(c - 0x10000) >> 10), encoding);
			c = 0xdc00 + ((c - 0x10000) & 0x3ff);
		}
		add_unit(to, (uint32_t)c, encoding);
	}
	return 0;
}

bool text_is_ascii(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!s.p[i] || (unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}
