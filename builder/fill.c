/*
 * cache_fill: one thread downloads, others extract what comes while it comes; local packages are
 * read in place.  Finished ones are published in groups, so that the disk is synced a few times only
 * and a kill loses little.
 *
 * Every transfer that has begun has a thread that extracts it, but only as many as there are jobs
 * are at it at once, since a .conda takes 8 MB and more while it is extracted; the others wait, and
 * with them, when their pipes are full, their transfers.  They do not wait long: a transfer that
 * must be begun again could hold up the others, while these hold the connections that it needs.
 * For the same reason a transfer may always begin, unless files that have come whole are waiting.
 * What costs most, bzip2, is done by a crew of as many threads as there are jobs.
 */
#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/table.h"
#include "builder/entry.h"
#include "builder/fetch.h"
#include "builder/layer.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

static const uint64_t GROUP_BYTES = 256ull << 20;
enum { PIPE_BYTES = 1 << 20, WAIT_S = 3, LARGE_BLOCK = 256 << 10 };

struct item {
	const struct record *record;
	char *path; /* of the package file on this machine; NULL: it is fetched */
};

struct fill {
	struct cache *cache;
	struct http *http;
	struct arena *arena; /* under the lock once threads run */
	struct item *items;  /* the largest first */
	size_t n, n_local;
	struct bunzip_crew *crew;
	struct fetch *fetches;
	size_t n_fetches;
	struct step step;
	pthread_mutex_t lock;
	pthread_cond_t changed, turn;
	size_t at; /* items before it are taken, if they are local */
	struct {
		struct stream **v;
		size_t n, cap;
	} streams; /* that have been opened */
	size_t stream_at;
	size_t complete; /* of the streams: come whole, and not yet extracted */
	size_t jobs, busy;
	bool refused; /* a stream, for as long as `complete` is not less */
	struct {
		pthread_t *v;
		size_t n, cap;
	} threads;
	size_t idle;
	bool fetching, stop;
	struct {
		struct entry_draft *v;
		size_t n, cap;
	} drafts;
	uint64_t draft_bytes;
	struct err failed; /* the first; what comes of stopping the others is not of interest */
};

static void fail(struct fill *f, struct err *e)
{
	pthread_mutex_lock(&f->lock);
	if (!f->stop)
		err_move(&f->failed, e);
	f->stop = true;
	pthread_cond_broadcast(&f->changed);
	pthread_cond_broadcast(&f->turn);
	pthread_mutex_unlock(&f->lock);
	err_release(e);
	http_wake(f->http);
}

/* --- publishing --------------------------------------------------------------------------- */

/* Takes what is finished, if it is enough (or all). */
static int publish(struct fill *f, uint64_t at_least, struct err *e)
{
	struct entry_draft *drafts = NULL;
	size_t n = 0;

	pthread_mutex_lock(&f->lock);
	if (f->draft_bytes >= at_least) {
		drafts = f->drafts.v;
		n = f->drafts.n;
		f->drafts.v = NULL;
		f->drafts.n = f->drafts.cap = 0;
		f->draft_bytes = 0;
	}
	pthread_mutex_unlock(&f->lock);
	return entry_publish(f->cache, drafts, n, e);
}

static void add_draft(struct fill *f, const struct entry_draft *d)
{
	pthread_mutex_lock(&f->lock);
	struct entry_draft *to = VEC_PUSH(f->arena, &f->drafts);
	*to = *d;
	to->dir = arena_strdup(f->arena, d->dir);
	f->draft_bytes += d->bytes;
	pthread_mutex_unlock(&f->lock);
}

/* --- extraction --------------------------------------------------------------------------- */

static int finish(struct fill *f, const struct entry_draft *draft, uint64_t bytes, struct err *e)
{
	add_draft(f, draft);
	step_tick(&f->step, 1, bytes);
	return publish(f, GROUP_BYTES, e);
}

static int extract_local(struct fill *f, const struct item *item, struct err *e)
{
	struct arena a = {0};
	struct entry_draft draft;
	int rc = entry_make(&a, f->cache, item->record, item->path, f->crew, &draft, e);

	if (rc == 0)
		rc = finish(f, &draft, item->record->size, e);
	arena_release(&a);
	return rc;
}

/* Waits until few enough are at work, or long enough. */
static void begin_work(struct fill *f)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	pthread_mutex_lock(&f->lock);
	while (f->busy >= f->jobs && !f->stop)
		if (pthread_cond_timedwait(&f->turn, &f->lock, &until) != 0)
			break;
	f->busy++;
	pthread_mutex_unlock(&f->lock);
}

