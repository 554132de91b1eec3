/* Records as they come out of JSON: repodata.json (CEP 36, CEP 48). */
#ifndef SOLVER_RECORD_PARSE_H
#define SOLVER_RECORD_PARSE_H

#include "base/json.h"
#include "solver/record.h"

/*
 * Reads the object that comes next as the record of the file fn.  Texts live in the arena, but for
 * fn, which is kept as it is.  ERR_INTEGRITY names the file: a field of the wrong type, a name
 * that differs from the file name's, more than 4,096 dependencies.  The reader then stands behind
 * the object, unless it was the text that is no JSON: json_depth() is what it was before, or
 * json_next() goes on failing.
 */
int record_parse(struct json *j, struct arena *a, struct str fn, struct record *out, struct err *e);

#endif
