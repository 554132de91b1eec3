/* Getting package files that are not on this machine, each checked while it comes. */
#ifndef BUILDER_FETCH_H
#define BUILDER_FETCH_H

#include "base/hash.h"
#include "base/log.h"
#include "builder/package.h"

struct fetch {
	const struct record *record;
	char *path; /* where it goes: a temporary that the caller removes */
	/* Called once, from the thread of fetch_all, when the file is whole and its sums are right. */
	void (*ready)(void *ctx, struct fetch *f);
	/* Asked before each piece: true ends everything. */
	bool (*stopped)(void *ctx);
	void *ctx;
	struct step *step;
	/* While it runs. */
	int fd;
	struct hash *sha256, *md5;
	uint64_t size;
};

/* All of them with one http_fetch; ends at the first that fails (ERR_NETWORK, ERR_INTEGRITY). */
int fetch_all(struct http *http, struct fetch *fetches, size_t n, struct err *e);

#endif
