/*
 * A layer or another part of an image as it lies in a file: a run of bytes, and the way from there to
 * the tar in it.
 */
#ifndef IMAGES_BLOB_H
#define IMAGES_BLOB_H

#include "base/archive.h"
#include "base/hash.h"
#include "base/log.h"

struct blob {
	int fd; /* a regular file; the owner's */
	uint64_t offset, size;
	const char *name;   /* for errors */
	struct str digest;  /* "sha256:HEX" of these bytes; empty: not known, not checked */
	struct str diff_id; /* of the tar in them; likewise */
};

/* "sha256:HEX" of a sum, in the arena. */
struct str digest_text(struct arena *a, const uint8_t sha256[SHA256_LEN]);

/* All of it; over max bytes, or with another digest than its own: ERR_INTEGRITY. */
int blob_read_all(
	struct arena *a, const struct blob *b, size_t max, struct str *out, struct err *e);

/* The tar in a blob as a stream_read that sums what passes. */
struct blob_tar;
/* step: ticked with the blob's bytes, or NULL.  At most max bytes come out of it. */
struct blob_tar *blob_tar_open(
	const struct blob *b, struct step *step, uint64_t max, struct err *e);
ptrdiff_t blob_tar_read(void *blob_tar, void *p, size_t n, struct err *e);
/* Reads what is left and checks both sums (ERR_INTEGRITY); *diff_id is the tar's. */
int blob_tar_end(struct blob_tar *t, struct arena *a, struct str *diff_id, struct err *e);
void blob_tar_close(struct blob_tar *t); /* NULL is allowed */

#endif
