/*
 * Why there is no solution, in the user's words and lines.
 *
 *	return explain(u, e);
 *
 * The smallest set of wishes that contradict each other is found by leaving others out, then each
 * reason is followed from a wish down to what the channels or the target lack.
 */
#ifndef SOLVER_EXPLAIN_H
#define SOLVER_EXPLAIN_H

#include "base/buf.h"
#include "solver/pool.h"

/* Sets ERR_UNSAT, one reason a line; -1. */
int explain(struct universe *u, struct err *e);

/* One attempt with the wishes that are not off: 1 solved, 0 contradiction, -1 error. */
int attempt(struct universe *u, struct candidate_list *chosen, struct conflict_list *why,
	struct err *e);

/* Words about the state that an attempt without a solution has left; they end with a newline. */
struct telling {
	struct universe *u;
	struct buf *to;
	struct requirement_list told;      /* so that nothing is told twice */
	const struct requirement *lacking; /* the last thing found that is not there at all */
};
/* "environment.yml:7: " or nothing where the wish has no line. */
void tell_place(struct telling *t, const struct wish *w);
/* Why nothing is left of a wish. */
void tell_wish(struct telling *t, const struct wish *w);
/* The rules that libsolv could not bring together. */
void tell_conflicts(struct telling *t, const struct conflict_list *list);

/* Names of the index that look like this one, the best first: at most max of them. */
size_t similar_names(
	struct arena *a, const struct index *ix, struct str name, struct str *out, size_t max);

#endif
