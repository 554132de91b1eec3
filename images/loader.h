/*
 * What the dynamic loader of a target's hosts finds, without running it.
 *
 *	loader_open(a, root, profile, &loader, e);
 *	loader_find(loader, STR("libc.so.6"), &library, e);
 *	loader_close(loader);
 *
 * With a root folder: its ld.so.cache, then the folders that its ld.so has built in, with their
 * hwcaps subfolders, as that version of glibc looks at them.  Without one: the profile's `libraries:`.
 * Libraries are read once, when first asked for.  The root is hostile: nothing leads out of it.
 */
#ifndef IMAGES_LOADER_H
#define IMAGES_LOADER_H

#include "images/elf.h"
#include "images/profile.h"

struct loader;

/* A library of the host. */
struct host_library {
	struct str soname;
	/* In the root, absolute, as it was found; empty: the profile's word alone. */
	struct str path;
	struct elf elf;   /* of a list: soname and `defines` alone */
	struct str fault; /* why it cannot be read; empty: it can */
};

/* root NULL: the profile's list.  The loader and all libraries live in the arena, until closed. */
int loader_open(struct arena *a, const char *root, const struct profile *p, struct loader **out,
	struct err *e);
void loader_close(struct loader *l);
/* Has it a root folder to look into? */
bool loader_has_root(const struct loader *l);
/* "2.17": of the root's C library, else the profile's. */
struct str loader_glibc(const struct loader *l);
/*
 * What a needed name comes to once rpaths have found nothing.  no_defaults: DF_1_NODEFLIB.  1, 0 not
 * there, -1 (only where the root cannot be read at all).  Files of another machine and those for a
 * newer kernel are passed over; one that is broken, or no ELF file, ends the search as it ends the
 * loader's, and comes back with its fault.  A profile without `libraries:` and root knows of none.
 */
int loader_find(struct loader *l, struct str name, bool no_defaults,
	const struct host_library **out, struct err *e);
/* name in a folder of the root, as an rpath names it: absolute.  hwcaps subfolders come first. */
int loader_find_in(struct loader *l, struct str folder, struct str name,
	const struct host_library **out, struct err *e);
/* The file at an absolute path of the root; 0 too where it is no ELF file. */
int loader_file(struct loader *l, struct str path, const struct host_library **out, struct err *e);
/*
 * The dynamic loader that a program names (PT_INTERP); empty: the host's own.  A list knows it by the
 * last part of its path, or else as a library that defines no versions.  1, 0, -1.
 */
int loader_interpreter(
	struct loader *l, struct str path, const struct host_library **out, struct err *e);
/* The same for each path that leads to one file. */
const void *loader_identity(const struct host_library *library);
/*
 * What this loader makes of a file that it finds for a name, and that is an ELF file: of another machine
 * it is passed over, and by loaders before 2.36 where it asks for a newer kernel than the profile's;
 * what else is wrong with it ends the search, and the process.
 */
enum loader_fit { FIT_TAKEN, FIT_MACHINE, FIT_KERNEL, FIT_FAILS };
enum loader_fit loader_fits(const struct loader *l, const struct elf *elf);
/* Is it passed over because of its kernel alone? */
bool loader_kernel_too_old(const struct loader *l, const struct elf *elf);
/* Does it fail where a library without versions is asked for a symbol in one?  Newer ones take the
 * symbol; a list says no. */
bool loader_insists_on_versions(const struct loader *l);
/* What $LIB and $PLATFORM stand for. */
struct str loader_lib(const struct loader *l);
struct str loader_platform(const struct loader *l);
/* Subfolders that are tried before a folder itself, in their order: "glibc-hwcaps/x86-64-v2/". */
const struct str *loader_hwcaps(const struct loader *l, size_t *n);
/* Is there a file or folder (link followed) at an absolute path?  A list knows of none. */
bool loader_has_path(struct loader *l, struct str path);
/* The dynamic symbols of a library of the root: 1, 0 where only the list knows it, -1. */
int loader_symbols(struct loader *l, const struct host_library *library,
	const struct elf_symbols **out, struct err *e);

#endif
