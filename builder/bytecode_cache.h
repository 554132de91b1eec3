/*
 * Compiled Python files in the package cache.
 *
 *	CACHE/bytecode/XX/KEY/files/0, 1, ...   the compiled files, mode 0644
 *	CACHE/bytecode/XX/KEY/facts             what they are (format: bytecode_cache.c)
 *
 * One entry per package and Python: KEY is the sha256 of the head of its facts, that is of the
 * version of what compiles, the sha256 of the package's file, that of the Python package's file,
 * and the folder of site-packages; XX its first two digits.  As with packages, an entry is made in
 * CACHE/tmp, appears by one rename when it is whole, and is never changed afterwards.  It can be
 * made again at any time, so it may be removed at any time when nobody is about to link from it.
 */
#ifndef BUILDER_BYTECODE_CACHE_H
#define BUILDER_BYTECODE_CACHE_H

#include "base/hash.h"
#include "builder/package.h"

enum { BYTECODE_MODE = 0644 };

struct bytecode {
	struct str source; /* path in the package */
	bool absent;       /* it does not compile */
	uint64_t size;
	uint8_t sha256[SHA256_LEN];
	const char *dir;  /* folder of the compiled file */
	const char *name; /* its name there: a number */
};

struct bytecode_entry {
	uint8_t key[SHA256_LEN];
	/* What it was made from: sums of the package files. */
	uint8_t package[SHA256_LEN], python[SHA256_LEN];
	struct str site_packages;
	struct bytecode *files; /* sorted by source */
	size_t n_files;
};

/* Fills in what an entry for this package is made from, and its key; site lives on in it. */
void bytecode_entry_init(struct bytecode_entry *entry, const struct package *package,
	const struct package *python, struct str site);
/* "bytecode/XX/KEY", relative to a cache. */
char *bytecode_entry_rel(struct arena *a, const uint8_t key[SHA256_LEN]);

/*
 * Reads the facts of the entry at dir, whose last component is its key, as if they were hostile;
 * the files themselves are not looked at.  ERR_INTEGRITY where they are damaged, ERR_SYSTEM where
 * there are none.
 */
int bytecode_entry_read(
	struct arena *a, const char *dir, struct bytecode_entry *out, struct err *e);
/* Reads the facts and hashes each file; ERR_INTEGRITY names the first that is not as they say. */
int bytecode_entry_verify(const char *dir, struct err *e);

/* The file compiled from a package path, or NULL. */
const struct bytecode *bytecode_entry_find(const struct bytecode_entry *entry, struct str source);

/*
 * Makes the folder draft, which holds files/N for each file of the entry, the cache's: facts are
 * written, and it is renamed to its place; where one stands there already, that one stays, unless
 * its facts are damaged.  Its bytes must be on disk (disk_sync).
 */
int bytecode_entry_publish(const struct cache *c, const char *draft,
	const struct bytecode_entry *entry, struct err *e);

#endif
