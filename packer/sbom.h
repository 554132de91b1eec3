/*
 * sbom.cdx.json: what an environment is made of, in CycloneDX 1.5
 * (cyclonedx.org/docs/1.5/json; docs/design/papers.md).
 *
 * One component for each conda package and each distribution that pip installed, with hashes,
 * licence, purl and where it came from; the graph of what needs what; and from which commit of its
 * recipe a package was built, where it says so.  It depends on what is packed alone: its time is the
 * epoch of the archive, its serial number the hash of all the rest.
 */
#ifndef PACKER_SBOM_H
#define PACKER_SBOM_H

#include "base/buf.h"
#include "builder/content.h"
#include "solver/pypi.h"

struct sbom_request {
	struct package *packages; /* sorted by name, as content has them */
	size_t n_packages;
	const struct pypi_set *pypi; /* NULL: none */
	struct str name, version, target;
	const struct str *requested; /* names of what was asked for; none: everything was */
	size_t n_requested;
	int64_t epoch; /* seconds */
};

/* -1 where a package cannot be read. */
int sbom_write(struct arena *a, const struct sbom_request *r, struct buf *to, struct err *e);

#endif
