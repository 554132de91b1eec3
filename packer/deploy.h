/*
 * The folder on a production file system that releases are deployed to (docs/design/deploy.md).
 *
 *	ROOT/NAME-VERSION/       one release, write-protected
 *	ROOT/current             -> NAME-VERSION, switched by one rename
 *	ROOT/dev                 the same for --stage dev
 *	ROOT/deployments.jsonl   what was done, one line each, only ever appended to
 *	ROOT/.envbuild-deploying while one is at work: the line that will be appended
 *
 * One process works in a ROOT at a time (builder/change_busy.h).
 */
#ifndef PACKER_DEPLOY_H
#define PACKER_DEPLOY_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

#define DEPLOY_LOG     "deployments.jsonl"
#define DEPLOY_PENDING ".envbuild-deploying"
#define DEPLOY_CURRENT "current"
#define DEPLOY_DEV     "dev"

/* --- the log ---------------------------------------------------------------------------------- */

/* One line.  Empty texts are not written; unknown keys are passed over. */
struct deployment {
	struct str time;   /* "2026-01-31T12:00:00Z" */
	struct str action; /* "deploy", "rollback", "remove" */
	struct str result; /* "ok", else what went wrong */
	struct str name, version, folder;
	struct str archive, sha256; /* file name, and sum of the whole */
	struct str target;
	struct str stage; /* "dev", "prod" */
	struct str ticket;
	struct str links;    /* those that lead to it now, separated by a space */
	struct str previous; /* what the first of these led to */
	struct str test;     /* "passed", "failed", "not run" */
	struct str user, sudo_user, host, envbuild;
	int64_t uid; /* -1: not known */
};

struct deploy_log {
	struct deployment *v;
	size_t n, cap;
	bool torn; /* the last line has no end: its writer was killed */
};

/*
 * path: a deployments.jsonl, here or of another ROOT; absent: empty.  A line that is no such line is
 * ERR_INTEGRITY with its number; one that is torn, because its writer was killed or the disk was full, is
 * passed over.  Texts live in the arena.
 */
int deploy_log_read(struct arena *a, const char *path, struct deploy_log *out, struct err *e);
/* The same of a text; name stands in errors. */
int deploy_log_parse(
	struct arena *a, struct str text, const char *name, struct deploy_log *out, struct err *e);
/* One line with its newline. */
void deployment_write(const struct deployment *d, struct buf *to);
/* Appends it in one write, and syncs; a torn last line is ended before. */
int deploy_log_append(const char *root, const struct deployment *d, struct err *e);
/* Who does it, when and where: time, user, sudo_user, uid, host, envbuild. */
void deployment_sign(struct arena *a, struct deployment *d);
/* The last successful deployment of that folder; of that archive at a stage; NULL: none. */
const struct deployment *deploy_log_folder(const struct deploy_log *log, struct str folder);
const struct deployment *deploy_log_stage(
	const struct deploy_log *log, struct str sha256, const char *stage);
/*
 * What a link would go back to: the release that was deployed to it before the one it leads to now
 * (`folder`), and whose folder is still there.  NULL: none.
 */
const struct deployment *deploy_log_before(
	const char *root, const struct deploy_log *log, const char *link, struct str folder);

/* --- the tree --------------------------------------------------------------------------------- */

/* What a link in root leads to: a folder's name in it; empty where it is absent.  ERR_FAIL where
 * something that is not ours has that name. */
int deploy_link_read(
	struct arena *a, const char *root, const char *link, struct str *out, struct err *e);
/* Makes the link lead there, by one rename. */
int deploy_link_switch(const char *root, const char *link, struct str folder, struct err *e);
/* Removes temporaries of a killed run. */
void deploy_sweep(const char *root);
/* Takes the permission to write from everybody, for all files and folders. */
int deploy_protect(const char *dir, struct err *e);
/* Removes a release, protected or not; absent is success. */
int deploy_remove(const char *dir, struct err *e);
/*
 * Does a process of this machine that may be looked at run from the folder, work in it or map a file of
 * it?  Its pid, or 0.
 */
long deploy_user_of(const char *dir);

#endif
