/*
 * A stream that is read ahead: a thread of its own fills a ring of pieces while the caller works on
 * what came before.
 *
 *	struct ahead *a = ahead_open(unpacker_read, unpacker, &err);
 *	while ((n = ahead_read(a, p, size, &err)) > 0) ...
 *	ahead_close(a);
 */
#ifndef BASE_AHEAD_H
#define BASE_AHEAD_H

#include "base/archive.h"

struct ahead;
/* ctx is used by the other thread only, until ahead_close().  NULL where there is no thread. */
struct ahead *ahead_open(stream_read *read, void *ctx, struct err *e);
/* A stream_read: what `read` gives, errors included. */
ptrdiff_t ahead_read(void *ahead, void *p, size_t n, struct err *e);
/*
 * Ends the thread once its call of `read` has come back, which the caller sees to.  NULL is allowed.
 */
void ahead_close(struct ahead *a);

#endif
