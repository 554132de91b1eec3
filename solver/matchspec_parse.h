/* What the parts of the MatchSpec reader share: matchspec.c and matchspec_keys.c. */
#ifndef SOLVER_MATCHSPEC_PARSE_H
#define SOLVER_MATCHSPEC_PARSE_H

#include "solver/matchspec.h"

/* The spec with a rewritten part (spec_rewrite) in place of one of its last. */
struct spec_copy {
	struct str text;
	const struct spec_copy *before;
};

/* Slices point into whole or a copy, so that a place in an error is a difference of pointers. */
struct spec_parser {
	struct arena *a;
	struct matchspec *m;
	struct str text; /* what is read: all of whole, or one spec of a condition in it */
	struct str whole;
	const struct spec_copy *copies;
	bool in_condition;
};

/* ERR_INPUT "WHAT at PLACE"; -1. */
int spec_fail(const struct spec_parser *p, struct err *e, const char *at, const char *what);
/* Where places are counted from for what stands in s. */
const char *spec_origin(const struct spec_parser *p, struct str s);
/*
 * Room for n bytes that are read instead of `old`, a part of the spec: places in it are counted as
 * if it began where old does.
 */
char *spec_rewrite(struct spec_parser *p, struct str old, size_t n);
/* Reads p->text into p->m. */
int spec_read(struct spec_parser *p, struct err *e);
int spec_set_version(struct spec_parser *p, struct str text, struct err *e);
int spec_set_build(struct spec_parser *p, struct str text, struct err *e);
/* "conda-forge/linux-64" into channel and subdir, where the last part is a known subdir. */
void spec_set_channel(struct matchspec *m, struct str s);
/* The value of "when" (CEP 43). */
int spec_read_condition(struct spec_parser *p, struct str text, struct err *e);
/* What stands between the brackets: "key=value, key='value', key=[value, value]". */
int spec_read_keys(struct spec_parser *p, struct str rest, struct err *e);

#endif
