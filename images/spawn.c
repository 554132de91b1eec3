#include "images/spawn.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_pipe(int ends[2])
{
	close_end(&ends[0]);
	close_end(&ends[1]);
}

int spawn_init(struct spawn *s, const struct job *job, struct err *e)
{
	*s = (struct spawn){
		.job = job, .life = {-1, -1}, .output = {-1, -1}, .go = {-1, -1}, .terminal = -1};
	if (pipe2(s->life, O_CLOEXEC) < 0 || pipe2(s->go, O_CLOEXEC) < 0 ||
		(job->on_output && !job->interactive && pipe2(s->output, O_CLOEXEC) < 0)) {
		err_sys(e, "cannot make a pipe");
		spawn_release(s);
		return -1;
	}
	if (job->interactive)
		s->terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (s->terminal >= 0)
		s->foreground = tcgetpgrp(s->terminal);
	s->in_front = s->foreground == getpgrp();
	if (s->terminal >= 0 && tcgetattr(s->terminal, &s->modes) < 0)
		close_end(&s->terminal);
	return 0;
}

void spawn_release(struct spawn *s)
{
	close_pipe(s->life);
	close_pipe(s->output);
	close_pipe(s->go);
	close_end(&s->terminal);
}

/* --- waiting ------------------------------------------------------------------------------ */

/* Passes on what is there; closes the pipe at its end. */
static void pass_output(struct spawn *s)
{
	char bytes[16384];
	ssize_t n = read(s->output[0], bytes, sizeof bytes);

	if (n > 0)
		s->job->on_output(s->job->ctx, str_n(bytes, (size_t)n));
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		close_end(&s->output[0]);
}

/* The terminal comes back to us even where the job's shell took it. */
static void take_terminal_back(struct spawn *s)
{
	if (s->terminal >= 0 && s->foreground > 0)
		tcsetpgrp(s->terminal, s->foreground);
}

/*
 * The job has stopped, so we do, as if that had been typed to us: whoever waits for us gets the
 * terminal.  Then the job goes on, in front if that is where we are now.
 */
static void stop_with_job(struct spawn *s, pid_t pid)
{
	take_terminal_back(s);
	kill(0, SIGTSTP);
	s->foreground = tcgetpgrp(s->terminal);
	if (s->foreground == getpgrp()) {
		kill(pid, SIGUSR1);
		return;
	}
	/* one that nobody can stop for (an orphaned group) would else read and stop without end */
	usleep(50000);
	kill(pid, SIGUSR2);
}

/* A report, or the end. */
static void read_life(struct spawn *s, pid_t pid, struct spawn_report *report)
{
	ssize_t n = read_full(s->life[0], report, sizeof *report);

	if (n != (ssize_t)sizeof *report)
		*report = (struct spawn_report){0};
	if (report->step == SPAWN_STOPPED) {
		*report = (struct spawn_report){0};
		stop_with_job(s, pid);
		return;
	}
	report->what[sizeof report->what - 1] = 0;
	close_end(&s->life[0]);
}

static int milliseconds_left(uint64_t end_ns)
{
	uint64_t now = now_ns(), left;

	if (end_ns == UINT64_MAX)
		return -1;
	left = now >= end_ns ? 0 : (end_ns - now) / 1000000 + 1;
	return left > INT_MAX ? INT_MAX : (int)left;
}

/* Until the child's life pipe ends; true where the time was up first, or we are to end. */
static bool watch(struct spawn *s, pid_t pid, uint64_t end_ns, struct spawn_report *report)
{
	while (s->life[0] >= 0) {
		struct pollfd fds[3] = {
			{.fd = s->life[0], .events = POLLIN},
			{.fd = s->output[0], .events = POLLIN},
			{.fd = interrupt_fd(), .events = POLLIN},
		};
		int left = milliseconds_left(end_ns);

		if (left == 0 || interrupted())
			return true;
		if (poll(fds, 3, left) <= 0)
			continue;
		if (fds[1].revents)
			pass_output(s);
		if (fds[0].revents)
			read_life(s, pid, report);
	}
	return false;
}

