/*
 * From findings to what the solver should know: which builds cannot be had on the target, and why.
 */
#ifndef PACKER_AUDIT_LEARN_H
#define PACKER_AUDIT_LEARN_H

#include "packer/audit.h"
#include "solver/solve.h"

/* What says so. */
struct learned_from {
	const struct record *record;
	/* About the build, one for each thing that is needed: first the one that is told. */
	struct audit_finding *findings;
	size_t n_findings;
};

struct learned_list {
	struct learned *v;
	size_t n, cap;
	struct {
		struct learned_from *v;
		size_t n, cap;
	} from; /* of each in v */
};

/*
 * Adds what errors of the audit say of builds that are not in the list: one entry for each, or for
 * each kind of virtual package that it needs in a version the target does not have.  Returns how many
 * builds; 0: another solve would change nothing.  All but the records lives in the arena.
 */
size_t audit_learn(struct arena *a, const struct audit *audit, struct learned_list *list);
/*
 * The same of an audit of packages by themselves, without the environment that they belong to: only
 * what holds whatever that is.
 */
size_t audit_learn_alone(struct arena *a, const struct audit *audit, struct learned_list *list);
/* Is anything learned of this build? */
bool learned_has(const struct learned_list *list, const struct record *r);
/* Would solving without a package's build take this finding away?  Not where it is ignored. */
bool learned_can_be(const struct audit_finding *f);
/* "needs GLIBC_2.28 of libc.so.6", in the arena; empty: only the finding's text says it. */
struct str learned_words(struct arena *a, const struct audit_finding *f);
/* Is it a version of glibc, of a library that comes with it?  Then *number is "2.28". */
bool learned_glibc(const struct audit_finding *f, struct str *number);

#endif
