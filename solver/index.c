#include "solver/index.h"

#include "base/http.h"
#include "solver/index_image.h"
#include "solver/shards.h"

#include <stdlib.h>

enum { SOURCES_MAX = 4096 };

struct index *index_new(void)
{
	return xcalloc(1, sizeof(struct index));
}

void index_free(struct index *ix)
{
	if (!ix)
		return;
	for (size_t i = 0; i < ix->sources.n; i++) {
		groups_free(ix->sources.v[i]->groups);
		image_close(ix->sources.v[i]->image);
	}
	arena_release(&ix->arena);
	free(ix);
}

/* --- adding ------------------------------------------------------------------------------- */

/* CEP 15: base_url is absolute, or relative to the folder of the index. */
static void take_base_url(struct index *ix, struct index_source *source, struct str text)
{
	struct arena *a = &ix->arena;
	const char *folder = arena_printf(a, "%.*s/", STR_ARG(source->base_url));
	const char *given = url_resolve(a, folder, text);

	if (given)
		source->base_url = str_of(given);
	while (str_ends(source->base_url, STR("/")))
		source->base_url.n--;
	source->base_url = arena_str(a, source->base_url);
}

static void add_source(struct index *ix, const struct index_source *from, struct str base_url)
{
	struct index_source *s = arena_new(&ix->arena, struct index_source);
	const struct channel *channel = from->channel;

	*s = *from;
	s->number = ix->sources.n;
	s->subdir = arena_str(&ix->arena, s->subdir);
	s->base_url =
		arena_strf(&ix->arena, "%.*s/%.*s", STR_ARG(channel->url), STR_ARG(s->subdir));
	if (base_url.n)
		take_base_url(ix, s, base_url);
	ix->n_records += s->n_records;
	*VEC_PUSH(&ix->arena, &ix->sources) = s;
}

static int check_room(const struct index *ix, struct err *e)
{
	if (ix->sources.n < SOURCES_MAX)
		return 0;
	return err_set(e, ERR_INPUT, "more than %d indexes", (int)SOURCES_MAX);
}

int index_add_groups(struct index *ix, struct groups *groups, const struct channel *channel,
	unsigned position, struct str subdir, struct err *e)
{
	const struct index_source s = {.channel = channel,
		.position = position,
		.subdir = subdir,
		.groups = groups,
		.n_records = groups_records(groups)};

	if (check_room(ix, e) < 0) {
		groups_free(groups);
		return -1;
	}
	add_source(ix, &s, groups_base_url(groups));
	return 0;
}

int index_add_image(struct index *ix, struct image *image, const struct channel *channel,
	unsigned position, struct str subdir, struct err *e)
{
	const struct index_source s = {.channel = channel,
		.position = position,
		.subdir = subdir,
		.image = image,
		.n_records = image_records(image)};
	struct str base_url;

	if (check_room(ix, e) < 0 || image_base_url(image, &base_url, e) < 0) {
		image_close(image);
		return -1;
	}
	add_source(ix, &s, base_url);
	return 0;
}

int index_add_shards(struct index *ix, struct shards *shards, const struct channel *channel,
	unsigned position, struct str subdir, struct err *e)
{
	const struct index_source s = {
		.channel = channel, .position = position, .subdir = subdir, .shards = shards};

	if (check_room(ix, e) < 0)
		return -1;
	add_source(ix, &s, shards_packages_url(shards));
	return 0;
}

int index_add_file(struct index *ix, const char *path, const struct channel *channel,
	unsigned position, struct str subdir, struct err *e)
{
	char *name = arena_printf(&ix->arena, "index of channel '%.*s', %.*s/repodata.json",
		STR_ARG(channel->name), STR_ARG(subdir));
	struct groups *groups = groups_read_file(path, name, NULL, e);

	return groups ? index_add_groups(ix, groups, channel, position, subdir, e) : -1;
}

/* --- asking ------------------------------------------------------------------------------- */

static int wrap(const struct index_source *s, struct err *e)
{
	return err_wrap(
		e, "index of channel '%.*s', %.*s", STR_ARG(s->channel->name), STR_ARG(s->subdir));
}

int index_group(const struct index *ix, size_t source, struct str name, struct index_group *out,
	struct err *e)
{
	struct index_source *s = ix->sources.v[source];
	int rc = s->shards   ? shards_group(s->shards, name, out, e)
		 : s->groups ? groups_find(s->groups, name, out, e)
			     : image_group(s->image, name, out, e);

	return rc < 0 && !s->shards ? wrap(s, e) : rc;
}

int index_spec(
	const struct index *ix, size_t source, uint32_t number, struct str *out, struct err *e)
{
	struct index_source *s = ix->sources.v[source];

	if (s->image)
		return image_spec(s->image, number, out, e) < 0 ? wrap(s, e) : 0;
	*out = s->shards ? shards_spec(s->shards, number) : groups_spec(s->groups, number);
	return 0;
}

static void each_name_of_shards(const struct shards *s, index_visitor *fn, void *ctx)
{
	for (size_t i = 0; i < shards_names(s); i++)
		fn(ctx, shards_name_at(s, i));
}

static void each_name_of(struct image *m, index_visitor *fn, void *ctx)
{
	struct str name;

	for (size_t i = 0; i < image_names(m); i++)
		if (image_name_at(m, i, &name, NULL) == 0)
			fn(ctx, name);
}

void index_each_name(const struct index *ix, index_visitor *fn, void *ctx)
{
	for (size_t k = 0; k < ix->sources.n; k++) {
		const struct groups *g = ix->sources.v[k]->groups;

		for (size_t i = 0; g && i < groups_names(g); i++)
			fn(ctx, groups_name_at(g, i));
		if (ix->sources.v[k]->image)
			each_name_of(ix->sources.v[k]->image, fn, ctx);
		if (ix->sources.v[k]->shards)
			each_name_of_shards(ix->sources.v[k]->shards, fn, ctx);
	}
}

struct str index_url(struct arena *a, const struct index_source *source, struct str fn)
{
	/* A channel's base_url is the channel's to write, but nothing secret enters a lock. */
	return str_of(
		http_redact(a, url_join(a, arena_cstr(a, source->base_url), url_encode(a, fn))));
}
