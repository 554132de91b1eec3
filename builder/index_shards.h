/*
 * A subdir's index in shards (CEP 16), beside its repodata.json.
 *
 *	SUBDIR/repodata_shards.msgpack.zst    the list of names, written last, by rename
 *	SUBDIR/shards/HEX.msgpack.zst         one for each name; HEX is the sha256 of the file
 *
 * The same records give the same bytes: keys are sorted, the compressor's level is fixed, and
 * created_at stands in the list only where SOURCE_DATE_EPOCH says when.  A shard that is there with
 * the right bytes is left alone.  One that the list before named and this one does not is for readers
 * who still hold that list: its time is set to now, and a later run removes it after a week.
 */
#ifndef BUILDER_INDEX_SHARDS_H
#define BUILDER_INDEX_SHARDS_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* A package file and its record in MessagePack (index_json_pack()). */
struct shard_file {
	struct str name, fn, record;
	bool conda; /* .conda, else .tar.bz2 */
};

struct shards_writing {
	const char *dir; /* of the subdir */
	struct str subdir;
	struct shard_file *files; /* are sorted */
	size_t n_files;
	unsigned jobs;
};

/* Does this subdir have a list of shards already?  Then it is kept up to date. */
bool index_has_shards(const char *dir);
/* *n_shards: how many the list names.  To be called when repodata.json is there. */
int index_shards_write(struct shards_writing *w, size_t *n_shards, struct err *e);

#endif
