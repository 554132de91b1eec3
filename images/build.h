/*
 * Images from Dockerfiles, built by buildah, podman or docker.
 *
 * The tool runs as a program, as the user would run it: with its own storage, configuration and logins.
 * What it has built goes through an archive into the store (images/import.h) and is taken out of its
 * storage again; the base image stays there.
 */
#ifndef IMAGES_BUILD_H
#define IMAGES_BUILD_H

#include "images/import.h"

struct build_request {
	struct import_request
		import;         /* but for `origin`; its profile is needed unless dockerfile is */
	const char *dockerfile; /* NULL: the profile's; "Dockerfiles/..." of a shipped one is in
				       * the program, of another it is relative to the profile's file */
	const char *tool;       /* "buildah", "podman", "docker"; NULL: the first of these that
				       * works here */
	unsigned timeout_s;     /* of the build; 0: none */
	const char *work;       /* an empty folder, which the caller removes */
};

/* ERR_SCRIPT: the build failed, and its output says why. */
int image_build(struct arena *a, const struct build_request *r, struct image *out, bool *was_there,
	struct err *e);

#endif
