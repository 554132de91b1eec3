/*
 * Whose a file of an environment is: what the records in conda-meta list, and what pip's RECORD
 * files do.  Used for environments in a folder and for archives.
 */
#ifndef PACKER_AUDIT_OWNERS_H
#define PACKER_AUDIT_OWNERS_H

#include "builder/installed.h"
#include "packer/audit_growing.h"

struct audit_owners {
	struct audit_growing *g; /* gets the packages */
	struct table by_path;    /* of packages: index + 1 */
	struct table of_pip; /* the same of distributions, which replace what packages brought */
};
void audit_owners_begin(struct audit_owners *o, struct audit_growing *g);
/* All packages of conda-meta, before what pip brought. */
void audit_owners_installed(struct audit_owners *o, const struct installed *in);
/*
 * A Python distribution.  One whose `anchor` (the path of its METADATA or PKG-INFO) a package brought
 * is this package's.  All texts are kept.
 */
void audit_owners_dist(struct audit_owners *o, struct str anchor, struct str name,
	struct str version, const struct str *files, size_t n_files);
/* Index of the package; -1: nobody's. */
ptrdiff_t audit_owners_of(const struct audit_owners *o, struct str path);
/*
 * Is the path one of those that tell owners?  Where none of them changes, came or went, and no other
 * file came, owners are as they were.
 */
bool audit_owners_paper(struct str path);

#endif
