#include "solver/index_open.h"

#include "base/log.h"
#include "base/work.h"
#include "solver/index_image.h"
#include "solver/shards.h"

#include <stdlib.h>

/* One index of a channel, and whether its index file is to be made anew. */
struct source {
	struct index_request *from;
	unsigned position;
	struct image *image; /* until it is the index's */
	size_t number;       /* in the index */
	bool stale, damaged; /* damaged: the cache's copy */
};

struct opening {
	struct arena arena;
	const struct solve_request *request;
	struct index_request *requests; /* two a channel: its own subdir, and noarch */
	size_t n_requests;
	struct index *ix;
	struct source *sources;
	size_t n_sources;
	bool fetched, images;
};

struct opening *opening_new(const struct solve_request *r)
{
	struct opening *o = xcalloc(1, sizeof *o);

	o->request = r;
	o->n_requests = 2 * r->n_channels;
	o->requests = arena_array(&o->arena, struct index_request, o->n_requests);
	o->sources = arena_array(&o->arena, struct source, o->n_requests);
	return o;
}

void opening_free(struct opening *o)
{
	if (!o)
		return;
	opening_close(o);
	shards_free_lists(o->requests, o->n_requests);
	arena_release(&o->arena);
	free(o);
}

/* Shards first, then whoever has none. */
static int fetch(struct opening *o, struct err *e)
{
	const struct solve_request *r = o->request;
	const struct shards_options how = {r->http, r->cache_dir, r->offline};

	shards_free_lists(o->requests, o->n_requests);
	for (size_t i = 0; i < r->n_channels; i++) {
		o->requests[2 * i] = (struct index_request){&r->channels[i], r->subdir, {0}};
		o->requests[2 * i + 1] =
			(struct index_request){&r->channels[i], STR("noarch"), {0}};
	}
	if (shards_open_lists(&o->arena, &how, o->requests, o->n_requests, e) < 0)
		return -1;
	return channel_fetch_indexes(
		&o->arena, r->http, r->cache_dir, r->offline, o->requests, o->n_requests, e);
}

/* --- opening ------------------------------------------------------------------------------ */

static int no_index(const struct index_request *requests, struct err *e)
{
	const struct channel *channel = requests[0].channel;

	err_set(e, ERR_NETWORK, "no index in channel '%.*s' for %.*s or noarch (%.*s)",
		STR_ARG(channel->name), STR_ARG(requests[0].subdir), STR_ARG(channel->url));
	return err_advise(e, "check the channel's name; a folder of packages becomes a channel by "
			     "`envbuild channel index DIR`");
}

static int list_sources(struct opening *o, struct err *e)
{
	o->n_sources = 0;
	for (size_t i = 0; i < o->n_requests; i += 2) {
		size_t before = o->n_sources;

		for (size_t k = i; k < i + 2; k++) {
			if (!(o->requests[k].file.path || o->requests[k].file.shards) ||
				(k > i && str_is(o->request->subdir, "noarch")))
				continue;
			o->sources[o->n_sources++] = (struct source){
				.from = &o->requests[k], .position = (unsigned)(i / 2)};
		}
		if (o->n_sources == before)
			return no_index(&o->requests[i], e);
	}
	return 0;
}

static void open_image(const struct opening *o, struct source *source)
{
	const struct index_file *file = &source->from->file;
	struct err why = {0};

	if (!file->image || file->groups || file->shards || !o->images)
		return;
	source->image = image_open(file->image, file->key, &why);
	if (!source->image)
		log_debug("%s: reading '%s'", why.text, file->path);
	err_release(&why);
}

static bool needs_reading(const struct source *source)
{
	const struct index_file *file = &source->from->file;

	return !source->image && !file->groups && !file->shards;
}

/* A file of the channel, or the cache's copy, where there is no index file of it. */
static int read_file(void *ctx, size_t i, struct err *e)
{
	struct source *source = ((struct source **)ctx)[i];
	struct index_file *file = &source->from->file;

	file->groups =
		groups_read_file(file->path, file->name, file->kept ? file->sha256 : NULL, e);
	if (file->groups)
		return 0;
	source->damaged = file->kept;
	return err_wrap(
		e, "cannot read the index of channel '%.*s'", STR_ARG(source->from->channel->name));
}

