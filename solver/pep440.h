/*
 * Versions of Python distributions and sets of specifiers (PEP 440).
 *
 *	const struct pep440 *v;
 *	struct pep440_set set;
 *	pep440_parse(a, text, &v, e); pep440_set_parse(a, STR(">=1.2,!=1.5.*"), &set, e);
 *	pep440_set_has(&set, v, PEP440_PRE_AUTO)
 *
 * Not conda's versions (version.h): the order of the two differs.
 */
#ifndef SOLVER_PEP440_H
#define SOLVER_PEP440_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum { PEP440_MAX = 255 };

struct pep440; /* parsed, in an arena */

/*
 * Takes every spelling of PEP 440's Appendix B ("v1.0-RC.1", white space around).  ERR_INPUT:
 * "invalid version '1..2': ... at 3".  The text is copied.
 */
int pep440_parse(struct arena *a, struct str text, const struct pep440 **out, struct err *e);
int pep440_cmp(const struct pep440 *a, const struct pep440 *b);
/* Normal form: "1.0rc1", "1!2.0.post1+ubuntu.1". */
struct str pep440_text(const struct pep440 *v);
/* A pre-release or development release? */
bool pep440_is_pre(const struct pep440 *v);

enum pep440_op {
	PEP440_EQ,     /* ==, also with .* */
	PEP440_NE,     /* != */
	PEP440_LE,     /* <= */
	PEP440_GE,     /* >= */
	PEP440_LT,     /* < */
	PEP440_GT,     /* > */
	PEP440_COMPAT, /* ~= */
	PEP440_SAME,   /* ===: the text itself */
};

struct pep440_clause {
	enum pep440_op op;
	bool prefix;                  /* ".*" stands behind it */
	struct str text;              /* the version as written, without ".*" */
	const struct pep440 *version; /* NULL for === where the text is not a version */
};

/* All of its clauses must hold; none: every version. */
struct pep440_set {
	struct pep440_clause *v;
	size_t n;
};

/* Does a pre-release satisfy a set that names none itself? */
enum pep440_pre {
	PEP440_PRE_AUTO, /* no, as a resolver asks of candidates, unless the set names one */
	PEP440_PRE_YES,  /* yes, as one asks of what is installed already */
};

/* "" or white space is the empty set.  A legacy form such as "==1.0-custom" is ERR_INPUT. */
int pep440_set_parse(struct arena *a, struct str text, struct pep440_set *out, struct err *e);
/*
 * As pep440_set_parse, for a text within another: -1 with *why and *at, the offset from 0 of what is
 * wrong.
 */
int pep440_set_scan(
	struct arena *a, struct str text, struct pep440_set *out, const char **why, size_t *at);
bool pep440_set_has(const struct pep440_set *set, const struct pep440 *v, enum pep440_pre pre);
const char *pep440_op_text(enum pep440_op op);

#endif
