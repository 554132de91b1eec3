/*
 * A version as a sortable key: the form that comparing and matching work on.
 *
 * CEP 33 compares lists of segments, each a list of atoms that begins with a number and then
 * alternates: number, text, number ...  What is missing counts as number 0.  So trailing zeros of a
 * segment and trailing empty segments are dropped, and the rest becomes bytes:
 *
 *	key      epoch list(main) list(local)
 *	epoch    0x02 for 0, else a number
 *	list     (gap segment)* 0x80
 *	gap      k, the count of empty segments passed over, and the side of 0 on which the segment
 *	         lies: below 0x01 + k, above 0xff - k (k over 125: 0x7f k, 0x81 255-k)
 *	segment  where a number stands: 0x01 text = number 0, text; 0x02 = the end;
 *	         0x03 = number 0, "post"; 0x04 + digits, then the digits two a byte = a number over 0
 *	         where a text stands: 0x01 text; 0x02 = the end; 0x03 = "post"
 *	text     its bytes in lower case ("dev": in upper case, so that it is the least), 0x00
 *
 * memcmp of two keys is the order of the versions.  "All versions that start with x" (1.8.*) are
 * neighbours in this order, so that they are the keys between two bounds.
 */
#ifndef SOLVER_VERSION_KEY_H
#define SOLVER_VERSION_KEY_H

#include "base/err.h"
#include "base/str.h"

enum { VERSION_KEY_MAX = 1280 };

struct version_key {
	uint8_t p[VERSION_KEY_MAX];
	size_t n;
};

/* Which place in the order: the version itself, or just below or above all that start with it. */
enum key_bound { KEY_EXACT, KEY_FIRST, KEY_LAST };

/*
 * text has no white space around it.  -1: *e says what is wrong and "at" which character, counted
 * from 1 at `origin`, the start of the whole text that `text` is a part of.
 */
int version_key_make(struct str text, enum key_bound bound, const char *origin,
	struct version_key *out, struct err *e);

/* Puts "invalid WHAT 'TEXT': " in front; a long text is cut short.  Returns -1. */
int version_wrap(struct err *e, const char *what, struct str text);

/* As version_spec_parse, places counted from origin and the text not repeated in the error. */
struct arena;
struct version_spec;
int version_spec_parse_at(struct arena *a, struct str text, const char *origin,
	const struct version_spec **out, struct err *e);

#endif