static int add_source(struct opening *o, struct source *source, struct err *e)
{
	const struct index_request *from = source->from;
	struct groups *groups = from->file.groups;
	struct image *image = source->image;

	source->number = o->ix->sources.n;
	if (from->file.shards)
		return index_add_shards(
			o->ix, from->file.shards, from->channel, source->position, from->subdir, e);
	source->stale = !image && from->file.image;
	source->from->file.groups = NULL;
	source->image = NULL;
	if (image)
		return index_add_image(
			o->ix, image, from->channel, source->position, from->subdir, e);
	return index_add_groups(o->ix, groups, from->channel, source->position, from->subdir, e);
}

static int open_sources(struct opening *o, struct err *e)
{
	struct source **to_read = arena_array(&o->arena, struct source *, o->n_requests);
	size_t n_to_read = 0;

	if (list_sources(o, e) < 0)
		return -1;
	for (size_t i = 0; i < o->n_sources; i++)
		open_image(o, &o->sources[i]);
	for (size_t i = 0; i < o->n_sources; i++)
		if (needs_reading(&o->sources[i]))
			to_read[n_to_read++] = &o->sources[i];
	if (work_run(work_cores(), n_to_read, read_file, to_read, e) < 0)
		return -1;
	for (size_t i = 0; i < o->n_sources; i++)
		if (add_source(o, &o->sources[i], e) < 0)
			return -1;
	return 0;
}

void opening_close(struct opening *o)
{
	for (size_t i = 0; i < o->n_sources; i++) {
		image_close(o->sources[i].image);
		o->sources[i].image = NULL;
	}
	for (size_t i = 0; i < o->n_requests; i++) {
		groups_free(o->requests[i].file.groups);
		o->requests[i].file.groups = NULL;
	}
	index_free(o->ix);
	o->ix = NULL;
}

/* Is the cache's copy to blame?  Then it is forgotten, and the channel is asked again. */
static bool forget_damaged(struct opening *o)
{
	bool any = false;

	for (size_t i = 0; i < o->n_sources; i++) {
		if (!o->sources[i].damaged)
			continue;
		channel_forget_index(&o->arena, o->request->cache_dir, o->sources[i].from);
		any = true;
	}
	return any;
}

static int open_all(struct opening *o, struct err *e)
{
	if (!o->fetched && fetch(o, e) < 0)
		return -1;
	o->fetched = true;
	o->ix = index_new();
	return open_sources(o, e);
}

struct index *opening_open(struct opening *o, bool images, struct err *e)
{
	struct err first = {0};

	o->images = images;
	if (open_all(o, &first) == 0)
		return o->ix;
	opening_close(o);
	if (first.code != ERR_INTEGRITY || !forget_damaged(o)) {
		err_move(e, &first);
		return NULL;
	}
	log_debug("%s: asking the channel again", first.text);
	err_release(&first);
	o->fetched = false;
	return open_all(o, e) < 0 ? NULL : o->ix;
}

bool opening_has_images(const struct opening *o)
{
	for (size_t i = 0; i < o->n_sources; i++)
		if (o->sources[i].from->file.image && !o->sources[i].stale)
			return true;
	return false;
}

size_t opening_stale(const struct opening *o)
{
	size_t n = 0;

	for (size_t i = 0; i < o->n_sources; i++)
		n += o->sources[i].stale;
	return n;
}

/* That the next run will be slower is no reason to fail. */
static void keep(const struct opening *o, const struct source *source)
{
	const struct groups *groups = o->ix->sources.v[source->number]->groups;
	const struct index_file *file = &source->from->file;
	struct err why = {0};

	if (groups_write(groups, file->image, file->key, &why) < 0)
		log_debug("no index file is kept: %s", why.text);
	err_release(&why);
}

void opening_keep(const struct opening *o, size_t i)
{
	for (size_t k = 0; k < o->n_sources; k++)
		if (o->sources[k].stale && i-- == 0) {
			keep(o, &o->sources[k]);
			return;
		}
}
