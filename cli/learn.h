/*
 * The solver that learns: a plan is audited before anything is built, what cannot load on the target
 * is held against the builds that it is about, and the plan is solved again, until it passes or
 * nothing is left (docs/design/audit.md).
 *
 *	if (plan_learn(s, p, &plan, &how, e) < 0)
 *		...ERR_AUDIT: names the packages, what they need, and the nearest target
 */
#ifndef CLI_LEARN_H
#define CLI_LEARN_H

#include "cli/move.h"
#include "cli/plan.h"
#include "packer/rules.h"

struct learn_how {
	const char *root;          /* of the target's image; NULL: by the profile's list */
	const struct rules *rules; /* files that they leave out do not count; NULL: none */
	/*
	 * No other audit follows: errors that no solve can take away end it too, and warnings, the
	 * floor and the reports asked for come from here.
	 */
	bool final;
	/* Only as far as it goes without the network: what is not known is left to others. */
	bool if_known;
};

/* A build that one round ruled out. */
struct learn_reject {
	const struct record *record;
	const struct audit_finding *finding;
	struct str depends; /* what the solver was told; empty: that it cannot be had */
	bool known;         /* by its facts alone: no round found it */
};

/* What one round changed. */
struct learn_round {
	struct {
		struct learn_reject *v;
		size_t n, cap;
	} rejects;
	struct move *changes; /* as "VERSION-BUILD"; none where the round found no solution */
	size_t n_changes;
};

/* ERR_USAGE where both --audit-solve and --no-audit-solve are given. */
int learn_check_options(const struct session *s, struct err *e);
/*
 * Audits the plan's packages, fetching those of which nothing is known, and solves it anew as long as
 * something cannot load.  Never solved again: a plan under --locked or --no-audit-solve, and a lock
 * that is the input; then an error is one at once.  plan->rounds says what was done, each round is
 * reported in two lines.
 */
int plan_learn(struct session *s, struct project *p, struct plan *plan, const struct learn_how *how,
	struct err *e);
/* Takes out of the cache what learning has brought there. */
void learn_drop(struct session *s, const struct plan *plan);
/* The key "audit" of a command's JSON: {"rounds": [...]}. */
void learn_tell(struct json_out *w, const struct plan *plan);

/* --- words (cli/learn_words.c) ----------------------------------------------------------------- */

/* What one round found, and what came of it: a line each. */
void learn_say_found(struct session *s, const struct plan *plan, const struct learn_round *round);
void learn_say_solved(const struct learn_round *round);
/*
 * Turns the solver's ERR_UNSAT into ERR_AUDIT that says what was found and on which target it would
 * run; -1.
 */
int learn_fail(struct session *s, const struct project *p, const struct plan *plan, struct err *e);

/* --- the nearest target (cli/learn_nearest.c) -------------------------------------------------- */

/*
 * Of the targets that are known by name, of the plan's subdir, the one with the oldest glibc on which
 * the plan's request has a solution, going by what was learned and by their lists of libraries: 1, 0
 * there is none, -1.
 */
int learn_nearest(struct session *s, const struct project *p, const struct plan *plan,
	struct profile *out, struct err *e);

#endif
