/* The rows of a distribution's RECORD (PEP 376, PEP 627; CSV) and installed-files.txt. */
#ifndef BUILDER_DIST_ROWS_H
#define BUILDER_DIST_ROWS_H

#include "base/arena.h"
#include "base/hash.h"

struct dist_row {
	struct str path; /* resolved; empty where it is absolute or leads out */
	bool has_sha256;
	uint8_t sha256[SHA256_LEN];
};

/*
 * Takes the next row off *text; false at its end.  base: what paths are relative to (site-packages
 * for RECORD, the egg-info folder for installed-files.txt, empty for the RECORD in a wheel).  csv:
 * of RECORD.
 */
bool dist_row_next(
	struct arena *a, struct str *text, struct str base, bool csv, struct dist_row *out);

#endif
