/*
 * From findings to what the solver should know: which builds cannot be had on the target, and why.
 */
#ifndef PACKER_AUDIT_LEARN_H
#define PACKER_AUDIT_LEARN_H

#include "packer/audit.h"
#include "solver/solve.h"

struct learned_list {
	struct learned *v;
	size_t n, cap;
};

/*
 * Adds one entry for each build that an error of the audit is about, and that is not in the list.
 * Returns how many; 0: another solve would change nothing.  Texts live in the arena.
 */
size_t audit_learn(struct arena *a, const struct audit *audit, struct learned_list *list);

#endif
