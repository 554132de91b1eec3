/* What the files of loader.h share. */
#ifndef IMAGES_LOADER_INSIDE_H
#define IMAGES_LOADER_INSIDE_H

#include "base/table.h"
#include "images/ld_cache.h"
#include "images/loader.h"

/* Names of folders and words of a glibc of some age, as profile and ld.so say them. */
struct loader_words {
	struct str glibc;
	int level;           /* of x86-64, from 0 */
	struct str platform; /* $PLATFORM */
	struct str *hwcaps;  /* "tls/x86_64/" */
	size_t n_hwcaps;
	uint64_t legacy;     /* bits of them in a cache that this processor has */
	struct str *folders; /* built in, without a slash at the end */
	size_t n_folders;
};
/* All but the folders. */
void loader_words_of(
	struct arena *a, const struct profile *p, struct str glibc, struct loader_words *out);
/* The folders that an ld.so has built in; where it does not say, those that fit `place`, where its C
 * library lies. */
void loader_folders_of(
	struct arena *a, struct str ld_so, struct str place, struct loader_words *out);
/* Is it of a level that this processor has?  "x86-64-v3" */
bool loader_has_level(const struct loader_words *w, struct str subfolder);

#endif
