/*
 * One run of publishing into a folder: what publish_dir.c, publish_dir_plan.c and publish_dir_place.c
 * share.
 */
#ifndef PACKER_PUBLISH_DIR_H
#define PACKER_PUBLISH_DIR_H

#include "packer/publish_index.h"
#include "packer/publish_set.h"

/* A folder in which something is made or removed: ".publish.RANDOM". */
#define DIR_STAGE_PREFIX "publish"
#define DIR_STAGE_START  ".publish."

struct dir_publish {
	const struct publish_set *set;
	struct arena *arena;
	struct publish_result *out;
	const char *dir, *tag;
	char *path; /* DIR/TAG */
	int lock;
	bool locked;
	struct dir_index index;
	struct dir_release *old; /* what is published under the tag; NULL: nothing */
	struct dir_release new;
	struct str old_notes;
};

/* What is published under the name as release.json has it, if the file is still there; else NULL. */
const struct dir_file *dir_publish_find(const struct dir_publish *p, struct str name);
/* Reads the index and fills old, new and the result; nothing is changed.  ERR_FAIL, ERR_USAGE. */
int dir_publish_plan(struct dir_publish *p, struct err *e);
/*
 * Makes the folder if it is not there, locks it as long as p->lock is open, and clears away or puts
 * back what killed runs have left.
 */
int dir_publish_begin(struct dir_publish *p, struct err *e);
/* The release appears as planned, in one step. */
int dir_publish_place(struct dir_publish *p, struct err *e);

#endif
