/*
 * How much space a run takes at most, compared with what is free before it begins.
 *
 * Space is added up by file system and stage: what a later stage needs is not there while an
 * earlier one's is, unless both stand at once.  Quotas are not known.
 */
#ifndef BUILDER_DISK_H
#define BUILDER_DISK_H

#include "builder/package.h"

/* Something that stands on one file system for a while. */
struct disk_use {
	const char *path; /* a folder there, which may still be missing */
	const char *what; /* for the message: "the package cache" */
	uint64_t bytes;
	unsigned from, to; /* the first and last stage in which it stands */
};

/*
 * ERR_SYSTEM where a file system has less free than stands on it at once: names the folders, what is
 * needed, what is free and what can be done.
 */
int disk_check(const struct disk_use *uses, size_t n, struct err *e);
/* The most that stands at once on the file system of path. */
uint64_t disk_peak(const struct disk_use *uses, size_t n, const char *path);

/* What an environment takes, in whole blocks of the file system. */
struct disk_sizes {
	uint64_t fill;     /* what is to be added to the cache */
	uint64_t packages; /* all packages unpacked: a prefix of copies */
	uint64_t links;    /* a prefix of hard links: folders, rewritten files, bytecode */
	uint64_t packed;   /* all package files */
	bool copies;       /* packages bring link scripts: no file may be shared */
};
/*
 * Exact for packages in the cache or in one below, by their facts.  Of others the package file's
 * size says it: on average of real packages a .tar.bz2 takes 4.3 times as much when unpacked, a
 * .conda 5.7 times, and each package 64 KiB more (docs/design/cache.md).
 */
void disk_sizes_of(
	const struct cache *c, struct record *const *records, size_t n, struct disk_sizes *out);

struct disk_plan {
	const struct cache *cache;
	struct record *const *records;
	size_t n_records;
	const char *prefix; /* that is installed or built */
	bool copy;          /* it shares no file with the cache */
	/* Of pack: */
	const char *archive;      /* folder of the archive; NULL: none is made */
	unsigned archive_percent; /* of the package files' sizes; 0: not compressed */
	bool segments;            /* what is compressed goes to the cache too */
	const char *test;         /* folder of the unpacked copy; NULL: no test */
	bool low_disk;            /* what was added to the cache goes before the test */
};
/* Checks all of it before anything is fetched; *peak (may be NULL): on the prefix's file system. */
int disk_check_plan(const struct disk_plan *plan, uint64_t *peak, struct err *e);

#endif
