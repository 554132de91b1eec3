/*
 * libsolv: the choice among what prune() left.  The only owner of the library.
 *
 * Used as a plain solver with DISTTYPE_RPM, since Debian's build has no conda support: a
 * candidate's rank is its EVR, a requirement is one opaque name whose providers we set ourselves,
 * and `constrains` is a conflict with all that it does not match.
 */
#ifndef SOLVER_POOL_H
#define SOLVER_POOL_H

#include "solver/universe.h"

/* One rule of a conflict, in no particular order. */
enum conflict_kind {
	CONFLICT_NEEDS,  /* candidate needs requirement (what matches it conflicts with the rest) */
	CONFLICT_LIMITS, /* candidate's `constrains` excludes the other */
	CONFLICT_SAME,   /* two builds of one name */
};

struct conflict {
	enum conflict_kind kind;
	const struct candidate *candidate, *other;
	const struct requirement *requirement;
};

struct conflict_list {
	struct conflict *v;
	size_t n, cap;
};

/*
 * Chooses one candidate for each name that is needed; ranked packages must have the best first.
 * The package `must` (unless NULL) is installed besides what the wishes need.
 * 1: *chosen is the solution, in no order.  0: there is none, and *why (unless NULL) has the rules
 * that contradict each other.
 */
int pool_choose(struct universe *u, struct package *must, struct candidate_list *chosen,
	struct conflict_list *why);

#endif
