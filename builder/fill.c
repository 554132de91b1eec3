/*
 * cache_fill: one thread downloads, the others extract what has come; local packages are read in
 * place.  Finished ones are published in groups, so that the disk is synced a few times only and a
 * kill loses little.
 */
#include "base/file.h"
#include "base/log.h"
#include "base/table.h"
#include "base/work.h"
#include "builder/entry.h"
#include "builder/fetch.h"

#include <pthread.h>

static const uint64_t GROUP_BYTES = 256ull << 20;

struct item {
	const struct record *record;
	char *path; /* of the package file */
	bool local;
};

struct fill {
	struct cache *cache;
	struct http *http;
	struct arena *arena; /* under the lock once threads run */
	struct item *items;
	size_t n;
	struct fetch *fetches;
	size_t n_fetches;
	struct step step;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t *queue, queue_n, queue_at; /* items that are on this disk */
	bool fetching, stop;
	struct {
		struct entry_draft *v;
		size_t n, cap;
	} drafts;
	uint64_t draft_bytes;
	struct err fetch_err;
};

/* --- downloads ---------------------------------------------------------------------------- */

static void push(struct fill *f, size_t i)
{
	pthread_mutex_lock(&f->lock);
	f->queue[f->queue_n++] = i;
	pthread_cond_signal(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

static void on_ready(void *ctx, struct fetch *fetch)
{
	struct fill *f = ctx;

	for (size_t i = 0; i < f->n; i++)
		if (f->items[i].record == fetch->record)
			push(f, i);
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

	fetch_all(f->http, f->fetches, f->n_fetches, &f->fetch_err);
	pthread_mutex_lock(&f->lock);
	f->fetching = false;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

/* --- extraction --------------------------------------------------------------------------- */

/* The next item that is here; NULL when there will be none. */
static struct item *take(struct fill *f)
{
	struct item *item = NULL;

	pthread_mutex_lock(&f->lock);
	while (!f->stop && f->queue_at == f->queue_n && f->fetching)
		pthread_cond_wait(&f->changed, &f->lock);
	if (!f->stop && f->queue_at < f->queue_n)
		item = &f->items[f->queue[f->queue_at++]];
	pthread_mutex_unlock(&f->lock);
	return item;
}

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

static void stop(struct fill *f)
{
	pthread_mutex_lock(&f->lock);
	f->stop = true;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

static int extract_next(void *ctx, size_t unused, struct err *e)
{
	struct fill *f = ctx;
	struct item *item = take(f);
	struct arena a = {0};
	struct entry_draft draft;

	(void)unused;
	if (!item)
		return 0;
	int rc = entry_make(&a, f->cache, item->record, item->path, item->local, &draft, e);
	if (rc == 0) {
		add_draft(f, &draft);
		step_tick(&f->step, 1, item->local ? item->record->size : 0);
		rc = publish(f, GROUP_BYTES, e);
	}
	if (!item->local)
		dir_remove(item->path, NULL);
	if (rc < 0)
		stop(f);
	arena_release(&a);
	return rc;
}

/* --- the whole ---------------------------------------------------------------------------- */

static int plan_item(struct fill *f, const struct record *r, const char *downloads, struct err *e)
{
	struct item *item = &f->items[f->n];
	char *local = path_of_url(f->arena, arena_cstr(f->arena, r->url));

	if (!path_is_safe(r->fn) || str_chr(r->fn, '/') >= 0)
		return err_set(e, ERR_INTEGRITY, "unsafe file name '%.*s'", STR_ARG(r->fn));
	*item = (struct item){.record = r, .path = local, .local = local != NULL};
	if (local) {
		f->queue[f->queue_n++] = f->n++;
		return 0;
	}
	item->path = arena_printf(f->arena, "%s/%zu-%.*s", downloads, f->n, STR_ARG(r->fn));
	f->fetches[f->n_fetches++] = (struct fetch){.record = r,
		.path = item->path,
		.ready = on_ready,
		.stopped = is_stopped,
		.ctx = f,
		.step = &f->step,
		.fd = -1};
	f->n++;
	return 0;
}

/* What is missing, each package once. */
static int plan(struct fill *f, struct record *const *records, size_t n, const char *downloads,
	uint64_t *bytes, struct err *e)
{
	struct table seen = {.arena = f->arena};

	f->items = arena_array(f->arena, struct item, n);
	f->fetches = arena_array(f->arena, struct fetch, n);
	f->queue = arena_array(f->arena, size_t, n);
	for (size_t i = 0; i < n; i++) {
		union table_value *v = table_put(&seen, records[i]->url);
		if (v->num++ || entry_usable(f->cache, records[i]))
			continue;
		if (plan_item(f, records[i], downloads, e) < 0)
			return -1;
		*bytes += records[i]->size;
	}
	return 0;
}

static int run(struct fill *f, unsigned jobs, struct err *e)
{
	pthread_t thread;
	bool started = false;

	f->fetching = f->n_fetches > 0;
	if (f->fetching) {
		if (pthread_create(&thread, NULL, fetch_main, f) != 0)
			return err_set(e, ERR_SYSTEM, "cannot start a thread");
		started = true;
	}
	int rc = work_run(jobs, f->n, extract_next, f, e);
	if (started)
		pthread_join(thread, NULL);
	if (rc == 0 && f->fetch_err.code != ERR_NONE)
		rc = err_move(e, &f->fetch_err);
	err_release(&f->fetch_err);
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
		.changed = PTHREAD_COND_INITIALIZER};
	uint64_t bytes = 0;
	char *downloads = dir_temp(&a, path_join(&a, c->dir, "tmp"), "fetch", e);
	int rc = downloads ? plan(&f, records, n, downloads, &bytes, e) : -1;

	if (rc == 0 && offline && f.n_fetches)
		rc = refuse_offline(&f, e);
	if (rc == 0) {
		step_begin(&f.step, "fetch", f.n, bytes);
		rc = run(&f, jobs, e);
		if (rc < 0)
			step_fail(&f.step);
		else if (f.n < n)
			step_end(&f.step, "%zu packages, %zu in the cache before", n, n - f.n);
		else
			step_end(&f.step, "%zu packages", n);
	}
	if (downloads)
		dir_remove(downloads, NULL);
	arena_release(&a);
	return rc;
}
