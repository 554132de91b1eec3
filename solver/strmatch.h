/*
 * String matching as CEP 29 has it, case-insensitive: "^...$" is a regular expression, "*" makes a
 * glob, anything else is equality.
 */
#ifndef SOLVER_STRMATCH_H
#define SOLVER_STRMATCH_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct regex;

enum strmatch_kind { STRMATCH_EQUAL, STRMATCH_GLOB, STRMATCH_REGEX };

struct strmatch {
	enum strmatch_kind kind;
	struct str text;
	const struct regex *regex; /* kind REGEX only */
};

/*
 * Keeps the slice.  Only a regular expression can be wrong (ERR_INPUT): its syntax is Python's
 * without look-around and back references, as CEP 29 advises.  The error says "at" which
 * character, counted from 1 at origin, the start of the whole text that `text` is a part of.
 */
int strmatch_parse_at(struct arena *a, struct str text, const char *origin,
	const struct strmatch **out, struct err *e);
bool strmatch_test(const struct strmatch *m, struct str s);

/* Case-insensitive over ASCII. */
bool str_same(struct str a, struct str b);
/* "*" stands for any run of characters, everything else for itself; never more than pattern * s steps. */
bool str_glob(struct str pattern, struct str s);

#endif
