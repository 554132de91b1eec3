/* Where a URL may be fetched from, and in which order it is tried; no network here. */
#ifndef BASE_HTTP_MIRRORS_H
#define BASE_HTTP_MIRRORS_H

#include "base/arena.h"

struct mirror {
	struct str url;   /* what is below it ... */
	struct str at;    /* ... is below this, too; equal to url: the origin itself */
	bool passed_over; /* the origin, where only mirrors are to be asked */
	unsigned failed;  /* 0: never; else rising with the time of its latest failure */
};

struct mirrors {
	struct mirror **v;
	size_t n, cap;
	unsigned failures;
};

struct place {
	const char *url; /* the origin's as it was asked for; the others without credentials */
	struct mirror *mirror; /* NULL: there is but this place */
	bool is_origin;
};

/* Both without credentials.  A mirror that is known already is not added again. */
void mirrors_add(struct arena *a, struct mirrors *list, const char *url, const char *at);
/* Passes the origin over from now on, as long as there is a mirror. */
void mirrors_only(struct mirrors *list, const char *url);
/*
 * The places of a URL, at least one: those of the longest `url` above it, the origin first, then
 * its mirrors as they were added, then those of either that have failed, the earliest first.
 */
struct place *mirrors_places(
	struct arena *a, const struct mirrors *list, const char *url, size_t *n);
/* Puts it last; false where it has failed before. */
bool mirror_failed(struct mirrors *list, struct mirror *m);
/* The one that a URL without credentials is below, or NULL. */
struct mirror *mirrors_find(const struct mirrors *list, const char *url);

#endif
