/*
 * All builds of one name in one index, as bytes that need no parsing.
 *
 * A group is made of the records of a repodata.json (group_write) and lies in memory or in an
 * index file (index_image.h).  Its bytes, in this machine's order, aligned to 8:
 *
 *	struct group_head
 *	struct group_build [n_builds]    what every candidate is looked at for, sorted by file name
 *	struct group_rest  [n_builds]    the rest, for the few that are chosen
 *	struct group_kind  [n_kinds]     what many builds have in common
 *	struct group_text  [n_versions]  the distinct texts of versions
 *	uint32_t           [n_specs]     lists of dependencies; equal lists are one
 *	char               [n_text]      all text, the name first
 *
 * What the channel has removed is not in it, nor a .tar.bz2 with a .conda of the same stem.
 */
#ifndef SOLVER_INDEX_GROUP_H
#define SOLVER_INDEX_GROUP_H

#include "base/buf.h"
#include "base/table.h"
#include "solver/record.h"

struct group_text {
	uint32_t at, n; /* in the group's text */
};

struct group_needs {
	uint32_t at, n; /* in the group's specs */
};

enum {
	GROUP_NOARCH_GENERIC = 1,
	GROUP_NOARCH_PYTHON = 2,
	GROUP_HAS_SHA256 = 4,
	GROUP_HAS_MD5 = 8,
	GROUP_BAD = 16, /* the record cannot be read; track_features says why */
};

struct group_build {
	uint64_t build_number, timestamp, indexed;
	struct group_text fn, build, track_features;
	struct group_needs depends, constrains;
	uint32_t version; /* index into the group's versions */
	uint32_t flags;
};

struct group_rest {
	uint64_t size;
	uint8_t sha256[32], md5[16];
	uint32_t kind; /* index into the group's kinds */
	uint32_t zero;
};

struct group_kind {
	struct group_text features, flags, site_packages_path, license, license_family;
	struct group_needs extras; /* record.h */
};

struct group_head {
	uint32_t n_builds, n_kinds, n_versions, n_specs, n_text, n_name;
};

/* A view of a group's bytes; everything in it has been compared with its bounds. */
struct index_group {
	struct str name;
	size_t n_builds, n_kinds, n_versions;
	const struct group_build *builds;
	const struct group_rest *rests;
	const struct group_kind *kinds;
	const struct group_text *versions;
	const uint32_t *specs; /* numbers of specs, all below the number given to group_open() */
	size_t n_specs;
	const char *text;
};

/* -1 where the bytes are no group, or point to where they must not. */
int group_open(struct str bytes, size_t n_specs, struct index_group *out);

static inline struct str group_text(const struct index_group *g, struct group_text t)
{
	return str_n(g->text + t.at, t.n);
}

/* Fills in everything but depends, constrains, extras, subdir, channel and url; the text is the
 * group's. */
void group_record(const struct index_group *g, size_t i, struct record *out);

/* The distinct texts of dependencies of one index, each with a number from 0 in v->num. */
struct spec_set {
	struct arena *arena; /* the texts are copied into it */
	struct table numbers;
};

/* One record to be written; error is NULL unless it could not be read. */
struct group_record {
	struct record record;
	const char *error;
	size_t order; /* in the channel's file: of two with one file name the first counts */
};

/*
 * Appends a group to `to`, whose length is a multiple of 8 before and after.  v is sorted
 * and thinned out as said above.  ERR_INPUT where it would be over 4 GiB.
 */
int group_write(struct arena *scratch, struct spec_set *specs, struct str name,
	struct group_record *v, size_t n, struct buf *to, struct err *e);

#endif
