/*
 * From the words of a command line to the records of one target: environment file, envbuild.yml,
 * profile, channels, lock or solve.
 */
#ifndef CLI_PLAN_H
#define CLI_PLAN_H

#include "builder/install.h"
#include "cli/session.h"
#include "images/profile.h"
#include "packer/audit_learn.h"
#include "solver/envfile.h"
#include "solver/lock.h"
#include "solver/solve.h"

/* The file that ENV names, what stands beside it, and the lock as it was found. */
struct project {
	const char *path; /* of the environment file, as given */
	char *dir;        /* its folder, absolute */
	char *lock_path;
	bool lock_is_input; /* ENV itself is a lock file: there is no environment file */
	struct settings settings;
	struct lock lock; /* empty where there was none */
	bool has_lock;
	const struct str *updates; /* names of --update; NULL: everything is chosen anew */
	size_t n_updates;
	const char **targets; /* those to work for: -t, else envbuild.yml, else host */
	size_t n_targets;
};

/* env: environment.yml, a folder that holds one, a lock file, or NULL for ./environment.yml. */
int project_open(struct session *s, const char *env, struct project *out, struct err *e);

struct learn_round;

/* One target of a project. */
struct plan {
	struct profile profile;
	struct envfile env; /* zeroed where the lock is the input */
	struct str name;    /* of the environment: -n, else the file's; empty: none */
	struct channel_list channels;
	struct solve_request request;
	struct record **records; /* dependencies first */
	size_t n_records;
	struct lock_target locked;
	/* Of PyPI: settled where the lock was current, else when it has been resolved in an engine. */
	struct pypi_set *pypi;
	bool from_lock;              /* the lock was current */
	struct learned_list learned; /* what audits have found out about builds (cli/learn.h) */
	struct {
		struct record **v;
		size_t n, cap;
	} fetched; /* by these audits, into the cache */
	struct {
		struct learn_round *v;
		size_t n, cap;
	} rounds;
};

/*
 * Reads the profile and the environment file for it and settles the records: those of the lock
 * where it is current, else solved (ERR_STALE under --locked).  lock_only solves in any case,
 * for targets of any machine; without it a target that this machine cannot run is ERR_USAGE.
 */
int plan_target(struct session *s, struct project *p, const char *target, bool lock_only,
	struct plan *out, struct err *e);
/*
 * Solves what the plan asks for with what it has learned, whatever it had before.  ERR_UNSAT, and
 * s->unsat says why.
 */
int plan_solve(struct session *s, struct plan *plan, struct err *e);
/*
 * The same for looking only, at targets of any machine: out->request says what is asked for, the
 * records are those of the lock where it is current (from_lock), else none.
 */
int plan_look(
	struct session *s, struct project *p, const char *target, struct plan *out, struct err *e);
/*
 * The lock's packages for a profile, whatever the environment file (p->path, if the lock is not the
 * input) and the channels of now say: to make once more what was made.  The name is left empty.
 */
int plan_as_locked(struct session *s, struct project *p, const struct profile *profile,
	struct plan *out, struct err *e);
/*
 * Does the lock still satisfy the environment file and this target?  1; or 0 and *reason says why
 * not; -1 where they cannot be read.  Neither network nor index is asked.
 */
int plan_check(struct session *s, const struct project *p, const char *target, struct plan *out,
	struct str *reason, struct err *e);
/* What an installation needs for the pip section and the wheels of the plan. */
void plan_fill_pip(struct session *s, const struct project *p, const struct plan *plan,
	struct install_request *r);
/*
 * Enters the plan into the project's lock, and says which branches of git moved since it was
 * locked; project_write_lock writes the file if it changed.
 */
void plan_enter_lock(struct session *s, struct project *p, const struct plan *plan);
int project_write_lock(
	struct session *s, const struct project *p, const char *path, bool *changed, struct err *e);
/* The lock reduced to this plan's target, as an archive carries it. */
struct str plan_lock_text(struct session *s, const struct project *p, const struct plan *plan);

#endif
