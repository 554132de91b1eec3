/* A solve over channels: their indexes, as index files where the cache has them. */
#include "solver/index.h"
#include "solver/universe.h"

#include "base/log.h"
#include "base/work.h"

/* One index of a channel, and whether its index file is to be made anew. */
struct source {
	const struct index_request *from;
	size_t number; /* in the index */
	bool stale;
};

struct solving {
	struct arena *a;
	const struct solve_request *request;
	struct index *ix;
	struct source *sources;
	size_t n_sources;
	bool distrust; /* read no index file */
	struct solution *out;
	int rc;
	struct err *err;
};

/* Two requests a channel: its own subdir, and noarch. */
static int fetch(struct arena *a, const struct solve_request *r, struct index_request *requests,
	struct err *e)
{
	for (size_t i = 0; i < r->n_channels; i++) {
		requests[2 * i] = (struct index_request){&r->channels[i], r->subdir, {0}};
		requests[2 * i + 1] = (struct index_request){&r->channels[i], STR("noarch"), {0}};
	}
	return channel_fetch_indexes(
		a, r->http, r->cache_dir, r->offline, requests, 2 * r->n_channels, e);
}

static bool add_image(struct solving *s, const struct index_request *from, unsigned position)
{
	const struct index_file *file = &from->file;
	struct err why = {0};
	bool added;

	if (!file->image || s->distrust)
		return false;
	added = index_add_image(s->ix, file->image, file->key, from->channel, position,
			from->subdir, &why) == 0;
	if (!added)
		log_debug("%s: reading '%s'", why.text, file->path);
	err_release(&why);
	return added;
}

static int add_source(
	struct solving *s, const struct index_request *from, unsigned position, struct err *e)
{
	struct source *source = &s->sources[s->n_sources];

	*source = (struct source){.from = from, .number = s->ix->sources.n};
	if (!add_image(s, from, position)) {
		source->stale = from->file.image != NULL;
		if (index_add_file(
			    s->ix, from->file.path, from->channel, position, from->subdir, e) < 0)
			return -1;
	}
	s->n_sources++;
	return 0;
}

static int add_channel(
	struct solving *s, const struct index_request *requests, unsigned position, struct err *e)
{
	const struct channel *channel = requests[0].channel;
	bool any = false;

	for (size_t i = 0; i < 2; i++) {
		if (!requests[i].file.path || (i == 1 && str_is(requests[0].subdir, "noarch")))
			continue;
		any = true;
		if (add_source(s, &requests[i], position, e) < 0)
			return -1;
	}
	if (any)
		return 0;
	err_set(e, ERR_NETWORK, "no index in channel '%.*s' for %.*s or noarch (%.*s)",
		STR_ARG(channel->name), STR_ARG(requests[0].subdir), STR_ARG(channel->url));
	return err_advise(e, "check the channel's name; a folder of packages becomes a channel by "
			     "`envbuild channel index DIR`");
}

/* That the next run will be slower is no reason to fail. */
static void make_image(const struct solving *s, const struct source *source)
{
	const struct index_file *file = &source->from->file;
	struct err why = {0};

	if (!source->stale)
		return;
	if (index_write_image(s->ix, source->number, file->image, file->key, &why) < 0)
		log_debug("no index file is kept: %s", why.text);
	err_release(&why);
}

/* Item 0 is the solve, the others make the index files that are missing: at the same time. */
static int work(void *ctx, size_t i, struct err *e)
{
	struct solving *s = ctx;

	(void)e;
	if (i == 0)
		s->rc = solve_index(s->a, s->request, s->ix, s->out, s->err);
	else
		make_image(s, &s->sources[i - 1]);
	return 0;
}

static int solve_once(struct solving *s, const struct index_request *requests, struct err *e)
{
	size_t n = s->request->n_channels;
	int rc = 0;

	s->ix = index_new();
	s->n_sources = 0;
	s->err = e;
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = add_channel(s, &requests[2 * i], (unsigned)i, e);
	if (rc == 0) {
		work_run(work_cores(), s->n_sources + 1, work, s, NULL);
		rc = s->rc;
	}
	index_free(s->ix);
	return rc;
}

static bool any_image(const struct solving *s)
{
	for (size_t i = 0; i < s->n_sources; i++)
		if (s->sources[i].from->file.image && !s->sources[i].stale)
			return true;
	return false;
}

int solve(struct arena *a, const struct solve_request *r, struct solution *out, struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	struct index_request *requests =
		arena_array(&scratch, struct index_request, 2 * r->n_channels);
	struct solving s = {.a = a, .request = r, .out = out};
	struct err first = {0};

	s.sources = arena_array(&scratch, struct source, 2 * r->n_channels);
	if (fetch(&scratch, r, requests, e) < 0)
		return -1;
	if (solve_once(&s, requests, &first) == 0)
		return 0;
	if (first.code != ERR_INTEGRITY || !any_image(&s)) {
		err_move(e, &first);
		return -1;
	}
	/* Damage within an index file shows where it is used. */
	log_debug("%s: reading the channels' own files", first.text);
	err_release(&first);
	s.distrust = true;
	return solve_once(&s, requests, e);
}
