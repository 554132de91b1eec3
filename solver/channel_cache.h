/*
 * One channel index in the cache.
 *
 *	CACHE/index/SHA256-OF-URL/body          as the channel sent it, compressed or not
 *	CACHE/index/SHA256-OF-URL/state.json    what is known of it (cache_state.h)
 *	CACHE/index/SHA256-OF-URL/index         made of it, to be read without parsing (index.md)
 *
 * All appear by rename, the state behind the body, and it tells size and hash of the body it belongs
 * to: who reads a body compares its hash, so that one that a killed run, another process or a crash
 * of the machine has put there is noticed, never trusted.  That is why nothing here is synced.
 */
#ifndef SOLVER_CHANNEL_CACHE_H
#define SOLVER_CHANNEL_CACHE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"

/* Where a body came from: what decides whether it is still the channel's. */
struct index_origin {
	struct str ending;              /* ".zst", ".bz2" or "": which of the channel's files */
	struct str etag, last_modified; /* empty: none */
};

struct index_entry {
	char *url;   /* of the subdir, no credentials */
	char *dir;   /* of this entry */
	char *path;  /* of the body */
	char *image; /* of the index file made of it */
	/* What load found. */
	bool whole;         /* the body is there, with the size that the state tells */
	bool missing;       /* the channel answered that it has no such subdir */
	uint8_t sha256[32]; /* that the body has, where it is whole */
	struct index_origin origin;
};

/* Never fails for what it finds: a damaged entry is one that is not there. */
int index_entry_load(struct arena *a, const char *cache_dir, const char *url,
	struct index_entry *out, struct err *e);
/* A temporary beside the body, for a download; file_abort() it. */
int index_entry_download(struct index_entry *entry, struct file_out *out, struct err *e);
/* Makes a whole download, of which the caller knows that it is an index, the entry's body. */
int index_entry_store(struct index_entry *entry, struct file_out *download, const uint8_t *sha256,
	uint64_t size, const struct index_origin *origin, struct err *e);
/* The entry turned out to be damaged: it is fetched anew the next time. */
void index_entry_forget(struct index_entry *entry);
int index_entry_store_missing(struct index_entry *entry, struct err *e);
/* Is the body in this folder of the cache the one that its state tells, byte for byte? */
int index_entry_verify(const char *dir, struct err *e);

#endif
