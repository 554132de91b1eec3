/*
 * The part of the channels that a request can reach, and what is known of each build in it.
 *
 *	universe_init(&u, request, index, e);
 *	attempt_begin(&u, requests, n); reach(&u, e); prune(&u); rank(&u); pool_solve(&u, ...);
 *	universe_release(&u);
 *
 * A package is a name, a candidate one build of it, a requirement one distinct text of `depends`,
 * `constrains` or of the user.  Packages are loaded once, when first reached; an attempt then
 * drops candidates that no solution for its requests can contain, each with the reason.
 * Invariant: requirement.left is how many of its matches are not dropped.
 *
 * Stand-ins are packages that no channel has and no answer shows: they say with candidates and
 * requirements what a group of optional dependencies or a condition says (standin.c).
 */
#ifndef SOLVER_UNIVERSE_H
#define SOLVER_UNIVERSE_H

#include "solver/index.h"
#include "solver/matchspec.h"
#include "solver/solve.h"

struct package;
struct requirement;

/* Why a candidate is out. */
enum drop_kind {
	DROP_NOT,
	DROP_REQUEST,  /* the user's requirement on the same name does not match */
	DROP_NEEDS,    /* nothing is left that this dependency matches */
	DROP_CONFLICT, /* its constraint excludes all that is left of a name that must be there */
	DROP_NARROWED, /* each candidate left of a package that must be there asks for others */
	DROP_PRIORITY, /* strict channel priority: a channel before this one has the name */
	DROP_NEWER,    /* it is newer than the request's date */
	DROP_INVALID,  /* its version or a dependency cannot be read */
	DROP_LEARNED,  /* what was found out about it rules it out (learned.c) */
	DROP_WORSE,    /* not impossible, but a better one does as well */
};

struct drop {
	enum drop_kind kind;
	const struct requirement *requirement; /* REQUEST, NEEDS, CONFLICT, INVALID */
	const struct package *package;         /* NARROWED: by which */
};

struct candidate {
	/* What is looked at for every candidate; the rest is read by candidate_record(). */
	struct str fn, build, version_text, track_features;
	uint64_t build_number, timestamp, indexed;
	const struct index_group
		*group;                /* NULL: a virtual package, or a stand-in for a condition */
	uint32_t number;               /* of the build in its group */
	struct record *record;         /* NULL until asked for */
	const struct version *version; /* NULL: cannot be read */
	uint32_t version_number;       /* among package.versions */
	struct package *package;
	const struct index_source *source; /* NULL as group is */
	struct requirement **depends, **constrains;
	uint32_t n_depends, n_constrains;
	const struct learned_about *learned; /* NULL: nothing */
	uint32_t at;                         /* its bit in requirement.bits */
	/*
	 * 0 is the best of the package; a tier is what differs by build only, a grade what has one
	 * build number too.  Set by rank().
	 */
	uint32_t place, tier, grade;
	bool barred; /* out in every attempt, for the reason in `bar` */
	bool features;
	bool seen; /* scratch of blame() */
	struct drop bar, drop;
	int solvable; /* libsolv's number while it runs; 0: none */
};

struct candidate_list {
	struct candidate **v;
	size_t n, cap;
};

struct requirement {
	struct str text;
	struct matchspec spec;
	bool valid;
	bool wished; /* by a line that is not off; scratch of reduce() */
	bool idle;   /* its condition (CEP 43) does not hold: it asks for nothing */
	/* What it matches is not what its spec does but: */
	bool any;                      /* all that the package has */
	bool negated;                  /* what the spec does not match */
	const struct candidate *exact; /* this one */
	/* What it asks for besides: its groups (CEP 44). */
	struct requirement **also;
	size_t n_also;
	struct package *package;
	uint64_t *bits; /* which candidates of the package match; NULL: it is not loaded */
	size_t matches, left, base; /* base: what is left at the beginning of an attempt */
	bool seen;                  /* scratch of blame() */
	struct {
		bool known, all_features; /* every match left has track_features */
		const struct version *version;
	} best;                        /* of what is left; scratch of rank() */
	struct candidate_list users;   /* candidates that have it among their `depends` */
	struct candidate_list holders; /* the same of `constrains` */
	int id;                        /* libsolv's string while it runs; 0: none */
	int conflict_id;               /* the same for "all that it does not match" */
};

struct requirement_list {
	struct requirement **v;
	size_t n, cap;
};

