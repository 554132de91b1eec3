/*
 * Can every ELF file of an environment load on hosts of a target?  And will what it holds work there?
 *
 *	audit_tree_prefix(a, "/opt/env", &opts, &tree, e);       (packer/audit_tree.h)
 *	audit_run(a, &tree, &(struct audit_options){.profile = &p, .root = root}, &audit, e);
 *	audit_text(&audit, ...);                                  (packer/audit_report.h)
 *
 * A tree says what files there are and what is known of them; where it came from does not matter.
 * Libraries are resolved as ld.so would (audit_load.h); what does not resolve, and what else a host
 * might stumble over, becomes findings of rules (images/policy.h).  docs/design/audit.md.
 */
#ifndef PACKER_AUDIT_H
#define PACKER_AUDIT_H

#include "builder/binaries.h"
#include "images/policy.h"
#include "images/profile.h"

/* --- what is looked at ------------------------------------------------------------------------ */

struct audit_package {
	struct str name, version, build;
	struct str dist; /* NAME-VERSION-BUILD; of a distribution of pip NAME==VERSION */
	const struct record *record; /* NULL: of pip, or its record is not known */
	bool covered; /* not all of its files are known: another package has one of that path, it is unread */
};

struct audit_file {
	struct str path;   /* in the tree */
	ptrdiff_t package; /* index into packages; -1: of none */
	enum path_type type;
	mode_t mode;
	struct str link;             /* of a link: where it leads */
	const struct binary *binary; /* NULL: no ELF file */
	/* Of a script, the words after "#!", with the tree's own prefix as it lies there. */
	struct str interpreter;
	struct str
		leftover; /* a path of a build machine in a file that is no ELF file; empty: none */
	const char *
		unread; /* it, or what is in the folder, could not be looked at, and why; else NULL */
};

struct audit_tree {
	const char *what; /* for messages: "/opt/env", "demo.tar.gz" */
	const struct audit_package *packages;
	size_t n_packages;
	const struct audit_file *files; /* rising by path, each once */
	size_t n_files;
	/* Where it lies, and so what absolute paths in it mean; empty: not known, then `own` says it. */
	struct str prefix;
	/* Only packages' own files: no links, scripts and other things that come with installing. */
	bool of_packages;
	/* An archive that says what target it was made for. */
	bool has_target;
	/* Single files, or packages without all that they depend on: what they need of an environment
	 * is not there and is no finding. */
	bool alone;
	/* The dynamic symbols of a file: 1, 0 not known, -1.  They live in the arena. */
	int (*symbols)(
		void *ctx, struct arena *a, size_t file, struct elf_symbols *out, struct err *e);
	void *ctx;
};

/* The file or link at a path of the tree; NULL: none. */
const struct audit_file *audit_tree_at(const struct audit_tree *t, struct str path);
/* The file at a path of the tree, links followed inside it; NULL: none. */
const struct audit_file *audit_tree_find(const struct audit_tree *t, struct str path);
/* Is anything below that path of the tree, links as they stand? */
bool audit_tree_has_below(const struct audit_tree *t, struct str path);

/* --- what is found ---------------------------------------------------------------------------- */

enum audit_sure { SURE_POSSIBLE, SURE_LIKELY, SURE_CERTAIN };

struct audit_finding {
	enum audit_rule rule;
	enum audit_level level;
	enum audit_sure sure;
	ptrdiff_t package; /* index into the tree's; -1: of none */
	struct str path;
	struct str needs;   /* "GLIBC_2.28", "libfoo.so.1", "x86-64-v3", "Linux 3.10" */
	struct str library; /* that lacks it, or in which it is needed: "libc.so.6"; empty */
	struct str has;     /* what the target has: "GLIBC_2.17"; empty: nothing of the kind */
	/* That it was met in, each a program or what one opens, the first before the others; none: any. */
	const struct str *processes;
	size_t n_processes;
	struct str text;   /* a sentence without a full stop, complete in itself */
	struct str advice; /* what to do; empty: nothing is known */
	struct str reason; /* it is ignored for; empty: it counts */
};

/* Is it a trouble that people have met before, or does its advice only name other builds and targets? */
bool audit_is_known_trouble(const struct audit_finding *f);

/* An ignore and how many findings it took out; 0: it is of no use any more. */
struct audit_ignored {
	const struct audit_ignore *ignore;
	size_t n;
	bool of_profile;
};

/* The newest glibc that files of one package need of the host. */
struct audit_floor {
	ptrdiff_t package; /* -1: what is of none */
	struct str glibc;  /* "2.17" */
	struct str path;   /* a file that needs it */
};

struct audit {
	const struct audit_tree *tree;
	const struct profile *profile;
	bool against_root;              /* else the profile's list */
	struct str glibc;               /* the target's */
	size_t n_binaries;              /* that were looked at: of this machine's kind */
	size_t n_processes;             /* that were loaded in mind */
	struct audit_finding *findings; /* what counts first, the worst before the others */
	size_t n_findings;
	size_t n_of[LEVEL_ERROR + 1]; /* by level, without ignored ones */
	size_t n_ignored;
	struct audit_ignored *ignores; /* as given: of the options, then of the profile */
	size_t n_ignores;
	struct audit_floor *floors; /* the highest first; only packages that need any */
	size_t n_floors;
};

struct audit_options {
	const struct profile *profile;
	const char *root; /* of the target's image; NULL: the profile's `libraries:` */
	bool symbols;     /* look at each undefined symbol */
	const struct audit_ignore *ignores; /* besides those of the profile */
	size_t n_ignores;
	unsigned jobs;
};

/* Texts live in the arena, and in the tree's.  -1 only where something cannot be read. */
int audit_run(struct arena *a, const struct audit_tree *tree, const struct audit_options *o,
	struct audit *out, struct err *e);
/* A library is found by its soname, or by its file's name where it has none; of the arguments' texts. */
struct str audit_library_name(struct str path, const struct elf *elf);
/* "2.17" of GLIBC_2.17; empty: of another family, or private. */
struct str audit_glibc_number(struct str version);
/* Is the version one of those that are defined? */
bool audit_has_version(const struct str *defines, size_t n, struct str version);
/* "'lib/x.so' of package 'x-1.0-0'", in the arena. */
struct str audit_where(struct arena *a, const struct audit *audit, const struct audit_finding *f);

#endif
