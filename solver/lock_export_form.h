/* Private to solver/lock_export*.c. */
#ifndef SOLVER_LOCK_EXPORT_FORM_H
#define SOLVER_LOCK_EXPORT_FORM_H

#include "solver/lock.h"

/* Without credentials. */
struct str export_url(struct arena *a, struct str url);
/* A channel's URL as users write it: a name where it lies at conda.anaconda.org. */
struct str export_channel(struct arena *a, struct str url);
/* In the order of installing. */
struct record **export_order(struct arena *a, const struct lock_target *t);
/* Is it a wheel by URL and sum?  Else ERR_INPUT: what ("an @EXPLICIT file") has no place for it. */
int export_check_wheel(
	struct arena *a, const struct pypi_package *p, const char *what, struct err *e);
int export_conda_lock(struct arena *a, const struct lock *lock,
	const struct lock_target *const *targets, size_t n, struct buf *to, struct err *e);

#endif
