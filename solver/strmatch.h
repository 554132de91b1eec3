/*
 * String matching as CEP 29 has it, case-insensitive: "^...$" is a regular expression, "*" makes a
 * glob, anything else is equality.
 */
#ifndef SOLVER_STRMATCH_H
#define SOLVER_STRMATCH_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum strmatch_kind { STRMATCH_EQUAL, STRMATCH_GLOB, STRMATCH_REGEX };

struct strmatch {
	enum strmatch_kind kind;
	struct str text;
	const char *regex; /* POSIX extended form of text, NUL-terminated; kind REGEX only */
};

/*
 * Keeps the slice.  Regular expressions are Python's as far as POSIX extended ones can say the
 * same; look-around, back references and the like are refused (ERR_INPUT), as CEP 29 advises.
 */
int strmatch_parse(struct arena *a, struct str text, const struct strmatch **out, struct err *e);
bool strmatch_test(const struct strmatch *m, struct str s);

/* Case-insensitive over ASCII. */
bool str_same(struct str a, struct str b);
/* "*" stands for any run of characters, everything else for itself; linear in practice. */
bool str_glob(struct str pattern, struct str s);

#endif
