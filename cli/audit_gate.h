/* The audit as a gate: what commands that make a release do with what it finds. */
#ifndef CLI_AUDIT_GATE_H
#define CLI_AUDIT_GATE_H

#include "cli/plan.h"
#include "packer/audit.h"

/* Are --report and --ignore such that an audit can use them?  ERR_USAGE. */
int audit_check_options(const struct options *o, struct err *e);
/* Is the target's loader one that an audit can stand in for? */
bool audit_knows(const struct profile *profile);
/*
 * What the command line says of an audit, for a target whose image is at root (NULL: not at hand).
 * ERR_USAGE: its loader is not known.
 */
int audit_options_fill(struct session *s, const struct profile *profile, const char *root,
	struct audit_options *out, struct err *e);
/* --facts, which are read once for all targets: NULL where none were given. */
int audit_known(struct session *s, const struct known_binaries **out, struct err *e);
/* --report FILE: writes each that was asked for; of several targets as NAME-TARGET.ENDING. */
int audit_write_reports(struct session *s, const struct audit *audit, struct err *e);
/*
 * Says the worst of what was found, and the floor (not in `envbuild audit`, whose stdout has them);
 * ERR_AUDIT where there are errors: the text is that of the worst, the advice says what to do.
 */
int audit_gate(struct session *s, const struct audit *audit, struct err *e);

#endif
