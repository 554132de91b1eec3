/*
 * From requests to a set of records: reach, prune, rank, solve (docs/design/solving.md).
 */
#ifndef SOLVER_SOLVE_H
#define SOLVER_SOLVE_H

#include "solver/channel.h"
#include "solver/envfile.h"
#include "solver/record.h"

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
	const char *cache_dir;
	struct http *http;
	bool offline;
	bool no_deps; /* the best record for each spec alone; dependencies are not looked at */
	/* What lock_current asks besides; solve() does not look at it. */
	const struct spec_line *pip;
	size_t n_pip;
	const char *project_dir; /* absolute; NULL: the lines name no files and folders */
};

struct solution {
	struct record **records; /* dependencies first; ties by name */
	size_t n;
	size_t n_index_records; /* how many the channels' indexes hold */
};

/*
 * The records live in the arena.  ERR_UNSAT carries the chain of reasons in words, one reason a
 * line, with the user's own lines ("environment.yml:7: pytorch 2.7 needs __glibc >=2.17, the target
 * rhel6 has 2.12").  ERR_INPUT for a bad spec or virtual package.
 */
int solve(struct arena *a, const struct solve_request *r, struct solution *out, struct err *e);

/* Sorts records so that each stands after what it depends on; cycles are broken by name. */
void records_topological(struct record **records, size_t n);

#endif
