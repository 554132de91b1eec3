/*
 * A bounded pipe in memory between two threads, one that writes and one that reads.
 *
 * The writer never waits: where there is no room it is told so and called back when there is.  What
 * comes through counts only once the writer has said that all of it is right (pipe_end); until then
 * it may take everything back (pipe_break).
 */
#ifndef BASE_PIPE_H
#define BASE_PIPE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct pipe;
/*
 * Holds up to `size` bytes, or one larger piece.  room(ctx) is called from the reader's thread when
 * a writer that was refused may try again.  Belongs to both ends: each calls pipe_leave once.
 */
struct pipe *pipe_new(size_t size, void (*room)(void *ctx), void *ctx);
void pipe_leave(struct pipe *p);

/* All n bytes, or none of them: false. */
bool pipe_write(struct pipe *p, const void *from, size_t n);
void pipe_end(struct pipe *p);
void pipe_break(struct pipe *p);

/*
 * A stream_read (base/archive.h) that waits for the writer.  0: the writer has ended.  -1 and
 * ERR_FAIL: it has broken the pipe, and has a reason that it tells elsewhere.
 */
ptrdiff_t pipe_read(void *pipe, void *to, size_t n, struct err *e);
enum pipe_state { PIPE_OPEN, PIPE_ENDED, PIPE_BROKEN };
enum pipe_state pipe_state(struct pipe *p);

#endif
