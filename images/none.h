/* Engine `none`: a job directly on this machine. */
#ifndef IMAGES_NONE_H
#define IMAGES_NONE_H

#include "images/engine.h"
#include "images/state.h"

/*
 * The job's binds, where a throw-away one whose source lies at its place already (in a container:
 * /tmp/project) is one to be written to: a copy could not be put there.  It has no changes to tell.
 */
struct bind *none_in_place(struct arena *a, const struct job *job);
/*
 * The binds (n as in the job) are symlinks for the job's time (engine.h); throw-away ones are copies
 * already.  What the job leaves running is killed.
 */
int none_run(
	struct state *state, const struct job *job, struct bind *binds, int *status, struct err *e);

#endif
