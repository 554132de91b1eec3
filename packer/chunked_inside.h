/* What chunked.c (the archive) and chunked_work.c (the threads) share. */
#ifndef PACKER_CHUNKED_INSIDE_H
#define PACKER_CHUNKED_INSIDE_H

#include "base/table.h"
#include "packer/chunked.h"
#include "packer/chunks.h"
#include "packer/parts.h"
#include "packer/relocator/relocate.h"

#include <stdatomic.h>

/* A file of the archive, as its list says. */
struct listed {
	uint8_t sha256[SHA256_LEN];
	atomic_bool seen;
	struct relocate_entry *relocation; /* NULL: holds no prefix */
};

struct chunked {
	struct arena arena;
	const char *name; /* for messages */
	struct archive_parts parts;
	struct archive_file *file;
	struct chunk_source source;
	struct archive_chunks chunks;
	struct table files;    /* path -> struct listed */
	struct str index;      /* its bytes; {NULL, 0}: none */
	struct member index_m; /* its mode and time, for the record's */
	struct relocation relocation;
	char *held; /* the prefix that all files hold; NULL: each its placeholder */
};

/* Reads the index and ties its entries to the files; ERR_INTEGRITY also where there is none. */
int chunked_read_index(struct chunked *c, struct err *e);

#endif
