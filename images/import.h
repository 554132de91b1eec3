/*
 * Making a root file system out of layers.
 *
 *	image_import_path(): a file, a folder or stdin, whatever of the known kinds it is
 *	image_import_layers(): layers that lie in files already (a registry's)
 *
 * Layers are applied in order: whiteouts and opaque folders, hard links, owners dropped, setuid and
 * setgid bits cleared, devices left out; a name that leads out of the root is ERR_INTEGRITY
 * (docs/design/images.md).
 */
#ifndef IMAGES_IMPORT_H
#define IMAGES_IMPORT_H

#include "images/profile.h"
#include "images/store.h"

struct import_request {
	const struct store *store;
	const char *name;
	const struct profile *profile; /* of the target of that name, NULL: none.  Its glibc must be
					* the image's: ERR_USAGE names both */
	const char *origin;            /* for struct image; no credentials */
};

struct layer {
	const char *path; /* tar, plain or compressed (gzip, xz, zstd, bzip2) */
	struct str
		diff_id; /* "sha256:HEX" of the uncompressed tar: ERR_INTEGRITY where it differs */
};

/*
 * path: a tar of a root file system, a docker-archive (`docker save`), an OCI archive, an OCI layout
 * folder, a folder that is a root file system, or "-": one of the archives on stdin.  *was_there:
 * the tree was in the store already.
 */
int image_import_path(struct arena *a, const struct import_request *r, const char *path,
	struct image *out, bool *was_there, struct err *e);
/* Is a tree of these diff_ids in the store?  Then the name is given to it: 1; else 0. */
int image_adopt(struct arena *a, const struct import_request *r, const struct str *diff_ids,
	size_t n, struct image *out, struct err *e);
int image_import_layers(struct arena *a, const struct import_request *r, const struct layer *layers,
	size_t n, struct image *out, struct err *e);

#endif
