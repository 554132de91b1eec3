/* Running programs. */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include "base/buf.h"
#include "base/err.h"

/*
 * What comes out of a program: called with each piece as it arrives, from the thread that called
 * proc_run.  NULL: inherit the descriptor.
 */
typedef void proc_output(void *ctx, struct str bytes);

struct proc {
	const char *const *argv; /* argv[0] is looked up in PATH */
	const char *const *env;  /* NULL: inherited */
	const char *cwd;         /* NULL: inherited */
	struct str input;        /* given to stdin; {NULL,0}: /dev/null */
	proc_output *on_stdout, *on_stderr;
	void *ctx;
	unsigned timeout_s; /* 0: none; then the whole process group is killed */
	bool terminal; /* it keeps ours, to ask there for a password: a session of its own it has not */
	unsigned grace_s; /* it is asked to end (SIGTERM) so long before it is killed; 0: not */
};

/*
 * Runs to the end, in a session of its own without a terminal (unless `terminal`); the program is killed when the
 * calling thread dies.  What it left in the background is not waited for.  *status is the exit status, 128 + N for death by signal N, 124 after a
 * time-out.  -1 only where it could not be run at all.
 */
int proc_run(const struct proc *p, int *status, struct err *e);
/* An on_stdout that appends to the struct buf in ctx. */
void proc_to_buf(void *buf, struct str bytes);
/* Full path of a program on PATH, in a static buffer per thread, or NULL. */
const char *proc_find(const char *name);

#endif