static void end_work(struct fill *f, bool complete)
{
	pthread_mutex_lock(&f->lock);
	f->busy--;
	pthread_cond_signal(&f->turn);
	f->complete -= complete;
	bool wake = f->refused && f->complete < f->jobs;
	f->refused = f->refused && !wake;
	pthread_mutex_unlock(&f->lock);
	if (wake)
		http_wake(f->http);
}

/* What came of a transfer that was broken off is dropped; why it was, the other end says. */
static int extract_stream(struct fill *f, struct stream *s, struct err *e)
{
	struct arena a = {0};
	struct entry_draft draft;
	struct err failed = {0};
	const struct package_source from = {.read = pipe_read,
		.ctx = s->pipe,
		.size = s->record->size,
		.sums = &s->sums,
		.crew = f->crew};
	begin_work(f);
	int rc = entry_extract(&a, f->cache, s->record, &from, &draft, &failed);
	enum pipe_state state = pipe_state(s->pipe);

	end_work(f, state == PIPE_ENDED);
	if (state == PIPE_BROKEN) {
		if (rc == 0)
			dir_remove(draft.dir, NULL);
		err_release(&failed);
		rc = 0;
	} else if (rc == 0) {
		rc = finish(f, &draft, 0, e);
	} else {
		err_move(e, &failed);
	}
	pipe_leave(s->pipe);
	arena_release(&a);
	return rc;
}

/* The next stream or local item; false when there will be none. */
static bool take(struct fill *f, struct stream **stream, struct item **item)
{
	bool got = false;

	*stream = NULL;
	*item = NULL;
	pthread_mutex_lock(&f->lock);
	while (!f->stop && !got) {
		while (f->at < f->n && !f->items[f->at].path)
			f->at++;
		got = true;
		if (f->stream_at < f->streams.n) {
			*stream = f->streams.v[f->stream_at++];
		} else if (f->at < f->n) {
			*item = &f->items[f->at++];
		} else if (f->fetching) {
			got = false;
			f->idle++;
			pthread_cond_wait(&f->changed, &f->lock);
			f->idle--;
		} else {
			break;
		}
	}
	pthread_mutex_unlock(&f->lock);
	return *stream || *item;
}

static void *work_main(void *ctx)
{
	struct fill *f = ctx;
	struct stream *stream;
	struct item *item;

	while (take(f, &stream, &item)) {
		struct err e = {0};
		int rc = stream ? extract_stream(f, stream, &e) : interrupt_check(&e);
		if (rc == 0 && item)
			rc = extract_local(f, item, &e);
		if (rc < 0)
			fail(f, &e);
	}
	return NULL;
}

/* One more thread; under the lock. */
static bool start_thread(struct fill *f)
{
	pthread_t *t = VEC_PUSH(f->arena, &f->threads);

	if (pthread_create(t, NULL, work_main, f) == 0)
		return true;
	f->threads.n--;
	return false;
}

static void join_threads(struct fill *f)
{
	for (size_t i = 0;; i++) {
		pthread_mutex_lock(&f->lock);
		bool any = i < f->threads.n;
		pthread_t t = any ? f->threads.v[i] : pthread_self();
		pthread_mutex_unlock(&f->lock);
		if (!any)
			break;
		pthread_join(t, NULL);
	}
	/* Those that nobody took before all was stopped. */
	while (f->stream_at < f->streams.n)
		pipe_leave(f->streams.v[f->stream_at++]->pipe);
}

/* --- downloads ---------------------------------------------------------------------------- */

static void on_room(void *ctx)
{
	http_wake(((struct fill *)ctx)->http);
}

static struct stream *on_open(void *ctx, const struct record *r)
{
	struct fill *f = ctx;

	pthread_mutex_lock(&f->lock);
	f->refused = f->complete >= f->jobs;
	if (f->refused) {
		pthread_mutex_unlock(&f->lock);
		return NULL;
	}
	struct stream *s = arena_new(f->arena, struct stream);
	s->record = r;
	s->pipe = pipe_new(
		r->size && r->size < PIPE_BYTES ? (size_t)r->size : PIPE_BYTES, on_room, f);
	*VEC_PUSH(f->arena, &f->streams) = s;
	if (f->streams.n - f->stream_at > f->idle)
		start_thread(f); /* else one that is at work takes it later */
	pthread_cond_signal(&f->changed);
	pthread_mutex_unlock(&f->lock);
	return s;
}

static void on_complete(void *ctx)
{
	struct fill *f = ctx;

	pthread_mutex_lock(&f->lock);
	f->complete++;
	pthread_mutex_unlock(&f->lock);
}

static bool is_stopped(void *ctx)
{
	struct fill *f = ctx;

	pthread_mutex_lock(&f->lock);
	bool stop = f->stop;
	pthread_mutex_unlock(&f->lock);
	return stop;
}

