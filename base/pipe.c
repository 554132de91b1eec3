#include "base/pipe.h"

#include "base/arena.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct pipe {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* for the reader */
	void (*room)(void *ctx);
	void *ctx;
	char *bytes; /* a ring */
	size_t size, at, n;
	unsigned ends; /* that have not left */
	bool refused;
	enum pipe_state state;
};

struct pipe *pipe_new(size_t size, void (*room)(void *ctx), void *ctx)
{
	struct pipe *p = xcalloc(1, sizeof *p);

	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	p->room = room;
	p->ctx = ctx;
	p->size = size;
	p->bytes = xmalloc(size);
	p->ends = 2;
	return p;
}

void pipe_leave(struct pipe *p)
{
	pthread_mutex_lock(&p->lock);
	bool last = --p->ends == 0;
	pthread_mutex_unlock(&p->lock);
	if (!last)
		return;
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	free(p->bytes);
	free(p);
}

static void put(struct pipe *p, const char *from, size_t n)
{
	size_t at = (p->at + p->n) % p->size, first = p->size - at < n ? p->size - at : n;

	memcpy(p->bytes + at, from, first);
	memcpy(p->bytes, from + first, n - first);
	p->n += n;
}

bool pipe_write(struct pipe *p, const void *from, size_t n)
{
	pthread_mutex_lock(&p->lock);
	if (p->n == 0 && n > p->size) {
		p->size = n;
		p->at = 0;
		p->bytes = xrealloc(p->bytes, n);
	}
	bool fits = n <= p->size - p->n;
	if (fits)
		put(p, from, n);
	p->refused = !fits;
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
	return fits;
}

static void set_state(struct pipe *p, enum pipe_state state)
{
	pthread_mutex_lock(&p->lock);
	p->state = state;
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

void pipe_end(struct pipe *p)
{
	set_state(p, PIPE_ENDED);
}

void pipe_break(struct pipe *p)
{
	set_state(p, PIPE_BROKEN);
}

enum pipe_state pipe_state(struct pipe *p)
{
	pthread_mutex_lock(&p->lock);
	enum pipe_state state = p->state;
	pthread_mutex_unlock(&p->lock);
	return state;
}

static size_t get(struct pipe *p, char *to, size_t n)
{
	if (n > p->n)
		n = p->n;
	size_t first = p->size - p->at < n ? p->size - p->at : n;
	memcpy(to, p->bytes + p->at, first);
	memcpy(to + first, p->bytes, n - first);
	p->at = (p->at + n) % p->size;
	p->n -= n;
	return n;
}

ptrdiff_t pipe_read(void *pipe, void *to, size_t n, struct err *e)
{
	struct pipe *p = pipe;
	ptrdiff_t got = -1;

	pthread_mutex_lock(&p->lock);
	while (p->n == 0 && p->state == PIPE_OPEN)
		pthread_cond_wait(&p->changed, &p->lock);
	if (p->state != PIPE_BROKEN)
		got = (ptrdiff_t)get(p, to, n);
	/* Half empty, so that the writer is not woken for every little piece. */
	bool call = p->refused && p->n <= p->size / 2;
	if (call)
		p->refused = false;
	pthread_mutex_unlock(&p->lock);
	if (call)
		p->room(p->ctx);
	return got < 0 ? err_set(e, ERR_FAIL, "the transfer was broken off") : got;
}
