/*
 * envbuild.yml beside environment.yml: what would be options (docs/design/environment.md).
 *
 *	targets: [rhel7, debian12]
 *	channels: [conda-forge]
 *	test: run-test.sh                      or
 *	test: {script: run-test.sh, timeout: 600}
 *	pack: {format: tar.gz}
 *
 * A list may be written as one word.  A key that is not known is an error: a typing mistake must
 * not pass in silence.
 */
#ifndef SOLVER_SETTINGS_H
#define SOLVER_SETTINGS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct settings {
	const char *path; /* NULL: there was none */
	struct str *targets, *channels;
	size_t n_targets, n_channels;
	struct str test_script; /* relative to the file's folder; empty: none */
	unsigned test_timeout;  /* seconds; 0: not given */
	struct str format;      /* pack format; empty: not given */
};

/* Absent: *out is zeroed and 0 returned.  ERR_INPUT "PATH:LINE:COLUMN: ...". */
int settings_read(struct arena *a, const char *path, struct settings *out, struct err *e);

#endif
