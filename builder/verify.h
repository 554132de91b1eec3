/*
 * Comparing a prefix with what its records say: conda's packages by conda-meta, pip's by RECORD.
 *
 * Works on prefixes of envbuild, conda, mamba, micromamba and rattler.  A package's facts, where the
 * cache has them, tell modes and link targets, which records do not hold.
 */
#ifndef BUILDER_VERIFY_H
#define BUILDER_VERIFY_H

#include "base/hash.h"
#include "builder/package.h"

enum finding_kind { FINDING_MISSING, FINDING_CHANGED, FINDING_FOREIGN };

struct finding {
	enum finding_kind kind;
	struct str owner; /* "zlib-1.2.11-h7b6447c_3", "requests-2.32.3 (pip)"; foreign: empty */
	struct str path;
	const char *why; /* of what changed: "content", "mode", "link", "type" */
};

/* What is known of a file besides records, as of one in an archive. */
enum verdict { VERDICT_UNKNOWN, VERDICT_GOOD, VERDICT_BAD };

struct verify_request {
	const char *prefix;
	const struct cache *cache; /* NULL: no facts */
	unsigned jobs;
	/*
	 * Asked first about the bytes of each regular file and their sum, from several threads; NULL:
	 * nobody.
	 */
	enum verdict (*judge)(
		void *ctx, struct str path, struct str data, const uint8_t sha256[SHA256_LEN]);
	void *ctx;
	/* Files that should be there too, though no package owns them, and what they are of. */
	const struct str *listed;
	size_t n_listed;
	struct str listed_by; /* "the archive" */
	/* Is what lies at a path, if anything, not that of the owner who lists it?  NULL: it always is. */
	bool (*left_out)(void *ctx, struct str path);
};

struct verify_result {
	struct finding *v; /* by kind, owner, path */
	size_t n, cap;
	size_t packages, dists, files; /* files: those that were compared */
	size_t missing, changed, foreign;
	size_t unchecked;    /* there, and nothing is known of their content */
	bool unfinished;     /* an installation or a change did not come to its end */
	const char *at_work; /* "process 17 on host 'a' since ..."; NULL: nobody */
};

/*
 * ERR_USAGE where the folder is no environment, ERR_INTEGRITY where a record cannot be read.  What
 * differs is no error.  Strings live in the arena.
 */
int verify_prefix(
	struct arena *a, const struct verify_request *r, struct verify_result *out, struct err *e);

#endif
