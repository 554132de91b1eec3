/*
 * What envbuild itself puts into an archive: bin/activate, bin/conda-unpack, bin/deactivate and
 * the folder conda-meta/envbuild.
 */
#ifndef PACKER_PAPERS_H
#define PACKER_PAPERS_H

#include "base/buf.h"
#include "packer/pack.h"

#define PAPERS_DIR "conda-meta/envbuild/"

/* Is the path one that an archive gets from envbuild, whatever the packages hold? */
bool papers_own(struct str path);
/* May it be the name of a paper that a caller gives: one safe component, none of our own? */
bool papers_name_is_free(const char *name);

/*
 * conda-meta/envbuild/manifest.json: name, target, envbuild's version, packages with sha256, the
 * longest prefix and who sets it, files with undeclared placeholders, paths of packages that gave
 * way to ours (replaced).
 */
void manifest_write(const struct pack_request *r, struct str build_prefix,
	const struct str *replaced, size_t n_replaced, struct buf *to);

/*
 * conda-meta/envbuild/variables.sh for bin/activate: the environment's name, and the variables of
 * etc/conda/env_vars.d and conda-meta/state as shell.  A prefix in a value becomes $CONDA_PREFIX.
 * A file of the content that is not what conda writes there is ERR_INTEGRITY.
 */
int variables_write(const struct content *c, struct str name, struct buf *to, struct err *e);

#endif
