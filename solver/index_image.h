/*
 * An index as a file that is mapped and needs no parsing: docs/design/index.md.
 *
 *	struct image_header, zeros to IMAGE_START
 *	payload: groups (index_group.h), then the sections that the header names
 *	uint32_t sums[blocks of the payload]: CRC-32 of each block
 *
 * The header has a sum of its own and one of the sums, so that a file cut short, of another
 * version or made of something else is known at once.  A block's sum is compared when something in
 * it is first used, and every offset with its bounds: a damaged file is an error (ERR_INTEGRITY),
 * never a wrong answer and never a crash.
 */
#ifndef SOLVER_INDEX_IMAGE_H
#define SOLVER_INDEX_IMAGE_H

#include "solver/index_group.h"

enum {
	IMAGE_VERSION = 2,
	IMAGE_ORDER = 0x01020304,
	IMAGE_START = 4096,
	IMAGE_BLOCK = 32 << 10,
	IMAGE_KEY = 32,
};

struct image_section {
	uint64_t at; /* in the payload, a multiple of 8 */
	uint64_t n;  /* bytes */
};

struct image_header {
	char magic[8];
	uint32_t version, order;
	uint64_t size; /* of the file */
	uint64_t payload;
	uint8_t key[IMAGE_KEY]; /* of what it was made from */
	uint64_t n_records;     /* in the channel's file, all that it names */
	struct image_section slots, names, specs, texts, base_url;
	uint32_t sums, self; /* CRC-32 of the sums, and of this with self 0 */
};

/* Where the builds of a name are; a slot is its number + 1, at crc32(name) and on. */
struct image_name {
	uint32_t hash;  /* CRC-32 of the name */
	uint32_t at, n; /* of the group in the payload, in units of 8 bytes */
};

/* The text of a spec: [at, at + n) of the texts. */
struct image_spec {
	uint32_t at, n;
};

struct image;

/* NULL, with ERR_INTEGRITY or what the system said, where the file is not there or not whole. */
struct image *image_open(const char *path, const uint8_t key[IMAGE_KEY], struct err *e);
void image_close(struct image *m); /* NULL is allowed */
size_t image_records(const struct image *m);
size_t image_names(const struct image *m);
/* Slices point into the file.  1: found; 0: no such name (group) or none given (base_url). */
int image_group(struct image *m, struct str name, struct index_group *out, struct err *e);
int image_name_at(struct image *m, size_t i, struct str *out, struct err *e);
int image_spec(struct image *m, uint32_t number, struct str *out, struct err *e);
int image_base_url(struct image *m, struct str *out, struct err *e);

/*
 * Writing: groups in any order, then the end.  The file appears whole, by rename; it is not synced,
 * because its sums tell if a crash of the machine has cut it.
 */
struct image_writer;
struct image_writer *image_begin(const char *path, struct err *e);
/* bytes: what group_write() made. */
int image_add(struct image_writer *w, struct str name, struct str bytes, struct err *e);
/* specs: those that the groups were made with. */
int image_end(struct image_writer *w, const uint8_t key[IMAGE_KEY], const struct spec_set *specs,
	size_t n_records, struct str base_url, struct err *e);
void image_abort(struct image_writer *w); /* frees it, always; NULL is allowed */

#endif
