/*
 * Changing a prefix that is there into the wanted one: unlink what goes, link what comes, in order,
 * undone on failure (docs/design/transaction.md).
 *
 * Stages (change.c): difference -> plan -> journal -> pre-unlink -> move -> link -> scripts ->
 * bytecode -> records -> pip -> commit.  What has the same record stays as it is.
 */
#ifndef BUILDER_CHANGE_H
#define BUILDER_CHANGE_H

#include "builder/change_journal.h"
#include "builder/installed.h"
#include "builder/prefix.h"
#include "builder/wheel.h"

/* What scripts found when they began: a stamp for each path. */
struct snapshot {
	struct arena *arena;
	struct table index; /* path -> stamp */
};

struct change {
	struct arena *arena;
	const struct install_request *wanted;
	int fd; /* of the prefix */
	struct installed in;
	struct python old_python, new_python;
	bool python_moved; /* another minor version or site-packages folder */
	const struct installed_record **going, **kept; /* going: dependents first */
	size_t n_going, n_kept;
	struct record **coming; /* dependencies first */
	size_t n_coming;
	struct table kept_paths;    /* path -> index into kept */
	struct table dropped, made; /* lists of the journal as sets */
	struct journal journal;
	/* What is written anew in conda-meta; empty texts: not. */
	struct rewrite {
		struct str path, text;
	} * rewrites;
	size_t n_rewrites, cap_rewrites;
	/* pip's part: what it installed, what is wanted of it, and whether these differ. */
	struct installed_dists dists;
	struct install_request pip_request;
	struct pypi_set own_pypi;
	struct prefix whole; /* with all packages, also those that stay */
	struct table whole_bytecode;
	bool pip, pip_wanted;
	bool runs_code;
	struct snapshot before;
};

/* Reads the prefix and compares it with c->wanted (change_diff.c). */
int change_diff(struct change *c, struct err *e);
/*
 * What each path of the planned packages means for what is there: fills in the journal
 * (change_paths.c).  A file of nobody, or of a package that stays, in the way: ERR_INTEGRITY,
 * unless --allow-clobber has it.
 */
int change_paths(struct change *c, struct prefix *p, struct err *e);
/* Enters one more path that comes, of the distribution `owner`; what is in its way as above. */
int change_add(struct change *c, struct str path, struct str owner, struct err *e);
/* Enters a path that goes if it is there and no package that stays has it too. */
void change_drop(struct change *c, struct str path);
/* The texts of requested_specs and state that differ from what is wanted (change_records.c). */
int change_records(struct change *c, struct err *e);
/* Writes them and a revision of history. */
int change_write_records(struct change *c, struct prefix *p, struct err *e);

/* Scripts of what goes; a failure is a warning, as with conda (change_code.c). */
int change_pre_unlink(struct change *c, struct prefix *p, struct err *e);
/* What scripts may write into must not be the cache's file too. */
int change_unshare(struct change *c, struct err *e);
int snapshot_take(struct change *c, struct err *e);
/* After undoing: removes what came since, and says in warnings what cannot be brought back. */
void snapshot_restore(struct change *c);

/*
 * pip (change_pip.c): what it installed and whether that differs from what is wanted; settles what
 * is not settled and fetches wheels, which touches nothing; enters the paths of the wheels;
 * installs.
 */
int change_pip_plan(struct change *c, struct err *e);
int change_pip_settle(struct change *c, struct err *e);
int change_pip_paths(struct change *c, struct err *e);
int change_pip_install(struct change *c, struct err *e);

/*
 * fd: of the prefix, held by busy_take, without a journal.  *changed: whether anything was to be
 * done.  On failure the prefix is as it was; what scripts did to files of others is warned of.
 */
int change_prefix(
	struct arena *a, const struct install_request *r, int fd, bool *changed, struct err *e);
/* As install_needed, for an environment open at fd. */
int change_needed(struct arena *a, const struct install_request *r, int fd, struct record **needed,
	size_t *n, struct err *e);

#endif
