/* What stands beside a release on request: the attestation and the signature (docs/design/papers.md). */
#ifndef CLI_PACK_BESIDE_H
#define CLI_PACK_BESIDE_H

#include "cli/pack_stages.h"

/* The bytes of the files beside an archive; p is NULL where there is to be none. */
struct pack_beside {
	struct str sums;     /* NAME.sha256 */
	struct str run_json; /* NAME.run.json */
	struct str log;      /* NAME.test.log */
	struct str attestation;
	struct str sums_signature, attestation_signature;
};

/*
 * Fills the last three from the first three: --attest, --sign-with.  Nothing is written outside of the
 * work folder.  A command that fails to sign is ERR_FAIL.
 */
int pack_make_beside(struct pack_run *run, struct pack_beside *b, struct err *e);
/* Writes all of them; those of an earlier release under the name that have no successor go. */
int pack_write_beside(struct pack_run *run, const struct pack_beside *b, struct err *e);
/* What NAME.run.json says of them: `version`, `image`, `attestation` and `signature`, null where none. */
void pack_describe_beside(const struct pack_run *run, struct json_out *w);

#endif
