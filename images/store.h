/*
 * Imported root file systems.
 *
 *	DATA/images/trees/HEX/root/   one root file system, read-only by agreement
 *	DATA/images/trees/HEX/facts   what it was made from (JSON, store.c)
 *	DATA/images/names/NAME        the digest that a name stands for
 *
 * A tree is found by the digest of what it was made from: the chain of its layers' diff_ids, the sum of an
 * uncompressed tar, the sum of a folder's content.  So a second import of the same layers makes
 * nothing.  Everything is made beside and renamed; what a killed import left is removed by the
 * next one.
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

/* Names of images and of targets are of one kind: letters, digits and "._-", not first of these. */
bool image_name_is_valid(struct str name);
/* 1 with *out in the arena, 0 where no image has that name, -1 with *e set. */
int store_find(
	struct arena *a, const struct store *s, const char *name, struct image *out, struct err *e);
/* All names, sorted. */
int store_list(
	struct arena *a, const struct store *s, struct image **out, size_t *n, struct err *e);
/* Takes the name away, and the tree where no other name stands for it: 1, or 0 where it was not there. */
int store_remove(struct arena *a, const struct store *s, const char *name, struct err *e);

#endif
