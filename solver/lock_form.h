/*
 * What a package's URL tells about it, as rattler derives it (rattler_lock, derived_fields.rs): these
 * fields are left out of a lock where they are as derived.
 */
#ifndef SOLVER_LOCK_FORM_H
#define SOLVER_LOCK_FORM_H

#include "solver/record.h"

struct derived {
	struct str fn;                   /* the last component, still percent-encoded */
	struct str name, version, build; /* empty where fn is not NAME-VERSION-BUILD */
	struct str subdir;               /* empty where it is not a known one */
	struct str channel;              /* what stands before subdir and fn */
};

struct derived derive_from_url(struct str url);
/* The digits at the end of the build; 0 where there are none. */
uint64_t derive_build_number(struct str build);
enum noarch derive_noarch(struct str subdir, struct str build);

#endif
