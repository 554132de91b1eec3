/* A record: what a channel's index says of one package build (CEP 34 index.json, CEP 36). */
#ifndef SOLVER_RECORD_H
#define SOLVER_RECORD_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum noarch { NOARCH_NONE, NOARCH_GENERIC, NOARCH_PYTHON };

struct record {
	struct str name, version, build;
	uint64_t build_number;
	struct str subdir;  /* "linux-64" or "noarch": the folder of the channel it lies in */
	struct str channel; /* the channel's URL, no credentials, no trailing slash */
	struct str fn;      /* file name with ending: numpy-1.26.4-py312_0.conda */
	struct str url;     /* whole, no credentials */
	struct str *depends, *constrains;
	size_t n_depends, n_constrains;
	/* The list is empty because nobody said; what the package itself says then counts. */
	bool depends_unknown, constrains_unknown;
	struct str track_features; /* separated by spaces; empty: none */
	struct str features;
	struct str flags; /* CEP 45, separated by spaces; only records of repodata v3 have any */
	/* CEP 44: each group as "GROUP ", and each of its dependencies as "GROUP SPEC". */
	struct str *extras;
	size_t n_extras;
	enum noarch noarch;
	struct str python_site_packages_path; /* CEP 17; empty: not given */
	struct str license, license_family;
	uint8_t sha256[32], md5[16];
	bool has_sha256, has_md5;
	/* Python distributions in it, "pkg:pypi/NAME@VERSION"; a lock tells "none" from "unknown". */
	struct str *purls;
	size_t n_purls;
	bool has_purls;
	uint64_t size;      /* bytes of the file; 0: not known */
	uint64_t timestamp; /* when it was built, milliseconds; 0: not known */
	uint64_t indexed;   /* when the channel took it in (CEP 47), milliseconds; 0: not known */
};

/* "NAME-VERSION-BUILD", the dist name, in the arena. */
struct str record_dist(struct arena *a, const struct record *r);
/*
 * Splits a file name NAME-VERSION-BUILD.conda|.tar.bz2 at its last two dashes.
 * -1 where it is not one; the slices point into fn.
 */
int record_split_fn(struct str fn, struct str *name, struct str *version, struct str *build);
/* A copy that needs nothing of what the record was made of. */
struct record *record_copy(struct arena *a, const struct record *r);
/* The name of a group of optional dependencies (CEP 44) has these characters, at most so many. */
enum { EXTRA_NAME_MAX = 64 };
bool extra_char_is_valid(char c);
/* Is it such a name? */
bool extra_name_is_valid(struct str name);
/* The first of that name; NULL: none. */
const struct record *record_named(struct record *const *v, size_t n, struct str name);
/* By name, then version text, build, subdir: a total order for output. */
int record_cmp_name(const struct record *a, const struct record *b);
/* The day (UTC) of a timestamp in milliseconds: "2024-06-17", "" for 0. */
const char *record_date(uint64_t timestamp, char out[16]);
/*
 * A time stamp in milliseconds.  Old indexes hold seconds; as conda does, what is before the year
 * 10000 in seconds is taken so, unless it would look like seconds again.
 */
uint64_t record_milliseconds(uint64_t t);
/* Is it a subdir of conda's (CEP 26), such as "linux-64" or "noarch"? */
bool subdir_is_known(struct str s);
/*
 * A virtual package as target profiles and locks write it: "NAME", "NAME=VERSION" or
 * "NAME=VERSION=BUILD"; version and build are "0" where not given.  Also read: "NAME==VERSION" and
 * spaces for the "=".  The slices point into text.  Only name, version, build and build_number 0
 * are filled in.  ERR_INPUT.
 */
int virtual_package_parse(struct arena *a, struct str text, struct record *out, struct err *e);

#endif
