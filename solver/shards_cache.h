/*
 * Lists of shards and shards in the cache.
 *
 * A list lies in a folder as an index does (channel_cache.h), with a state (cache_state.h) beside it.
 * Lists and shards are compared with their sums whenever they are read, so nothing here is synced.
 */
#ifndef SOLVER_SHARDS_CACHE_H
#define SOLVER_SHARDS_CACHE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"

struct list_entry {
	char *url;  /* of the list, no credentials */
	char *dir;  /* of this entry */
	char *path; /* of the body */
	/* What load found. */
	bool whole;   /* the body is there and is what the state tells */
	bool missing; /* the channel said so, not long ago */
	struct str etag, last_modified;
};

/* Never fails for what it finds: a damaged entry is one that is not there. */
int list_entry_load(struct arena *a, const char *cache_dir, const char *url, struct list_entry *out,
	struct err *e);
/* Makes these bytes, unpacked already, the body. */
int list_entry_store(struct list_entry *entry, struct str body, const char *etag,
	const char *last_modified, struct err *e);
int list_entry_store_missing(struct list_entry *entry, struct err *e);
/* Is the body in this folder of the cache the one that its state tells, byte for byte? */
int list_entry_verify(const char *dir, struct err *e);

/* CACHE/shards/XX/HEX. */
char *shard_path(struct arena *a, const char *cache_dir, const uint8_t sha256[SHA256_LEN]);
/* Appends the file's bytes to `to` where they have this sum; -1: not there, or damaged. */
int shard_read_file(const char *path, const uint8_t sha256[SHA256_LEN], size_t max, struct buf *to);
/* Through CACHE/tmp, so that what a killed run leaves is cleared away. */
int shard_write_file(
	const char *cache_dir, const uint8_t sha256[SHA256_LEN], struct str bytes, struct err *e);

#endif
