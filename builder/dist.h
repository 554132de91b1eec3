/* Private to builder/dist*.c and wheel*.c: the texts of distributions. */
#ifndef BUILDER_DIST_H
#define BUILDER_DIST_H

#include "base/buf.h"
#include "base/file.h"
#include "builder/wheel.h"

enum {
	DIST_TEXT_MAX = 16 << 20,    /* METADATA, entry_points.txt */
	DIST_RECORD_MAX = 256 << 20, /* RECORD */
};

/* Sets requires_dist and extras from setuptools' requires.txt. */
void dist_parse_requires_txt(struct arena *a, struct str text, struct dist *out);
/* The first field of a line of RECORD (CSV). */
struct str record_row_path(struct arena *a, struct str row);
/* dir/rel without "." and ".."; empty where it is absolute or leads out of the prefix. */
struct str prefix_path_resolve(struct arena *a, struct str dir, struct str rel);

/* lib/python3.11/site-packages/NAME.dist-info/FILE, or .egg-info: the folder; else empty. */
struct str dist_folder_of(struct str path);
/*
 * The path of the file by which the distribution at `path` (its .dist-info or .egg-info in the prefix
 * open at fd) is known: METADATA, PKG-INFO, or the .egg-info itself.
 */
struct str dist_anchor(struct arena *a, int fd, struct str path);

/* --- zip directories (wheel_zip.c) ---------------------------------------------------------- */

struct zip_names {
	struct str *v; /* as stored, sorted; folders with their slash */
	size_t n, cap;
};

/*
 * The names in the central directory at the end of a zip, which is what pip goes by.  path: of the
 * file; ERR_INTEGRITY for what is none, or has more than a million members.
 */
int zip_directory(struct arena *a, const char *path, struct zip_names *out, struct err *e);

#endif
