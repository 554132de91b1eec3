/*
 * An archive as a folder: what a tar would be unpacked to, not relocated.
 *
 *	struct tree_writer *w = tree_begin(path, epoch, jobs, e);
 *	tree_add(w, layout, step, e);
 *	tree_finish(w, &result, e);
 *	tree_close(w);
 *
 * Its sum is that of its list of files, conda-meta/envbuild/files: it stands for the bytes of all of
 * them, and sha256sum checks it.  Modes and links are not in it.
 */
#ifndef PACKER_TREE_WRITE_H
#define PACKER_TREE_WRITE_H

#include "base/log.h"
#include "packer/layout.h"

struct tree_writer;
/* The folder must not be there.  The path stays the caller's. */
struct tree_writer *tree_begin(const char *path, int64_t epoch, unsigned jobs, struct err *e);
/* Makes the items; hashes them on the way, and measures those that hold a prefix. */
int tree_add(struct tree_writer *w, struct layout *l, struct step *step, struct err *e);
/* Gives folders their times, makes all of it last; fills sha256 and bytes. */
int tree_finish(struct tree_writer *w, struct pack_result *out, struct err *e);
/* One that was not finished is removed.  NULL is allowed. */
void tree_close(struct tree_writer *w);

#endif
