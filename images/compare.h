/* Comparing profiles: the weakest of several hosts, and whether a host still is what is said. */
#ifndef IMAGES_COMPARE_H
#define IMAGES_COMPARE_H

#include "images/profile.h"

/*
 * What every one of n profiles offers: the least version of each virtual package, of compute
 * capability and of limits, the libraries and symbol versions that all have, noexec where one has it.
 * What one of them does not say is not said.  ERR_USAGE where they are of different subdirs.  n > 0;
 * the texts are those of the profiles.
 */
int profile_union(struct arena *a, const char *name, const struct profile *const *v, size_t n,
	struct profile *out, struct err *e);

/* One difference between what a profile says and what a host (or root) has. */
struct drift {
	bool lacks;             /* the host has less than the profile promises; else more */
	const char *what;       /* "__glibc", "libc.so.6", "limits: open-files" */
	const char *said, *has; /* in words; empty: nothing */
};

struct drifts {
	struct drift *v;
	size_t n, cap;
	size_t lacking;
};

/*
 * Drift of `has` from `said`, in the order of a profile's sections.  What the profile does not say
 * is no promise.  image: `has` is a root file system, of which only glibc and libraries are looked
 * at: the rest is the host's.
 */
void profile_drift(struct arena *a, const struct profile *said, const struct profile *has,
	bool image, struct drifts *out);

/* Versions by their numbers, CPUs by their level: <0, 0, >0; false where they cannot be compared. */
bool virtual_compare(struct str a, struct str b, int *order);
bool str_in(struct str s, const struct str *v, size_t n);

#endif
