#include "cli/image_root.h"

#include "base/file.h"

static bool is_folder_name(const char *word)
{
	return strchr(word, '/') || !strcmp(word, ".") || !strcmp(word, "..");
}

/* 1, 0 where no image has that name, or -1. */
static int take_image(
	struct session *s, const char *name, struct engine_options *options, struct err *e)
{
	struct store store;
	struct image image;
	int r = session_store(s, &store, e), held;

	if (r == 0)
		r = store_find(&s->arena, &store, name, &image, e);
	if (r <= 0)
		return r;
	held = store_hold(&image, e);
	if (held < 0)
		return -1;
	*VEC_PUSH(&s->arena, &s->held) = held;
	options->root = image.root;
	options->digest = arena_cstr(&s->arena, image.digest);
	return 1;
}

static int take_word(
	struct session *s, const char *word, struct engine_options *options, struct err *e)
{
	int r = is_folder_name(word) ? 0 : take_image(s, word, options, e);

	if (r)
		return r;
	options->root = word;
	if (is_folder_name(word) || path_exists(word))
		return 1;
	err_set(e, ERR_USAGE, "there is neither an image nor a folder '%s'", word);
	return err_advise(e, "'envbuild image list' shows the images that there are");
}

int image_root(struct session *s, struct engine_options *options, struct err *e)
{
	const struct profile *p = options->profile;
	const char *word = s->line.options.image;

	if (word)
		return take_word(s, word, options, e);
	/* the engine has its own answer for these: the profile's folder, or "/" */
	if (p->root || p->host || (options->engine && !strcmp(options->engine, "none")))
		return 1;
	return take_image(s, arena_cstr(&s->arena, p->name), options, e);
}

const char *image_root_folder(const struct engine_options *options)
{
	return options->root ? options->root : options->profile->root;
}
