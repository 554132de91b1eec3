/* MatchSpec (CEP 29): what a requirement asks of a record. */
#ifndef SOLVER_MATCHSPEC_H
#define SOLVER_MATCHSPEC_H

#include "base/arena.h"
#include "base/err.h"
#include "solver/record.h"
#include "solver/strmatch.h"
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
	struct str build_number_text; /* "3", ">=2", "!=4", ">2,<5" */
	uint64_t build_number_min, build_number_max;
	bool build_number_not;               /* anything but the range */
	const struct strmatch *build_number; /* a glob or ^regex$ over the digits, instead */
	/* Brackets: empty where not given. */
	struct str fn, url, md5, sha256, license, license_family, track_features, features;
	/* "flags" (CEP 45), each a text or a glob; a record has to have one that fits each of them. */
	struct str *flags;
	size_t n_flags;
	/* "extras" (CEP 44): groups whose dependencies are wanted too.  They match every record. */
	struct str *extras;
	size_t n_extras;
	const struct spec_condition *when; /* CEP 43; NULL: always */
	const struct strmatch *name_match; /* where exact_name is false; NULL: any ("*") */
	bool plain;                        /* nothing is asked beyond name, version and build */
};

/* "python>=3.10 and (__unix or __win)": under which a requirement counts. */
enum condition_kind { CONDITION_SPEC, CONDITION_AND, CONDITION_OR };

struct spec_condition {
	enum condition_kind kind;
	const struct matchspec *spec; /* has no condition of its own */
	const struct spec_condition *left, *right;
};

/*
 * The text is copied.  Errors are ERR_INPUT and point at the character, counted from 1: "invalid spec
 * 'numpy >=1..2': empty component at 11"; text or advice say what is expected there.
 * `>=2.7 # comment` is not a spec: comments are the file's business.
 */
int matchspec_parse(struct arena *a, struct str text, struct matchspec *out, struct err *e);
/*
 * v is the record's parsed version (the caller keeps it, since parsing is what costs); NULL, for a
 * version that cannot be read, matches only where no version is asked for.
 */
bool matchspec_match(const struct matchspec *spec, const struct record *r, const struct version *v);
/*
 * Does the condition hold?  holds() answers for one spec of it: whether the target or the solution
 * has such a package (1 yes, 0 no, negative: that cannot be told).  The same three answers; what
 * cannot be told is passed on only where the rest does not decide.
 */
int spec_condition_holds(const struct spec_condition *c,
	int (*holds)(const struct matchspec *spec, void *context), void *context);
/*
 * The name alone, of a spec in any of its forms, without parsing the rest: what an index is
 * searched for.  A slice of text, not lowered; empty where there is none.
 */
struct str matchspec_name(struct str text);
/* Does a channel's URL answer to what a spec calls it: a name, "name/label/x", or a URL? */
bool channel_matches(struct str wanted, struct str url);

#endif
