/*
 * conda-meta/envbuild/manifest.json as who reads an archive needs it (written by manifest.c).
 */
#ifndef PACKER_MANIFEST_H
#define PACKER_MANIFEST_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "packer/making.h"

#include <stddef.h>
#include <stdint.h>

struct manifest_package {
	struct str name, version, build, subdir, file, url, sha256; /* empty: not given */
};

struct manifest {
	int64_t manifest_version;
	struct str envbuild; /* the program's version */
	struct str name, target;
	struct str version; /* the release's; empty: none was given */
	struct str build_prefix;
	struct str dest_prefix; /* --dest-prefix; empty: none */
	size_t longest_prefix;  /* SIZE_MAX: no limit */
	struct str longest_prefix_path;
	struct pack_making making; /* format empty: the manifest says nothing of it */
	struct manifest_package *packages;
	size_t n_packages;
};

/* where stands in errors.  Unknown keys are passed over.  ERR_INTEGRITY.  Texts live in the arena. */
int manifest_parse(
	struct arena *a, struct str text, const char *where, struct manifest *out, struct err *e);
/* Of an archive or an unpacked prefix: 1, 0 where it carries none, -1. */
int manifest_read(
	struct arena *a, const char *archive_or_prefix, struct manifest *out, struct err *e);

#endif
