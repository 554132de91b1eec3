/*
 * An audit's tree while it is put together (audit_tree.h).
 *
 *	struct audit_growing g = {.a = a};
 *	package = audit_growing_package(&g, record);
 *	f = audit_growing_file(&g, path, package, PATH_FILE, 0755);
 *	audit_growing_binary(&g, f, binary, e)      or      audit_growing_read(&g, f, fd, e);
 *	audit_growing_finish(&g, "the packages", &tree);
 *
 * What is in it lives in the arena, and texts that are given do at least as long.
 */
#ifndef PACKER_AUDIT_GROWING_H
#define PACKER_AUDIT_GROWING_H

#include "packer/audit.h"

struct audit_growing {
	struct arena *a;
	struct {
		struct audit_package *v;
		size_t n, cap;
	} packages;
	struct {
		struct audit_file *v;
		size_t n, cap;
	} files;
	struct binary_names names; /* of all binaries */
};

/* Its index. */
ptrdiff_t audit_growing_package(struct audit_growing *g, const struct record *r);
/* The file may be filled in further until the next one is added; package -1: of none. */
struct audit_file *audit_growing_file(struct audit_growing *g, struct str path, ptrdiff_t package,
	enum path_type type, mode_t mode);
/* Of the file last added.  ERR_INTEGRITY where the tree has more names than an audit takes. */
int audit_growing_binary(
	struct audit_growing *g, struct audit_file *f, const struct binary *b, struct err *e);
/* The same of the open regular file; nothing is set where it is no ELF file. */
int audit_growing_read(struct audit_growing *g, struct audit_file *f, int fd, struct err *e);
/* Files of noarch: python packages go where the Python among the packages has them; before it is finished. */
void audit_growing_install(struct audit_growing *g);
/* Sorts by path; of several files with one path the first that was added is kept. */
void audit_growing_finish(struct audit_growing *g, const char *what, struct audit_tree *out);

#endif
