/*
 * Two archives member by member, however they are compressed.
 */
#ifndef PACKER_COMPARE_H
#define PACKER_COMPARE_H

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>

struct difference {
	bool same;       /* the same members in the same order; nothing else is then set */
	struct str path; /* of the first that differs */
	struct str how;  /* "its mode is 0644 here, 0755 THERE" */
	size_t n;        /* paths that differ in anything but their place */
	/* Nothing does but what the audit found, and the list of sums, which follows from it. */
	bool only_audit;
};

/* how speaks of the first archive as "here" and of the other as `there`.  Texts live in the arena. */
int archive_compare(struct arena *a, const char *one, const char *other, const char *there,
	struct difference *out, struct err *e);

#endif
