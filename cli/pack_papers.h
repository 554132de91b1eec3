/* What goes under conda-meta/envbuild/ of an archive beside the manifest: pack_stages.h's papers. */
#ifndef CLI_PACK_PAPERS_H
#define CLI_PACK_PAPERS_H

#include "cli/pack_stages.h"

enum { PACK_PAPERS_MAX = 7 };

/* environment.yml, envbuild.lock, profile.yml and run-test.sh, or run->given: how many. */
size_t pack_inputs(struct pack_run *run, struct pack_paper papers[PACK_PAPERS_MAX]);
/*
 * These, and what follows from these and the cache: audit.json and sbom.cdx.json.  What the audit finds is
 * warned of.
 */
int pack_papers(struct pack_run *run, int64_t epoch, struct pack_paper papers[PACK_PAPERS_MAX],
	size_t *n, struct err *e);

#endif
