/* What the parts of the MatchSpec reader share: matchspec.c and matchspec_keys.c. */
#ifndef SOLVER_MATCHSPEC_PARSE_H
#define SOLVER_MATCHSPEC_PARSE_H

#include "solver/matchspec.h"

/* Slices point into text, so that a place in an error is a difference of pointers. */
struct spec_parser {
	struct arena *a;
	struct matchspec *m;
	struct str text; /* the whole */
};

/* ERR_INPUT "WHAT at PLACE"; -1. */
int spec_fail(const struct spec_parser *p, struct err *e, const char *at, const char *what);
int spec_set_version(struct spec_parser *p, struct str text, struct err *e);
int spec_set_build(struct spec_parser *p, struct str text, struct err *e);
/* "conda-forge/linux-64" into channel and subdir, where the last part is a known subdir. */
void spec_set_channel(struct matchspec *m, struct str s);
/* What stands between the brackets: "key=value, key='value'". */
int spec_read_keys(struct spec_parser *p, struct str rest, struct err *e);

#endif
