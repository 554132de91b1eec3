/* The audit of packages for a target whose image is not at hand. */
#ifndef CLI_AUDIT_H
#define CLI_AUDIT_H

#include "cli/plan.h"

/*
 * Fetches the plan's packages and says what their binary files need of the target's hosts.
 * ERR_AUDIT where hosts lack a symbol version: the text names the worst file, each package is noted.
 */
int audit_plan(struct session *s, const struct plan *plan, struct err *e);

#endif
