/* envbuild verify ARCHIVE: see docs/design/papers.md. */
#ifndef CLI_VERIFY_ARCHIVE_H
#define CLI_VERIFY_ARCHIVE_H

#include "cli/session.h"
#include "packer/check.h"
#include "packer/compare.h"
#include "packer/release.h"

/* Is the operand an archive, whole or in parts? */
bool verify_is_archive(struct session *s, const char *operand);
int verify_archive(struct session *s, const char *operand, struct err *e);

struct rebuild_result {
	bool identical; /* the same bytes */
	/* Else the same members, and why their bytes are others: two compressors. */
	struct str compressor_there, compressor_here;
};
/*
 * Makes the archive once more in the work folder of the session, which is open, of what is inside.  ERR_INTEGRITY names the first
 * member that differs and how; ERR_FAIL where it does not say how it was made.
 */
int verify_rebuild(struct session *s, const struct release *release,
	const struct archive_found *found, struct rebuild_result *out, struct err *e);

#endif
