/* Names that look like one that is not there: "did you mean". */
#ifndef SOLVER_SIMILAR_H
#define SOLVER_SIMILAR_H

#include "solver/index.h"

/* Names of the index that look like this one, the best first: at most max of them. */
size_t similar_names(
	struct arena *a, const struct index *ix, struct str name, struct str *out, size_t max);
/* The same among the n names given. */
size_t similar_among(struct arena *a, const struct str *names, size_t n, struct str name,
	struct str *out, size_t max);

#endif
