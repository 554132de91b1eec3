/*
 * Conda versions (CEP 33) and version specs (CEP 29, section on versions).
 *
 * The order is CEP 33's; where conda differs (a trailing underscore, CEP 33 "Examples") it is
 * written at the place in version.c.
 */
#ifndef SOLVER_VERSION_H
#define SOLVER_VERSION_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct version; /* parsed, in an arena */

/* ERR_INPUT with the offending character's place.  At most 64 characters in strict CEP 33;
 * real channels hold longer ones, so up to 255 are taken. */
int version_parse(struct arena *a, struct str text, const struct version **out, struct err *e);
int version_cmp(const struct version *a, const struct version *b);
struct str version_text(const struct version *v);

struct version_spec; /* ">=1.2,<2|1.1.*" and the like */

int version_spec_parse(
	struct arena *a, struct str text, const struct version_spec **out, struct err *e);
bool version_spec_match(const struct version_spec *spec, const struct version *v);

#endif
