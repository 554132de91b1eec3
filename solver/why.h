/*
 * Why a package is in a solution, what it would take to have it, or why it cannot be had.
 *
 *	if (why(arena, &request, &answer, &unsat, e) < 0)
 *		...ERR_UNSAT: neither the request nor the request with the spec has a solution
 */
#ifndef SOLVER_WHY_H
#define SOLVER_WHY_H

#include "solver/matchspec.h"
#include "solver/pypi.h"
#include "solver/solve.h"

struct why_request {
	const struct solve_request *solve;
	struct str spec;
	/* There is no environment file: only what the records say can be answered. */
	bool only_lock;
	struct record **records; /* of the lock that is current; NULL: to be solved */
	size_t n_records;
	const struct pypi_set *pypi;
};

/* "NAME VERSION BUILD needs TEXT"; a package of PyPI has no build. */
struct why_step {
	struct str name, version, build;
	struct str needs;
};

/* From a line of the user to what was asked about, which the last step needs. */
struct why_chain {
	struct str
		where; /* "environment.yml:7"; empty: it is in the lock and nothing there needs it */
	struct str text;
	size_t line; /* which of the lines, in their order */
	struct why_step *steps;
	size_t n_steps; /* 0: the line names it */
};

/* A requirement, and the names of the packages that have it. */
struct why_need {
	struct str text;
	struct str *by;
	size_t n_by;
};

/* What does not match the newest version. */
struct why_limit {
	enum { WHY_LINE, WHY_DEPENDS, WHY_CONSTRAINS } kind;
	struct str by; /* "environment.yml:5", or "NAME VERSION BUILD" */
	struct str text;
};

struct why_change {
	struct str name;
	struct str from, to; /* "VERSION BUILD"; empty: not there */
};

enum why_kind {
	WHY_IN,         /* in the solution */
	WHY_POSSIBLE,   /* it is not, and could be */
	WHY_VIRTUAL,    /* a virtual package */
	WHY_NOT_LOCKED, /* it is not in the lock, and there is nothing but the lock */
};

struct why {
	enum why_kind kind;
	struct str name;
	struct str version, build; /* what the solution has of the name; empty: nothing */
	bool pypi;
	/* WHY_IN: the shortest first. */
	struct why_chain *chains;
	size_t n_chains;
	struct {
		bool known; /* the channels have been asked */
		bool newer; /* than what is in the solution */
		struct str version, build, channel;
		uint64_t timestamp;
	} newest;
	/* What of the solution keeps it from being newer. */
	struct why_limit *limits;
	size_t n_limits;
	/* If no line does: why nothing newer goes with the request, or what it would change. */
	struct str reason;
	/* Also of WHY_POSSIBLE: what would change. */
	struct why_change *changes;
	size_t n_changes;
	/* WHY_VIRTUAL: the strictest first. */
	struct why_need *needs;
	size_t n_needs;
};

/* *unsat is set with ERR_UNSAT.  Everything lives in the arena. */
int why(struct arena *a, const struct why_request *r, struct why *out, const struct unsat **unsat,
	struct err *e);

/* --- who needs whom (why_graph.c, why_chains.c) -------------------------------------------- */

struct why_graph;

/* Lines of the pip section that cannot be read are left out. */
struct why_graph *why_graph_new(struct arena *a, const struct why_request *r);
/* Fills in name, version, build, pypi and chains; 0 where the solution has nothing of the name. */
int why_chains(const struct why_graph *g, struct str name, struct why *out);
/* Fills in needs. */
void why_needs(const struct why_graph *g, struct str name, struct why *out);
/* What lines and packages say about a name, constraints included: all that could limit it. */
struct why_limit *why_limits(const struct why_graph *g, struct str name, size_t *n);

#endif
