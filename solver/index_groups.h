/*
 * A channel's index in memory: the groups (index_group.h) of a repodata.json, made while its text
 * is read, once and from front to back.
 *
 *	struct groups *g = groups_read_file("repodata.json.zst", "name", NULL, &err);
 *	groups_find(g, name, &group, &err);
 *	groups_write(g, path, key, &err);
 *	groups_free(g);
 *
 * Records of a name that stand together become a piece; a name whose records stand in several
 * places (.tar.bz2 and .conda mostly do) has its pieces joined at the end.  Never more than the
 * pieces and the records of one name are in memory.  What is read only may be used by several
 * threads at once.
 */
#ifndef SOLVER_INDEX_GROUPS_H
#define SOLVER_INDEX_GROUPS_H

#include "base/archive.h"
#include "base/json.h"
#include "solver/index_group.h"

struct groups;

/*
 * Reads a whole index: `packages` and `packages.conda` (CEP 36), `v3` (CEP 48), `removed` and
 * info.base_url (CEP 15).  name stands in messages.  What is no index is ERR_INTEGRITY, with line
 * and column; a record that cannot be read is kept as its error, for whoever reaches it.
 */
struct groups *groups_read(stream_read *read, void *ctx, const char *name, struct err *e);
/* The same of what may be compressed (base/archive.h); a thread of its own decompresses it. */
struct groups *groups_read_packed(stream_read *read, void *ctx, const char *name, struct err *e);
/* The same of a file; ERR_INTEGRITY where it has another sha256 than this, if any is given. */
struct groups *groups_read_file(
	const char *path, const char *name, const uint8_t *sha256, struct err *e);
void groups_free(struct groups *g); /* NULL is allowed */

size_t groups_records(const struct groups *g);      /* in the channel's file, all that it names */
struct str groups_base_url(const struct groups *g); /* as written; empty: none */
size_t groups_names(const struct groups *g);
/* Names in no particular order; some may have no build left. */
struct str groups_name_at(const struct groups *g, size_t i);
/* 1, or 0 where there is no such name.  The group points into g. */
int groups_find(const struct groups *g, struct str name, struct index_group *out, struct err *e);
struct str groups_spec(const struct groups *g, uint32_t number);
/* Makes an index file (index_image.h).  Names are sorted in it. */
int groups_write(const struct groups *g, const char *path, const uint8_t key[32], struct err *e);

/* --- making ------------------------------------------------------------------------------- */

struct groups *groups_new(void);
/* v is sorted and thinned out; its texts are copied. */
int groups_add(struct groups *g, struct arena *scratch, struct str name, struct group_record *v,
	size_t n, struct err *e);
/* The channel has taken this file back. */
void groups_remove(struct groups *g, struct str fn);
void groups_set_base_url(struct groups *g, struct str base_url);
/* Joins pieces and takes out what was removed; to be called once, at the end. */
int groups_finish(struct groups *g, struct err *e);

#endif
