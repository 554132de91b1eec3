/* What the files of audit_load.h share. */
#ifndef PACKER_AUDIT_LOAD_INSIDE_H
#define PACKER_AUDIT_LOAD_INSIDE_H

#include "base/table.h"
#include "packer/audit_load.h"

/* A folder as an rpath names it, absolute; what it comes to once links are followed. */
struct load_folder {
	struct str name; /* "/opt/env/bin/../lib" */
	enum load_place { PLACE_NONE, PLACE_TREE, PLACE_ROOT } place;
	struct str path;    /* in the tree, empty for the tree itself; or in the root, absolute */
	struct str *hwcaps; /* of a folder of the tree: subfolders that there are, "" last */
	size_t n_hwcaps;
	const struct load_folders *in; /* the last list that it was put into */
};

/* Those of an rpath, each once; objects with the same one in the same folder share it. */
struct load_folders {
	struct load_folder **v;
	size_t n, cap;
	struct table found; /* names that were looked for -> struct load_hit * */
};

struct audit_world {
	struct arena *arena;
	const struct audit_tree *tree;
	struct loader *loader;
	struct str prefix;      /* of the tree, absolute, without a slash at the end */
	struct table folders;   /* name -> struct load_folder * */
	struct table lists;     /* origin and rpath -> struct load_folders * */
	struct table versions;  /* file or library that defines many -> struct table * of them */
	uint64_t work;          /* what was done, about 50 ns each */
	struct table sonames;   /* of_packages: "lib/libz.so.1" -> file, whose link is not known */
	struct table processes; /* program -> struct process * */
	struct table symbols;   /* file or library -> struct load_symtab * */
};

/* What is found for a needed name. */
struct load_hit {
	const struct audit_file *file;
	const struct host_library *library;
	struct str path; /* absolute, as the loader opened it */
	bool by_rpath;
	bool ends;                       /* of a search in folders: no other is looked into */
	const struct audit_file *passed; /* on the way */
	enum load_passed why; /* with neither file nor library: the last that was passed */
	const struct host_library *refused; /* as in load_miss */
	struct str folder;
};

/* What is known of a loaded object beside load_object. */
struct load_inner {
	bool expanded;
	struct load_folders *rpath, *runpath; /* NULL: none */
};

/* A program with all that it brings; or a module, whose process `parent` is the program's. */
struct process {
	struct audit_world *world;
	struct arena *arena;
	struct process *parent;
	bool has_program;
	size_t first; /* object that is not the parent's */
	struct {
		struct load_object *v;
		size_t n, cap;
	} objects;
	struct {
		struct load_inner *v;
		size_t n, cap;
	} inner;
	struct {
		struct load_miss *v;
		size_t n, cap;
	} misses;
	struct {
		struct load_lack *v;
		size_t n, cap;
	} lacks;
	struct {
		struct load_symbol *v;
		size_t n, cap;
	} symbols;
	struct table names;   /* -> index + 1, of a soname << 32; of what is not the parent's */
	struct table files;   /* file, or content of the host's -> index + 1; likewise */
	struct table missing; /* names that come to nothing */
	size_t told;          /* misses, or lacks, of the object that is looked at */
	struct load_hit interpreter;
	bool with_symbols, vague; /* symbols were looked at; not those of every object are known */
	struct table resolved;    /* "name@version@file" -> enum load_answer */
};

/* --- audit_load_find.c -------------------------------------------------------------------- */

/* Names of packages' files that are known without their links. */
void load_index_sonames(struct audit_world *w);
/* The folders of an object's rpath and runpath, with $ORIGIN and the like expanded. */
void load_expand(struct process *p, size_t object);
/* The text with $ORIGIN of the object and the like expanded, in the process's arena. */
struct str load_words(struct process *p, size_t object, struct str text);
/* What the name that an object needs comes to; nothing loaded bears it.  1, 0 nothing, -1. */
int load_find(struct process *p, size_t by, struct str name, struct load_hit *out, struct err *e);
/* The file at an absolute path, or nothing. */
int load_find_path(struct audit_world *w, struct str path, struct load_hit *out, struct err *e);
/* Why the loader does not take a file for a library. */
enum load_passed load_judge(const struct loader *l, const struct audit_file *f);
/* The file a path of the tree leads to. */
const struct audit_file *load_follow(struct audit_world *w, const struct audit_file *f);
/* Is it in the tree?  *rest is what stands behind its prefix. */
bool load_inside(const struct audit_world *w, struct str path, struct str *rest);
/* "/opt/env/lib/libz.so.1" */
struct str load_absolute(const struct audit_world *w, struct arena *a, struct str path);

/* --- audit_load.c ------------------------------------------------------------------------- */

/* The loaded object that bears a name, without looking at sonames; -1: none. */
ptrdiff_t load_named(const struct process *p, struct str name);

/* --- audit_load_symbols.c ----------------------------------------------------------------- */

/* Looks up what the objects need that are not the parent's. */
int load_check_symbols(struct process *p, struct err *e);

#endif
