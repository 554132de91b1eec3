/* What the ways of importing share (images/import.h). */
#ifndef IMAGES_IMPORTING_H
#define IMAGES_IMPORTING_H

#include "images/blob.h"
#include "images/import.h"
#include "images/state.h"

struct importing {
	struct arena *a;
	const struct import_request *r;
	struct state work; /* a private folder in the store */
	struct image *out;
	bool was_there; /* the tree was in the store already */
};

/* Begins; importing_end also after a failure of this. */
int importing_begin(struct importing *i, struct arena *a, const struct import_request *r,
	struct image *out, struct err *e);
void importing_end(struct importing *i);

/* Is there a tree of that digest?  Then the name is given to it: 1. */
int importing_adopt(struct importing *i, struct str digest, struct err *e);
/* Of the tree that is whole in WORK/tree/root: its glibc is held against the target's, then it is
 * published. */
int importing_publish(struct importing *i, struct str digest, struct err *e);
/* A tree of these layers, adopted where all diff_ids are known and it is there. */
int importing_layers(struct importing *i, const struct blob *layers, size_t n, struct err *e);
/* A tree that is a copy of a root file system's folder. */
int importing_folder(struct importing *i, const char *path, struct err *e);

/* How much may come out of so many bytes. */
uint64_t unpacked_limit(uint64_t bytes);

/*
 * An image in parts, in a tar that is not compressed or in a folder: `docker save`, OCI archive, OCI
 * layout.  reference chooses one of several; NULL: there is one.
 */
int importing_archive(
	struct importing *i, int fd, const char *name, const char *reference, struct err *e);
int importing_layout(struct importing *i, const char *path, const char *reference, struct err *e);

#endif
