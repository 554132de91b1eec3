/*
 * Replacing a prefix in a file's bytes exactly as conda does (conda/core/portability.py), except
 * that UTF-16 and UTF-32 are not tried: no other tool does, and relocation could not repeat it.
 */
#ifndef BUILDER_PREFIX_TEXT_H
#define BUILDER_PREFIX_TEXT_H

#include "base/buf.h"
#include "base/err.h"

/* The longest first line that a script may have on Linux before 5.1, "#!" included. */
enum { SHEBANG_MAX = 127 };

struct replacement {
	struct str data;         /* as in the package */
	const uint64_t *offsets; /* of the old prefix, rising */
	size_t n_offsets;
	size_t old_n; /* length of the old prefix */
	struct str prefix;
};

/*
 * Text: every occurrence.  A space in the new prefix is escaped in the first line; a first line
 * that is then over SHEBANG_MAX or holds an escaped space becomes "#!/usr/bin/env NAME OPTIONS".
 */
void replace_text(const struct replacement *r, struct buf *to);
/*
 * Binary: per C string, every occurrence, and at the end of that string as many NULs as it became
 * shorter; the length stays.  -1 (ERR_FAIL) where the new prefix is longer.
 */
int replace_binary(const struct replacement *r, struct buf *to, struct err *e);

/*
 * The first lines of a Python entry point: "#!PYTHON", or the form of sh that Python reads as a
 * string where that is too long or holds a space.
 */
void entry_point_shebang(struct str python, struct buf *to);

#endif
