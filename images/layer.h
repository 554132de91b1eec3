/*
 * Applying the layers of a container image to a root folder, lowest first (OCI image specification
 * 1.1, "Image Layer Filesystem Changeset").
 *
 *	struct layering l = {.root_fd = fd, .max_bytes = ..., .max_entries = ...};
 *	layer_apply(&l, read, ctx, name, &e) == 0        for each layer
 *
 * A layer is a tar (plain or compressed) whose names are hostile until checked.  An entry replaces
 * what stands at its path, but a folder adds to a folder.  A symlink in the path of an entry is
 * resolved as a process with that root would: "bin -> usr/bin" and then "bin/foo" makes usr/bin/foo.
 * Nothing outside the root is ever touched.
 *
 *   .wh.NAME        takes NAME of lower layers away, never what the same layer brings, whatever the
 *                   order of the two
 *   .wh..wh..opq    takes away all that lower layers have in that folder
 *   .wh..wh.*       marks of old drivers: passed over
 *
 * What a user can keep stays: types, permissions with the sticky bit, times, hard links.  All belongs
 * to the caller, who can read, change and remove it (u+rw, folders u+rwx); setuid and setgid bits
 * and extended attributes are dropped; devices, fifos and sockets are left out.
 *
 * ERR_INTEGRITY names the member: a name with "..", an absolute or too long one, a path through a
 * file, a hard link to what is not there, more than the limits allow.
 */
#ifndef IMAGES_LAYER_H
#define IMAGES_LAYER_H

#include "base/archive.h"

enum { LAYER_DEPTH_MAX = 256 }; /* components of a path */

struct layering {
	int root_fd;
	uint64_t max_bytes, max_entries; /* of all layers; what is reached is an error */
	uint64_t bytes, entries;         /* so far */
	uint64_t left_out;               /* devices, fifos, sockets */
	size_t n_layers;                 /* applied so far */
};

/* name stands in errors.  The tar's end is where it says so: what follows it is not read. */
int layer_apply(struct layering *l, stream_read *read, void *ctx, const char *name, struct err *e);

#endif
