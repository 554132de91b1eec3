/*
 * The facts file: what is known of one extracted package, computed once.
 *
 * It lies beside the extracted files in the cache.  Its format is above facts_encode() in facts.c;
 * it is read as if it were hostile, since disks fail.
 */
#ifndef BUILDER_FACTS_H
#define BUILDER_FACTS_H

#include "base/buf.h"
#include "builder/extract.h"

/*
 * Computes them for the package that lies extracted at dir/ (files open below it).  Checks the
 * package's own list against what came out: ERR_INTEGRITY for a listed file that is missing (a
 * missing .pyc is passed over) or whose sha256 differs (unless it has a placeholder).
 */
int facts_compute(struct arena *a, const struct extraction *x, const char *dir, int files,
	const struct record *r, struct package *out, struct err *e);

/*
 * Looks for prefixes in one file below dir once more (facts_compute.c); *places counts those of
 * the package.  ERR_INTEGRITY where the file has another sum than f.
 */
int facts_renew_file(
	struct arena *a, const char *dir, struct package_file *f, size_t *places, struct err *e);

void facts_encode(const struct package *p, struct buf *to);
/*
 * Fills in everything but record and dir; texts and offsets live in the arena, which may be where
 * `text` lives too.  -1 with *e set where the text is damaged or of another version.
 */
int facts_decode(struct arena *a, struct str text, struct package *out, struct err *e);
/*
 * Reads the facts of the entry at dir (absolute), dir/facts, and leaves record alone.  Those of an
 * earlier version are made anew from dir/files and, if they are `ours`, written.
 */
int facts_load(struct arena *a, const char *dir, bool ours, struct package *out, struct err *e);
/*
 * Is it a facts file of an earlier version?  facts_renew() then makes facts of it anew: files are
 * read again below dir (absolute, the extracted files) and must have the sums that were noted.
 * record and dir of *out are left.  ERR_INTEGRITY names a file that differs.
 */
bool facts_is_old(struct str text);
int facts_renew(
	struct arena *a, struct str text, const char *dir, struct package *out, struct err *e);

#endif
