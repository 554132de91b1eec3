/*
 * The journal of a change to a prefix: what was planned, and where the old files are meanwhile.
 *
 *	journal_write()    conda-meta/.envbuild-transaction/plan appears: the change has begun
 *	journal_move()     each old file is renamed to .envbuild-transaction/old/PATH
 *	...                new files are made at their places, scripts run
 *	journal_commit()   plan is renamed to `committed`: from here the new state holds
 *	journal_finish()   old files, empty folders and the journal are removed
 *
 * Before the commit journal_undo() brings back the old state, after it journal_finish() completes
 * the new one; both may be killed and repeated at any point.  journal_recover() does what is needed
 * for a journal that was found (docs/design/transaction.md).
 */
#ifndef BUILDER_CHANGE_JOURNAL_H
#define BUILDER_CHANGE_JOURNAL_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct path_set {
	struct str *v;
	size_t n, cap;
};

struct kept_path {
	struct str path, to;
};

struct journal {
	struct path_set drop; /* files and links that are there and go, or are replaced */
	struct path_set add;  /* what is made; may hold paths of drop */
	struct path_set made; /* folders that are made */
	struct path_set left; /* folders that are removed in the end where they are empty */
	struct {
		struct kept_path *v; /* of drop: kept under another name in the end */
		size_t n, cap;
	} keep;
	bool ran_code; /* scripts or pip may have changed what is not listed */
};

/* fd: of the prefix; prefix: its path.  Replaces a journal that was written before. */
int journal_write(int fd, const char *prefix, const struct journal *j, struct err *e);
/* Moves what `drop` lists from index `from` on out of the way; what is not there is passed over. */
int journal_move(int fd, const struct journal *j, size_t from, struct err *e);
int journal_commit(int fd, struct err *e);
int journal_undo(int fd, struct err *e);
int journal_finish(int fd, struct err *e);

enum journal_state { JOURNAL_NONE, JOURNAL_UNDONE, JOURNAL_COMPLETED };
/* *ran_code: scripts had run before it was undone. */
int journal_recover(int fd, enum journal_state *out, bool *ran_code, struct err *e);

#endif
