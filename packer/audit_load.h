/*
 * A process, as ld.so would load it: which file each needed name comes to.
 *
 *	world = audit_world_open(a, tree, loader);
 *	audit_load(world, program, module, &load, e);
 *
 * Breadth first over DT_NEEDED.  A name that something loaded already bears is that.  Else, in order:
 * DT_RPATH of who needs it and of those that loaded that one (all of them passed over where it has a
 * DT_RUNPATH), DT_RUNPATH, then what the host finds (loader.h).  $ORIGIN, $LIB and $PLATFORM are
 * expanded; files of another class or machine are passed over.  A module is loaded as dlopen() by the
 * program would.  Source: glibc elf/dl-load.c, dl-deps.c, dl-version.c; docs/design/audit.md.
 */
#ifndef PACKER_AUDIT_LOAD_H
#define PACKER_AUDIT_LOAD_H

#include "images/loader.h"
#include "packer/audit.h"

struct load_object {
	const struct audit_file *file;      /* of the tree, or */
	const struct host_library *library; /* of the host */
	const struct elf *elf;              /* of either */
	ptrdiff_t
		loader; /* the object that first asked for it; -1: the program, or a module itself */
	bool by_rpath;  /* a DT_RPATH or DT_RUNPATH led to it */
	struct str path; /* by which the loader would open it; below a tree that lies nowhere it
			    begins with "/\001" */
};

/* A needed name that comes to nothing. */
struct load_miss {
	size_t by; /* object */
	struct str name;
	/* A file that was passed over on the way, and why; NULL: there was none. */
	const struct audit_file *passed;
	enum load_passed {
		PASSED_NONE,
		PASSED_MACHINE,
		PASSED_KERNEL,
		PASSED_BROKEN,
		PASSED_FOLDER, /* a folder bears the name; the loader opens it and goes no further */
	} why;
	const struct host_library *refused; /* in place of `passed`: it is the host's */
	struct str folder;                  /* likewise, in the tree */
};

/* What of object `by` needs a version of object `in`, which does not define it. */
struct load_lack {
	size_t by, in;
	const struct elf_need *need;
	bool unversioned; /* `in` defines no versions at all: the loader lets that pass */
};

/* A symbol of object `by` that no object has. */
struct load_symbol {
	size_t by;
	struct str name, version;
	bool lazy; /* a function, of an object that is not bound at once */
};

struct load {
	struct load_object *objects; /* in the order of the search scope; 0 is the program */
	size_t n_objects;
	ptrdiff_t module; /* the object that is the module; -1: none was asked for */
	struct load_miss *misses;
	size_t n_misses;
	struct load_lack *lacks;
	size_t n_lacks;
	struct load_symbol *symbols; /* only where symbols were asked for */
	size_t n_symbols;
};

struct audit_world;
struct audit_world *audit_world_open(
	struct arena *a, const struct audit_tree *tree, struct loader *loader);
/*
 * program NULL: the module is loaded by a program that has no rpath and brings nothing; it is then
 * object 0.  module NULL: the program alone.  What a module comes to holds all that its program comes to,
 * the same each time, in front of its own.  A program that is
 * no ELF file gives a load without objects, a module that cannot be loaded one that the program misses.  A library
 * that only a list knows needs nothing.  Texts and arrays live in the arena given here, or in that of
 * the world; they change no more.
 *
 * symbols: of functions, `lazy` ones matter only to who does not ask for all at once (Python does).
 * Where an object is missing, or its symbols are not known, only those are told that are expected in
 * an object that is known.
 */
int audit_load(struct audit_world *w, struct arena *a, const struct audit_file *program,
	const struct audit_file *module, bool symbols, struct load *out, struct err *e);

#endif
