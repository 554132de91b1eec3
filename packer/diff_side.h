/*
 * Private to packer/diff_*.c: a side while it is read.
 *
 * Readers hand over what they find in any order; side_finish() settles which Python distributions
 * are pip's, which sums are known, and sorts.
 */
#ifndef PACKER_DIFF_SIDE_H
#define PACKER_DIFF_SIDE_H

#include "builder/installed.h"
#include "packer/diff.h"
#include "packer/floor.h"
#include "solver/lock.h"

enum { SIDE_FILES_MAX = 1000000 };

/* A .dist-info or .egg-info that lies in the environment. */
struct side_dist {
	struct str anchor; /* path of its METADATA, PKG-INFO, or of the .egg-info file */
	struct str name, version, license;
	struct str commit; /* of direct_url.json; empty: none */
};

struct side_maker {
	struct arena *arena;
	struct diff_side *side;
	struct installed installed; /* records of conda-meta, sorted before side_finish */
	struct {
		struct side_dist *v;
		size_t n, cap;
	} dists;
	struct {
		struct diff_package *v;
		size_t n, cap;
	} packages;
	struct {
		struct diff_file *v;
		size_t n, cap;
	} files;
	struct table sums; /* path -> 32 bytes: of files as they were packed */
	struct table rows; /* path -> 32 bytes or NULL: as RECORD lists them */
	struct floor floor;
};

void side_begin(struct side_maker *m, struct arena *a, const char *operand, enum diff_kind kind,
	struct diff_side *out);
void side_add_record(struct side_maker *m, const struct record *r, uint64_t unpacked);
struct diff_package *side_add_pip(struct side_maker *m, struct str name, struct str version);
/* What conda and envbuild keep of their own is passed over.  ERR_INTEGRITY: there are too many. */
int side_add_file(struct side_maker *m, const struct diff_file *file, struct err *e);
void side_raise_floor(struct diff_side *side, struct str number);
/* Of an environment with files; ERR_INTEGRITY where a path occurs twice. */
int side_finish_files(struct side_maker *m, struct err *e);
/* Sorts the packages and adds up sizes. */
void side_finish(struct side_maker *m);

/* License-Expression, else License where that is one line, of METADATA or PKG-INFO. */
struct str side_metadata_license(struct str text);
/* vcs_info.commit_id of a direct_url.json (PEP 610), in the arena; empty where it has none. */
struct str side_direct_commit(struct arena *a, struct str text);
/* needs_glibc.version of an audit.json; empty where it has none. */
struct str side_audit_floor(struct arena *a, struct str text);

/* The readers; `out` is begun by them. */
int side_read_archive(struct arena *a, const char *path, struct diff_side *out, struct err *e);
int side_read_prefix(struct arena *a, const char *path, struct diff_side *out, struct err *e);
int side_read_lock(
	struct arena *a, const char *path, const struct lock_target *target, struct diff_side *out);

#endif
