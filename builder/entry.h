/*
 * One entry of the package cache: where it lies, how it is made and published.
 * Layout and guarantees: docs/design/cache.md.
 */
#ifndef BUILDER_ENTRY_H
#define BUILDER_ENTRY_H

#include "base/hash.h"
#include "builder/extract.h"
#include "builder/package.h"

enum { MAX_FACTS = 1 << 30 }; /* bytes of a facts file */

/* CACHE/pkgs/XX/SHA256, with room for a name behind it. */
char *entry_dir(struct arena *a, const struct cache *c, const uint8_t key[SHA256_LEN]);
/*
 * The same of the cache (i = 0) and of those below it, in the order in which they are looked at; NULL:
 * no more.  Whether there is such an entry is not asked.
 */
char *entry_dir_at(struct arena *a, const struct cache *c, const uint8_t key[SHA256_LEN], size_t i);
/*
 * The record's sha256; for a record with an md5 only, what CACHE/md5 remembers: 1, or 0 where
 * that package was never here.
 */
int entry_key(const struct cache *c, const struct record *r, uint8_t key[SHA256_LEN]);
/*
 * Is there a whole entry with readable facts, in the cache or in another below it?  A damaged one in
 * the cache is moved out of the way: false.  The files of one in the cache are not looked at, since
 * whoever links them does that; those of one below are.
 */
bool entry_usable(const struct cache *c, const struct record *r);
/* The same, and its files have type, mode, size and time as its facts say. */
bool entry_intact(const struct cache *c, const struct record *r);
/*
 * Does this error of reading an entry say that it is damaged?  Not where it is we who may not read
 * it, or cannot just now: then it is left as it is.
 */
bool entry_is_damaged(const struct err *e);
/*
 * Compares what stat tells of every file of a loaded package with its facts; content is not read.
 * ERR_INTEGRITY names the first that differs.
 */
int entry_check_files(const struct package *p, struct err *e);
/*
 * Says that the entry is in use now: sets the time of its folder, unless that was done just
 * now.  -1 where it is gone.  The cleaner takes nothing that was used a while ago
 * (clean.h).
 */
int entry_touch(const char *dir);

/* A package that was extracted into a temporary folder of the cache. */
struct entry_draft {
	char *dir; /* owned by the arena of entry_make */
	const struct record *record;
	uint8_t key[SHA256_LEN];
	uint64_t bytes; /* unpacked, files only */
};
/*
 * Extracts a package file and writes its facts.  Sums that are not the record's are reported before
 * anything in the file (unless its source compares them).  Nothing is left behind on failure.
 */
int entry_extract(struct arena *a, const struct cache *c, const struct record *r,
	const struct package_source *from, struct entry_draft *out, struct err *e);
/* The same of the file at path; crew may be NULL (base/bzip2.h). */
int entry_make(struct arena *a, const struct cache *c, const struct record *r, const char *path,
	struct bunzip_crew *crew, struct entry_draft *out, struct err *e);
/* The same from a folder in which conda or mamba has extracted it (layer.h). */
int entry_take_extracted(struct arena *a, const struct cache *c, const struct record *r,
	const char *dir, struct entry_draft *out, struct err *e);
/*
 * Makes the drafts last (one sync for all) and renames them into place; a draft whose entry
 * somebody else has published meanwhile is dropped.
 */
int entry_publish(const struct cache *c, const struct entry_draft *drafts, size_t n, struct err *e);

/* ERR_INTEGRITY with both sums where they, or the sizes, differ from the record's. */
int record_check_sums(const struct record *r, const uint8_t sha256[SHA256_LEN],
	const uint8_t md5[MD5_LEN], uint64_t size, struct err *e);

#endif
