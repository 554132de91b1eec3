/*
 * Prefixes in UTF-16 and UTF-32, made one character at a time: no memory is needed.
 */
#include "packer/relocator/relocate.h"

const char *relocate_encoding_name(enum relocate_encoding encoding)
{
	switch (relocate_unit(encoding)) {
	case 2:
		return "UTF-16";
	case 4:
		return "UTF-32";
	}
	return "UTF-8";
}

size_t relocate_unit(enum relocate_encoding encoding)
{
	switch (encoding) {
	case RELOCATE_UTF8:
		break;
	case RELOCATE_UTF16LE:
	case RELOCATE_UTF16BE:
		return 2;
	case RELOCATE_UTF32LE:
	case RELOCATE_UTF32BE:
		return 4;
	}
	return 1;
}

/* RFC 3629: the shortest form, no surrogates, at most U+10FFFF; -1 where none begins. */
static int32_t next_character(const char **text)
{
	static const int32_t LEAST[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *p = (const unsigned char *)*text;
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	int32_t c = n == 1 ? p[0] : p[0] & (0x7f >> n);

	if (n == 0 || p[0] > 0xf4)
		return -1;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return -1;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < LEAST[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return -1;
	*text += n;
	return c;
}

static void put_unit(char *to, uint32_t v, enum relocate_encoding encoding)
{
	size_t n = relocate_unit(encoding);
	bool big = encoding == RELOCATE_UTF16BE || encoding == RELOCATE_UTF32BE;

	for (size_t i = 0; i < n; i++)
		to[i] = (char)(v >> 8 * (big ? n - 1 - i : i) & 0xff);
}

size_t relocate_encode_next(const char **text, enum relocate_encoding encoding, char to[4])
{
	int32_t c;

	if (!**text)
		return 0;
	if (encoding == RELOCATE_UTF8) {
		to[0] = *(*text)++;
		return 1;
	}
	c = next_character(text);
	if (c < 0)
		return 0;
	if (relocate_unit(encoding) == 2 && c > 0xffff) {
		put_unit(to, 0xd800 + ((uint32_t)(c - 0x10000) >> 10), encoding);
		put_unit(to + 2, 0xdc00 + ((uint32_t)(c - 0x10000) & 0x3ff), encoding);
		return 4;
	}
	put_unit(to, (uint32_t)c, encoding);
	return relocate_unit(encoding);
}

size_t relocate_units(const char *prefix, enum relocate_encoding encoding)
{
	size_t bytes = 0, n;
	char to[4];

	while ((n = relocate_encode_next(&prefix, encoding, to)) > 0)
		bytes += n;
	return *prefix ? SIZE_MAX : bytes / relocate_unit(encoding);
}

bool relocate_fits(const struct relocate_entry *entry, const char *prefix,
	enum relocate_encoding *encoding, size_t *units)
{
	struct relocate_offsets it = relocate_offsets_of(entry);
	size_t known[RELOCATE_ENCODINGS] = {0}; /* no prefix is empty */
	struct relocate_place place;

	while (relocate_offset_next(&it, &place)) {
		size_t *n = &known[place.encoding];

		if (*n)
			continue;
		*n = relocate_units(prefix, place.encoding);
		if (*n == SIZE_MAX || (entry->binary && *n > entry->placeholder_len)) {
			*encoding = place.encoding;
			*units = *n;
			return false;
		}
		if (!entry->forms)
			break;
	}
	return true;
}