static void *fetch_main(void *ctx)
{
	struct fill *f = ctx;
	struct err e = {0};

	if (fetch_all(f->http, f->fetches, f->n_fetches, &e) < 0)
		fail(f, &e);
	pthread_mutex_lock(&f->lock);
	f->fetching = false;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

/* --- the whole ---------------------------------------------------------------------------- */

static int plan_item(struct fill *f, const struct record *r, struct err *e)
{
	if (!path_is_safe(r->fn) || str_chr(r->fn, '/') >= 0)
		return err_set(e, ERR_INTEGRITY, "unsafe file name '%.*s'", STR_ARG(r->fn));
	struct item *item = &f->items[f->n++];
	item->record = r;
	item->path = path_of_url(f->arena, arena_cstr(f->arena, r->url));
	f->n_local += item->path != NULL;
	return 0;
}

static int larger_first(const void *a, const void *b)
{
	const struct record *x = ((const struct item *)a)->record,
			    *y = ((const struct item *)b)->record;

	if (x->size != y->size)
		return x->size < y->size ? 1 : -1;
	return str_cmp(x->url, y->url);
}

/* What is missing, each package once. */
static int plan(
	struct fill *f, struct record *const *records, size_t n, uint64_t *bytes, struct err *e)
{
	struct table seen = {.arena = f->arena};

	f->items = arena_array(f->arena, struct item, n);
	f->fetches = arena_array(f->arena, struct fetch, n);
	for (size_t i = 0; i < n; i++) {
		union table_value *v = table_put(&seen, records[i]->url);
		if (v->num++ || entry_usable(f->cache, records[i]))
			continue;
		if (plan_item(f, records[i], e) < 0)
			return -1;
		*bytes += records[i]->size;
	}
	qsort(f->items, f->n, sizeof *f->items, larger_first);
	for (size_t i = 0; i < f->n; i++)
		if (!f->items[i].path)
			f->fetches[f->n_fetches++] = (struct fetch){.record = f->items[i].record,
				.open = on_open,
				.complete = on_complete,
				.stopped = is_stopped,
				.ctx = f,
				.step = &f->step};
	return 0;
}

static bool any_bzip2(const struct fill *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (str_ends(f->items[i].record->fn, STR(".bz2")))
			return true;
	return false;
}

static int run(struct fill *f, unsigned jobs, struct err *e)
{
	pthread_t fetcher;

	f->fetching = f->n_fetches > 0;
	if (f->fetching && pthread_create(&fetcher, NULL, fetch_main, f) != 0)
		return err_set(e, ERR_SYSTEM, "cannot start a thread");
	pthread_mutex_lock(&f->lock);
	/* This thread works too; those that streams need are started with them. */
	for (size_t i = 1; i < jobs && i < f->n_local; i++)
		if (!start_thread(f))
			break;
	pthread_mutex_unlock(&f->lock);
	work_main(f);
	if (f->n_fetches > 0)
		pthread_join(fetcher, NULL);
	join_threads(f);
	int rc = f->failed.code != ERR_NONE ? err_move(e, &f->failed) : 0;
	/* What is whole is kept, also when something else failed. */
	if (publish(f, 0, rc < 0 ? NULL : e) < 0)
		rc = -1;
	return rc;
}

static int refuse_offline(const struct fill *f, struct err *e)
{
	const struct record *r = f->fetches[0].record;

	err_set(e, ERR_NETWORK, "package '%.*s' is not in the cache%s", STR_ARG(r->fn),
		f->n_fetches > 1 ? ", nor are others" : "");
	return err_advise(e, "run once without --offline, or with a channel on this machine");
}

int cache_fill(struct cache *c, struct http *http, struct record *const *records, size_t n,
	unsigned jobs, bool offline, struct err *e)
{
	struct arena a = {0};
	struct fill f = {.cache = c,
		.http = http,
		.arena = &a,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
		.turn = PTHREAD_COND_INITIALIZER,
		.jobs = jobs ? jobs : 1};
	uint64_t bytes = 0;

	/* Large blocks go back to the system at once; glibc's own limit rises when they are freed. */
	mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
	if (cache_fill_from_layers(c, records, n, jobs, e) < 0)
		return -1;
	int rc = plan(&f, records, n, &bytes, e);
	if (rc == 0 && offline && f.n_fetches)
		rc = refuse_offline(&f, e);
	if (rc == 0) {
		step_begin(&f.step, "fetch", f.n, bytes);
		f.crew = any_bzip2(&f) ? bunzip_crew_new(jobs) : NULL;
		rc = run(&f, jobs, e);
		bunzip_crew_free(f.crew);
		if (rc < 0)
			step_fail(&f.step);
		else if (f.n < n)
			step_end(&f.step, "%zu packages, %zu in the cache before", n, n - f.n);
		else
			step_end(&f.step, "%zu packages", n);
	}
	arena_release(&a);
	return rc;
}
