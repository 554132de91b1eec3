/*
 * envbuild.lock: a rattler lock file, version 7; and the locks of others that are read: rattler's
 * version 6, conda-lock.yml and @EXPLICIT files (docs/design/lock.md).
 */
#ifndef SOLVER_LOCK_H
#define SOLVER_LOCK_H

#include "base/buf.h"
#include "solver/channel.h"
#include "solver/envfile.h"
#include "solver/pypi.h"
#include "solver/record.h"

struct lock_target {
	struct str name, subdir;
	struct str *virtual_packages;
	size_t n_virtual_packages;
	struct record **records; /* sorted by record_cmp_name */
	size_t n_records;
	/* The same records as the file has them, for locks whose order is that of installing; or NULL. */
	struct record **order;
	struct pypi_set pypi;
	size_t n_skipped;  /* entries of another kind (conda_source), passed over */
	size_t n_optional; /* of conda-lock's other categories, passed over */
};

struct lock {
	struct str *channels; /* URLs, in order of priority, no trailing slash */
	size_t n_channels;
	struct str *indexes; /* of Python packages, URLs as written; kept, and none is fine */
	size_t n_indexes;
	enum channel_priority priority;
	uint64_t as_of; /* milliseconds: what was newer was passed over; 0: nothing was */
	/* What URLs of the file had of user names and tokens: for http_add_credentials() alone. */
	struct channel_list credentials;
	struct lock_target *targets; /* sorted by name */
	size_t n_targets, cap_targets;
};

/* Is it, by its content, a lock of a kind that lock_parse() reads? */
bool lock_recognize(struct str text);
/*
 * A lock of any kind that is read; which, the content says.  Targets are the platforms that the
 * environment "default" has a list of packages for; the other environments are checked and dropped.
 * Locks that know no targets have one by the name of each subdir.  Errors: "FILE:LINE:COLUMN:
 * reason", ERR_INPUT.  Everything lives in the arena.
 */
int lock_parse(struct arena *a, const char *name, struct str text, struct lock *out, struct err *e);
int lock_read(struct arena *a, const char *path, struct lock *out, struct err *e);
/*
 * Byte for byte the same from the same value, whatever the order of its targets.  User names,
 * passwords and tokens in URLs are left out.
 */
void lock_write(const struct lock *lock, struct buf *to);
/* NULL where the lock does not have it. */
struct lock_target *lock_find(const struct lock *lock, struct str name);
/* The target of that name, else the one that a lock without targets has for the subdir; or NULL. */
struct lock_target *lock_find_for(const struct lock *lock, struct str name, struct str subdir);
/* Adds or replaces one target, keeping the others. */
void lock_put(struct arena *a, struct lock *lock, const struct lock_target *target);

/*
 * Is the target's entry current for this request?  Its packages satisfy the specs and each
 * other, none is there that nothing asks for, and channels, priority and virtual packages are the
 * same.  1 yes; 0 no, and *reason (in the arena) says why in words.  Touches neither network nor
 * index.
 */
struct solve_request;
int lock_current(struct arena *a, const struct lock *lock, const struct solve_request *r,
	struct str *reason);

/*
 * May these packages run where the virtual packages are others than they were chosen for?  1; or 0
 * and *reason (in the arena) names the first that needs what is not there.
 */
int lock_fits(struct arena *a, const struct lock_target *locked, struct str *virtual_packages,
	size_t n, struct str *reason);

#endif
