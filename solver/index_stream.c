#include "solver/index_stream.h"

#include "base/pipe.h"

#include <pthread.h>
#include <stdlib.h>

enum { PIPE_SIZE = 1 << 20 };

struct index_stream {
	struct pipe *pipe;
	pthread_t thread;
	char *name;
	struct groups *groups; /* made by the thread; NULL: err says why not */
	struct err err;
};

static void *run(void *ctx)
{
	struct index_stream *s = ctx;
	char rest[4096];

	s->groups = groups_read_packed(pipe_read, s->pipe, s->name, &s->err);
	/* The writer is not to wait for somebody who has given up. */
	while (pipe_read(s->pipe, rest, sizeof rest, NULL) > 0)
		continue;
	pipe_leave(s->pipe);
	return NULL;
}

struct index_stream *index_stream_begin(
	const char *name, void (*room)(void *ctx), void *ctx, struct err *e)
{
	struct index_stream *s = xcalloc(1, sizeof *s);
	int rc;

	s->pipe = pipe_new(PIPE_SIZE, room, ctx);
	s->name = xstrdup(name);
	rc = pthread_create(&s->thread, NULL, run, s);
	if (rc == 0)
		return s;
	err_set(e, ERR_FAIL, "cannot start a thread: %s", strerror(rc));
	pipe_leave(s->pipe);
	pipe_leave(s->pipe);
	free(s->name);
	free(s);
	return NULL;
}

bool index_stream_write(struct index_stream *s, const void *p, size_t n)
{
	return pipe_write(s->pipe, p, n);
}

static struct groups *join(struct index_stream *s, struct err *e)
{
	struct groups *groups;

	pthread_join(s->thread, NULL);
	pipe_leave(s->pipe);
	groups = s->groups;
	if (!groups)
		err_move(e, &s->err);
	err_release(&s->err);
	free(s->name);
	free(s);
	return groups;
}

struct groups *index_stream_end(struct index_stream *s, struct err *e)
{
	pipe_end(s->pipe);
	return join(s, e);
}

void index_stream_abort(struct index_stream *s)
{
	if (!s)
		return;
	pipe_break(s->pipe);
	groups_free(join(s, NULL));
}
