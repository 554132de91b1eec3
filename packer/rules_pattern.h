/* Private to packer/rules*.c: patterns. */
#ifndef PACKER_RULES_PATTERN_H
#define PACKER_RULES_PATTERN_H

#include "packer/rules.h"

enum { RULES_MAX = 10000, PATTERN_MAX = 4096 };

/* Fills in `forms`.  ERR_USAGE names the pattern and who asks. */
int pattern_prepare(struct arena *a, struct rule_pattern *p, struct err *e);
/* Does it match the path itself? */
bool pattern_is(const struct rule_pattern *p, const char *path);
/* Or a folder above it? */
bool pattern_matches(const struct rule_pattern *p, const char *path);
/* No rule's to touch: conda-meta and what lies in it. */
bool path_is_kept(struct str path);
/* The paths that a named drop takes, by their names alone. */
bool drop_matches(enum rules_drop drop, struct str path);
/* What is wrong with putting a file there; NULL: nothing. */
const char *path_complaint(struct str path);
/* What a path becomes: `to` as struct rule_rename has it. */
struct str rename_target(struct arena *a, struct str to, struct str path);

#endif
