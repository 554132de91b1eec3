/*
 * How a finished archive takes the place of an older one: whoever reads meanwhile gets the old one,
 * the new one or an error, never some of both (docs/design/archive.md, Splitting).
 */
#ifndef PACKER_REPLACE_H
#define PACKER_REPLACE_H

#include "base/err.h"

#include <stddef.h>

/* The file temp becomes path; parts that path had are removed. */
int replace_file(const char *temp, const char *path, struct err *e);
/*
 * The n parts of temp become those of path, its first part last; older parts are removed before, an
 * older whole after it.
 */
int replace_parts(const char *temp, size_t n, const char *path, struct err *e);
/*
 * The folder temp becomes path.  One that stands there is an environment of ours
 * (replace_check_folder); it is moved to `aside`, in a folder of its own file system, and removed.
 */
int replace_folder(const char *temp, const char *path, const char *aside, struct err *e);
/* ERR_USAGE where something else than nothing or an unpacked archive of ours stands at path. */
int replace_check_folder(const char *path, struct err *e);

#endif
