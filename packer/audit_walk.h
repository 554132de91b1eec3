/*
 * Every file of a folder with what stat tells of it, looked up by several threads.
 *
 * Folders that cannot be read, and what vanishes meanwhile, are counted and passed over: an
 * environment in use is no error.  Links are not followed.
 */
#ifndef PACKER_AUDIT_WALK_H
#define PACKER_AUDIT_WALK_H

#include "builder/prefix_cache.h"

enum { WALK_FILES_MAX = 2000000 };

struct walked {
	struct str path; /* below the folder */
	struct file_stamp stamp;
};

struct walk_request {
	int fd;           /* of the folder */
	const char *root; /* for messages */
	unsigned jobs;
	/* Paths that are passed over, with all below them.  Any thread. */
	bool (*skip)(const void *ctx, struct str path);
	const void *ctx;
};

struct walk_result {
	struct walked *v; /* regular files and links, rising by path */
	size_t n;
	/* Folders that could not be read, rising. */
	struct walk_unread {
		struct str path;
		int error;
	} * unread;
	size_t n_unread;
};

/* ERR_INTEGRITY: there are more files than that.  All of it lives in the arena. */
int audit_walk(
	struct arena *a, const struct walk_request *r, struct walk_result *out, struct err *e);

#endif
