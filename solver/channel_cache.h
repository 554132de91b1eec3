/*
 * One channel index in the cache.
 *
 *	CACHE/index/SHA256-OF-URL/repodata.json    the body, uncompressed
 *	CACHE/index/SHA256-OF-URL/state.json       what is known of it
 *	CACHE/index/SHA256-OF-URL/index            made of it, to be read without parsing (index.md)
 *
 * Both appear by rename, the state last, and it tells size, time and hash of the body it belongs
 * to: a body that a killed run or another process has put there is noticed, never trusted.
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
	int64_t mtime_ns;               /* of a file:// channel's file, with its size; else 0 */
	uint64_t size;
};

struct index_entry {
	char *url;   /* of the subdir, no credentials */
	char *dir;   /* of this entry */
	char *path;  /* of the body */
	char *image; /* of the index file made of it */
	/* What load found. */
	bool whole;         /* the body is there and is what the state tells */
	bool missing;       /* the channel answered that it has no such subdir */
	uint8_t sha256[32]; /* of the body, where it is whole */
	struct index_origin origin;
};

/* Never fails for what it finds: a damaged entry is one that is not there. */
int index_entry_load(struct arena *a, const char *cache_dir, const char *url,
	struct index_entry *out, struct err *e);
/* A temporary in the entry's folder, for a download; file_abort() it. */
int index_entry_download(struct index_entry *entry, struct file_out *out, struct err *e);
/*
 * Decompresses `file`, checks that it is one JSON object, and makes it the entry's body.
 * ERR_INTEGRITY where it is damaged; the old body then stays.
 */
int index_entry_store(struct index_entry *entry, const char *file,
	const struct index_origin *origin, struct err *e);
int index_entry_store_missing(struct index_entry *entry, struct err *e);

#endif
