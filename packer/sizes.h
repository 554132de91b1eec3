/*
 * How large an environment is, package by package: the bytes of the files that will be packed, as
 * they will lie on the disk of who unpacks them.
 */
#ifndef PACKER_SIZES_H
#define PACKER_SIZES_H

#include "base/json.h"
#include "packer/rules.h"

enum size_kind {
	SIZE_CONDA,
	SIZE_PIP,       /* a distribution that pip installed, by its RECORD */
	SIZE_GENERATED, /* conda-meta, what scripts made */
	SIZE_ADDED,     /* rules.add */
};

struct size_row {
	enum size_kind kind;
	struct str name; /* of generated and added files: what they are */
	size_t files;
	uint64_t bytes;
};

struct sizes {
	struct size_row *v; /* the largest first; those without files left out */
	size_t n;
	uint64_t bytes; /* of all */
};

/* rules may be NULL.  -1 where a RECORD cannot be read.  Texts live in the arena. */
int sizes_measure(struct arena *a, const struct content *c, const struct rules *rules,
	struct sizes *out, struct err *e);
/* The key "sizes" of the manifest; nothing for NULL. */
void manifest_sizes_write(struct json_out *w, const struct sizes *sizes);

#endif
