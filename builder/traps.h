/*
 * What the folder of a prefix cannot hold, said before anything is put there.
 */
#ifndef BUILDER_TRAPS_H
#define BUILDER_TRAPS_H

#include "builder/prefix.h"

/*
 * Of a plan whose paths and folders are known.  Errors name package and file: a prefix too long
 * for a binary or not UTF-8 where a file has it in UTF-16 or UTF-32 (ERR_FAIL), paths and names
 * longer than the system takes (ERR_FAIL), paths that differ only by case where the folder folds
 * case (ERR_FAIL).  Where it does not, such paths are a warning: others' systems may.
 */
int prefix_check_traps(const struct prefix *p, struct err *e);
/*
 * The longest path that the planned packages can be installed or unpacked to, in bytes, and the
 * file that sets it; SIZE_MAX: any.
 */
size_t prefix_longest(const struct prefix *p, struct str *path);
/* Says it, under -v. */
void prefix_say_longest(const struct prefix *p);

#endif
