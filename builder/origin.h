/*
 * Where a package came from, as conda-meta and history say it.  A channel that is a folder of this
 * machine is called by its last component in what goes into an archive.
 */
#ifndef BUILDER_ORIGIN_H
#define BUILDER_ORIGIN_H

#include "solver/record.h"

/* "https://conda.anaconda.org/conda-forge/linux-64" */
struct str origin_channel(struct arena *a, const struct record *r, bool hide_local);
struct str origin_url(struct arena *a, const struct record *r, bool hide_local);
/* "conda-forge/linux-64::numpy-1.26.4-py312_0", as in history */
struct str origin_dist(struct arena *a, const struct record *r, bool hide_local);

#endif
