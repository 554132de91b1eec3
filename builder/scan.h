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
#include "base/str.h"

/* conda's default placeholder, for has_prefix lines that name none. */
extern const struct str DEFAULT_PLACEHOLDER;

/*
 * Where the bytes of needle occur, from left to right without overlap.  binary: only within
 * strings that end with a NUL, which are those that conda replaces.  The offsets live in the arena.
 */
size_t scan_offsets(
	struct arena *a, struct str data, struct str needle, bool binary, uint64_t **offsets);

/* May these bytes hold a left-over placeholder? */
bool scan_suspect(struct str data);
/* As many bytes as must be looked at again before the next piece of the same file. */
enum { SCAN_CARRY = 31 };
/*
 * The first left-over placeholder that is not one of the n declared occurrences of length
 * `length`: the path up to the end of the component that shows it.  Empty: none.  It points into
 * data.
 */
struct str scan_undeclared(struct str data, const uint64_t *offsets, size_t n, size_t length);

#endif
