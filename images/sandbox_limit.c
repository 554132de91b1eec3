#include "images/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/*
 * How many processes and threads a job may have at a time: a fork bomb ends there.
 *
 * RLIMIT_NPROC is counted per user namespace since Linux 5.14 (before that it counts all of the
 * user's processes), and does not bind root of this machine.  kernel.pid_max is the pid namespace's
 * own since 6.14; before that, root would change this machine's.
 */

enum limit_way limit_way(const char *release, bool is_root)
{
	char *end;
	unsigned long major = strtoul(release, &end, 10), minor = 0;

	if (*end == '.')
		minor = strtoul(end + 1, NULL, 10);
	if (major > 6 || (major == 6 && minor >= 14))
		return LIMIT_PID_MAX;
	return is_root ? LIMIT_CGROUP : LIMIT_RLIMIT;
}

static bool limit_pids(const struct child *c)
{
	char text[16];
	int n = snprintf(text, sizeof text, "%u\n", c->plan->max_processes);
	int fd = open("/proc/sys/kernel/pid_max", O_WRONLY | O_CLOEXEC);

	bool done = fd >= 0 && write(fd, text, (size_t)n) == n;

	if (fd >= 0)
		close(fd);
	return done;
}

static void limit_user(const struct child *c)
{
	struct rlimit now;

	if (getrlimit(RLIMIT_NPROC, &now) < 0)
		return;
	if (now.rlim_max > c->plan->max_processes)
		now.rlim_max = c->plan->max_processes;
	if (now.rlim_cur > now.rlim_max)
		now.rlim_cur = now.rlim_max;
	setrlimit(RLIMIT_NPROC, &now);
}

void child_limit(struct child *c)
{
	switch (c->plan->limit) {
	case LIMIT_PID_MAX:
		/* a security module may forbid it */
		if (!limit_pids(c))
			limit_user(c);
		break;
	case LIMIT_RLIMIT:
		limit_user(c);
		break;
	case LIMIT_CGROUP: /* the parent has seen to it */
		break;
	}
}
