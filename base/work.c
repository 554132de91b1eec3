#include "base/work.h"

#include "base/arena.h"
#include "base/interrupt.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

struct work {
	size_t n;
	work_fn *fn;
	void *ctx;
	atomic_size_t next;
	atomic_bool stop;
	pthread_mutex_t lock; /* of what follows */
	size_t failed;        /* lowest failed item; n: none */
	struct err err;
};

static void note_failure(struct work *w, size_t i, struct err *e)
{
	atomic_store(&w->stop, true);
	pthread_mutex_lock(&w->lock);
	if (i < w->failed) {
		w->failed = i;
		err_move(&w->err, e);
	}
	pthread_mutex_unlock(&w->lock);
	err_release(e);
}

/*
 * Items are taken in rising order and one that was taken is carried out, so every item below a
 * failed one runs to its end: the lowest failure is the same however the threads are timed.
 */
static void *work_thread(void *arg)
{
	struct work *w = arg;

	while (!atomic_load(&w->stop)) {
		size_t i = atomic_fetch_add(&w->next, 1);
		struct err e = {0};

		if (i >= w->n)
			break;
		if (interrupt_check(&e) < 0 || w->fn(w->ctx, i, &e) < 0)
			note_failure(w, i, &e);
	}
	return NULL;
}

int work_run(unsigned jobs, size_t n, work_fn *fn, void *ctx, struct err *e)
{
	struct work w = {.n = n, .fn = fn, .ctx = ctx, .failed = n};
	pthread_t *threads;
	unsigned started = 0;

	if (jobs < 1)
		jobs = 1;
	if (jobs > n)
		jobs = n ? (unsigned)n : 1;
	threads = xcalloc(jobs, sizeof *threads);
	pthread_mutex_init(&w.lock, NULL);
	/* This thread works too; where no more threads can be had, fewer do. */
	while (started + 1 < jobs && pthread_create(&threads[started], NULL, work_thread, &w) == 0)
		started++;
	work_thread(&w);
	while (started > 0)
		pthread_join(threads[--started], NULL);
	pthread_mutex_destroy(&w.lock);
	free(threads);
	return w.failed < n ? err_move(e, &w.err) : 0;
}

unsigned work_cores(void)
{
	cpu_set_t set;
	int n;

	if (sched_getaffinity(0, sizeof set, &set) < 0)
		return 1;
	n = CPU_COUNT(&set);
	return n > 0 ? (unsigned)n : 1;
}
