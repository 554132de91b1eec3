/* Engines and prefixes for the commands that use an environment rather than release one. */
#ifndef CLI_ENVIRONMENT_H
#define CLI_ENVIRONMENT_H

#include "cli/plan.h"
#include "images/engine.h"

/* What the command line says of an engine, without its root; the work folder must exist. */
int environment_options(struct session *s, const struct profile *profile,
	struct engine_options *out, struct err *e);
/* The engine that -t, --image and --engine ask for; the work folder must exist. */
int environment_engine(
	struct session *s, const struct profile *profile, struct engine **out, struct err *e);
/* What a test finds at /tmp/project: --project, which must be a folder, else `folder`. */
int environment_project(struct session *s, const char *folder, const char **out, struct err *e);
struct install_request;
struct install_counts;
struct content;
/*
 * Fills the cache with those of the request's packages that are needed and installs them; once more where somebody cleaned
 * the cache in between.
 */
int environment_fill_and_install(
	struct session *s, const struct install_request *r, struct content *content, struct err *e);
/*
 * Fills the cache and installs the plan into prefix (its path inside the engine too).  copy: no
 * hard links into the cache, because what runs there may write into what it finds.  counts: what
 * was done, or NULL.
 */
int environment_install(struct session *s, const struct project *p, const struct plan *plan,
	struct engine *engine, const char *prefix, bool copy, struct install_counts *counts,
	struct err *e);

enum environment_kind {
	ENVIRONMENT_FILE, /* environment.yml or a lock */
	ENVIRONMENT_ARCHIVE,
	ENVIRONMENT_PREFIX,
};

/* What an operand is, by what stands there; ERR_USAGE where nothing does. */
int environment_kind(const char *path, enum environment_kind *out, struct err *e);

/*
 * The profile of -t, else the one that an archive or prefix was made for, which it carries, else that
 * of host.  The work folder must exist.
 */
int environment_profile(struct session *s, const char *path, struct profile *out, struct err *e);

/* An environment brought up in the work folder, ready to be used. */
struct environment {
	char *prefix; /* on this machine */
	struct str name;
	struct engine *engine;
	struct profile profile;
	const char *project_dir, *file; /* of an environment file; NULL otherwise */
};
/*
 * Unpacks an archive (relocated for where it lies if `relocate`), installs an environment file or
 * lock, takes a prefix as it is.  The target: -t, else the one it was made for, else host.
 */
int environment_open(struct session *s, const char *operand, bool relocate, struct environment *out,
	struct err *e);
void environment_close(struct environment *env);

#endif
