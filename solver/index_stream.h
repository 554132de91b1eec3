/*
 * An index that is read while it is downloaded: two threads, one that decompresses and one that
 * makes groups, take what the network gives.
 *
 *	struct index_stream *s = index_stream_begin("url/repodata.json.zst", room, ctx, &err);
 *	while (...) if (!index_stream_write(s, p, n)) wait for room(ctx);
 *	struct groups *g = index_stream_end(s, &err);
 */
#ifndef SOLVER_INDEX_STREAM_H
#define SOLVER_INDEX_STREAM_H

#include "solver/index_groups.h"

struct index_stream;
/*
 * name stands in messages.  room(ctx) is called from another thread when a writer that was refused
 * may try again.  NULL where there is no thread.
 */
struct index_stream *index_stream_begin(
	const char *name, void (*room)(void *ctx), void *ctx, struct err *e);
/* All n bytes, or none of them: false.  What is written to damage found before is passed over. */
bool index_stream_write(struct index_stream *s, const void *p, size_t n);
/* All has come: waits for what it made.  NULL where that is no index.  Frees the stream. */
struct groups *index_stream_end(struct index_stream *s, struct err *e);
/* It does not count any more.  Frees the stream; NULL is allowed. */
void index_stream_abort(struct index_stream *s);

#endif
