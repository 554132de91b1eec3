/*
 * A stream over bytes in memory, for what reads from a function (stream_read_fn): unit tests, fuzz
 * targets and tools.
 */
#ifndef TESTS_MEMORY_H
#define TESTS_MEMORY_H

#include "base/err.h"
#include "base/str.h"

#include <string.h>

struct memory {
	struct str rest;
	size_t step; /* bytes at a time, at most; 0: as many as are asked for */
	bool fails;  /* at its end: an error instead of the end */
};

static ptrdiff_t read_memory(void *ctx, void *p, size_t n, struct err *e)
{
	struct memory *m = ctx;

	if (m->step && n > m->step)
		n = m->step;
	if (n > m->rest.n)
		n = m->rest.n;
	if (n == 0 && m->fails)
		return err_set(e, ERR_NETWORK, "the line went dead");
	if (n)
		memcpy(p, m->rest.p, n);
	m->rest = str_sub(m->rest, n, m->rest.n);
	return (ptrdiff_t)n;
}

#endif
