/*
 * The file of a root's /etc/ld.so.cache: which library has which path.
 *
 * Formats: "ld.so-1.7.0", "glibc-ld.so.cache1.1" (glibc-hwcaps in an extension since 2.33), and the
 * second behind the first.  Written from glibc's sysdeps/generic/dl-cache.h.  The bytes may be
 * anything: every count and offset is checked against them.
 */
#ifndef IMAGES_LD_CACHE_H
#define IMAGES_LD_CACHE_H

#include "base/arena.h"
#include "base/table.h"

#include <stdint.h>

/* Entries for the machine that this program was built for; the others are not kept. */
struct ld_cache_entry {
	struct str name, path; /* "libz.so.1", "/lib64/libz.so.1" */
	struct str subfolder;  /* of glibc-hwcaps: "x86-64-v3"; empty: none */
	uint64_t hwcap;        /* of the older kind, bits; 0: for every processor */
	uint32_t kernel;       /* the oldest, as 0xMMmmpp; 0: any */
	uint32_t next;         /* another one of that name, index + 1; 0: none */
};

struct ld_cache {
	struct ld_cache_entry *v; /* as in the file */
	size_t n, cap;
	struct table by_name; /* -> index + 1 of the first of that name */
};

/* 1, or 0 where it is no such file, and the loader would go on without it.  Texts are slices of bytes. */
int ld_cache_read(struct arena *a, struct str bytes, struct ld_cache *out);
/* The first entry of a name, or NULL; the others follow by next. */
const struct ld_cache_entry *ld_cache_first(const struct ld_cache *c, struct str name);
const struct ld_cache_entry *ld_cache_next(
	const struct ld_cache *c, const struct ld_cache_entry *entry);

#endif
