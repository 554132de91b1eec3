/* Markers: parsing and evaluation, private to solver/pep508.c and marker.c. */
#ifndef SOLVER_MARKER_H
#define SOLVER_MARKER_H

#include "solver/pep508.h"

/*
 * What stands behind the ';' of s, from *i on up to its end.  -1 with *why, and *i at what is wrong.
 */
int marker_scan(
	struct arena *a, struct str s, size_t *i, const struct marker **out, const char **why);

#endif
