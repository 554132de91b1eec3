/* What the files behind binaries.h share. */
#ifndef BUILDER_BINARIES_INSIDE_H
#define BUILDER_BINARIES_INSIDE_H

#include "builder/binaries_file.h"
#include "builder/extract.h"

struct compute_options {
	/* How the files begin, and that they are as p says; NULL: both is looked at. */
	const struct extraction *x;
	struct symbols_writer *symbols; /* NULL: not asked for */
	struct str only;                /* a path; empty: all */
};
/* out NULL: only symbols are asked for. */
int binaries_read(struct arena *a, const struct package *p, const struct compute_options *o,
	struct binaries *out, struct err *e);
/* Does the newly opened file begin as ELF files do?  1, 0, -1. */
int binary_begins(int fd, const char *path, struct err *e);

/* --- exported facts ---------------------------------------------------------------------------- */

/* What a key of a file's object stands for; of a list `count` is where its length is. */
struct binary_field {
	const char *key;
	enum binary_kind {
		KIND_TEXT,
		KIND_HEX,
		KIND_UNSIGNED,
		KIND_U64,
		KIND_FLAG,
		KIND_STACK,
		KIND_KERNEL,
		KIND_NAMES,
		KIND_NEEDS,
		KIND_GPU,
	} kind;
	size_t offset, count; /* in struct binary */
};
/* In the order in which they are written; ended by a NULL key. */
extern const struct binary_field BINARY_FIELDS[];
/* By enum elf_stack; what is not said is not written. */
extern const char *const BINARY_STACKS[STACK_EXECUTABLE + 1];
enum { EXPORT_VERSION = 1 };

#endif
