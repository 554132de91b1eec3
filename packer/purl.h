/*
 * Package URLs (github.com/package-url/purl-spec): "pkg:conda/zlib@1.2.13?build=...".
 */
#ifndef PACKER_PURL_H
#define PACKER_PURL_H

#include "base/buf.h"
#include "solver/pypi.h"
#include "solver/record.h"

/*
 * pkg:conda/NAME@VERSION?build=...&channel=...&subdir=...&type=conda|tar.bz2.  The channel is the name
 * of one of anaconda's ("conda-forge", "main"), else its URL; one in a folder of the building machine
 * is left out.
 */
void purl_conda(const struct record *r, struct buf *to);
/* pkg:pypi/NAME@VERSION, with ?download_url= or ?vcs_url= where it was not on an index. */
void purl_pypi(const struct pypi_package *p, struct buf *to);

#endif
