/* Facts of packages' ELF files, handed on. */
#ifndef CLI_AUDIT_FACTS_H
#define CLI_AUDIT_FACTS_H

#include "cli/session.h"
#include "packer/audit.h"

/*
 * --export-facts: writes those of the tree's packages whose sha256 is known, as the cache or --facts
 * has them, else as the tree's own files are.  Nothing where that was not asked for.
 */
int audit_export_facts(struct session *s, const struct audit_tree *tree, struct err *e);
/* The same of all packages in the cache: also of those that were tried and could not load. */
int audit_export_cache(struct session *s, struct err *e);

#endif
