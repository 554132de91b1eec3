/* The pip section's part of lock_current and lock_fits. */
#ifndef SOLVER_LOCK_PIP_H
#define SOLVER_LOCK_PIP_H

#include "solver/lock.h"
#include "solver/solve.h"

/*
 * Are the target's packages of PyPI what the request's pip lines ask for?  1; or 0 and *reason (in
 * the arena).  Files and folders that the lines name are read; neither network nor index is.
 */
int lock_pip_current(struct arena *a, const struct lock_target *target,
	const struct solve_request *r, struct str *reason);
/*
 * May the target's wheels run where the virtual packages are these: is the glibc that one was built
 * for (PEP 600) not newer?  1; or 0 and *reason.
 */
int lock_pip_fits(struct arena *a, const struct lock_target *target,
	const struct str *virtual_packages, size_t n, struct str *reason);

#endif
