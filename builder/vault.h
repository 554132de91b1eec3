/*
 * A vault: a folder that holds every package file and wheel of a lock, and is a channel.
 *
 *	DIR/SUBDIR/FN                   package files as their channel has them
 *	DIR/SUBDIR/repodata.json[.zst]  their index, with the dependencies that the locks give
 *	DIR/wheels/SHA256/NAME.whl      wheels, also those that were built of a source
 *	DIR/locks/SHA256.lock           every lock that was put in; DIR/envbuild.lock: the latest
 *
 * Each file appears by rename when its sums are right, the indexes after the files; what is there
 * with right sums is kept.  So a killed run is gone on with, and readers see no half file.  What
 * another lock needed stays.
 */
#ifndef BUILDER_VAULT_H
#define BUILDER_VAULT_H

#include "base/http.h"
#include "builder/package.h"
#include "solver/lock.h"

struct vault_request {
	struct cache *cache; /* with its layers: what they have is not fetched */
	struct http *http;
	const char *dir;
	struct str lock_text; /* the lock as it was read */
	const struct lock_target *const *targets;
	size_t n_targets;
	unsigned jobs;
	bool offline;
};

struct vault_result {
	size_t packages, wheels; /* that the lock needs */
	size_t added;            /* of both, that were not there */
	uint64_t bytes;          /* of what was added */
};

/*
 * ERR_INTEGRITY where sums differ or two packages would have one place; ERR_NETWORK where one is to
 * be had nowhere; ERR_FAIL for a wheel that was built once and is not in the cache.
 */
int vault_fill(const struct vault_request *r, struct vault_result *out, struct err *e);

#endif
