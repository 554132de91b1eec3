/* Getting package files that are not on this machine: each goes through a pipe as it comes. */
#ifndef BUILDER_FETCH_H
#define BUILDER_FETCH_H

#include "base/hash.h"
#include "base/log.h"
#include "base/pipe.h"
#include "builder/extract.h"

/* One package file on its way from the thread that fetches to one that extracts. */
struct stream {
	const struct record *record;
	struct pipe *pipe;        /* ends when all of the file is there and its sums are right */
	struct package_sums sums; /* from then on */
};

struct fetch {
	const struct record *record;
	/*
	 * A new stream, its pipe in use by both ends, when the first bytes are there; once more where
	 * the file must be fetched from its start again (the pipe of the old one is then broken).  NULL:
	 * not now, http_wake() follows.
	 */
	struct stream *(*open)(void *ctx, const struct record *r);
	/* The file has come through the stream whole and right. */
	void (*complete)(void *ctx);
	/* Asked before each piece: true ends everything. */
	bool (*stopped)(void *ctx);
	void *ctx;
	struct step *step;
	/* While it runs. */
	struct stream *stream;
	struct hash *sha256, *md5;
	uint64_t size;
};

/*
 * All of them with one http_fetch; ends at the first that fails (ERR_NETWORK, ERR_INTEGRITY).  From
 * one thread; the callbacks come from it.
 */
int fetch_all(struct http *http, struct fetch *fetches, size_t n, struct err *e);

#endif
