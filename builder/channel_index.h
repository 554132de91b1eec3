/* `envbuild channel index DIR`: makes a folder of packages a channel (CEP 36). */
#ifndef BUILDER_CHANNEL_INDEX_H
#define BUILDER_CHANNEL_INDEX_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct channel_index_result {
	size_t packages, subdirs, shards;
};
/*
 * DIR/SUBDIR/NAME-VERSION-BUILD.(conda|tar.bz2): reads info/index.json of each, computes size, md5
 * and sha256, and writes SUBDIR/repodata.json and repodata.json.zst for every subdir found (noarch
 * always).  Packages that lie in DIR itself are an error that says where to put them.
 * The same folder gives the same bytes.
 */
int channel_index(const char *dir, unsigned jobs, struct channel_index_result *out, struct err *e);

struct table;
struct channel_index_options {
	unsigned jobs;
	/* Shards as well (index_shards.h); a subdir that has any is kept up to date without it. */
	bool shards;
	/*
	 * Where this (NULL: none) has a struct record for "SUBDIR/FN", its dependencies and
	 * constraints stand in the index instead of the package's own: channels mend these in their
	 * indexes.  A record that has neither, as of a list of URLs, changes nothing.
	 */
	const struct table *records;
};
int channel_index_as(const char *dir, const struct channel_index_options *options,
	struct channel_index_result *out, struct err *e);

#endif
