/*
 * The newest glibc that ELF files need of the host, whatever they lie in: the same rule as audit.h
 * (docs/design/diff.md), without packages and a profile.
 */
#ifndef PACKER_FLOOR_H
#define PACKER_FLOOR_H

#include "base/arena.h"
#include "base/err.h"
#include "base/table.h"

/* A zeroed one with its arena set is empty. */
struct floor {
	struct arena *arena;
	struct table needed;  /* library -> newest GLIBC_ number asked of it (struct str) */
	struct table brought; /* sonames */
	size_t name_bytes;
	size_t n_files; /* that are ELF files of this kind of machine */
};

/* May the bytes be those of an ELF file?  The first few are enough. */
bool floor_is_elf(struct str head);
/*
 * A file by its path and bytes; what is no ELF file, or a broken one, is passed over.  -1
 * (ERR_INTEGRITY) only where files name more libraries than any real ones do.
 */
int floor_add(struct floor *f, struct str path, struct str bytes, struct err *e);
/* "2.17"; empty where nothing asks for any. */
struct str floor_newest(const struct floor *f);

#endif
