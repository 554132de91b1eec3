/*
 * Being asked to end: SIGINT, SIGTERM, SIGHUP.
 *
 * The first is noted.  Long work asks interrupt_check() between its steps and fails with
 * ERR_INTERRUPTED; from there everything unwinds as after any failure, so that nothing temporary
 * stays.  The second ends the program at once, which harms nothing either: what it leaves, the next
 * run clears away.
 */
#ifndef BASE_INTERRUPT_H
#define BASE_INTERRUPT_H

#include "base/err.h"

#include <stdbool.h>

/* Installs the handlers; a signal that whoever started us ignores stays ignored. */
void interrupt_setup(void);
/* Was there one?  Without setup never. */
bool interrupted(void);
/* 0; or -1 with ERR_INTERRUPTED naming the signal. */
int interrupt_check(struct err *e);
/* Readable from the first signal on, for poll; -1 without setup (which poll passes over). */
int interrupt_fd(void);
/*
 * Between these, which may be nested, nothing is said of it: undoing what was begun is not to be
 * broken off.
 */
void interrupt_hold(void);
void interrupt_release(void);
/*
 * Between these, which may be nested, already the first signal ends the program at once: for
 * computing that can take long, is not ours to break off, and leaves nothing behind.
 */
void interrupt_at_once_begin(void);
void interrupt_at_once_end(void);
/* Dies of the signal, so that a shell knows why; returns where there was none. */
void interrupt_end(void);

#endif
