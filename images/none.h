/* Engine `none`: a job directly on this machine. */
#ifndef IMAGES_NONE_H
#define IMAGES_NONE_H

#include "images/engine.h"
#include "images/state.h"

/*
 * The binds (n as in the job) are symlinks for the job's time (engine.h); throw-away ones are copies
 * already.  What the job leaves running is killed.
 */
int none_run(
	struct state *state, const struct job *job, struct bind *binds, int *status, struct err *e);

#endif
