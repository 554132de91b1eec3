#include "images/docker_json.h"

#include "base/json.h"
#include "images/image_json.h"

enum { MAX_TAGS = 4096, MAX_TEXT = 4095 };

struct texts {
	struct str *v;
	size_t n, cap;
};

static int unexpected(struct json *j, enum json_type t, struct err *e, const char *what)
{
	return t == JSON_ERROR ? json_error(j, e) : json_fail(j, e, "%s", what);
}

static int take_text(
	struct arena *a, struct json *j, enum json_type t, struct str *out, struct err *e)
{
	struct str text = t == JSON_STRING ? json_text(j) : (struct str){0};

	if (t != JSON_STRING || text.n == 0 || text.n > MAX_TEXT || memchr(text.p, 0, text.n))
		return unexpected(j, t, e, "a text was expected");
	*out = arena_str(a, text);
	return 0;
}

/* null stands for an empty list. */
static int take_texts(
	struct arena *a, struct json *j, size_t max, struct str **out, size_t *n, struct err *e)
{
	struct texts list = {0};
	enum json_type t = json_next(j);

	if (t != JSON_NULL && t != JSON_ARRAY)
		return unexpected(j, t, e, "a list was expected");
	while (t != JSON_NULL && (t = json_next(j)) != JSON_ARRAY_END) {
		if (list.n >= max)
			return json_fail(j, e, "more than %zu of them", max);
		if (take_text(a, j, t, VEC_PUSH(a, &list), e) < 0)
			return -1;
	}
	*out = list.v;
	*n = list.n;
	return 0;
}

static int take_image(struct arena *a, struct json *j, struct docker_image *out, struct err *e)
{
	enum json_type t;

	while ((t = json_next(j)) == JSON_KEY) {
		struct str key = json_text(j);
		int r;

		if (str_is(key, "Config"))
			r = take_text(a, j, json_next(j), &out->config, e);
		else if (str_is(key, "RepoTags"))
			r = take_texts(a, j, MAX_TAGS, &out->tags, &out->n_tags, e);
		else if (str_is(key, "Layers"))
			r = take_texts(a, j, OCI_LAYERS_MAX, &out->layers, &out->n_layers, e);
		else
			r = json_skip(j) < 0 ? json_error(j, e) : 0;
		if (r < 0)
			return -1;
	}
	if (t == JSON_ERROR)
		return json_error(j, e);
	if (out->config.n == 0 || out->n_layers == 0)
		return json_fail(j, e, "an image without %s", out->config.n ? "Layers" : "Config");
	return 0;
}

static int take_images(
	struct arena *a, struct json *j, struct docker_image **out, size_t *n, struct err *e)
{
	struct {
		struct docker_image *v;
		size_t n, cap;
	} list = {0};
	enum json_type t = json_next(j);

	if (t != JSON_ARRAY)
		return unexpected(j, t, e, "no list of images as 'docker save' writes it");
	while ((t = json_next(j)) == JSON_OBJECT) {
		struct docker_image *image;

		if (list.n >= DOCKER_IMAGES_MAX)
			return json_fail(j, e, "more than %d images", DOCKER_IMAGES_MAX);
		image = VEC_PUSH(a, &list);
		*image = (struct docker_image){0};
		if (take_image(a, j, image, e) < 0)
			return -1;
	}
	if (t != JSON_ARRAY_END || (t = json_next(j)) != JSON_END)
		return unexpected(j, t, e, "an image was expected");
	if (list.n == 0)
		return json_fail(j, e, "it names no image");
	*out = list.v;
	*n = list.n;
	return 0;
}

int docker_manifest_parse(struct arena *a, const char *name, struct str text,
	struct docker_image **out, size_t *n, struct err *e)
{
	struct json *j = json_open_text(text, name);
	int r = take_images(a, j, out, n, e);

	json_close(j);
	return r;
}
