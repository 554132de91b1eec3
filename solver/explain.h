/*
 * Why there is no solution, in the user's words and lines, and what would help.
 *
 *	return explain(a, u, &unsat, e);
 *
 * A smallest set of wishes that contradict each other is found (contradiction.c), then each reason
 * is followed from a wish down to what the channels or the target lack (explain_text.c), and what
 * could be asked for instead is found by solving again (remedy.c).
 */
#ifndef SOLVER_EXPLAIN_H
#define SOLVER_EXPLAIN_H

#include "base/buf.h"
#include "solver/pool.h"
#include "solver/similar.h"

/*
 * To be called for the universe as the attempt without a solution has left it.  Sets ERR_UNSAT, one
 * reason a line, and *out, which lives in the arena; -1.
 */
int explain(struct arena *a, struct universe *u, const struct unsat **out, struct err *e);

/* One attempt with the wishes that are not off: 1 solved, 0 contradiction, -1 error. */
int attempt(struct universe *u, struct candidate_list *chosen, struct conflict_list *why,
	struct err *e);

/* --- which wishes (contradiction.c) --------------------------------------------------------- */

/*
 * Follows the reasons of an attempt that left nothing of w.  `blamed` of the wishes that they lead
 * back to is set, of others cleared; virtual packages among them are appended to limits.  The
 * wishes blamed have no solution together, whatever the others are.
 */
void blame(struct universe *u, const struct wish *w, struct package_list *limits);

/* A search for a contradiction among the lines of a universe. */
struct contradiction {
	bool *in; /* for each line: is it part of the smallest one known? */
	size_t n;
	bool smallest;
	/* What is known to be solvable: for each set, the lines that were not met. */
	struct {
		bool **v;
		size_t n, cap;
	} unmet;
	uint64_t work, work_max; /* candidates looked at */
};

/* The universe is as a failed attempt has left it: its reasons say which wishes matter. */
void contradiction_begin(struct universe *u, struct contradiction *c);
/* A set of which no line can be left out. */
int contradiction_find(struct universe *u, struct contradiction *c, struct err *e);
/* Looks for a smaller one, as long as that costs little; lines' `rest` is used and set. */
int contradiction_shrink(struct universe *u, struct contradiction *c, struct err *e);
/* Turns off the wishes of all lines but these. */
void wishes_only(struct universe *u, const bool *in);

/* --- what would help (remedy.c) ------------------------------------------------------------- */

struct fit {
	const struct wish *w;
	const struct candidate *candidate; /* NULL: nothing of its name fits */
	bool alone;                        /* it does not go with the other wishes */
};

struct fit_list {
	struct fit *v;
	size_t n, cap;
};

/* The best that could be had instead of each line that is `in`, all of which are impossible. */
int fits_of_impossible(struct universe *u, const bool *in, struct fit_list *out, struct err *e);
/* The same of a contradiction: instead of one line, with all the others as they are.  Sets `rest`. */
int fits_of_contradiction(struct universe *u, const bool *in, struct fit_list *out, struct err *e);

struct virtual_remedy {
	const struct package *package; /* NULL: none was found */
	struct str from, to;           /* versions, of __archspec builds; "" is "not there" */
};

/*
 * The smallest change of one of the virtual packages `limits` with which all wishes have a
 * solution.  in: lines that have none now, which are tried first.
 */
int remedy_find(struct arena *a, struct universe *u, const struct package_list *limits,
	const bool *in, struct virtual_remedy *out, struct err *e);

/* --- words (explain_text.c) ----------------------------------------------------------------- */

/* Words about the state that an attempt without a solution has left; they end with a newline. */
struct telling {
	struct universe *u;
	struct buf *to;
	struct requirement_list told;      /* so that nothing is told twice */
	const struct requirement *lacking; /* the last thing found that is not there at all */
};
/* "environment.yml:7: ", "the command line: ", or nothing where the request has no file. */
void tell_place(struct telling *t, const struct wish *w);
/* Why nothing is left of a wish. */
void tell_wish(struct telling *t, const struct wish *w);
/* The rules that libsolv could not bring together. */
void tell_conflicts(struct telling *t, const struct conflict_list *list);
/* What would help, a line each. */
void tell_remedies(struct telling *t, const struct unsat *unsat);

#endif
