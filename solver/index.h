/*
 * The channels' indexes (repodata.json, CEP 36) as one list of record places by name.
 *
 *	struct index *ix = index_new();
 *	index_add_file(ix, "repodata.json", &channel, 0, STR("linux-64"), &err);
 *	for (p = index_first(ix, name); p; p = index_next(ix, p)) record_parse(...);
 *	index_free(ix);
 *
 * A file is scanned once: of each record only its file name and the range of its bytes are kept,
 * because a request reaches a small part of a channel.  The name of a package is what stands
 * before the last two dashes of the file name (CEP 26).  Files stay mapped until index_free(), and
 * everything handed out points into them.
 */
#ifndef SOLVER_INDEX_H
#define SOLVER_INDEX_H

#include "base/table.h"
#include "solver/channel.h"
#include "solver/record.h"

/* One repodata.json: a subdir of a channel. */
struct index_source {
	const struct channel *channel;
	unsigned position; /* of the channel: 0 has the highest priority */
	struct str subdir;
	struct str base_url;  /* info.base_url resolved (CEP 15); else channel URL and subdir */
	struct table removed; /* file names that the channel has taken back */
	char *path;           /* for messages */
	struct str text;
};

struct index_place {
	const char *fn, *json; /* file name, and the record's object as text */
	uint32_t json_n;
	uint16_t fn_n;
	uint16_t source; /* index into index.sources.v*/
	uint32_t next;   /* place + 1 with the same name; 0: the last */
};

struct index {
	struct arena arena;
	struct {
		struct index_source **v;
		size_t n, cap;
	} sources;
	struct index_place *places;
	size_t n_places, cap_places;
	struct table names; /* name -> first place + 1 in the low half, last + 1 in the high half */
};

struct index *index_new(void);
void index_free(struct index *ix); /* NULL is allowed */
/*
 * Adds one file.  The channel must outlive the index.  Text that is no repodata is ERR_INTEGRITY
 * and names channel, subdir, line and column.
 */
int index_add_file(struct index *ix, const char *path, const struct channel *channel,
	unsigned position, struct str subdir, struct err *e);
/* The places of one name, in the order of files and of the text; NULL: no more. */
const struct index_place *index_first(const struct index *ix, struct str name);
const struct index_place *index_next(const struct index *ix, const struct index_place *p);

static inline struct str place_fn(const struct index_place *p)
{
	return str_n(p->fn, p->fn_n);
}

/*
 * Parses the record at a place.  Strings point into the mapped file or live in the arena.
 * ERR_INTEGRITY names channel and file name: text that is no JSON, a field of the wrong type, a
 * name that differs from the file name's, more than 4,096 dependencies.
 */
int record_parse(struct arena *a, const struct index *ix, const struct index_place *p,
	struct record *out, struct err *e);
/* A copy that needs nothing of the index. */
struct record *record_copy(struct arena *a, const struct record *r);

#endif
