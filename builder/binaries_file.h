/*
 * The files of one package's ELF facts: `elf`, and `symbols` beside it (binaries.h).
 *
 * Each is whole or refused: what is in it is summed, and still read as if it were hostile.  Formats:
 * above the functions that encode them.
 */
#ifndef BUILDER_BINARIES_FILE_H
#define BUILDER_BINARIES_FILE_H

#include "builder/binaries.h"

void binaries_encode(const struct binaries *b, struct buf *to);
/* Texts point into `text`, the rest lives in the arena.  ERR_INTEGRITY. */
int binaries_decode(struct arena *a, struct str text, struct binaries *out, struct err *e);

/*
 * The symbols of many files, of which one is read without the others:
 *
 *	struct symbols_writer w = {.arena = a};
 *	symbols_add(&w, path, &symbols); ...            rising by path
 *	symbols_encode(&w, sha256, &text);
 */
struct symbols_writer {
	struct arena *arena;
	struct {
		struct symbols_part {
			struct str path;
			uint64_t offset, size;
		} * v;
		size_t n, cap;
	} parts;
	struct buf bytes; /* of the parts; its maximum is the caller's, who releases it */
};
void symbols_add(struct symbols_writer *w, struct str path, const struct elf_symbols *symbols);
void symbols_encode(const struct symbols_writer *w, const uint8_t sha256[32], struct buf *to);
/*
 * Those of one file, copied into the arena: 1; 0 the package has no such ELF file of this machine; -1
 * (ERR_INTEGRITY) the text is damaged, or of another package.
 */
int symbols_find(struct arena *a, struct str text, const uint8_t sha256[32], struct str path,
	struct elf_symbols *out, struct err *e);
/* Is all of it whole? */
int symbols_check(struct str text, const uint8_t sha256[32], struct err *e);

#endif
