/*
 * How an archive was made, as far as it decides the bytes: `making` of its manifest.  With the lock,
 * the environment file, the profile and the test script that it carries, this is what making it again
 * needs (verify --rebuild).
 */
#ifndef PACKER_MAKING_H
#define PACKER_MAKING_H

#include "base/json.h"
#include "images/policy.h"
#include "packer/pack.h"

struct pack_making {
	struct str format;     /* "tar.gz"; empty: nothing is known */
	int64_t level;         /* as it was compressed: never 0 where the format has levels */
	struct str compressor; /* "libdeflate 1.14"; empty: nothing was compressed */
	int64_t epoch;         /* seconds */
	bool no_compile, frozen, externally_managed;
	const char **allow_clobber; /* patterns */
	size_t n_allow_clobber;
	/* What the audit was told to ignore, besides the profile, and whether it looked at symbols. */
	const struct audit_ignore *ignores;
	size_t n_ignores;
	bool symbols;
	bool as_told; /* made again: format, compressor and level stay what another manifest said */
};

/* What is not an option but follows from the format and level: the first three and the epoch. */
void making_settle(struct pack_making *m, const struct pack_request *r, int level);
/* Its name and version here; empty where the format compresses nothing. */
struct str making_compressor(enum pack_format format, bool zstd);
/* Adds the key `making`. */
void making_write(const struct pack_making *m, struct json_out *w);
/*
 * The value of the key, the map itself included; unknown keys are passed over.  Texts live in the
 * arena.  ERR_INTEGRITY.
 */
int making_read(struct arena *a, struct json *j, struct pack_making *out, struct err *e);

#endif
