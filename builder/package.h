/*
 * The package cache and what is known of one extracted package.
 *
 * Layout below the cache folder (docs/design/cache.md): every entry is named by the sha256 of the
 * package file, appears by rename when it is whole, and is never changed afterwards; so there are
 * no locks.  Facts are computed once while extracting and kept beside the files.
 */
#ifndef BUILDER_PACKAGE_H
#define BUILDER_PACKAGE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/http.h"
#include "builder/text_encoding.h"
#include "solver/record.h"

#include <sys/types.h>

enum path_type { PATH_FILE, PATH_SOFTLINK, PATH_DIRECTORY };

struct package_file {
	struct str path; /* in the package, checked with path_is_safe */
	enum path_type type;
	bool no_link;
	mode_t mode;
	uint64_t size;
	int64_t mtime; /* seconds, as in the package */
	/* Of the bytes as in the package; of a softlink what paths.json lists (its target's), or 0. */
	uint8_t sha256[32];
	struct str link;        /* of a softlink */
	struct str placeholder; /* declared prefix placeholder; empty: none */
	bool binary;            /* its file_mode */
	uint64_t *offsets;      /* where the declared placeholder occurs, rising */
	size_t n_offsets;
	struct prefix_form *forms; /* of each of these; NULL: all UTF-8 */
	bool undeclared; /* a placeholder-like prefix is in it that the package does not declare */
	struct str undeclared_prefix;
};

struct entry_point {
	struct str command, module, function;
};

struct package {
	const struct record *record;
	uint8_t sha256[32];         /* of the package file: the cache key */
	char *dir;                  /* folder with the extracted files, absolute */
	struct package_file *files; /* sorted by path; info/ left out */
	size_t n_files;
	enum noarch noarch; /* info/link.json or index.json: what decides how to link (CEP 20) */
	struct entry_point *entry_points;
	size_t n_entry_points;
	struct str pre_link, post_link, pre_unlink; /* package paths of link scripts; empty: none */
	struct str index_json;                      /* the text of info/index.json */
};

/*
 * A writable cache, and below it layers that are only read (layer.h).  Only $ENVBUILD_CACHE is
 * ever written to.
 */
struct cache {
	char *dir;
	char **layers; /* absolute folders, looked at in this order */
	size_t n_layers;
};

/* Makes the folders and removes temporaries that a killed run left more than a day ago. */
int cache_open(struct arena *a, const char *dir, struct cache *out, struct err *e);
/*
 * Makes sure that every record's package is in the cache: downloads what is missing (in
 * parallel, verified by size, sha256 and md5 while writing), extracts it and computes its facts.
 * ERR_INTEGRITY names the package and both hashes.
 */
int cache_fill(struct cache *c, struct http *http, struct record *const *records, size_t n,
	unsigned jobs, bool offline, struct err *e);
/* Loads one that cache_fill made sure of. */
int package_load(struct arena *a, const struct cache *c, const struct record *r,
	struct package *out, struct err *e);

struct cache_info {
	uint64_t packages, bytes, indexes, index_bytes;
};
int cache_info(const struct cache *c, struct cache_info *out, struct err *e);

#endif
