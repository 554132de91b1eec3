/*
 * Can the binary files of packages load on hosts of a target?
 *
 * What each ELF file needs of the host (libraries that no package brings, and their symbol
 * versions) against the libraries that the target's profile promises.  It needs neither an image nor
 * an installed prefix, only the package cache; or it is asked of what will be packed.
 */
#ifndef PACKER_AUDIT_H
#define PACKER_AUDIT_H

#include "builder/content.h"
#include "images/profile.h"

/* `path` of the package needs `version` of the library: the target has the library without it. */
struct audit_finding {
	const struct record *record; /* NULL: pip, a script or the user brought it; so below */
	struct str path, library, version;
	struct str best; /* the newest of the same family that the target has; empty: none */
};

/* A library that neither a package brings nor the profile lists: hosts may have it or not. */
struct audit_unlisted {
	struct str library;
	const struct record *record; /* the first that needs it */
	struct str path;
	size_t n_files;
};

struct audit {
	size_t n_files; /* that were looked at */
	struct audit_finding *findings;
	size_t n_findings;
	struct audit_unlisted *unlisted; /* sorted by library */
	size_t n_unlisted;
	/* The newest glibc that any of them needs, "2.11", and whose file that is; empty: none. */
	struct str floor;
	const struct record *floor_record;
};

/*
 * Packages that are in the cache.  A profile without `libraries:` is asked for its glibc alone.  Texts live
 * in the arena.  -1 with *e set where a file cannot be read; a broken ELF file is ERR_INTEGRITY.
 */
int audit_packages(struct arena *a, const struct cache *cache, struct record *const *records,
	size_t n, const struct profile *profile, struct audit *out, struct err *e);

/* The same of what is packed, under the names it has there: what rules left out is not asked. */
int audit_content(struct arena *a, const struct content *c, const struct profile *profile,
	struct audit *out, struct err *e);

struct elf;
/* The C library of a cross compiler is for what it makes, not for what runs in the environment. */
bool audit_is_of_sysroot(struct str path);
/* A library is found by its soname, or by its file's name where it has none; of the arguments' texts. */
struct str audit_library_name(struct str path, const struct elf *elf);

#endif
