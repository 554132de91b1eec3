#include "images/sandbox.h"

#include "base/file.h"
#include "base/log.h"
#include "images/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- the parent --------------------------------------------------------------------------- */

static int write_proc(pid_t pid, const char *name, const char *text)
{
	char path[64];
	int saved;
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	saved = errno;
	close(fd);
	errno = saved;
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

/* The ids that this process has in its own namespace, each mapped to itself. */
static int write_full_map(pid_t pid, const char *name)
{
	char path[64], text[4096] = "", map[4096];
	unsigned inside, outside, count;
	size_t used = 0;
	ssize_t n;
	char *line, *save = NULL;
	int fd;

	snprintf(path, sizeof path, "/proc/self/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return -1;
	map[0] = 0;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "%u %u %u", &inside, &outside, &count) != 3)
			return -1;
		used += (size_t)snprintf(
			map + used, sizeof map - used, "%u %u %u\n", inside, inside, count);
		if (used >= sizeof map)
			return -1;
	}
	return write_proc(pid, name, map);
}

/* The caller alone, as root. */
static int write_own_map(pid_t pid, const char *name, unsigned id)
{
	char map[64];

	snprintf(map, sizeof map, "0 %u 1\n", id);
	return write_proc(pid, name, map);
}

/*
 * Real root maps all its ids, so that files of an image that belong to others can be changed in
 * the overlay; an ordinary user has only its own.
 */
static int map_ids(const struct plan *plan, pid_t pid)
{
	if (plan->full_map && write_full_map(pid, "uid_map") == 0)
		return write_full_map(pid, "gid_map");
	if (write_proc(pid, "setgroups", "deny") < 0 && errno != ENOENT)
		return -1;
	if (write_own_map(pid, "gid_map", getegid()) < 0)
		return -1;
	return write_own_map(pid, "uid_map", geteuid());
}

static void child_main(struct child *c);

/* clone3(2), Linux 5.7: into a control group, which is cheaper than moving there. */
static long clone_into(unsigned long flags, const char *group)
{
	enum { NR_CLONE3 = 435 };
	CLEANUP_FD fd = open(group, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls,
			set_tid, set_tid_size, cgroup;
	} args = {.flags = (flags & ~UINT64_C(0xff)) | UINT64_C(0x200000000),
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)fd};

	return syscall(NR_CLONE3, &args, sizeof args);
}

/* group: where the child goes; *moved says whether it is there. NULL: none. */
static pid_t clone_child(struct child *c, const char *group, bool *moved)
{
	unsigned long flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC |
			      CLONE_NEWUTS | CLONE_NEWCGROUP | SIGCHLD;
	long pid = -1;

	if (!c->job->network)
		flags |= CLONE_NEWNET;
	if (group)
		pid = clone_into(flags, group);
	*moved = pid >= 0;
	/* as fork does, with one more process saved: the libc knows no clone without a stack */
	if (pid < 0)
		pid = syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
	if (pid == 0)
		child_main(c);
	return (pid_t)pid;
}

/* A job whose command or folder is missing is the caller's fault; all else is the kernel's. */
static int report_failure(const struct job *job, const struct spawn_report *report, struct err *e)
{
	errno = report->error;
	if (report->step == STEP_EXEC)
		return err_sys(e, "cannot run '%s' in the sandbox", job->argv[0]);
	if (report->step == STEP_CWD)
		return err_sys(e, "cannot enter '%s' in the sandbox", job->cwd);
	if (report->step == STEP_BIND)
		return err_sys(e, "cannot bind '%s' in the sandbox", report->what);
	return sandbox_refused(report, e);
}

static void say_unlimited(const struct plan *plan)
{
	if (!plan->asked)
		log_debug("the processes of jobs are not limited: no control group can be made");
	else
		log_warn("--max-processes is not kept for root on this kernel: no control group "
			 "can be made");
}

static int run_in_group(struct child *c, struct spawn *spawn, const char *group,
	struct spawn_report *report, int *status, struct err *e)
{
	struct arena a = {0};
	bool moved;
	pid_t pid = clone_child(c, group, &moved);
	int r;

	if (pid < 0) {
		*report = (struct spawn_report){.step = STEP_USERNS, .error = errno};
		return sandbox_refused(report, e);
	}
	if (group && !moved && cgroup_add(&a, group, pid) < 0)
		say_unlimited(c->plan);
	arena_release(&a);
	if (map_ids(c->plan, pid) < 0) {
		*report = (struct spawn_report){.step = STEP_MAP, .error = errno};
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		return sandbox_refused(report, e);
	}
	r = spawn_wait(spawn, pid, SIGKILL, report, status, e);
	if (r == 0 && report->step)
		return report_failure(c->job, report, e);
	return r;
}

/*
 * A control group where nothing else binds root.  Where none can be made, as in most containers, the
 * job has the limit that the container has.
 */
static int run_child(struct child *c, struct spawn *spawn, struct spawn_report *report, int *status,
	struct err *e)
{
	struct arena a = {0};
	bool wanted = c->plan->limit == LIMIT_CGROUP && !c->plan->probe;
	char *group = wanted ? cgroup_make(&a, c->plan->max_processes) : NULL;
	int r;

	if (wanted && !group)
		say_unlimited(c->plan);
	r = run_in_group(c, spawn, group, report, status, e);
	if (group)
		cgroup_remove(group);
	arena_release(&a);
	return r;
}

int sandbox_run(const struct plan *plan, const struct job *job, struct spawn_report *report,
	int *status, struct err *e)
{
	struct spawn spawn;
	struct child c = {
		.plan = plan, .job = job, .spawn = &spawn, .old_root = -1, .hand_over = {-1, -1}};
	int r;

	*report = (struct spawn_report){0};
	if (plan->kept && socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, c.hand_over) < 0)
		return err_sys(e, "cannot make a socket");
	r = spawn_init(&spawn, job, e);
	if (r == 0) {
		r = run_child(&c, &spawn, report, status, e);
		spawn_release(&spawn);
	}
	if (r == 0 && plan->kept)
		*plan->kept = scratch_receive(c.hand_over[0]);
	fd_cleanup(&c.hand_over[0]);
	fd_cleanup(&c.hand_over[1]);
	return r;
}

/* --- the child, pid 1 of its namespace ---------------------------------------------------- */

static _Noreturn void child_start(struct child *c)
{
	pid_t job = fork();
	int status;

	if (job < 0)
		spawn_child_fail(c->spawn, STEP_EXEC, "fork");
	if (job == 0) {
		spawn_child_exec(c->spawn);
		spawn_child_fail(c->spawn, STEP_EXEC, c->job->argv[0]);
	}
	/* a writer that stays open here would keep our parent reading */
	if (c->spawn->output[1] >= 0)
		close(c->spawn->output[1]);
	status = spawn_child_wait(c->spawn, job, NULL);
	/* the kernel ends every process of the namespace with us */
	_exit(status < 0 ? 255 : status);
}

static void child_main(struct child *c)
{
	/* the kernel ends us, and all of the namespace with us, when envbuild dies */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	spawn_child_begin(c->spawn);
	spawn_child_signals();
	prctl(PR_SET_NAME, "envbuild-init");
	child_begin(c);
	child_root(c);
	child_mounts(c);
	if (chdir(c->job->cwd ? c->job->cwd : "/") < 0)
		spawn_child_fail(c->spawn, STEP_CWD, c->job->cwd);
	child_lock(c);
	spawn_child_close_others(c->spawn);
	if (c->plan->probe)
		_exit(0);
	child_start(c);
}
