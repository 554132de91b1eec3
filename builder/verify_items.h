/* What should be in a prefix, path by path (verify.c). */
#ifndef BUILDER_VERIFY_ITEMS_H
#define BUILDER_VERIFY_ITEMS_H

#include "base/table.h"
#include "builder/installed.h"
#include "builder/python.h"
#include "builder/verify.h"

/* One path as one package or distribution says it should be. */
struct item {
	const struct installed_path *path;
	struct str owner;
	const struct package *package;   /* its facts; NULL: not in the cache */
	const struct package_file *file; /* of it; NULL: not known */
	struct item *next;               /* another that has the same path */
};

struct items {
	struct arena *arena;
	const struct verify_request *request;
	struct installed in;
	struct python python;
	struct table index; /* path -> first item */
	size_t dists;
};

/* Of conda's packages.  cache may be NULL. */
void items_add_packages(struct items *t, const struct cache *cache);
/* Of the distribution whose RECORD or installed-files.txt lies at that path of the prefix. */
void items_add_dist(struct items *t, int fd, struct str record_path);
/* Is it a list of files of a distribution that no package of conda's owns? */
bool items_is_dist(const struct items *t, struct str path);
/* What the request lists and nobody of these owns. */
void items_add_listed(struct items *t);

#endif
