/*
 * Imported root file systems.
 *
 *	DATA/images/trees/HEX/root/   one root file system, read-only by agreement
 *	DATA/images/trees/HEX/facts   what is in it (JSON, store.c)
 *	DATA/images/names/NAME        which tree a name stands for, from where and since when
 *	DATA/images/work/             what imports at work have (images/state.h)
 *	DATA/images/lock              held while names and trees change together
 *
 * A tree is found by the digest of what it was made from: the chain of its layers' diff_ids (OCI's
 * ChainID; of a single tar its sum), or the sum of a folder's content.  So a second import of the
 * same layers makes nothing.  Everything is made in work/ and renamed.  What a killed import or
 * removal left, in work/ or as a tree without a name, is removed by the next one.
 *
 * Who uses a tree holds it (store_hold): a tree that is held stays until the next import or removal
 * that finds it free.  Where the file system refuses locks, trees without a name stay, and one that is
 * removed goes under its user's feet.
 */
#ifndef IMAGES_STORE_H
#define IMAGES_STORE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

struct store {
	char *dir; /* DATA/images, absolute; need not exist yet */
};

struct image {
	struct str name;   /* "rhel6" */
	struct str digest; /* "sha256:HEX" */
	char *root;        /* the folder, absolute */
	struct str glibc;  /* "2.12"; empty: none */
	struct str origin; /* the reference or file it came from; without credentials */
	uint64_t bytes, files;
	int64_t imported; /* seconds since 1970 */
};

/* 1 with *out in the arena, 0 where no image has that name, -1 with *e set. */
int store_find(
	struct arena *a, const struct store *s, const char *name, struct image *out, struct err *e);
/* All names, sorted. */
int store_list(
	struct arena *a, const struct store *s, struct image **out, size_t *n, struct err *e);
/*
 * A descriptor that keeps the image's tree while it is open; ERR_FAIL where the tree has gone
 * meanwhile.
 */
int store_hold(const struct image *image, struct err *e);
/*
 * Takes the name away, and the tree where no other name stands for it and nobody holds it: 1, or 0
 * where the name was not there.
 */
int store_remove(struct arena *a, const struct store *s, const char *name, struct err *e);

/* --- for those who import (images/import.c) ------------------------------------------------- */

struct state;
/*
 * A private folder in work/ to make a tree in.  state_close() also after a failure.  Clears what killed ones left.
 */
int store_work(const struct store *s, struct state *work, struct err *e);
/* A tree by its digest: 1 with digest, root, glibc, bytes and files, 0, or -1. */
int store_tree(struct arena *a, const struct store *s, struct str digest, struct image *out,
	struct err *e);
/* Are there any? */
bool store_has_trees(const struct store *s);
/*
 * image->name stands for the tree of image->digest, with image->origin and from now on: 1; 0 where there is
 * no such tree.  Fills the rest of *image.
 */
int store_adopt(struct arena *a, const struct store *s, const struct state *work,
	struct image *image, struct err *e);
/* WORK/tree/root becomes that tree first, unless it is there already; with glibc, bytes and files. */
int store_publish(struct arena *a, const struct store *s, const struct state *work,
	struct image *image, struct err *e);

#endif