/*
 * What a pipe still holds, which is 1 MiB at most; a process that outlived its group, or whose
 * container is still to be removed, may hold the other end and write without an end.
 */
static void drain(struct spawn *s)
{
	enum { MOST = 64 };
	struct pollfd fd = {.events = POLLIN};

	for (int i = 0; i < MOST && s->output[0] >= 0; i++) {
		fd.fd = s->output[0];
		if (poll(&fd, 1, 0) <= 0)
			return;
		pass_output(s);
	}
}

static int reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 255;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* As a shell does: an interrupt is for the job, which tells us by its status. */
static void ignore_terminal(struct sigaction old[3], bool ignore)
{
	static const int signals[3] = {SIGINT, SIGQUIT, SIGTTOU};
	struct sigaction ignored = {.sa_handler = SIG_IGN};

	for (int i = 0; i < 3; i++)
		sigaction(signals[i], ignore ? &ignored : &old[i], ignore ? &old[i] : NULL);
}

int spawn_wait(struct spawn *s, pid_t pid, int stop, struct spawn_report *report, int *status,
	struct err *e)
{
	unsigned limit = s->job->timeout_s;
	uint64_t end_ns = limit ? now_ns() + limit * UINT64_C(1000000000) : UINT64_MAX;
	struct sigaction old[3];
	bool late, begun;

	*report = (struct spawn_report){0};
	close_end(&s->life[1]);
	close_end(&s->output[1]);
	if (s->job->interactive)
		ignore_terminal(old, true);
	/* the read end is still open here, so this raises no SIGPIPE */
	begun = write(s->go[1], "g", 1) == 1;
	close_end(&s->go[0]);
	late = begun && watch(s, pid, end_ns, report);
	if (late || !begun)
		kill(pid, stop);
	*status = reap(pid);
	drain(s);
	if (s->job->interactive) {
		take_terminal_back(s);
		/* what was killed at a prompt left the terminal as it had it */
		if (s->terminal >= 0 && (late || *status > 128))
			tcsetattr(s->terminal, TCSADRAIN, &s->modes);
		ignore_terminal(old, false);
	}
	if (late)
		*status = 124;
	if (!begun)
		return err_sys(e, "cannot start the job");
	return late ? interrupt_check(e) : 0;
}

/* --- the child ---------------------------------------------------------------------------- */

void spawn_child_begin(const struct spawn *s)
{
	char byte;

	close(s->life[0]);
	close(s->go[1]);
	if (s->output[0] >= 0)
		close(s->output[0]);
	if (read(s->go[0], &byte, 1) != 1)
		_exit(255);
}

/* close_range(2), Linux 5.9, or one by one. */
static void close_between(int first, int last)
{
	if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
		return;
	for (int fd = first; fd <= last && fd < 65536; fd++)
		close(fd);
}

void spawn_child_close_others(const struct spawn *s)
{
	int keep[4] = {s->life[1], s->go[0], s->output[1], s->terminal};
	int first = 3;

	for (int i = 0; i < 4; i++)
		for (int k = i; k > 0 && keep[k] < keep[k - 1]; k--) {
			int swap = keep[k];

			keep[k] = keep[k - 1];
			keep[k - 1] = swap;
		}
	for (int i = 0; i < 4; i++) {
		if (keep[i] < first)
			continue;
		close_between(first, keep[i] - 1);
		first = keep[i] + 1;
	}
	close_between(first, INT_MAX);
}

