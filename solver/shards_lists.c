/* Which channels have their index in shards: their lists, asked for, revalidated, or read in place. */
#include "solver/shards.h"

#include "base/file.h"
#include "base/log.h"
#include "solver/shards_cache.h"

enum { MAX_LIST_PACKED = 32 << 20 };
#define LIST_NAME "repodata_shards.msgpack.zst"

/* One list on its way. */
struct job {
	const struct shards_options *o;
	struct index_request *r;
	struct list_entry entry;
	struct buf body;
	bool fresh; /* ask without a condition: what is here is damaged */
	bool ended;
};

static int wrap(const struct job *j, struct err *e)
{
	return err_wrap(e, "cannot read the index of channel '%.*s'", STR_ARG(j->r->channel->name));
}

static int open_file(struct job *j, const char *path, struct err *e)
{
	return shards_open_file(j->o, j->r, j->entry.url, path, &j->r->file.shards, e);
}

/* --- file:// channels ---------------------------------------------------------------------- */

static bool is_older(const struct stat *a, const struct stat *b)
{
	return a->st_mtim.tv_sec != b->st_mtim.tv_sec ? a->st_mtim.tv_sec < b->st_mtim.tv_sec
						      : a->st_mtim.tv_nsec < b->st_mtim.tv_nsec;
}

/* An older list is what somebody has left who then indexed the folder by other means. */
static int open_local(struct arena *a, struct job *j, const char *channel_dir, struct err *e)
{
	static const char *const endings[] = {"", ".zst", ".bz2"};
	char *dir = path_join(a, channel_dir, arena_cstr(a, j->r->subdir));
	char *path = path_join(a, dir, LIST_NAME);
	struct stat list, other;

	j->ended = true;
	if (stat(path, &list) < 0 || !S_ISREG(list.st_mode))
		return 0;
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
		if (stat(arena_printf(a, "%s/repodata.json%s", dir, endings[i]), &other) == 0 &&
			is_older(&list, &other))
			return 0;
	return open_file(j, path, e) < 0 ? wrap(j, e) : 0;
}

/* --- http(s) channels ---------------------------------------------------------------------- */

/* What is in the cache has been read before it was put there. */
static void use_cache(struct job *j)
{
	struct err why = {0};

	j->ended = true;
	if (!j->entry.whole || open_file(j, j->entry.path, &why) >= 0)
		return;
	log_debug("%s: asking again", why.text);
	err_release(&why);
	j->ended = j->o->offline;
	j->fresh = true;
}

static int write_body(void *ctx, const void *p, size_t n, struct err *e)
{
	struct job *j = ctx;

	(void)e;
	buf_add(&j->body, p, n);
	return 0;
}

static int restart_body(void *ctx, struct err *e)
{
	struct job *j = ctx;

	(void)e;
	buf_clear(&j->body);
	return 0;
}

static struct http_request request_of(struct arena *a, struct job *j)
{
	char *dir = url_join(a, j->r->channel->fetch_url, arena_cstr(a, j->r->subdir));
	struct http_request r = {
		.url = url_join(a, dir, LIST_NAME),
		.write = write_body,
		.restart = restart_body,
		.ctx = j,
		.max_bytes = MAX_LIST_PACKED,
		.allow_missing = true,
		.allow_refused = true,
	};

	buf_clear(&j->body);
	if (j->entry.whole && !j->fresh && j->entry.etag.n)
		r.if_none_match = arena_cstr(a, j->entry.etag);
	if (j->entry.whole && !j->fresh && j->entry.last_modified.n)
		r.if_modified_since = arena_cstr(a, j->entry.last_modified);
	return r;
}

/*
 * A body: 0 where it is taken, or where it is none, as the page that some servers send for whatever
 * they do not have; the channel's other index will tell.
 */
