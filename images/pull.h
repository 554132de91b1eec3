/*
 * Images from a registry: reference -> manifest -> configuration -> layers -> images/import.h.
 *
 * The layers are not fetched where the store has their tree already, as the configuration's diff_ids
 * tell.  What the name stands for is kept with the digest of what the reference named, so that the
 * same can be had again.
 */
#ifndef IMAGES_PULL_H
#define IMAGES_PULL_H

#include "base/http.h"
#include "images/import.h"

struct pull_request {
	struct import_request import; /* but for `origin` */
	struct http *http;
	const char *reference; /* as images/reference.h reads it */
	struct str subdir;     /* whose machine it is for, where it has images for several */
	bool plain_http;       /* for registries of other machines, too */
	const char *work;      /* an empty folder for the layers, which the caller removes */
};

/* *was_there: no layer had to be fetched. */
int image_pull(struct arena *a, const struct pull_request *r, struct image *out, bool *was_there,
	struct err *e);

#endif
