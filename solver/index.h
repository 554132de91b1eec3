/*
 * The channels' indexes (repodata.json, CEP 36) as groups of builds by name.
 *
 *	struct index *ix = index_new();
 *	index_add_file(ix, "repodata.json", &channel, 0, STR("linux-64"), &err);
 *	for (i = 0; i < ix->sources.n; i++) index_group(ix, i, name, &group, &err);
 *	index_free(ix);
 *
 * There are three kinds of source, which give the same groups: groups in memory (index_groups.h),
 * made of a repodata.json, an index file (index_image.h) that was written of such, of which only
 * what is asked for is read, and shards (shards.h), which are fetched as they are reached.  Everything handed out lives until index_free().
 */
#ifndef SOLVER_INDEX_H
#define SOLVER_INDEX_H

#include "solver/channel.h"
#include "solver/index_group.h"
#include "solver/index_groups.h"
#include "solver/record.h"

struct image;
struct shards;

/* One repodata.json: a subdir of a channel. */
struct index_source {
	const struct channel *channel;
	size_t number;     /* in the index */
	unsigned position; /* of the channel: 0 has the highest priority */
	struct str subdir;
	struct str base_url;   /* info.base_url resolved (CEP 15); else channel URL and subdir */
	struct groups *groups; /* one of these, the others are NULL */
	struct image *image;
	struct shards *shards;
	size_t n_records;
};

struct index {
	struct arena arena;
	struct {
		struct index_source **v;
		size_t n, cap;
	} sources;
	size_t n_records; /* of all sources */
};

struct index *index_new(void);
void index_free(struct index *ix); /* NULL is allowed */
/*
 * Adds groups, which are the index's from then on, also on failure.  The channel must outlive the
 * index.
 */
int index_add_groups(struct index *ix, struct groups *groups, const struct channel *channel,
	unsigned position, struct str subdir, struct err *e);
/* The same of an index file. */
int index_add_image(struct index *ix, struct image *image, const struct channel *channel,
	unsigned position, struct str subdir, struct err *e);
/* The same of an index in shards, which stays the caller's and must outlive this one. */
int index_add_shards(struct index *ix, struct shards *shards, const struct channel *channel,
	unsigned position, struct str subdir, struct err *e);
/*
 * Reads and adds a repodata.json, compressed or not.  Text that is no repodata is ERR_INTEGRITY and
 * names channel, subdir, line and column.
 */
int index_add_file(struct index *ix, const char *path, const struct channel *channel,
	unsigned position, struct str subdir, struct err *e);

/*
 * Is there an index in shards that has not yet read that of this name?  Then index_fetch() reads
 * those of many names at the same time, which is faster than index_group() one by one.
 */
bool index_lacks(const struct index *ix, struct str name);
int index_fetch(const struct index *ix, const struct str *names, size_t n, struct err *e);
/* How many records the indexes have; of those in shards what was read. */
size_t index_records(const struct index *ix);

/*
 * What a source has of a name: 1, or 0 where it has none.  ERR_INTEGRITY: the index file is
 * damaged.  A source is for one thread at a time.
 */
int index_group(const struct index *ix, size_t source, struct str name, struct index_group *out,
	struct err *e);
/* The text of one of a group's specs.  ERR_INTEGRITY as above. */
int index_spec(
	const struct index *ix, size_t source, uint32_t number, struct str *out, struct err *e);
/* Where a file of that name lies, as records and locks have it. */
struct str index_url(struct arena *a, const struct index_source *source, struct str fn);
/* Calls fn for every name of every source; those in several sources come more than once. */
typedef void index_visitor(void *ctx, struct str name);
void index_each_name(const struct index *ix, index_visitor *fn, void *ctx);

#endif
