/* Taking things out of the cache so that nobody sees half of one. */
#ifndef BUILDER_TAKE_H
#define BUILDER_TAKE_H

#include "builder/upkeep.h"

/*
 * The time by the clock of the cache's file system, which may be a server's: that of a file made
 * now.
 */
int cache_clock(const struct cache *c, int64_t *now, struct err *e);

enum taken {
	TAKEN,
	TAKEN_USED, /* used since `before`: it stays */
	TAKEN_GONE, /* somebody else was first, or it cannot be moved: errno says why */
};
/* Renames CACHE/rel into tmp/ and removes it there, unless it was used after the time before. */
enum taken cache_take(const struct cache *c, const char *rel, int64_t before);

#endif
