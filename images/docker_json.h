/*
 * manifest.json of what `docker save` writes (Docker image specification 1.2): a list of images, each
 * with the names of its parts in the archive.
 *
 *	[{"Config": "HEX.json", "RepoTags": ["a:1"], "Layers": ["HEX/layer.tar", ...]}]
 */
#ifndef IMAGES_DOCKER_JSON_H
#define IMAGES_DOCKER_JSON_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum { DOCKER_MANIFEST_MAX = 4 << 20, DOCKER_IMAGES_MAX = 4096 };

struct docker_image {
	struct str config;
	struct str *tags, *layers; /* layers: lowest first */
	size_t n_tags, n_layers;
};

/* ERR_INTEGRITY "NAME:LINE:COLUMN: reason" for what is no such list.  Slices lie in the arena. */
int docker_manifest_parse(struct arena *a, const char *name, struct str text,
	struct docker_image **out, size_t *n, struct err *e);

#endif