struct package {
	struct str name;
	bool is_virtual, loaded;
	const struct standin *standin; /* NULL: a package as any other */
	/* The distinct versions of its candidates, NULL for one that cannot be read. */
	const struct version **versions;
	size_t n_versions;
	struct candidate_list candidates; /* in the order of rank once ranked */
	struct requirement_list requirements;
	const struct requirement *asked; /* the user's that names a channel; NULL: none */
	/* The current attempt: */
	bool queued, visited, required, changed, active, touched;
	size_t left, base;                 /* base: left at its beginning */
	const struct package *required_by; /* NULL: a wish names it */
	bool seen;                         /* scratch of blame() */
	uint64_t *live;                    /* scratch of reduce() */
	struct candidate *chosen;          /* in the best solution so far */
	struct {
		uint64_t *bits; /* union of what the other's candidates allow */
		size_t needed, named;
		const struct candidate *needed_by, *named_by;
		bool must;
	} narrow; /* scratch of prune() */
};

struct package_list {
	struct package **v;
	size_t n, cap;
};

/* One line of the user, or a group that it asks for (CEP 44). */
struct wish {
	const struct spec_line *line;
	struct requirement *requirement;
	bool off;      /* left out of the current attempt */
	size_t number; /* of its line among those that ask for anything */
	bool blamed;   /* set by blame() */
	/* Have all the others a solution without it? */
	enum { REST_UNKNOWN, REST_SOLVABLE, REST_NOT } rest;
};

struct universe {
	struct arena arena;
	const struct solve_request *request;
	const struct index *index;
	struct table packages, requirements;
	struct table learned; /* sum or URL of a build -> what was found out about it */
	bool learned_by_url;  /* of some build */
	/* For each source of the index, the requirement that each of its specs is; NULL: not met. */
	struct {
		struct requirement **v;
		size_t n;
	} * known;
	bool *hits; /* scratch of a match, for each version */
	size_t n_hits;
	bool conditional;            /* some requirement has a condition (CEP 43) */
	struct package_list touched; /* by the current attempt: to be reset before the next */
	size_t pairs;                /* of requirement and candidate, compared so far */
	struct package_list visited; /* of the current attempt, in the order of reach */
	struct wish *wishes;
	size_t n_wishes;
	struct wish **lines; /* the first wish of each line, whose groups follow it */
	size_t n_lines;
	struct candidate_list dropped; /* work list: dropped, not yet carried on */
	/* All that was dropped or required, in order, so that it can be taken back. */
	struct candidate_list drop_trail;
	struct package_list require_trail;
};

/*
 * The index must outlive the universe.  ERR_INPUT names the line of a bad spec, or the bad virtual
 * package.
 */
int universe_init(struct universe *u, const struct solve_request *request,
	const struct index *index, struct err *e);
void universe_release(struct universe *u);

/*
 * A requirement in the universe's arena, matched against its package if that is loaded.  text is
 * for messages; the spec's texts must live as long as the universe.
 */
struct requirement *requirement_new(struct universe *u, struct str text,
	const struct matchspec *spec, struct package *package, const struct requirement *how);
/* Which candidates it matches; the package is loaded. */
void requirement_match(struct universe *u, struct requirement *r);
/* The requirement that this text is; see requirement.valid. */
struct requirement *requirement_of(struct universe *u, struct str text, struct err *e);
struct package *package_of(struct universe *u, struct str name);

/*
 * Does what the target offers satisfy the condition of a spec (CEP 43)?  1, 0; -1 where that
 * depends on packages that are still to be chosen.
 */
int universe_condition(struct universe *u, const struct spec_condition *condition);
/*
 * Turns a requirement whose condition depends on packages, or which asks for groups, into one that
 * stand-ins can answer.  -1 with ERR_INPUT where a condition cannot be told.
 */
int standin_condition(struct universe *u, struct requirement *r, struct err *e);
void standin_groups(struct universe *u, struct requirement *r);
/* The stand-in that a constraint under such a condition is; who has it depends on it. */
struct requirement *standin_limit(struct universe *u, const struct requirement *limit);
int standin_load(struct universe *u, struct package *p, struct err *e);
/* Is it a stand-in for a condition, whose candidates are equally good? */
bool standin_is_condition(const struct package *p);
/*
 * The candidate that says how its condition does not hold among the packages that are queued, with
 * what each has chosen; NULL where it holds.
 */
struct candidate *standin_escape(const struct package *p);

/* Forgets what the attempt before dropped. */
void attempt_begin(struct universe *u);
/* Every package that a solution for the wishes that are not off could contain. */
int reach(struct universe *u, struct err *e);
/*
 * The same with several wishes on one name side by side: what any of them matches stays.  Only
 * what is needed besides binds, so that more is left than of an attempt.
 */
