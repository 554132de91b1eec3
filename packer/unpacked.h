/*
 * An environment that was unpacked from an archive of ours, held against what the archive listed.
 */
#ifndef PACKER_UNPACKED_H
#define PACKER_UNPACKED_H

#include "builder/verify.h"
#include "packer/relocator/relocate.h"
#include "packer/rules.h"
#include "packer/sums.h"

/* The sums of its files, and where they hold a prefix.  Zeroed but for the arena before it is opened. */
struct unpacked {
	struct arena *arena;
	struct table sums;
	struct str index;
	struct table relocated; /* path -> struct relocate_entry */
	char prefix[RELOCATE_PATH_MAX + 1];
	bool has_prefix;
	/* By which it was packed; none where the manifest says nothing of them that can be read (its own sum
	 * then tells). */
	struct rules rules;
	const char *root;     /* where it lies */
	struct table brought; /* rules_paths() */
};

/* 1; 0 where it was not unpacked from an archive; ERR_INTEGRITY where what it carries is damaged. */
int unpacked_open(struct unpacked *u, const char *prefix, struct err *e);
void unpacked_close(struct unpacked *u);
/* A file's bytes: as packed, or with the recorded prefix in them?  For verify_request. */
enum verdict unpacked_judge(
	void *u, struct str path, struct str data, const uint8_t sha256[SHA256_LEN]);
/*
 * Is what the archive has at a path, if anything, not the package's who lists it?  Of what somebody put
 * there later it is not known.  For verify_request.
 */
bool unpacked_left_out(void *u, struct str path);
/*
 * Reads every file that the archive listed, on `jobs` threads.  ERR_INTEGRITY names the first that is
 * missing or not as it should be, and how many are.
 */
int unpacked_check(struct unpacked *u, const char *prefix, unsigned jobs, struct err *e);

#endif
