/* Taking away what lower layers have, and only that (images/layer.h). */
#ifndef IMAGES_WHITEOUT_H
#define IMAGES_WHITEOUT_H

#include "base/err.h"
#include "base/table.h"

#define WHITEOUT        ".wh."
#define WHITEOUT_MARK   ".wh..wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

/*
 * What the layer at hand has brought, as names in folders' inodes: however a path led there.  A
 * folder that is gone may leave its inode to one that the same layer makes, all of which is the
 * layer's own anyway.
 */
struct owned {
	struct table table;
};

void owned_add(struct owned *o, int dir, const char *name);
bool is_owned(const struct owned *o, int dir, const char *name);

/* Takes `name` in the folder away, less what is owned in it. */
int whiteout_one(const struct owned *o, int dir, const char *name, struct err *e);
/* The same for all that the folder (O_PATH will do) holds. */
int whiteout_all(const struct owned *o, int dir, struct err *e);

#endif
