/*
 * Between the files of the audit (audit.c, audit_*.c): for nobody else.
 *
 * audit.c walks over files and processes; each rule adds findings by audit_add(), which knows those
 * that are there already: the same is met in many processes.
 */
#ifndef PACKER_AUDIT_INSIDE_H
#define PACKER_AUDIT_INSIDE_H

#include "base/table.h"
#include "images/loader.h"
#include "packer/audit_load.h"

/* How a process begins. */
enum process_kind {
	PROCESS_PROGRAM,
	PROCESS_MODULE,  /* of Python, imported by it */
	PROCESS_PLUGIN,  /* made to be opened, that none of these loads; by whom is not known */
	PROCESS_LIBRARY, /* made to be linked, that none of these loads; opened by itself */
};

struct audit_process {
	enum process_kind kind;
	const struct audit_file *program; /* NULL: of no matter */
	const struct audit_file *module;  /* NULL: the program alone */
	struct str name; /* path of what is loaded: the module's, else the program's */
	bool placed;     /* the module's place says that this program opens it */
};

struct auditing {
	struct arena *a;
	const struct audit_tree *tree;
	const struct audit_options *options;
	const struct profile *profile;
	struct loader *loader;
	struct audit_world *world;
	struct audit *out;
	struct table brought;       /* names of the tree's libraries -> struct audit_file */
	struct table known;         /* findings by what they say -> index + 1 */
	struct table best;          /* library and family of versions -> index of the newest + 1 */
	bool *loaded;               /* by file: a process loads it */
	bool *opened;               /* by file: it is a module or plugin, and was opened */
	struct audit_floor *floors; /* by package + 1 */
	struct profile *shipped;    /* the shipped targets, where they were asked for */
	size_t n_shipped;
	const struct audit_process *process; /* that is looked at; NULL: none */
	struct table *symbols; /* that any file of the tree defines, where they were asked for */
	struct audit_together *together; /* audit_rules_process.c */
	int cpu;                         /* the target's level; -1: not known */
	struct str kernel;               /* the target's; empty: not known */
	struct {
		struct audit_finding *v;
		size_t n, cap;
	} findings;
	struct {
		struct audit_members {
			struct str *v;
			size_t n, cap;
		} * v;
		size_t n, cap;
	} processes; /* of each finding */
};

/* What is said of a file. */
struct audit_saying {
	enum audit_rule rule;
	enum audit_level level;
	enum audit_sure sure;
	const struct audit_file *file;
	struct str needs, library;
};

/*
 * The finding, raised to this level and sureness, and met in the process that is looked at.  Its
 * text is empty where it is new: then the caller fills in the rest.
 */
struct audit_finding *audit_add(struct auditing *au, const struct audit_saying *s);

/* A regular file that is an ELF file of this machine, and whole. */
bool audit_counts(const struct audit_file *f);
bool audit_is_program(const struct audit_file *f);
/* A place that PATH leads to. */
bool audit_is_in_bin(struct str path);
/* A place that nothing loads anything from: tests, their data, documentation. */
bool audit_is_data(struct str path);
/* Is the tree's file of that path, or a folder with something in it, there?  Links are followed. */
bool audit_tree_has(const struct audit_tree *t, struct str path);
/* The path out of the tree that links on the way lead to, absolute; false: none does. */
bool audit_tree_leaves(
	struct arena *a, const struct audit_tree *t, struct str path, struct str *outside);
/* The path as it lies in the tree, of an absolute one; false: it leads elsewhere. */
bool audit_inside(const struct audit_tree *t, struct str absolute, struct str *rel);
/* Objects from here on are what the module brings; the others, which may hold it, are the program's. */
size_t audit_first_of_module(const struct load *l);
/* Is a path one that stands for the place of any environment, to be replaced when it is installed? */
bool audit_is_placeholder(struct str path);
/* "'lib/x.so' of package 'x-1.0-0'", in the arena. */
struct str audit_name_file(struct auditing *au, const struct audit_file *f);

/* audit_process.c: the processes there are; programs, then modules.  Libraries come last. */
int audit_each_process(struct auditing *au, struct err *e);

/* audit_rules_load.c: what of a process comes to nothing. */
void audit_judge_load(struct auditing *au, const struct load *l);
/* audit_rules_process.c: what a process stumbles over though all is found. */
void audit_judge_process(struct auditing *au, const struct load *l);
/* And what one would that imports all modules there are. */
void audit_judge_together(struct auditing *au);
/* audit_rules_file.c: what a file says by itself. */
void audit_judge_file(struct auditing *au, const struct audit_file *f);
/* "64-bit ARM". */
struct str audit_machine_name(struct auditing *au, const struct elf *elf);
/* audit_rules_place.c: links and scripts. */
void audit_judge_place(struct auditing *au, const struct audit_file *f);

/* audit_versions.c: symbol versions. */
/* "GLIBCXX_3.4.20" is of the family "GLIBCXX_", its number is "3.4.20". */
struct str audit_version_number(struct str version, struct str *family);
/* The newest version of the same family that it defines; empty: none. */
struct str audit_best_version(
	struct auditing *au, const struct str *defines, size_t n, struct str version);
/* Raises the floor of the file's package. */
void audit_count_floor(struct auditing *au, const struct audit_file *f);

/* audit_advice.c: what to do about it. */
void audit_advise(struct auditing *au, struct audit_finding *f);
/* audit_policy.c: levels of the profile, ignores, the order. */
void audit_apply_policy(struct auditing *au);

#endif
