/*
 * Working below a folder with paths that somebody else chose.
 *
 * Each component is opened by itself with O_NOFOLLOW, so that neither ".." nor a symlink that an
 * earlier member of the same package made can lead outside.  The folder of the last path stays
 * open: members come folder by folder, so most lookups cost nothing.
 */
#ifndef BUILDER_BENEATH_H
#define BUILDER_BENEATH_H

#include "base/err.h"
#include "base/file.h"
#include "base/str.h"

enum { BENEATH_PATH_MAX = 4096 };

struct beneath {
	int root; /* the caller's; not closed */
	int dir;  /* the folder opened last, -1: none */
	char dir_path[BENEATH_PATH_MAX];
	size_t dir_path_n;
	bool create; /* make missing folders (0755) */
};

void beneath_init(struct beneath *b, int root, bool create);
void beneath_release(struct beneath *b);
/*
 * The descriptor of the folder that holds rel (valid until the next call) and in name, which has
 * room for 256 bytes, its last component.  ERR_INTEGRITY where the path is unsafe or leads through
 * something that is no folder.
 */
int beneath_parent(struct beneath *b, struct str rel, char name[256], struct err *e);
/* Makes the folder rel and what is missing above it, unless it is there. */
int beneath_mkdir(struct beneath *b, struct str rel, struct err *e);

#endif
