/*
 * Who works in a folder: one run at a time.
 *
 * PREFIX/.envbuild-busy names process, host and time.  It appears whole (link of a finished file, so
 * that this works on NFS too) and is held by a lock (flock) for as long as the process lives; so a
 * mark that nobody on this host holds was left by a dead process and is taken over; where the file
 * system refuses locks, one whose process is not there.  The mark of another host is heeded as it
 * stands: nobody here can tell whether that process lives.
 */
#ifndef BUILDER_CHANGE_BUSY_H
#define BUILDER_CHANGE_BUSY_H

#include "base/arena.h"
#include "base/err.h"

struct busy {
	int dir;  /* the folder; the caller's */
	int mark; /* -1: not held */
};

/*
 * path: the folder's, for messages.  ERR_FAIL naming the other (pid, host, since when) where one is
 * at work.
 */
int busy_take(struct busy *b, int dir, const char *path, struct err *e);
/* A busy that was never taken ({.mark = -1}) is fine. */
void busy_release(struct busy *b);
/*
 * "process 17 on host 'a' since 2026-01-31 12:00:00Z", or NULL where nobody is at work there.  A mark
 * of a dead process of this host does not count.
 */
char *busy_who(struct arena *a, int dir);

#endif
