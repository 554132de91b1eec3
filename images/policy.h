/*
 * The rules of the audit, and how much each matters for a target.
 *
 * A finding belongs to one rule; the rule's level says whether it stops a release.  A profile's
 * `audit:` sets levels, an ignore takes findings out with a reason (docs/design/audit.md).
 */
#ifndef IMAGES_POLICY_H
#define IMAGES_POLICY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

enum audit_rule {
	RULE_VERSION,     /* version-not-found: the library that is found lacks a symbol version */
	RULE_LIBRARY,     /* library-not-found */
	RULE_SHADOWED,    /* shadowed-library: the host's is taken where the environment has one */
	RULE_MACHINE,     /* wrong-architecture */
	RULE_ISA,         /* isa-level: x86-64-v3 on a target of v2 */
	RULE_KERNEL,      /* kernel-too-new: .note.ABI-tag asks for a newer kernel */
	RULE_STATIC_TLS,  /* static-tls: more than the loader's surplus */
	RULE_STACK,       /* executable-stack, where the target forbids it */
	RULE_TEXT,        /* text-relocations, where the target forbids them */
	RULE_RPATH,       /* foreign-rpath: an absolute path of the machine that built it */
	RULE_PREFIX,      /* leftover-prefix: a placeholder or build prefix that nothing replaces */
	RULE_DRIVER,      /* driver-library: only the GPU driver brings it */
	RULE_GPU,         /* gpu-architecture: no code for the target's devices */
	RULE_INTERPRETER, /* interpreter-not-found: of a program or script */
	RULE_LINK,        /* dangling-link */
	RULE_COPIES,      /* two-copies of one soname that one process would load */
	RULE_SYMBOL,      /* symbol-not-found (--symbols) */
	RULE_BROKEN,      /* broken-elf */
	RULE_UNREAD,      /* not-audited: a file or folder that could not be read */
	AUDIT_RULES
};

enum audit_level { LEVEL_OFF, LEVEL_INFO, LEVEL_WARNING, LEVEL_ERROR };

/* The rule of that name; AUDIT_RULES: there is none. */
enum audit_rule audit_rule_of(struct str name);
const char *audit_rule_name(enum audit_rule rule);
/* "off", "info", "warning", "error"; false: none of them. */
bool audit_level_of(struct str name, enum audit_level *out);
const char *audit_level_name(enum audit_level level);
/* One line of what a rule is about, for people. */
const char *audit_rule_about(enum audit_rule rule);

/* All names in their order, with commas between, for messages; in the arena. */
struct str audit_rule_names(struct arena *a);

/* Findings of a rule whose path or library matches the pattern (fnmatch, '*' matches slashes too). */
struct audit_ignore {
	enum audit_rule rule; /* AUDIT_RULES: any ("*") */
	struct str pattern, reason;
	const char *place; /* who says so, for messages: "--ignore", "envbuild.yml:3:5" */
};
/*
 * "RULE:PATTERN=REASON", the reason may not be missing; slices of the text.  ERR_USAGE, without the
 * option's name.
 */
int audit_ignore_parse(struct str text, struct audit_ignore *out, struct err *e);
/* The same of three texts.  out->place is set before: of a file it stands in the message, ERR_INPUT. */
int audit_ignore_of(struct str rule, struct str pattern, struct str reason,
	struct audit_ignore *out, struct err *e);
/* "*", or the rule's name. */
const char *audit_ignore_rule(const struct audit_ignore *ignore);

/* `audit:` of a profile. */
struct profile_audit {
	bool set[AUDIT_RULES];
	enum audit_level level[AUDIT_RULES];
	struct audit_ignore *ignores;
	size_t n_ignores;
	bool forbids_executable_stack; /* `executable-stack: forbidden`, as SELinux may */
	bool forbids_text_relocations;
};

#endif
