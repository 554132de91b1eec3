/*
 * One entry of the package cache: where it lies, how it is made and published.
 * Layout and guarantees: docs/design/cache.md.
 */
#ifndef BUILDER_ENTRY_H
#define BUILDER_ENTRY_H

#include "base/hash.h"
#include "builder/package.h"

/* CACHE/pkgs/XX/SHA256, with room for a name behind it. */
char *entry_dir(struct arena *a, const struct cache *c, const uint8_t key[SHA256_LEN]);
/*
 * The record's sha256; for a record with an md5 only, what CACHE/md5 remembers: 1, or 0 where
 * that package was never here.
 */
int entry_key(const struct cache *c, const struct record *r, uint8_t key[SHA256_LEN]);
/* Is there a whole entry with readable facts?  A damaged one is moved out of the way: 0. */
bool entry_usable(const struct cache *c, const struct record *r);

/* A package that was extracted into a temporary folder of the cache. */
struct entry_draft {
	char *dir; /* owned by the arena of entry_make */
	const struct record *record;
	uint8_t key[SHA256_LEN];
	uint64_t bytes; /* unpacked, files only */
};
/*
 * Extracts the package file at path and writes its facts.  verify: compare its sums with the
 * record's (a downloaded file was checked while it came).  Nothing is left behind on failure.
 */
int entry_make(struct arena *a, const struct cache *c, const struct record *r, const char *path,
	bool verify, struct entry_draft *out, struct err *e);
/*
 * Makes the drafts last (one sync for all) and renames them into place; a draft whose entry
 * somebody else has published meanwhile is dropped.
 */
int entry_publish(const struct cache *c, const struct entry_draft *drafts, size_t n, struct err *e);

/* syncfs of an open folder, unless ENVBUILD_NO_FSYNC=1 (base/file.h). */
int disk_sync(int fd, const char *path, struct err *e);

/* ERR_INTEGRITY with both sums where they, or the sizes, differ from the record's. */
int record_check_sums(const struct record *r, const uint8_t sha256[SHA256_LEN],
	const uint8_t md5[MD5_LEN], uint64_t size, struct err *e);

#endif
