/* The parsed version, private to solver/pep440*.c. */
#ifndef SOLVER_PEP440_VERSION_H
#define SOLVER_PEP440_VERSION_H

#include "solver/pep440.h"

/* In their order; a release without one stands after all. */
enum pep440_stage { STAGE_A, STAGE_B, STAGE_RC, STAGE_NONE };

/* Numbers are digits without leading zeros. */
struct pep440 {
	struct str text; /* normal form */
	struct str epoch;
	struct str *release;
	size_t n_release;
	enum pep440_stage stage;
	struct str pre; /* the stage's number */
	bool has_post, has_dev;
	struct str post, dev;
	struct str *local; /* lower case */
	size_t n_local;
};

/* As pep440_parse, with the reason and its offset from 0. */
int pep440_scan(
	struct arena *a, struct str text, const struct pep440 **out, const char **why, size_t *at);
/* By epoch and release alone; by all but the local part. */
int pep440_cmp_base(const struct pep440 *a, const struct pep440 *b);
int pep440_cmp_public(const struct pep440 *a, const struct pep440 *b);

#endif
