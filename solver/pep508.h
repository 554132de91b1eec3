/*
 * Requirements of Python distributions: names, extras, versions, URLs and markers (PEP 508, as the
 * specification "Dependency specifiers" has it now).
 *
 *	name [extra,...] (>=1,<2) ; marker		name [extra,...] @ URL ; marker
 */
#ifndef SOLVER_PEP508_H
#define SOLVER_PEP508_H

#include "solver/pep440.h"

struct marker; /* parsed, in an arena */

struct pep508 {
	struct str text; /* as given, trimmed */
	struct str name; /* normalized */
	struct str given_name;
	struct str *extras; /* normalized, sorted, each once */
	size_t n_extras;
	struct pep440_set versions;
	struct str url;              /* empty: none; then versions is empty */
	const struct marker *marker; /* NULL: always */
	struct str marker_text;      /* what stands behind the ';' */
};

/*
 * ERR_INPUT points at the character, from 1: "invalid requirement 'a ==': a version is missing at
 * 5".  The text is copied.
 */
int pep508_parse(struct arena *a, struct str text, struct pep508 *out, struct err *e);

/* What markers are compared with.  An empty value is one that is not known: "". */
struct marker_env {
	struct str python_version;      /* "3.11" */
	struct str python_full_version; /* "3.11.4" */
	struct str os_name;             /* "posix" */
	struct str sys_platform;        /* "linux" */
	struct str platform_machine;    /* "x86_64" */
	struct str platform_system;     /* "Linux" */
	struct str platform_release;
	struct str platform_version;
	struct str implementation_name;            /* "cpython" */
	struct str implementation_version;         /* "3.11.4" */
	struct str platform_python_implementation; /* "CPython" */
};

/*
 * What a CPython of this version says on a machine of conda's subdir ("linux-64").  What depends
 * on the running kernel (platform_release, platform_version) stays empty.
 */
void marker_env_of(
	struct arena *a, struct str python_version, struct str subdir, struct marker_env *out);
/*
 * extras: those that the requirement's owner was asked with; `extra == "x"` holds where x is among
 * them.  A NULL marker holds.  Comparing what cannot be compared ('"a" < "b"' of no versions) is
 * done by text, as pip does.
 */
bool marker_holds(const struct marker *m, const struct marker_env *env, const struct str *extras,
	size_t n_extras);

/* A distribution's or extra's name as PEP 503 has it: lower case, one dash for each run of -_. */
struct str pypi_normal_name(struct arena *a, struct str name);
/* Letters, digits and within them -_. (PEP 508's identifier)? */
bool pypi_name_is_valid(struct str name);

#endif
