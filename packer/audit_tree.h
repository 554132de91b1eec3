/* What an audit looks at, from wherever it comes (audit.h).  All of it lives in the arena. */
#ifndef PACKER_AUDIT_TREE_H
#define PACKER_AUDIT_TREE_H

#include "builder/content.h"
#include "packer/audit.h"

/*
 * An environment that would have these packages; each must have its facts: *missing counts others.
 * Those of the cache have their links, too, of which nobody else tells.
 */
int audit_tree_packages(struct arena *a, const struct cache *c, const struct known_binaries *known,
	struct record *const *records, size_t n, struct audit_tree *out, size_t *missing,
	struct err *e);
/* What will be packed. */
int audit_tree_content(struct arena *a, const struct cache *c, const struct content *content,
	struct audit_tree *out, struct err *e);
/*
 * An environment as it lies in a folder, made by envbuild, conda, mamba or conda-pack.  What was read
 * is kept in the cache (NULL: nowhere), so that only files that changed are read again.
 */
int audit_tree_prefix(struct arena *a, const struct cache *c, const char *prefix, unsigned jobs,
	struct audit_tree *out, struct err *e);
/* An archive of envbuild or conda-pack, any format that unpack takes. */
int audit_tree_archive(struct arena *a, const char *archive, struct audit_tree *out, struct err *e);
/*
 * Package files, .conda or .tar.bz2, as if all of them were installed together; work is an empty
 * folder for what is in them, which has to stay while symbols are asked for.
 */
int audit_tree_package_files(struct arena *a, const char **files, size_t n, const char *work,
	struct audit_tree *out, struct err *e);
/* Single ELF files; their paths in the tree are those given.  ERR_USAGE: one is none. */
int audit_tree_files(
	struct arena *a, const char **files, size_t n, struct audit_tree *out, struct err *e);

#endif
