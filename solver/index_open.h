/*
 * The index of a request's channels: fetched, then opened in the form that costs least.
 *
 *	struct opening *o = opening_new(request);
 *	struct index *ix = opening_open(o, true, &err);
 *	for (i = 0; i < opening_stale(o); i++) opening_keep(o, i);
 *	opening_free(o);
 *
 * A subdir that has just been downloaded is in memory; else its index file (index_image.h) is
 * mapped; where that is missing or another one, the channel's file or the cache's copy of it is
 * read, all of them at the same time.  A copy that turns out to be damaged is fetched anew.
 */
#ifndef SOLVER_INDEX_OPEN_H
#define SOLVER_INDEX_OPEN_H

#include "solver/index.h"
#include "solver/solve.h"

struct opening;

/* The request must outlive it. */
struct opening *opening_new(const struct solve_request *r);
void opening_free(struct opening *o);
/*
 * The index lives until opening_close().  images: index files may be used; without, everything is
 * read anew.  Channels are asked only once, whatever is opened how often.  NULL: ERR_NETWORK also
 * where a channel has neither the subdir nor noarch; ERR_INTEGRITY.
 */
struct index *opening_open(struct opening *o, bool images, struct err *e);
void opening_close(struct opening *o);
/* Is any of what is open an index file? */
bool opening_has_images(const struct opening *o);
/* How many of the sources have no index file yet. */
size_t opening_stale(const struct opening *o);
/* Writes the index file of one of these; from any thread, while the index is used. */
void opening_keep(const struct opening *o, size_t i);

#endif
