/*
 * Finding prefixes in files: declared placeholders, and those that packagers left behind.
 *
 * conda-build builds at a path padded with "_placehold" (80 characters in old versions, 255
 * since), older ones replaced it by "/opt/anaconda1anaconda2anaconda3"; both are what a file that
 * nobody declared may still hold.
 */
#ifndef BUILDER_SCAN_H
#define BUILDER_SCAN_H

#include "base/arena.h"
#include "base/err.h"
#include "builder/text_encoding.h"

/* conda's default placeholder, for has_prefix lines that name none. */
extern const struct str DEFAULT_PLACEHOLDER;

/*
 * At most so many in one package, or in one file that was made, so that memory is bounded: what
 * conda-build makes has some thousands.  Each takes 8 bytes, with forms 24.
 */
enum { SCAN_PLACES_MAX = 1 << 20 };

/* Where a prefix stands; the arrays live in an arena. */
struct places {
	uint64_t *offsets;         /* rising, without overlap */
	struct prefix_form *forms; /* of each; NULL: all UTF-8 */
	size_t n;
};

/*
 * Finds what conda replaces (conda/core/portability.py): each encoding in turn, from left to
 * right.  binary: only within strings that end with the encoding's terminator, which is looked
 * for byte by byte as conda does; a string that runs into one of an encoding tried before shares
 * its end.  The answer follows from the data alone, whatever the new prefix will be: what only a
 * replacement would make is not found, unlike conda.  More than `max` places: ERR_INTEGRITY.
 */
int scan_prefix(struct arena *a, struct str data, struct str prefix, bool binary, size_t max,
	struct places *out, struct err *e);

/* May these bytes hold a left-over placeholder, in any of the encodings? */
bool scan_suspect(struct str data);
/* As many bytes as must be looked at again before the next piece of the same file. */
enum { SCAN_CARRY = 127 };
/*
 * The first left-over placeholder that is in none of the declared places of a prefix of `length`
 * units: the path up to the end of the component that shows it, in UTF-8.  Empty: none.
 */
struct str scan_undeclared(
	struct arena *a, struct str data, const struct places *declared, size_t length);
/*
 * The same, and the folder of tools that conda-build puts beside the prefix that it builds in: a path
 * that is on no other machine.
 */
struct str scan_build_path(
	struct arena *a, struct str data, const struct places *declared, size_t length);
/* The same for a path that one knows: does it stand, in any encoding, outside these places? */
bool scan_left(struct str data, struct str prefix, const struct places *declared);

#endif
