/* The same work over many items on several threads. */
#ifndef BASE_WORK_H
#define BASE_WORK_H

#include "base/err.h"

#include <stddef.h>

typedef int work_fn(void *ctx, size_t i, struct err *e);

/*
 * Calls fn(ctx, i, e) for i in [0, n) on up to `jobs` threads (1: in this one, in order), items
 * handed out in rising order.  After a failure no new item is begun; the error of the lowest
 * failed item is returned, so the answer does not depend on timing.
 */
int work_run(unsigned jobs, size_t n, work_fn *fn, void *ctx, struct err *e);
/* Cores this process may use (sched_getaffinity), at least 1. */
unsigned work_cores(void);

#endif
