/*
 * Reading an unpacked archive, a folder, as archive_in.h reads the others: members in the order of
 * their paths.
 */
#ifndef PACKER_TREE_READ_H
#define PACKER_TREE_READ_H

#include "base/archive.h"

struct tree_reader;
struct tree_reader *tree_open(const char *path, struct err *e);
int tree_next(struct tree_reader *r, struct member *m, struct err *e);
ptrdiff_t tree_read(struct tree_reader *r, void *p, size_t n, struct err *e);
void tree_reader_close(struct tree_reader *r); /* NULL is allowed */

#endif
