/*
 * What envbuild itself puts into an archive: bin/activate and bin/deactivate for each kind of shell,
 * bin/conda-unpack, and the folder conda-meta/envbuild.
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

/* The same for each kind of shell that can activate. */
struct variables_text {
	struct buf sh, csh, fish;
};
void variables_text_release(struct variables_text *v);

/*
 * conda-meta/envbuild/variables.sh, .csh and .fish for bin/activate: the environment's name, and
 * the variables of etc/conda/env_vars.d and conda-meta/state in words of each shell.  A prefix in a
 * value becomes $CONDA_PREFIX.  A file of the content that is not what conda writes there is
 * ERR_INTEGRITY.
 */
int variables_write(
	const struct content *c, struct str name, struct variables_text *to, struct err *e);

/* conda-meta/envbuild/host: what a host has to have (packer/relocator/host.h). */
void host_write(const struct pack_request *r, struct buf *to);

#endif
