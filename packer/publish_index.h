/*
 * What a folder of releases tells of itself: TAG/release.json of each release, and index.json, all of
 * them together, the newest first.
 *
 *	{"tag": "v1.2", "published": "2026-01-31T12:00:00Z", "updated": "...", "prerelease": false,
 *	 "archives": [{"name": "demo", "environment": "demo", "version": "1.2", "target": "rhel7",
 *	   "archive": "demo.tar.gz", "tested": true, "size": N, "sha256": "..."}],
 *	 "files": [{"name": "demo.tar.gz", "size": N, "sha256": "..."}]}
 *	{"index_version": 1, "latest": "v1.2", "releases": [...]}
 *
 * The folder is the truth, and index.json is made anew from it.
 */
#ifndef PACKER_PUBLISH_INDEX_H
#define PACKER_PUBLISH_INDEX_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct dir_file {
	struct str name, sha256; /* hex */
	int64_t size;
};

struct dir_archive {
	struct str name, environment, version, target, archive, sha256;
	int64_t size;
	bool tested;
};

struct dir_release {
	struct str tag;
	uint64_t published, updated; /* ms since 1970 */
	bool prerelease;
	struct {
		struct dir_archive *v;
		size_t n, cap;
	} archives;
	struct {
		struct dir_file *v;
		size_t n, cap;
	} files;
};

struct dir_index {
	struct {
		struct dir_release *v;
		size_t n, cap;
	} releases; /* the newest first */
	const struct dir_release
		*latest; /* the newest that is no prerelease; NULL: there is none */
};

/*
 * ERR_INTEGRITY "WHERE:LINE:COLUMN: reason", also for a name that is no plain file's.  Unknown keys
 * are passed over.  Texts live in the arena.
 */
int dir_release_parse(struct arena *a, struct str text, const char *where, struct dir_release *out,
	struct err *e);
void dir_release_write(const struct dir_release *r, struct buf *to);
/* All that lie in the folder; what is no release is passed over, a broken one with a warning. */
int dir_index_read(struct arena *a, const char *dir, struct dir_index *out, struct err *e);
void dir_index_sort(struct dir_index *index);
void dir_index_write(const struct dir_index *index, struct buf *to);
struct dir_release *dir_index_find(const struct dir_index *index, struct str tag);
const struct dir_file *dir_release_find(const struct dir_release *r, struct str name);

#endif
