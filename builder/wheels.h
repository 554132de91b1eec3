/*
 * Wheels in the cache, and which wheel came of a source.
 *
 *	wheels/XX/SHA256/NAME.whl   a wheel; SHA256 is the sum of the file, XX its first two digits
 *	built/XX/KEY                "SHA256 NAME.whl\n": the wheel that was built of a source
 *
 * Both appear by rename and are never changed; a damaged one is as good as absent.  Wheels are
 * found with cache_find_wheel (layer.h).
 */
#ifndef BUILDER_WHEELS_H
#define BUILDER_WHEELS_H

#include "builder/package.h"

/*
 * Copies the file at path into the cache under this name (a wheel's file name, checked).  sha256:
 * of the file; computed.
 */
int wheel_put(struct arena *a, const struct cache *c, const char *path, struct str name,
	uint8_t sha256[32], struct err *e);

/*
 * key: whatever decides the wheel, as text.  1: *name (in the arena) and sha256 of what was built of
 * it once; that wheel may be gone.  0: never built.
 */
int wheel_built_find(struct arena *a, const struct cache *c, struct str key, struct str *name,
	uint8_t sha256[32]);
int wheel_built_put(struct arena *a, const struct cache *c, struct str key, struct str name,
	const uint8_t sha256[32], struct err *e);

#endif
