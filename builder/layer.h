/*
 * Read-only layers below the writable cache ($ENVBUILD_CACHE_LOWER, --vault).
 *
 * A layer is a folder of one of these forms; what it is needs no telling, since each form is
 * looked for by itself and whatever is found is checked before it is used:
 *
 *	DIR/pkgs/XX/SHA256/, md5/, wheels/ ...   another envbuild cache, used in place
 *	DIR/FN, DIR/SCHEME/HOST/.../SUBDIR/FN    a pkgs folder of conda or mamba: package files
 *	DIR/NAME-VERSION-BUILD/                  the same, extracted: checked against info/paths.json
 *	DIR/SUBDIR/FN, DIR/wheels/SHA256/NAME    a channel's folder, a vault
 *
 * What is wrong or damaged in a layer is passed over with a warning, and the next layer, then the
 * channel, is asked.
 */
#ifndef BUILDER_LAYER_H
#define BUILDER_LAYER_H

#include "builder/package.h"

/* Puts one folder in front of the layers (a vault); it must be there: ERR_USAGE. */
int cache_add_vault(struct arena *a, struct cache *c, const char *dir, struct err *e);
/* Appends one folder to the layers; false where there is none. */
bool cache_add_layer(struct arena *a, struct cache *c, const char *dir);
/* Appends the folders of "DIR:DIR..."; one that is not there is a warning.  NULL: none. */
void cache_add_lower(struct arena *a, struct cache *c, const char *list);

/*
 * The path of rel ("wheels/ab/abcd.../x.whl", "bytecode/...") in the writable cache, else in the
 * first layer that has it; NULL: nowhere.  What is found is not checked.
 */
char *cache_find(struct arena *a, const struct cache *c, const char *rel);
/*
 * A wheel by the sum and name of its file, in the cache, in other caches below it, or in a vault;
 * its sum has been compared.  NULL: nowhere.
 */
char *cache_find_wheel(
	struct arena *a, const struct cache *c, const uint8_t sha256[32], struct str name);

/*
 * What may be the record's package file, in the layers from *at (first 0) on: a regular file of its
 * name and size, not yet checked.  *at becomes the place to go on from.  NULL: no more.
 */
char *layer_package_file(
	struct arena *a, const struct cache *c, const struct record *r, size_t *at);

/*
 * Copies a package that lies extracted at dir into the new entry `files`, as far as its own
 * info/paths.json lists it with a sum that agrees (docs/design/cache.md says what that proves).
 * What extract_package() would have said of it goes to *out.  ERR_INTEGRITY.
 */
struct extraction;
int layer_take_extracted(struct arena *a, const struct record *r, const char *dir,
	const char *files, struct extraction *out, struct err *e);

/*
 * Brings into the cache what is neither in it nor in a cache below, but in a layer of another form.
 * What is nowhere is left to be fetched.  -1 only where the cache cannot be written.
 */
int cache_fill_from_layers(
	struct cache *c, struct record *const *records, size_t n, unsigned jobs, struct err *e);

#endif
