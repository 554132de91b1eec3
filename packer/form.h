/*
 * How layouts become the bytes of an archive, whatever its format.
 *
 *	form_begin(&f, request, e);
 *	form_write(&f, layout, e);	in their order, as often as there are
 *	form_finish(&f, &result, e);
 *	form_close(&f);
 */
#ifndef PACKER_FORM_H
#define PACKER_FORM_H

#include "packer/squashfs.h"
#include "packer/stream.h"
#include "packer/tree_write.h"

/* Of the writers those of the format are there. */
struct form {
	const struct pack_request *request;
	struct step *step; /* ticked by what is written; NULL: none */
	struct sink *sink;
	struct stream stream;
	struct squashfs_writer *squashfs;
	struct tree_writer *tree;
};

/* The level that is asked for, else the format's own; one that it does not have is ERR_USAGE. */
int form_level(const struct pack_request *r, int *level, struct err *e);
int form_begin(struct form *f, const struct pack_request *r, struct err *e);
/* Hashes items on the way, and measures those that hold a prefix. */
int form_write(struct form *f, struct layout *l, struct err *e);
/* Fills sha256, bytes and parts. */
int form_finish(struct form *f, struct pack_result *out, struct err *e);
/* What was not finished is removed. */
void form_close(struct form *f);

#endif
