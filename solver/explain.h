/*
 * Why there is no solution, in the user's words and lines.
 *
 *	return explain(u, e);
 *
 * The smallest set of wishes that contradict each other is found by leaving them out one by one,
 * then each reason is followed from a wish to what the channels or the target lack.
 */
#ifndef SOLVER_EXPLAIN_H
#define SOLVER_EXPLAIN_H

#include "solver/universe.h"

/* Sets ERR_UNSAT, one reason a line; -1. */
int explain(struct universe *u, struct err *e);

/* One attempt with the wishes that are not off: 1 solved, 0 contradiction, -1 error. */
struct conflict_list;
int attempt(struct universe *u, struct candidate_list *chosen, struct conflict_list *why,
	struct err *e);

/* Names of the index that look like this one, the best first: at most max. */
size_t similar_names(
	struct arena *a, const struct index *ix, struct str name, struct str *out, size_t max);

#endif
