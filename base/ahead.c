#include "base/ahead.h"

#include "base/arena.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { PIECES = 4, PIECE = 256 << 10 };

struct piece {
	ptrdiff_t n; /* as `read` returned it */
	struct err err;
	char bytes[PIECE];
};

/* Pieces [taken, filled) belong to the reader, the others to the thread. */
struct ahead {
	stream_read *read;
	void *ctx;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t filled, taken;
	size_t at; /* in the piece that is being taken */
	bool closing;
	struct piece ring[PIECES];
};

/* The next piece to fill; NULL: nobody wants more. */
static struct piece *wait_for_room(struct ahead *a)
{
	bool closing;

	pthread_mutex_lock(&a->lock);
	while (a->filled - a->taken == PIECES && !a->closing)
		pthread_cond_wait(&a->changed, &a->lock);
	closing = a->closing;
	pthread_mutex_unlock(&a->lock);
	return closing ? NULL : &a->ring[a->filled % PIECES];
}

static struct piece *wait_for_piece(struct ahead *a)
{
	pthread_mutex_lock(&a->lock);
	while (a->filled == a->taken)
		pthread_cond_wait(&a->changed, &a->lock);
	pthread_mutex_unlock(&a->lock);
	return &a->ring[a->taken % PIECES];
}

static void count(struct ahead *a, size_t *counter)
{
	pthread_mutex_lock(&a->lock);
	++*counter;
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->lock);
}

/* A piece that is not full: a stream may give little at a time. */
static void fill(struct ahead *a, struct piece *p)
{
	ptrdiff_t got = 1;

	p->n = 0;
	while (p->n < PIECE && got > 0) {
		got = a->read(a->ctx, p->bytes + p->n, PIECE - (size_t)p->n, &p->err);
		if (got > 0)
			p->n += got;
	}
	/* What came before an error is not worth anything to anybody. */
	if (got < 0)
		p->n = got;
}

static void *run(void *ctx)
{
	struct ahead *a = ctx;
	struct piece *p;
	bool more = true;

	while (more && (p = wait_for_room(a))) {
		fill(a, p);
		more = p->n == PIECE;
		count(a, &a->filled);
	}
	return NULL;
}

struct ahead *ahead_open(stream_read *read, void *ctx, struct err *e)
{
	struct ahead *a = xmalloc(sizeof *a);
	int rc;

	memset(a, 0, offsetof(struct ahead, ring));
	for (size_t i = 0; i < PIECES; i++)
		a->ring[i].err = (struct err){0};
	a->read = read;
	a->ctx = ctx;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
	rc = pthread_create(&a->thread, NULL, run, a);
	if (rc == 0)
		return a;
	free(a);
	err_set(e, ERR_FAIL, "cannot start a thread: %s", strerror(rc));
	return NULL;
}

ptrdiff_t ahead_read(void *ahead, void *to, size_t n, struct err *e)
{
	struct ahead *a = ahead;
	struct piece *p = wait_for_piece(a);
	size_t left;

	if (p->n < 0) {
		err_move(e, &p->err);
		return -1;
	}
	left = (size_t)p->n - a->at;
	if (n > left)
		n = left;
	memcpy(to, p->bytes + a->at, n);
	a->at += n;
	/* The last piece stays: who asks again hears again that this is the end. */
	if (a->at == PIECE) {
		a->at = 0;
		count(a, &a->taken);
	}
	return (ptrdiff_t)n;
}

void ahead_close(struct ahead *a)
{
	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	a->closing = true;
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->lock);
	pthread_join(a->thread, NULL);
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->lock);
	for (size_t i = 0; i < PIECES; i++)
		err_release(&a->ring[i].err);
	free(a);
}
