/*
 * state.json: what a folder of the cache knows of the file beside it, which came from a channel.
 *
 * One flat object: version, url, and either `missing` (1: the channel has no such file) with
 * `asked` (seconds), or sha256 and size of the file, the ending it had in the channel, its ETag and
 * Last-Modified.  It appears by rename, behind the file.  Nothing is synced: who reads the file
 * compares its sum, and a state that cannot be read is none.
 */
#ifndef SOLVER_CACHE_STATE_H
#define SOLVER_CACHE_STATE_H

#include "base/arena.h"
#include "base/err.h"

struct cache_state {
	struct str url; /* no credentials */
	struct str ending, etag, last_modified;
	bool missing;
	int64_t asked;
	int64_t size;
	uint8_t sha256[32];
	bool has_sha256;
};

/*
 * The folder of a URL, CACHE/index/SHA256-OF-URL, which is made, and its state: 1; 0: it has none
 * that can be read and is of this URL.
 */
int cache_state_find(struct arena *a, const char *cache_dir, const char *url, char **dir,
	struct cache_state *out, struct err *e);
/* -1 where there is none that can be read. */
int cache_state_read(struct arena *a, const char *dir, struct cache_state *out);
int cache_state_write(const char *dir, const struct cache_state *s, struct err *e);
/* There is none any more. */
void cache_state_forget(const char *dir);
/*
 * Is the file in this folder the one that its state tells, byte for byte?  A folder without the
 * file is as it should be.  ERR_INTEGRITY.
 */
int cache_state_verify(const char *dir, const char *file, struct err *e);

#endif
