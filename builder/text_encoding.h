/*
 * The encodings in which a prefix may stand in a file: those that conda tries, in conda's order
 * (POPULAR_ENCODINGS of conda/core/portability.py).
 */
#ifndef BUILDER_TEXT_ENCODING_H
#define BUILDER_TEXT_ENCODING_H

#include "base/buf.h"

enum text_encoding { TEXT_UTF8, TEXT_UTF16LE, TEXT_UTF16BE, TEXT_UTF32LE, TEXT_UTF32BE };
enum { TEXT_ENCODINGS = 5, TEXT_UNIT_MAX = 4 };

/* How a prefix stands at one place of a file. */
struct prefix_form {
	uint8_t encoding; /* enum text_encoding */
	/*
	 * In a binary the end of the string it stands in, at zero bytes; 0 where another prefix of
	 * the same string follows.  In text 0.
	 */
	uint64_t end;
};

/* "UTF-16" and the like, without the order of bytes. */
const char *text_encoding_name(enum text_encoding encoding);
/* Bytes of one unit, and of the terminator: 1, 2 or 4. */
size_t text_unit(enum text_encoding encoding);
/* Units that UTF-8 text takes, or -1 where it is not UTF-8 (which TEXT_UTF8 does not ask for). */
ptrdiff_t text_units(struct str utf8, enum text_encoding encoding);
/* Appends the text without a terminator; -1 where it is not UTF-8. */
int text_encode(struct str utf8, enum text_encoding encoding, struct buf *to);
/* Only such a prefix is looked for in other encodings than UTF-8: conda-build makes no other. */
bool text_is_ascii(struct str s);

#endif
