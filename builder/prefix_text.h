/*
 * Replacing a prefix in a file's bytes as conda does (conda/core/portability.py), at the places
 * that scan_prefix() found.
 */
#ifndef BUILDER_PREFIX_TEXT_H
#define BUILDER_PREFIX_TEXT_H

#include "base/buf.h"
#include "base/err.h"
#include "builder/text_encoding.h"

/* The longest first line that a script may have on Linux before 5.1, "#!" included. */
enum { SHEBANG_MAX = 127 };

struct replacement {
	struct str data;         /* as in the package */
	const uint64_t *offsets; /* of the old prefix, rising */
	size_t n_offsets;
	size_t old_n; /* length of the old prefix */
	struct str prefix;
	const struct prefix_form *forms; /* of each offset; NULL: all UTF-8 */
};

/*
 * May the prefix stand where the old one does?  Text takes any that can be written in its
 * encodings; a binary none that has more units than the old one.  -1 (ERR_FAIL) says what is wrong
 * with "the path", and advises.
 */
int replacement_fits(const struct replacement *r, bool binary, struct err *e);
/*
 * Text: every occurrence, of a prefix that fits.  A space in the new prefix is escaped behind "#!" in the first line; a
 * first line that is then over SHEBANG_MAX or holds an escaped space becomes
 * "#!/usr/bin/env NAME OPTIONS".
 */
void replace_text(const struct replacement *r, struct buf *to);
/*
 * Binary: per string, every occurrence, and at the end of that string as many NULs as it became
 * shorter; the length stays.  -1 where the prefix does not fit.
 */
int replace_binary(const struct replacement *r, struct buf *to, struct err *e);

/*
 * The first lines of a Python entry point: "#!PYTHON", or the form of sh that Python reads as a
 * string where that is too long or holds a space.
 */
void entry_point_shebang(struct str python, struct buf *to);
/*
 * The same for a script that lies beside its Python wherever both are moved, under any name and
 * behind any link: the shell looks, and Python reads these lines as a text.
 */
void entry_point_self_locating(struct str python, struct buf *to);

#endif
