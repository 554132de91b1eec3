/*
 * Is an archive what it says it is?  Read twice from its beginning to its end, nothing is unpacked.
 *
 *	archive_check(&a, "demo.tar.gz", &found, e)
 *
 * The first reading holds every file against conda-meta/envbuild/files; paths are safe, none is there
 * twice or behind a link or a file; the papers that every archive has are there and say the same of
 * the packages.  The second holds each file of the relocation index against it.
 */
#ifndef PACKER_CHECK_H
#define PACKER_CHECK_H

#include "images/profile.h"
#include "packer/manifest.h"
#include "solver/lock.h"

struct archive_found {
	size_t files, links, folders, relocated;
	uint64_t bytes; /* of the files */
	struct manifest manifest;
	struct profile profile;           /* that it carries; its root, if any, is not to be used */
	struct lock lock;                 /* that it carries */
	const struct lock_target *target; /* in the lock */
	/* As they are; p is NULL where one is not there. */
	struct str environment, lock_text, profile_text, test, pre_pack;
};

/* ERR_INTEGRITY names the first thing that is wrong.  Texts live in the arena. */
int archive_check(struct arena *a, const char *operand, struct archive_found *out, struct err *e);

#endif
