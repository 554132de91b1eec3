/*
 * The first process of a container: starts the job, reaps, and ends with it.
 *
 * Static, and in need of nothing, because the root may be of any age.  What it says is in inside.h.
 */
#include "images/inside/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_JOB = 64 << 20 };

struct job {
	const char *flags, *cwd;
	char **argv, **env;
};

static int report_fd = -1;

/* The words of the job itself are gone by now, so this is the last that is written. */
static _Noreturn void leave(int step, int error, int status)
{
	struct inside_report report = {step, error, status, INSIDE_CHECK};

	kill(-1, SIGKILL);
	for (int i = 0; i < 2000; i++) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid < 0 && errno == ECHILD)
			break;
		if (pid == 0)
			usleep(1000);
	}
	if (ftruncate(report_fd, 0) < 0 ||
		pwrite(report_fd, &report, sizeof report, 0) != (ssize_t)sizeof report)
		_exit(255);
	_exit(status);
}

static char *read_job(size_t *size)
{
	int fd = open(INSIDE "/job", O_RDONLY | O_CLOEXEC);
	struct stat st;
	size_t n = 0;
	char *p;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size > MAX_JOB)
		return NULL;
	p = malloc((size_t)st.st_size + 1);
	while (p && n < (size_t)st.st_size) {
		ssize_t r = read(fd, p + n, (size_t)st.st_size - n);

		if (r <= 0)
			return NULL;
		n += (size_t)r;
	}
	close(fd);
	if (!p)
		return NULL;
	p[n] = 0;
	*size = n;
	return p;
}

/* Texts from *p on, n of them or until the end; NULL behind them. */
static char **take(char **p, char *end, size_t n)
{
	size_t count = 0;
	char **list;

	for (char *q = *p; q < end && count < n; q += strlen(q) + 1)
		count++;
	list = calloc(count + 1, sizeof *list);
	for (size_t i = 0; list && i < count; i++, *p += strlen(*p) + 1)
		list[i] = *p;
	return list;
}

static bool parse(struct job *job)
{
	size_t size = 0;
	char *p = read_job(&size), *end = p + size;
	char **head = p ? take(&p, end, 3) : NULL;

	if (!head || !head[0] || !head[1] || !head[2])
		return false;
	job->flags = head[0];
	job->cwd = head[1];
	job->argv = take(&p, end, strtoul(head[2], NULL, 10));
	job->env = take(&p, end, SIZE_MAX);
	return job->argv && job->env;
}

/* --- the job -------------------------------------------------------------------------------- */

static const char *search_path(char **env)
{
	for (; *env; env++)
		if (!strncmp(*env, "PATH=", 5))
			return *env + 5;
	return "/usr/local/bin:/usr/bin:/bin";
}

/* As execvpe, with the job's own PATH. */
static void exec_search(const struct job *job)
{
	const char *p = search_path(job->env);
	bool denied = false;
	char path[4096];

	if (strchr(job->argv[0], '/')) {
		execve(job->argv[0], job->argv, job->env);
		return;
	}
	while (p) {
		size_t n = strcspn(p, ":");

		if ((size_t)snprintf(path, sizeof path, "%.*s/%s", n ? (int)n : 1, n ? p : ".",
			    job->argv[0]) < sizeof path)
			execve(path, job->argv, job->env);
		if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
			return;
		denied |= errno == EACCES;
		p = p[n] ? p + n + 1 : NULL;
	}
	errno = denied ? EACCES : ENOENT;
}

static int open_output(const struct job *job)
{
	int fd;

	if (!strchr(job->flags, 'o'))
		return 0;
	fd = open(INSIDE "/output", O_WRONLY | O_CLOEXEC);
	return fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0 ? -1 : 0;
}

/* A group of its own in front of the container's terminal, or a session without one. */
static void session(const struct job *job)
{
	if (!strchr(job->flags, 't')) {
		setsid();
		return;
	}
	setpgid(0, 0);
	signal(SIGTTOU, SIG_IGN);
	tcsetpgrp(0, getpgrp());
	signal(SIGTTOU, SIG_DFL);
}

static _Noreturn void run(const struct job *job, int fault)
{
	struct inside_report report = {.step = INSIDE_CWD};
	struct rlimit no_core = {0, 0};
	sigset_t none;

	session(job);
	for (int i = 1; i < 65; i++)
		if (i != SIGKILL && i != SIGSTOP)
			signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setrlimit(RLIMIT_CORE, &no_core);
	umask(022);
	if (chdir(job->cwd) == 0) {
		report.step = INSIDE_EXEC;
		exec_search(job);
	}
	report.error = errno;
	if (write(fault, &report, sizeof report) < 0)
		_exit(254);
	_exit(255);
}

/* --- pid 1 ---------------------------------------------------------------------------------- */

/* The job's status, or -1 while it runs. */
static int reap(pid_t job)
{
	int status, found = -1;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == job)
			found = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return found;
}

static int attend(pid_t job, int life, int signals)
{
	for (;;) {
		struct pollfd fds[2] = {
			{.fd = life, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
		struct signalfd_siginfo info;
		int status;

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return 255;
		if (fds[0].revents)
			return INSIDE_LATE;
		while (read(signals, &info, sizeof info) == (ssize_t)sizeof info)
			if (info.ssi_signo == SIGTERM)
				return INSIDE_LATE;
		status = reap(job);
		if (status >= 0)
			return status;
	}
}

/* Readable only at its end: envbuild writes nothing.  Its end may lie behind us already. */
static int open_life(void)
{
	int fd = open(INSIDE "/life", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char byte;

	return fd >= 0 && read(fd, &byte, 1) == 0 ? -1 : fd;
}

/*
 * Before the job starts, so that it has none of them: who held the other end of life would outlive
 * envbuild, and who wrote the report would say how it ended.
 */
static int remove_files(void)
{
	static const char *const names[] = {
		INSIDE "/life", INSIDE "/report", INSIDE "/job", INSIDE "/output", INSIDE "/init"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (unlink(names[i]) < 0 && errno != ENOENT)
			return -1;
	return 0;
}

int main(void)
{
	struct inside_report failed = {0};
	struct job job = {0};
	sigset_t all;
	int fault[2], life, signals, status;
	pid_t pid;

	/* nobody inside may look into it or change what it does */
	prctl(PR_SET_DUMPABLE, 0);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	report_fd = open(INSIDE "/report", O_WRONLY | O_CLOEXEC);
	life = open_life();
	if (report_fd < 0 || life < 0 || signals < 0)
		_exit(255);
	if (!parse(&job) || pipe2(fault, O_CLOEXEC) < 0)
		leave(INSIDE_SETUP, errno, 255);
	if (!job.argv[0]) /* a probe */
		leave(INSIDE_ENDED, 0, 0);
	if (open_output(&job) < 0 || remove_files() < 0)
		leave(INSIDE_SETUP, errno, 255);
	pid = fork();
	if (pid == 0)
		run(&job, fault[1]);
	if (pid < 0)
		leave(INSIDE_SETUP, errno, 255);
	close(fault[1]);
	/* the pipe ends with a good exec */
	if (read(fault[0], &failed, sizeof failed) == (ssize_t)sizeof failed)
		leave(failed.step, failed.error, 255);
	status = attend(pid, life, signals);
	leave(INSIDE_ENDED, 0, status);
}
