/* Why there is no solution, as JSON (docs/man/envbuild-why.1.scd). */
#ifndef CLI_UNSAT_H
#define CLI_UNSAT_H

#include "base/json.h"
#include "cli/options.h"
#include "solver/solve.h"

/* The facts as one object. */
void json_unsat(struct json_out *w, const struct unsat *unsat);
/* A key with the day of a record's timestamp (milliseconds), or nothing for 0. */
void json_date(struct json_out *w, const char *key, uint64_t timestamp);
/* Under --json: prints {"error": ..., "unsat": ...} on stdout. */
void unsat_document(const struct options *o, const struct unsat *unsat, const struct err *e);

#endif
