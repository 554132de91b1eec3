/*
 * Paths that a file system which folds case takes for one: macOS, Windows and what is mounted
 * from there, vfat.  Letters of ASCII count; what else is folded differs from system to system.
 */
#ifndef BUILDER_FOLD_H
#define BUILDER_FOLD_H

#include "base/err.h"
#include "base/str.h"

/*
 * Calls found(ctx, a, b) for the paths (sorted by bytes, each once) that differ only by case from
 * one before: indexes, a < b.  Returns how many there are.
 */
size_t fold_pairs(
	const struct str *paths, size_t n, void (*found)(void *ctx, size_t a, size_t b), void *ctx);
/* Does the open folder fold case?  Makes and removes an empty file; false where it cannot. */
bool fold_is_done_by(int dir);

#endif
