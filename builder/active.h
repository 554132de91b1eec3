/* Commands in an activated environment: what test_run and environment_run share. */
#ifndef BUILDER_ACTIVE_H
#define BUILDER_ACTIVE_H

#include "base/arena.h"
#include "base/err.h"
#include "images/engine.h"

struct active {
	const char *prefix;        /* on this machine */
	const char *prefix_inside; /* where the command sees it */
	const char *shell;         /* path of bash, else sh, inside */
	bool packed;               /* carries envbuild's own bin/activate */
};

/* Looks at the prefix and for a shell, in the image first.  ERR_SANDBOX where there is none. */
int active_init(struct arena *a, struct engine *engine, const char *prefix,
	const char *prefix_inside, struct active *out, struct err *e);
/* What a shell reads to activate it: lines that end with a newline. */
const char *active_script(const struct active *env);
/*
 * argv of SHELL -c "activate; SCRIPT", with ARGS as $1...; NULL ends args.
 */
const char *const *active_argv(
	struct arena *a, const struct active *env, const char *script, const char *const *args);
/*
 * The environment of such a command: a plain one, with the variables of conda-meta/state where the
 * environment's own activate does not set them, then `more` (ends with NULL; may be NULL).
 */
const char *const *active_environment(
	struct arena *a, const struct active *env, struct engine *engine, const char *const *more);
/* Of that, what an environment without its own activate needs to be active; ends with NULL. */
const char *const *active_variables(struct arena *a, const struct active *env);
/* Variables of this machine that say how its network is reached; ends with NULL. */
const char *const *active_proxies(struct arena *a);

#endif
