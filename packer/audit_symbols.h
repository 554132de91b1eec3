/* The symbols of a tree's files (audit_tree.symbols), from where the files lie. */
#ifndef PACKER_AUDIT_SYMBOLS_H
#define PACKER_AUDIT_SYMBOLS_H

#include "packer/audit.h"

/* Below that folder, each at its path; the text lives as long as the tree. */
void audit_symbols_below(struct arena *a, struct audit_tree *tree, const char *root);
/* Each below the folder of its package; roots as many as the tree has packages. */
void audit_symbols_of_packages(struct arena *a, struct audit_tree *tree, const char *const *roots);
/* Paths in the tree are paths on this machine. */
void audit_symbols_of_paths(struct arena *a, struct audit_tree *tree);
/* In an archive, which is read once more when they are first asked for; from one thread. */
void audit_symbols_of_archive(struct arena *a, struct audit_tree *tree, const char *archive);

#endif
