/*
 * Engines `podman` and `docker`: the same jobs in containers that these programs make
 * (docs/design/engines.md).
 */
#ifndef IMAGES_CONTAINER_H
#define IMAGES_CONTAINER_H

#include "images/engine_ops.h"

/* container_args.c: the command line of one job in a container of this name; dir is bound at INSIDE. */
const char *const *container_argv(const struct engine *en, struct arena *a, const struct plan *plan,
	const struct job *job, const char *name, const char *dir);
/* Does the tool bring the GPU by itself?  Else device and files are passed one by one. */
bool container_brings_gpu(const struct engine *en);
/* Can the tool's options hold such paths in an overlay? */
bool container_takes_overlays(const struct engine *en, const struct job *job);

/*
 * container_image.c: docker runs images only, so the root becomes one, once: envbuild/root:HEX, of
 * the image's digest or of what the folder's metadata say.  Sets en->image.
 */
int container_image(struct engine *en, struct err *e);

/* container_check.c: is the program there, does its service answer, what does it know?  Sets
 * maps_user, knows_gpu, bounds_tasks. */
int container_check(struct engine *en, struct err *e);
/* The tool's own words as an error, with what to do about the known ones. */
int container_refused(const struct engine *en, struct str words, struct err *e);
/* Runs the tool with these words: what it prints, or -1 with its own message. */
int container_ask(const struct engine *en, struct arena *a, const char *const *words,
	struct str *answer, struct err *e);

#endif
