/*
 * A release as it lies in a folder: an archive (one file or parts) and the papers beside it.
 *
 *	NAME.tar.gz (or NAME.tar.gz.00 ...), NAME.sha256, NAME.run.json, NAME.test.log
 *
 * Who hands it on, publish and deploy, opens it here: every byte is read and held against what the
 * papers say.
 */
#ifndef PACKER_RELEASE_H
#define PACKER_RELEASE_H

#include "base/hash.h"
#include "packer/manifest.h"
#include "packer/parts.h"

enum release_test {
	RELEASE_NOT_TESTED, /* or nothing says that it was */
	RELEASE_TEST_FAILED,
	RELEASE_TESTED,
};

struct release {
	struct archive_parts parts;
	char *stem;                 /* path without the format's ending: ".../NAME" */
	char *sums, *run;           /* paths of the papers beside it; NULL: not there */
	uint8_t sha256[SHA256_LEN]; /* of the whole */
	uint8_t (*part_sha256)[SHA256_LEN];
	struct manifest manifest;
	enum release_test test;  /* as NAME.run.json says of exactly these bytes */
	uint64_t unpacked_bytes; /* as it says, too; 0: not known */
};

/* What NAME.run.json says; zeroed where it does not. */
struct release_run {
	bool tested;
	int64_t status; /* of the test; -1: none */
	double seconds; /* that it took */
	uint8_t sha256[SHA256_LEN];
	bool has_sha256;
	int64_t bytes, unpacked_bytes;
	/* What it was made of (cli/unchanged.h), and the archive's time when it was released. */
	uint8_t inputs[SHA256_LEN];
	bool has_inputs;
	struct str archive_time;
};
/* ERR_INTEGRITY where it is no JSON object.  Texts live in the arena. */
int release_run_read(struct arena *a, const char *path, struct release_run *out, struct err *e);

/*
 * ERR_USAGE where nothing stands there, ERR_INTEGRITY where NAME.sha256, NAME.run.json or
 * NAME.intoto.jsonl tells of other bytes, where NAME.sha256 lacks a part
 * or lists one that is not there, or where the archive is none of ours.  Texts live in the arena.
 */
int release_open(struct arena *a, const char *operand, struct release *out, struct err *e);
/* The path of NAME.ENDING, whether it is there or not. */
char *release_beside(struct arena *a, const struct release *r, const char *ending);

#endif