void spawn_child_signals(void)
{
	struct sigaction by_default = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int i = 1; i < 65; i++)
		if (i != SIGKILL && i != SIGSTOP)
			sigaction(i, &by_default, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

void spawn_child_fail(const struct spawn *s, int step, const char *what)
{
	struct spawn_report report = {.step = step, .error = errno};

	snprintf(report.what, sizeof report.what, "%s", what);
	if (write(s->life[1], &report, sizeof report) < 0)
		_exit(254);
	_exit(255);
}

/*
 * Its own process group, in front of the terminal where we are; or no terminal at all.  With ours, a
 * job's `kill 0` would reach us.
 */
static void child_session(const struct spawn *s)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	if (!s->job->interactive) {
		setsid();
		return;
	}
	if (s->terminal < 0 || setpgid(0, 0) < 0)
		return;
	sigaction(SIGTTOU, &ignore, NULL);
	if (s->in_front)
		tcsetpgrp(s->terminal, getpgrp());
}

static int child_stdio(const struct spawn *s)
{
	int in;

	if (s->job->interactive)
		return 0;
	in = open("/dev/null", O_RDONLY);
	if (in < 0 || dup2(in, 0) < 0)
		return -1;
	if (in > 2)
		close(in);
	if (s->output[1] < 0)
		return 0;
	return dup2(s->output[1], 1) < 0 || dup2(s->output[1], 2) < 0 ? -1 : 0;
}

static const char *search_path(const char *const *env)
{
	for (; *env; env++)
		if (!strncmp(*env, "PATH=", 5))
			return *env + 5;
	return "/usr/local/bin:/usr/bin:/bin";
}

/* execve takes pointers to non-const for historical reasons and changes nothing. */
static void exec_path(const char *path, const struct job *job)
{
	union {
		const char *const *in;
		char *const *out;
	} argv = {job->argv}, env = {job->env};

	execve(path, argv.out, env.out);
}

/* As execvpe, with the job's own PATH. */
static void exec_search(const struct job *job)
{
	const char *p = search_path(job->env);
	bool denied = false;
	char path[4096];

	if (strchr(job->argv[0], '/')) {
		exec_path(job->argv[0], job);
		return;
	}
	while (p) {
		size_t n = strcspn(p, ":");

		if ((size_t)snprintf(path, sizeof path, "%.*s/%s", n ? (int)n : 1, n ? p : ".",
			    job->argv[0]) < sizeof path)
			exec_path(path, job);
		if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
			return;
		denied |= errno == EACCES;
		p = p[n] ? p + n + 1 : NULL;
	}
	errno = denied ? EACCES : ENOENT;
}

void spawn_child_exec(const struct spawn *s)
{
	struct rlimit no_core = {0, 0};

	child_session(s);
	if (child_stdio(s) < 0)
		return;
	spawn_child_signals();
	setrlimit(RLIMIT_CORE, &no_core);
	umask(022);
	exec_search(s->job);
}

static void go_on(const struct spawn *s, pid_t job, bool in_front)
{
	if (in_front)
		tcsetpgrp(s->terminal, job);
	kill(-job, SIGCONT);
}

/* Those children that have something to say; true where it is the job's end. */
static bool reap_children(const struct spawn *s, pid_t job, int *status)
{
	bool terminal = s->job->interactive && s->terminal >= 0;
	pid_t pid;
	int how;

	while ((pid = waitpid(-1, &how, WNOHANG | (terminal ? WUNTRACED : 0))) > 0) {
		struct spawn_report report = {.step = SPAWN_STOPPED};

		if (pid != job)
			continue;
		if (!WIFSTOPPED(how)) {
			*status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
			return true;
		}
		if (write(s->life[1], &report, sizeof report) < 0)
			kill(job, SIGKILL);
	}
	*status = -1;
	return pid < 0 && errno == ECHILD;
}

int spawn_child_wait(const struct spawn *s, pid_t job, bool *ended)
{
	sigset_t signals;
	int status, signal;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTTOU);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGUSR2);
	if (ended)
		sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	while (!reap_children(s, job, &status)) {
		signal = sigwaitinfo(&signals, NULL);
		if (signal == SIGUSR1 || signal == SIGUSR2)
			go_on(s, job, signal == SIGUSR1);
		if (signal == SIGTERM) {
			*ended = true;
			return 124;
		}
	}
	return status;
}
