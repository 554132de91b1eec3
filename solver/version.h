/*
 * Conda versions (CEP 33) and version specs (CEP 29, section on versions).
 *
 * The order is CEP 33's; where conda differs or says more it is written at the place in version.c
 * and version_spec.c.
 */
#ifndef SOLVER_VERSION_H
#define SOLVER_VERSION_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum { VERSION_MAX = 255 };

struct version; /* parsed, in an arena */

/*
 * ERR_INPUT with the offending character's place.  CEP 33 allows 64 characters, real channels hold
 * longer ones, so VERSION_MAX are taken.  The version keeps the slice: text must outlive it.
 */
int version_parse(struct arena *a, struct str text, const struct version **out, struct err *e);
int version_cmp(const struct version *a, const struct version *b);
/* As given, without white space at its ends. */
struct str version_text(const struct version *v);
/*
 * Bytes whose memcmp order is the order of versions (no key is a prefix of another), equal for
 * equal versions and only for these.
 */
struct str version_key(const struct version *v);

struct version_spec; /* ">=1.2,<2|1.1.*" and the like */

/* The spec keeps slices of text.  ERR_INPUT: "invalid version spec '>=': ... at 3". */
int version_spec_parse(
	struct arena *a, struct str text, const struct version_spec **out, struct err *e);
bool version_spec_match(const struct version_spec *spec, const struct version *v);
/* Is it one exact version ("1.2", "==1.2")?  Then *v is it. */
bool version_spec_exact(const struct version_spec *spec, const struct version **v);

#endif
