/*
 * From requests to a set of records: reach, prune, rank, solve (docs/design/solving.md).
 */
#ifndef SOLVER_SOLVE_H
#define SOLVER_SOLVE_H

#include "solver/channel.h"
#include "solver/envfile.h"
#include "solver/record.h"

/*
 * What was found out about one build, beyond what its record says: on this target it needs `depends`
 * besides ("__glibc >=2.28"), or, where that is empty, it cannot be had at all.
 */
struct learned {
	uint8_t sha256[32];
	bool has_sha256;
	struct str url; /* where there is no sum */
	struct str depends;
	struct str why; /* a clause: "its lib/libx.so needs GLIBC_2.28 of libc.so.6" */
};

struct solve_request {
	const struct channel *channels; /* highest priority first */
	size_t n_channels;
	enum channel_priority priority;
	struct str subdir;                  /* "linux-64"; "noarch" is always read too */
	const struct str *virtual_packages; /* "__glibc=2.17", "__unix=0=0" */
	size_t n_virtual_packages;
	const struct spec_line *specs;
	size_t n_specs;
	const char *file;   /* what the specs' lines belong to, for messages; NULL: none */
	const char *target; /* the target's name, for messages */
	/* What a line with the number 0 is called in messages; NULL: "the command line". */
	const char *given_as;
	const char *cache_dir;
	struct http *http;
	bool offline;
	/* Milliseconds: what is newer is passed over; 0: nothing is.  And as the user wrote it. */
	uint64_t as_of;
	const char *as_of_text;
	/*
	 * Keep these packages, but make the ones named by `updates` as new as can be, the first before
	 * the next (docs/design/solving.md, "Update").  NULL: everything is chosen anew.
	 */
	struct record *const *locked;
	size_t n_locked;
	const struct str *updates;
	size_t n_updates;
	/* Held against the records that they are about, as if these said so themselves. */
	const struct learned *learned;
	size_t n_learned;
	bool no_deps; /* the best record for each spec alone; dependencies are not looked at */
	/* What lock_current asks besides; solve() does not look at it. */
	const struct spec_line *pip;
	size_t n_pip;
	const char *project_dir; /* absolute; NULL: the lines name no files and folders */
};

/* A line of the user, as part of an explanation. */
struct unsat_line {
	int line; /* 0: of the command line */
	struct str text;
};

/* For one line: what could be had instead of what it asks for. */
struct unsat_fit {
	struct unsat_line of;
	struct str name;
	bool any;   /* the rest is valid; else nothing of that name fits */
	bool alone; /* it does not go with the other lines */
	struct str version, build, channel;
	uint64_t timestamp; /* milliseconds; 0: not known */
};

/* Why there is no solution, and what would help: the facts of the text. */
struct unsat {
	struct str reason; /* lines of the text: only why, not what would help */
	struct str target;
	const char *file;
	/* Lines that are impossible each by itself, or, if there are none, the smallest set found
	 * of lines that contradict each other. */
	bool each;
	struct unsat_line *lines;
	size_t n_lines;
	bool smallest; /* there is no smaller one; else none of the lines can be left out */
	struct unsat_fit *fits;
	size_t n_fits;
	struct unsat_line *without; /* each: all the others have a solution without it */
	size_t n_without;
	/* The one change of the target's virtual packages that makes the whole request solvable. */
	struct {
		struct str name, from, to; /* name empty: none found; from empty: not there */
		bool limited;              /* the target's limits are the reason */
		bool none;                 /* no such change helps */
	} remedy;
};

struct solution {
	struct record **records; /* dependencies first; ties by name */
	size_t n;
	size_t n_index_records;    /* how many the channels' indexes hold */
	const struct unsat *unsat; /* set where solve() returns ERR_UNSAT; in the arena */
};

/*
 * The records live in the arena.  ERR_UNSAT carries the chain of reasons in words, one reason a
 * line, with the user's own lines ("environment.yml:7: pytorch 2.7 needs __glibc >=2.17, the target
 * rhel6 has 2.12").  ERR_INPUT for a bad spec or virtual package.
 */
int solve(struct arena *a, const struct solve_request *r, struct solution *out, struct err *e);

struct index;
/*
 * For what asks more of the channels than one solve: calls the task with their indexes as solve()
 * has them.  A task that fails with ERR_INTEGRITY may be called once more.
 */
typedef int solve_task(void *ctx, const struct index *ix, struct err *e);
int solve_with(const struct solve_request *r, solve_task *task, void *ctx, struct err *e);

/*
 * All builds that the channels have of these names, without what they need: name by name, in the
 * order of the channels.  In the arena.
 */
int solve_builds(struct arena *a, const struct solve_request *r, const struct str *names, size_t n,
	struct record ***out, size_t *n_out, struct err *e);

/* Sorts records so that each stands after what it depends on; cycles are broken by name. */
void records_topological(struct record **records, size_t n);

#endif
