/*
 * One pass over the members of an archive of an environment, of which nothing is unpacked: what its
 * readers have in common.  Members come in any order; what they say is held to bounds.
 *
 *	if (archive_pass_begin(&p, a, path, &installed, e) == 0 &&
 *		archive_pass_members(&p, take, ctx, e) == 0)
 *		...
 *	archive_pass_end(&p);
 */
#ifndef PACKER_ARCHIVE_PASS_H
#define PACKER_ARCHIVE_PASS_H

#include "builder/dist.h"
#include "builder/installed.h"
#include "packer/archive_in.h"
#include "packer/manifest.h"

struct archive_pass {
	struct arena *a; /* of what is kept */
	const char *path;
	struct archive_in *in;
	struct arena scratch; /* of the text of one member */
	struct installed *installed;
	struct table dists; /* folder of a Python distribution -> what the reader keeps of it */
};

/* installed gets records, which the caller sorts.  Ended in any case, also after an error. */
int archive_pass_begin(struct archive_pass *p, struct arena *a, const char *path,
	struct installed *installed, struct err *e);
void archive_pass_end(struct archive_pass *p);

/*
 * Hands on each file, soft link and hard link; m is valid during the call, and a result below 0 ends
 * the pass.  ERR_INTEGRITY: a path that leaves the folder, or too many members.
 */
typedef int archive_taker(void *ctx, const struct member *m, struct err *e);
int archive_pass_members(struct archive_pass *p, archive_taker *take, void *ctx, struct err *e);

/* Names the archive in an error.  Errors of its reader name it already. */
int archive_pass_error(const struct archive_pass *p, struct err *e);

/* The current member as text, valid until the next text. */
int archive_pass_text(struct archive_pass *p, size_t max, struct str *out, struct err *e);
/* The current member as what it is; its texts are kept. */
int archive_pass_manifest(struct archive_pass *p, struct manifest *out, struct err *e);
int archive_pass_record(struct archive_pass *p, struct str path, struct err *e);
/*
 * METADATA or PKG-INFO: 1, 0 where what is called like a distribution is none, as in a prefix.
 * *out and *text are valid until the next text.
 */
int archive_pass_metadata(
	struct archive_pass *p, struct dist *out, struct str *text, struct err *e);

/* conda-meta/NAME.json */
bool archive_pass_is_record(struct str path);
/* Is a path that has the folder of dist_folder_of() the file that archive_pass_metadata() reads? */
bool archive_pass_is_metadata(struct str path, struct str folder);

/* What is kept of the distribution in this folder: `size` bytes, zero when it is met first. */
int archive_pass_dist(
	struct archive_pass *p, struct str folder, size_t size, void **out, struct err *e);

#endif
