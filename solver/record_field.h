/*
 * The fields of a record in an index, as JSON (record_parse.h) and as MessagePack (shard_record.h)
 * have them: CEP 36, whose fields are those of index.json (CEP 34), and what CEP 44, 45 and 47 add.
 */
#ifndef SOLVER_RECORD_FIELD_H
#define SOLVER_RECORD_FIELD_H

#include "solver/record.h"

enum record_field_kind {
	FIELD_TEXT,   /* struct str */
	FIELD_NUMBER, /* uint64_t */
	FIELD_WORDS,  /* struct str: a text, or a list that is joined by spaces */
	FIELD_DEPENDS,
	FIELD_CONSTRAINS,
	FIELD_EXTRAS,
	FIELD_NOARCH,
	FIELD_SHA256,
	FIELD_MD5
};

struct record_field {
	struct str key;
	enum record_field_kind kind;
	size_t at; /* of struct record */
};

/* Of a list of dependencies, or of all groups. */
enum { DEPENDS_MAX = 4096 };

/*
 * The field of this key; NULL: nobody here needs it.  Writers sort keys, or keep one order, so that
 * the search begins at *guess, 0 at first, and leaves there where the next one may be.
 */
const struct record_field *record_field_of(struct str key, size_t *guess);

#endif
