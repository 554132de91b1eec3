/* A lock in the forms that other tools read (docs/design/lock.md). */
#ifndef SOLVER_LOCK_EXPORT_H
#define SOLVER_LOCK_EXPORT_H

#include "solver/lock.h"

enum lock_format {
	LOCK_AS_EXPLICIT,    /* @EXPLICIT, one target */
	LOCK_AS_CONDA_LOCK,  /* conda-lock.yml, targets of different subdirs */
	LOCK_AS_ENVIRONMENT, /* environment.yml with every package pinned, one target */
};

/*
 * Appends the file's text; the same from the same lock.  No credentials are in it.  ERR_INPUT where
 * the form has no place for what the lock has: a wheel that was built, two targets of one subdir.
 */
int lock_export(const struct lock *lock, const struct lock_target *const *targets, size_t n,
	enum lock_format format, struct buf *to, struct err *e);

#endif
