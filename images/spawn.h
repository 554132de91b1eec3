/* What the engines share: stdio, environment and waiting for a child. */
#ifndef IMAGES_SPAWN_H
#define IMAGES_SPAWN_H

#include "images/engine.h"

#include <sys/types.h>
#include <termios.h>

/* What a child says when it could not start, or has stopped; it travels through the life pipe. */
enum { SPAWN_STOPPED = -1 };
struct spawn_report {
	int step;       /* an enum sandbox_step, or SPAWN_STOPPED */
	int error;      /* errno */
	char what[496]; /* the subject: a path, a command */
};

/*
 * Descriptors between us and a child.  The child keeps life[1] until it has ended, so that the end
 * of file on life[0] is its death; a report comes before it where the child could not start.
 */
struct spawn {
	const struct job *job;
	int life[2];
	int output[2];        /* -1 where output is inherited */
	int go[2];            /* one byte: the child may begin; end of file: the parent is dead */
	int terminal;         /* an interactive job's terminal, -1: none */
	pid_t foreground;     /* who had it */
	bool in_front;        /* we: so the job gets it */
	struct termios modes; /* of the terminal before the job */
};

int spawn_init(struct spawn *s, const struct job *job, struct err *e);
void spawn_release(struct spawn *s);

/*
 * Waits for the child until its end or the job's time limit, passing its output on, and reaps it.
 * stop: the signal that ends the child and all below it.
 * *report.step is 0 where the child had started well.  *status as engine_run gives it.
 */
int spawn_wait(struct spawn *s, pid_t pid, int stop, struct spawn_report *report, int *status,
	struct err *e);

/* --- in the child: no allocation, no locks ------------------------------------------------ */

/* Closes the parent's ends and waits for its word; does not return where the parent is dead. */
void spawn_child_begin(const struct spawn *s);
/* Closes all but stdio and what this job needs: a descriptor could reach out of the new root, or
 * keep another job's pipe open. */
void spawn_child_close_others(const struct spawn *s);
/* Signals as they are by default, none blocked. */
void spawn_child_signals(void);
/* Session, terminal, stdio, core limit, umask; then the job's command.  Returns only on failure,
 * with errno set. */
void spawn_child_exec(const struct spawn *s);
_Noreturn void spawn_child_fail(const struct spawn *s, int step, const char *what);
/*
 * For the parent of the job, which has it as `job` and reaps whatever else becomes its child: waits
 * for the job's end and gives its status, or -1 where there is no such child.  Where the job of a
 * terminal stops (Ctrl-Z), spawn_wait is told, and stops, too; it says when to go on.
 * ended, unless NULL, becomes true where a SIGTERM asks for the job's end first.
 */
int spawn_child_wait(const struct spawn *s, pid_t job, bool *ended);

#endif
