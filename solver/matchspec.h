/* MatchSpec (CEP 29): what a requirement asks of a record. */
#ifndef SOLVER_MATCHSPEC_H
#define SOLVER_MATCHSPEC_H

#include "base/arena.h"
#include "base/err.h"
#include "solver/record.h"
#include "solver/version.h"

struct matchspec {
	struct str text; /* as given, trimmed */
	struct str name; /* lower case; may be a glob or ^regex$ (exact_name false) */
	bool exact_name;
	struct str channel;                 /* empty: any */
	struct str subdir;                  /* empty: any */
	const struct version_spec *version; /* NULL: any */
	struct str version_text, build_text;
	const struct strmatch *build; /* NULL: any; glob, ^regex$ or equality */
	bool has_build_number;
	struct str build_number_text; /* "3", ">=2" */
	/* Brackets: empty where not given. */
	struct str fn, url, md5, sha256, license, track_features, features;
};

/*
 * Errors are ERR_INPUT and point at the character: "invalid spec 'numpy >=1.': ... at 8".
 * `>=2.7 # comment` is not a spec: comments are the file's business.
 */
int matchspec_parse(struct arena *a, struct str text, struct matchspec *out, struct err *e);
/* v is the record's parsed version (the caller keeps it, since parsing is what costs). */
bool matchspec_match(const struct matchspec *spec, const struct record *r, const struct version *v);

#endif