static int take_body(struct job *j, const struct http_request *r, struct err *e)
{
	struct shards **out = &j->r->file.shards;
	int rc;

	j->ended = true;
	if (!str_starts(buf_view(&j->body), STR("\x28\xb5\x2f\xfd"))) {
		log_debug("'%s' is no zstd file", j->entry.url);
		return 0;
	}
	rc = shards_open_packed(j->o, j->r, j->entry.url, buf_view(&j->body), out, e);
	if (rc < 0)
		return -1;
	if (rc == 1) /* a version that is not for us */
		return list_entry_store_missing(&j->entry, e);
	return list_entry_store(&j->entry, shards_list_bytes(*out), r->etag, r->last_modified, e);
}

static int take_answer(
	struct job *j, struct http *http, const struct http_request *r, struct err *e)
{
	struct err why = {0};

	if (r->status == 304) {
		use_cache(j);
		return 0;
	}
	if (r->status != 200) {
		j->ended = true;
		/* What is refused today may be there tomorrow, with a password. */
		return r->status == 404 ? list_entry_store_missing(&j->entry, e) : 0;
	}
	if (take_body(j, r, &why) == 0)
		return 0;
	if (why.code != ERR_INTEGRITY || j->fresh) {
		err_move(e, &why);
		return wrap(j, e);
	}
	log_debug("%s: asking again", why.text);
	err_release(&why);
	http_distrust(http, r->from);
	j->fresh = true;
	j->ended = false;
	return 0;
}

static int fail_round(
	struct job *const *jobs, const struct http_request *v, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (!v[i].failed)
			continue;
		wrap(jobs[i], e);
		if (e && e->code == ERR_NETWORK)
			err_advise(e, "is the network up? `make demo` builds a local demo channel "
				      "to try envbuild without one; --offline uses what the cache "
				      "has");
	}
	return -1;
}

static int fetch_all(struct arena *a, struct http *http, struct job *jobs, size_t n, struct err *e)
{
	struct http_request *v = arena_array(a, struct http_request, n);
	struct job **asked = arena_array(a, struct job *, n);

	for (;;) {
		size_t k = 0;

		for (size_t i = 0; i < n; i++) {
			if (jobs[i].ended)
				continue;
			asked[k] = &jobs[i];
			v[k++] = request_of(a, &jobs[i]);
		}
		if (k == 0)
			return 0;
		if (http_fetch(http, v, k, e) < 0)
			return fail_round(asked, v, k, e);
		for (size_t i = 0; i < k; i++)
			if (take_answer(asked[i], http, &v[i], e) < 0)
				return -1;
	}
}

/* --- both ---------------------------------------------------------------------------------- */

static int begin(struct arena *a, struct job *j, struct err *e)
{
	char *dir = path_of_url(a, j->r->channel->fetch_url);
	char *url = url_join(a, arena_cstr(a, j->r->channel->url), arena_cstr(a, j->r->subdir));

	j->r->file.shards = NULL;
	j->entry.url = url_join(a, url, LIST_NAME);
	if (dir)
		return open_local(a, j, dir, e);
	if (list_entry_load(a, j->o->cache_dir, j->entry.url, &j->entry, e) < 0)
		return -1;
	if (j->o->offline)
		use_cache(j);
	else
		j->ended = j->entry.missing;
	return 0;
}

int shards_open_lists(struct arena *a, const struct shards_options *options,
	struct index_request *requests, size_t n, struct err *e)
{
	struct job *jobs = arena_array(a, struct job, n);
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		jobs[i] = (struct job){.o = options, .r = &requests[i]};
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = begin(a, &jobs[i], e);
	if (rc == 0)
		rc = fetch_all(a, options->http, jobs, n, e);
	for (size_t i = 0; i < n; i++)
		buf_release(&jobs[i].body);
	if (rc < 0)
		shards_free_lists(requests, n);
	return rc;
}

void shards_free_lists(struct index_request *requests, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		shards_free(requests[i].file.shards);
		requests[i].file.shards = NULL;
	}
}
