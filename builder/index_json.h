/*
 * info/index.json (CEP 34) of a package file to become a record of repodata.json.
 *
 * Only the fields that a record has are kept (those of CEP 36 and the older ones that real channels
 * carry); everything lives in the arena.
 */
#ifndef BUILDER_INDEX_JSON_H
#define BUILDER_INDEX_JSON_H

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

/* A scalar, or an array of scalars (no field of a record is more). */
struct index_value {
	enum json_type type; /* JSON_END: the field is not there */
	struct str text;     /* of a string or number */
	struct index_value *items;
	size_t n, cap;
};

enum { INDEX_FIELDS = 28 };

struct index_json {
	struct arena *arena;
	struct index_value fields[INDEX_FIELDS]; /* in the order of their names */
};

/*
 * Reads it out of a .conda or .tar.bz2 (told by the name's ending).  ERR_INTEGRITY where it is
 * damaged, has none, one over 16 MiB, one that lacks name, version or build or that has an object
 * for a field.
 */
int index_json_read(struct arena *a, const char *path, struct index_json *out, struct err *e);
/* A string field; empty where it is missing or no string. */
struct str index_json_text(const struct index_json *index, const char *key);
/* The strings of a list, in its arena. */
struct str *index_json_list(const struct index_json *index, const char *key, size_t *n);
/* Sets a field that the record has. */
void index_json_set_text(struct index_json *index, const char *key, struct str text);
void index_json_set_int(struct index_json *index, const char *key, int64_t v);
/* An array of texts. */
void index_json_set_list(
	struct index_json *index, const char *key, const struct str *texts, size_t n);
/* One object, keys sorted. */
void index_json_write(const struct index_json *index, struct json_out *w);
/* The same in MessagePack, as a shard has it: sha256 and md5 are bytes. */
void index_json_pack(const struct index_json *index, struct buf *to);

#endif