int reach_apart(struct universe *u, struct err *e);
/*
 * The requirement with this text, one for each text; NULL and ERR_INPUT where it cannot be read or
 * names no package.
 */
struct requirement *universe_requirement(struct universe *u, struct str text, struct err *e);
/*
 * From the next attempt on the target has this virtual package, as virtual_package_parse() takes
 * it, in the version and build given; an empty text: it does not have the package at all.  Not for
 * a universe that is `conditional`: what conditions took out stays out.  ERR_INPUT.
 */
int universe_set_virtual(struct universe *u, struct package *p, struct str text, struct err *e);
/*
 * Loads a package's candidates, unless that was done.  ERR_INTEGRITY: the index file is damaged, or
 * there is more to compare than any real channel asks for.
 */
int universe_load(struct universe *u, struct package *p, struct err *e);
/*
 * All of a candidate's record but its url, in the universe's arena.  `depends` and `constrains` are
 * filled in only if asked for, and only then it can fail (NULL).
 */
struct record *candidate_record(
	struct universe *u, struct candidate *c, bool with_lists, struct err *e);
/* Out in every attempt; the first reason stays. */
void candidate_bar(struct candidate *c, enum drop_kind kind, const struct requirement *r);
/* What a candidate needs besides its list, which it shares with others. */
void candidate_depend_too(
	struct universe *u, struct candidate *c, const struct requirement_list *more);
/* What the request has learned (learned.c): found by build, then held against those of a package. */
void learned_init(struct universe *u);
void package_learn(struct universe *u, struct package *p);
/* What was learned that takes it out in this attempt; NULL: that is not why. */
const struct learned *candidate_learned(const struct candidate *c);
/* Takes a candidate out for the reason given, and with it whatever cannot be without it. */
void candidate_drop(struct universe *u, struct candidate *c, struct drop why);
void drops_carry_on(struct universe *u);
/* Every solution of the attempt contains this package, because of `by` or, if NULL, of a wish. */
void package_require(struct universe *u, struct package *p, const struct package *by);
/* Notes that the attempt has changed something of the package. */
void package_touch(struct universe *u, struct package *p);
/* Takes back every drop and requirement since the mark; the work list is empty at both. */
struct mark {
	size_t drops, requires;
};
struct mark trail_mark(const struct universe *u);
void trail_undo(struct universe *u, struct mark mark);

/*
 * Packages that every solution contains restrict what they depend on, to a fixpoint
 * (docs/design/solving.md).
 */
void prune(struct universe *u);
/* The first wish with nothing left, or NULL. */
struct wish *wish_hopeless(const struct universe *u);
/* Sorts the candidates of every visited package, the best first (docs/design/solving.md). */
void rank(struct universe *u);

/* Drops what a better candidate can always stand in for; after rank(). */
void reduce(struct universe *u);
/* An attempt from its beginning to rank(): 1, 0 a wish has nothing left, -1 error. */
int attempt_rank(struct universe *u, struct err *e);
/* reduce(); ERR_INTEGRITY where more is left of a name than libsolv has memory for. */
int attempt_reduce(struct universe *u, struct err *e);
/*
 * Makes a solution as good as can be for what the user names, in the order of the wishes, and then
 * better where that makes nothing else worse (docs/design/solving.md).  The universe is as rank()
 * has left it.
 */
void improve(struct universe *u, struct candidate_list *chosen);
/*
 * One attempt that keeps what is locked (solve_request.locked) as far as can be: 1 solved, 0 there is
 * no solution, -1 error.  solver/update.c says how.
 */
int update(struct universe *u, struct candidate_list *chosen, struct err *e);
/* What of a solution the wishes need, in the order of reach; what no condition asks for is not. */
struct candidate_list keep_needed(struct universe *u, const struct candidate_list *chosen);
/* solve() with an index that is already there. */
int solve_index(struct arena *a, const struct solve_request *r, const struct index *ix,
	struct solution *out, struct err *e);

static inline bool requirement_matches(const struct requirement *r, const struct candidate *c)
{
	return r->bits && (r->bits[c->at / 64] >> c->at % 64 & 1);
}

/* When it came into the channel, in milliseconds; 0: not known. */
static inline uint64_t candidate_time(const struct candidate *c)
{
	return c->indexed ? c->indexed : c->timestamp;
}

static inline bool candidate_live(const struct candidate *c)
{
	return c->drop.kind == DROP_NOT;
}

#endif
