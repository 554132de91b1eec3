/*
 * An environment used rather than released: a command in it, or an interactive shell
 * (`envbuild run`, `envbuild shell`).
 *
 * stdio and the terminal are the caller's.  The working folder is bound where it lies, /tmp is a
 * fresh one and the home lies in it, and what is written into the prefix is thrown away: its files
 * may be hard links into the cache.  Engine none has none of that: it works on the prefix, /tmp and
 * the home of this machine.
 */
#ifndef BUILDER_RUN_H
#define BUILDER_RUN_H

#include "images/engine.h"

struct run_request {
	struct engine *engine;
	const char *prefix, *prefix_inside;
	/* What to run.  NULL: a shell, bash where there is one, which on a terminal asks with a
	 * prompt "(NAME@TARGET) FOLDER$ " and else reads its commands from stdin. */
	const char *const *argv;
	struct str name, target; /* for the prompt; whatever a prompt would expand is replaced */
	const char *work_dir;    /* absolute; bound read-write at its own path and entered, unless
				  * it is one of the folders that are the image's own */
	const char *scratch;     /* a folder on this machine for the shell's start file */
	bool network;
	unsigned timeout_s; /* status is then 124 */
};

/* *status is that of the command or shell. */
int environment_run(struct arena *a, const struct run_request *r, int *status, struct err *e);
/* Are commands typed, at a prompt? */
bool run_at_terminal(void);
/* Is the folder (absolute) of the image's own, so that the working one cannot be there? */
bool run_folder_is_systems(const char *dir);

#endif
