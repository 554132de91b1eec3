/*
 * A control group that counts the processes of one job, for kernels whose other limits do not bind
 * root: of version 1 (a hierarchy for pids alone), or of version 2, beside this process's own,
 * since one with processes in it has no groups below that count.
 *
 *	ROOT/envbuild.PID.N      one job of the process PID; a group of a dead process is removed by
 *	                         the next one
 */
#ifndef IMAGES_CGROUP_H
#define IMAGES_CGROUP_H

#include "base/arena.h"

#include <sys/types.h>

/* The folder of a new group, or NULL: none can be made here. */
char *cgroup_make(struct arena *a, unsigned max_processes);
/* Moves a process in, and with it those that it will make. -1 with errno. */
int cgroup_add(struct arena *a, const char *group, pid_t pid);
void cgroup_remove(const char *group);
/* Where groups are made, from the text of /proc/self/cgroup; NULL: nowhere. */
char *cgroup_place(struct arena *a, const char *mounted, struct str text);

#endif
