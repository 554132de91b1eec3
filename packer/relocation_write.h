/*
 * Making the relocation index (format: packer/relocator/index.c) of what is packed.
 */
#ifndef PACKER_RELOCATION_WRITE_H
#define PACKER_RELOCATION_WRITE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "builder/content.h"
#include "packer/relocator/relocate.h"

/* One file that will stand in the index; made from its content entry, then measured. */
struct relocation_file {
	struct relocate_entry entry;
	size_t gaps_len;
};

/* The entry has a prefix.  ERR_INTEGRITY for offsets that overlap or leave the file. */
int relocation_file_make(struct arena *a, const struct content_entry *from,
	struct relocation_file *out, struct err *e);
/*
 * Fills head and sum from the file's bytes as packed; the head points into data.
 * ERR_INTEGRITY where the prefix does not stand at an offset.
 */
int relocation_file_measure(struct relocation_file *file, struct str data, struct err *e);
/* The index of files sorted by path. */
void relocation_write(struct relocation_file *const *files, size_t n, struct buf *to);

#endif
