/*
 * What a package says of itself: its list of files, how it wants to be linked, its entry points.
 */
#ifndef BUILDER_LISTING_H
#define BUILDER_LISTING_H

#include "builder/package.h"

/*
 * The text of info/NAME of an extracted package: 1, or 0 where there is no such regular file; -1
 * where that cannot be told, or it is larger than max (ERR_INTEGRITY).
 * Neither info nor the file may be a link.
 */
int info_read(
	struct arena *a, int files, const char *name, size_t max, struct str *out, struct err *e);

struct listed {
	struct str path;
	bool no_link, binary, has_sha256, has_type, has_size;
	struct str placeholder; /* empty: none */
	/* As the package claims them. */
	enum path_type type;
	uint64_t size;
	uint8_t sha256[32];
};

struct listing {
	struct listed *v; /* as listed */
	size_t n, cap;
};

/*
 * Reads info/paths.json (CEP 34; paths_version 1), or where there is none info/files,
 * info/has_prefix and info/no_link.  files is the extracted package.  Paths are checked with
 * path_is_safe and occur once.  ERR_INTEGRITY; the caller names the package.
 */
int listing_read(struct arena *a, int files, struct listing *out, struct err *e);
/* Lines "path" or "PLACEHOLDER text|binary PATH", each field plain or in double quotes. */
int has_prefix_parse(struct arena *a, struct str text, struct listing *marks, struct err *e);

/*
 * info/index.json and info/link.json: fills in noarch, entry points, index_json and checks name,
 * version and build against the record.  Names of entry points are checked: a command is one
 * path component of [A-Za-z0-9._+-], module and function are dotted Python names.
 */
int package_info_read(
	struct arena *a, int files, const struct record *r, struct package *out, struct err *e);
/* "command = module:function" as in link.json. */
int entry_point_parse(struct arena *a, struct str text, struct entry_point *out, struct err *e);

#endif
