/*
 * The channels' indexes (repodata.json, CEP 36) as groups of builds by name.
 *
 *	struct index *ix = index_new();
 *	index_add_file(ix, "repodata.json", &channel, 0, STR("linux-64"), &err);
 *	for (i = 0; i < ix->sources.n; i++) index_group(ix, i, name, &group, &err);
 *	index_free(ix);
 *
 * There are two kinds of source.  A repodata.json is scanned once: of each record only its file
 * name and the range of its bytes are kept, because a request reaches a small part of a channel;
 * the name of a package is what stands before the last two dashes of the file name (CEP 26).  An
 * index file (index_image.h) that was made from one needs no scan and no parsing.  Both give the
 * same groups.  Files stay mapped until index_free(), and everything handed out points into them.
 */
#ifndef SOLVER_INDEX_H
#define SOLVER_INDEX_H

#include "base/table.h"
#include "solver/channel.h"
#include "solver/index_group.h"
#include "solver/record.h"

struct image;

/* One repodata.json: a subdir of a channel. */
struct index_source {
	const struct channel *channel;
	size_t number;     /* in the index */
	unsigned position; /* of the channel: 0 has the highest priority */
	struct str subdir;
	struct str base_url; /* info.base_url resolved (CEP 15); else channel URL and subdir */
	struct str folder_url,
		given_base_url; /* channel URL and subdir; info.base_url as written */
	struct table removed;   /* file names that the channel has taken back */
	char *path;             /* for messages */
	struct str text;        /* of a repodata.json; else empty */
	struct image *image;    /* of an index file; else NULL */
	size_t n_records;
	struct arena arena; /* groups made of text */
	struct spec_set specs;
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
	size_t n_records; /* of all sources */
	/* Of the sources with text: */
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
/* Adds an index file with the key given (index_image.h); -1 where it is not there or not whole. */
int index_add_image(struct index *ix, const char *path, const uint8_t key[32],
	const struct channel *channel, unsigned position, struct str subdir, struct err *e);

/*
 * What a source has of a name: 1, or 0 where it has none.  ERR_INTEGRITY: the index file is
 * damaged.  A source is for one thread at a time.
 */
int index_group(const struct index *ix, size_t source, struct str name, struct index_group *out,
	struct err *e);
/* The text of one of a group's specs.  ERR_INTEGRITY as above. */
int index_spec(
	const struct index *ix, size_t source, uint32_t number, struct str *out, struct err *e);
/* Calls fn for every name of every source; those in several sources come more than once. */
typedef void index_visitor(void *ctx, struct str name);
void index_each_name(const struct index *ix, index_visitor *fn, void *ctx);
/*
 * Makes an index file of a source with text.  Thread-safe beside all that only reads the index.
 * What is wrong with a single record is kept, for whoever reaches it.
 */
int index_write_image(const struct index *ix, size_t source, const char *path,
	const uint8_t key[32], struct err *e);

/* --- sources with text -------------------------------------------------------------------- */

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
/* The same without the channel in front of the message. */
int record_parse_bare(struct arena *a, const struct index *ix, const struct index_place *p,
	struct record *out, struct err *e);
/* A copy that needs nothing of the index. */
struct record *record_copy(struct arena *a, const struct record *r);

#endif
