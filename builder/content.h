/*
 * The content of a built prefix: every file, where its bytes are, and where it holds a prefix.
 * This is what crosses from the builder to the packer.
 */
#ifndef BUILDER_CONTENT_H
#define BUILDER_CONTENT_H

#include "builder/package.h"

struct content_entry {
	struct str path; /* in the prefix */
	enum path_type type;
	mode_t mode; /* 0644/0755-like permission bits */
	uint64_t size;
	int64_t mtime; /* packages' own; 0 for generated files: the packer decides */
	struct str link;
	/*
	 * Where the bytes are: source is an absolute path of a file.  For an unchanged package file it
	 * is the cache's copy, which holds the package's own placeholder, and `package` says which
	 * package.  For generated and changed files (entry points, bytecode, conda-meta, what scripts
	 * and pip made) it is the prefix's copy, which holds the build prefix.
	 */
	char *source;
	const uint8_t *sha256; /* what the bytes at source must have; NULL: not known before */
	ptrdiff_t package;     /* index into content.packages, -1: of no package */
	bool generated;
	struct str prefix; /* the text to be replaced by the place unpacked to; empty: none */
	bool binary;       /* keep the length, pad with NUL */
	uint64_t *offsets; /* rising */
	size_t n_offsets;
	struct prefix_form *forms; /* of each of these; NULL: all UTF-8 */
	struct str undeclared;     /* a left-over placeholder of the packager, for the manifest */
};

struct content {
	struct package *packages; /* sorted by name */
	size_t n_packages;
	struct content_entry *entries; /* sorted by path; no path twice */
	size_t n_entries;
	struct str build_prefix;
	/*
	 * The longest path the environment can be unpacked to, in bytes of UTF-8; SIZE_MAX: no
	 * limit.  A path of that many bytes always fits: in UTF-16 and UTF-32 it has fewer units.
	 */
	size_t longest_prefix;
	struct str longest_prefix_path; /* the file that sets it */
	/* Files of packages that link scripts, pip or the pre-pack script removed or changed; sorted. */
	struct str *removed, *changed;
	size_t n_removed, n_changed;
};

/* Sets longest_prefix by the entries, for who changes them. */
void content_limit(struct content *c);

#endif
