#include "base/proc.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TIMED_OUT = 124, BY_SIGNAL = 128, NO_PIDFD_SLICE_MS = 20, LAST_PIECES = 64 };

/* Ends of the pipes; -1: none, or closed already. */
struct pipes {
	int child[3];  /* becomes 0, 1, 2 of the program; -1: inherited */
	int parent[3]; /* our end */
	int fault[2];  /* the child's errno when exec failed; closed by a good exec */
};

struct child {
	const char *path;
	const struct proc *p;
	struct pipes *pipes;
	pid_t parent;
};

struct running {
	const struct proc *p;
	pid_t pid;
	int pidfd; /* -1: the kernel (before 5.3) has none */
	int *fds;  /* stdin, stdout, stderr: our ends */
	size_t sent;
	uint64_t deadline_ns; /* 0: none */
};

void proc_to_buf(void *buf, struct str bytes)
{
	buf_str(buf, bytes);
}

const char *proc_find(const char *name)
{
	static _Thread_local char found[PATH_MAX];
	const char *path = getenv("PATH");
	struct str rest = str_of(path && *path ? path : "/usr/local/bin:/usr/bin:/bin");
	struct stat st;

	if (strchr(name, '/'))
		return access(name, X_OK) == 0 ? name : NULL;
	while (rest.p) {
		struct str dir = str_cut(&rest, ':');
		int n = snprintf(found, sizeof found, "%.*s/%s", dir.n ? (int)dir.n : 1,
			dir.n ? dir.p : ".", name);

		if (n < (int)sizeof found && access(found, X_OK) == 0 && stat(found, &st) == 0 &&
			S_ISREG(st.st_mode))
			return found;
	}
	return NULL;
}

/* --- starting --------------------------------------------------------------------------- */

/* A pipe whose ends lie above 2, so that wiring the child's 0, 1 and 2 cannot run over them. */
static int make_pipe(int ends[2])
{
	for (int i = 0; i < 2; i++)
		ends[i] = -1;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		int above = fcntl(ends[i], F_DUPFD_CLOEXEC, 3);

		fd_cleanup(&ends[i]);
		ends[i] = above;
	}
	return ends[0] < 0 || ends[1] < 0 ? -1 : 0;
}

static void pipes_release(struct pipes *s)
{
	for (int i = 0; i < 3; i++) {
		fd_cleanup(&s->child[i]);
		fd_cleanup(&s->parent[i]);
	}
	fd_cleanup(&s->fault[0]);
	fd_cleanup(&s->fault[1]);
}

static int pipes_open(struct pipes *s, const struct proc *p)
{
	int ends[2];

	if (make_pipe(s->fault) < 0)
		return -1;
	for (int i = 0; i < 3; i++) {
		if ((i == 0 && !p->input.p) || (i == 1 && !p->on_stdout) ||
			(i == 2 && !p->on_stderr))
			continue;
		if (make_pipe(ends) < 0)
			return -1;
		s->child[i] = ends[i == 0 ? 0 : 1];
		s->parent[i] = ends[i == 0 ? 1 : 0];
		if (fcntl(s->parent[i], F_SETFL, O_NONBLOCK) < 0)
			return -1;
	}
	if (s->child[0] < 0) {
		int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

		s->child[0] = fcntl(null, F_DUPFD_CLOEXEC, 3);
		fd_cleanup(&null);
	}
	return s->child[0] < 0 ? -1 : 0;
}

/*
 * Runs between fork and exec, where only async-signal-safe calls are allowed.  In a session of its
 * own the program has no terminal, so that one that asks for a password there fails at once and is
 * not stopped for ever.  It dies with us: a killed envbuild leaves no script behind.
 */
static void run_child(const struct child *c)
{
	const struct proc *p = c->p;
	sigset_t none;
	int fault;

	if (!p->terminal)
		setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != c->parent)
		_exit(1);
	for (int i = 0; i < 3; i++)
		if (c->pipes->child[i] >= 0 && dup2(c->pipes->child[i], i) < 0)
			goto failed;
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (p->cwd && chdir(p->cwd) < 0)
		goto failed;
	execve(c->path, (char *const *)p->argv, p->env ? (char *const *)p->env : environ);
failed:
	fault = errno;
	while (write(c->pipes->fault[1], &fault, sizeof fault) < 0 && errno == EINTR)
		;
	_exit(127);
}

static int wait_for(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* Where whoever started us ignores SIGCHLD, the kernel would throw exit statuses away. */
static void want_exit_statuses(void)
{
	struct sigaction action;

	if (sigaction(SIGCHLD, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
		signal(SIGCHLD, SIG_DFL);
}

/* The process id, or -1 with errno. */
static pid_t start(const struct child *c)
{
	struct pipes *s = c->pipes;
	int fault = 0;
	pid_t pid;

	want_exit_statuses();
	pid = fork();
	if (pid < 0)
		return -1;
	if (pid == 0)
		run_child(c);
	for (int i = 0; i < 3; i++)
		fd_cleanup(&s->child[i]);
	fd_cleanup(&s->fault[1]);
	if (read_full(s->fault[0], &fault, sizeof fault) != (ssize_t)sizeof fault)
		return pid;
	wait_for(pid);
	errno = fault;
	return -1;
}

/* --- running ---------------------------------------------------------------------------- */

/*
 * Writing to a program that reads no more raises SIGPIPE in this thread: it is held back and
 * taken away, so that the program around us need not ignore it everywhere.
 */
static ssize_t write_no_signal(int fd, const char *p, size_t n)
{
	sigset_t pipe_set, old, pending;
	bool was_pending;
	ssize_t r;
	int saved;

	sigemptyset(&pipe_set);
	sigaddset(&pipe_set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_set, &old);
	sigpending(&pending);
	was_pending = sigismember(&pending, SIGPIPE);
	r = write(fd, p, n);
	saved = errno;
	if (r < 0 && saved == EPIPE && !was_pending)
		sigtimedwait(&pipe_set, NULL, &(struct timespec){0});
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = saved;
	return r;
}

static void feed(struct running *r)
{
	struct str input = r->p->input;
	ssize_t n = write_no_signal(r->fds[0], input.p + r->sent, input.n - r->sent);

	if (n >= 0)
		r->sent += (size_t)n;
	else if (errno != EINTR && errno != EAGAIN)
		r->sent = input.n; /* it reads no more: not an error, `head` does that */
	if (r->sent == input.n)
		fd_cleanup(&r->fds[0]);
}

/* Passes on one piece; false when nothing is there at the moment. */
static bool drain(struct running *r, int i)
{
	char piece[16 << 10];
	ssize_t n = read(r->fds[i], piece, sizeof piece);

	if (n > 0)
		(i == 1 ? r->p->on_stdout : r->p->on_stderr)(r->p->ctx, str_n(piece, (size_t)n));
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		fd_cleanup(&r->fds[i]);
	return n > 0;
}

/* Milliseconds until the next look at things, -1: until something happens. */
static int patience(const struct running *r)
{
	uint64_t now = now_ns(), left;
	int ms = r->pidfd < 0 ? NO_PIDFD_SLICE_MS : -1;

	if (!r->deadline_ns)
		return ms;
	left = r->deadline_ns > now ? (r->deadline_ns - now) / 1000000 + 1 : 0;
	if (left > INT_MAX)
		left = INT_MAX;
	return ms < 0 || (int)left < ms ? (int)left : ms;
}

/*
 * Moves bytes until the program has ended (true), or its time is over or, unless `last`, we are to
 * end (false).
 */
static bool attend(struct running *r, bool last, int *status)
{
	for (;;) {
		struct pollfd polls[5] = {
			{.fd = r->fds[0], .events = POLLOUT},
			{.fd = r->fds[1], .events = POLLIN},
			{.fd = r->fds[2], .events = POLLIN},
			{.fd = r->pidfd, .events = POLLIN},
			{.fd = last ? -1 : interrupt_fd(), .events = POLLIN},
		};

		poll(polls, 5, patience(r));
		if (polls[0].revents)
			feed(r);
		for (int i = 1; i < 3; i++)
			if (polls[i].revents)
				drain(r, i);
		if (waitpid(r->pid, status, WNOHANG) == r->pid)
			return true;
		if ((!last && interrupted()) || (r->deadline_ns && now_ns() >= r->deadline_ns))
			return false;
	}
}

/* One that keeps our terminal is of our own process group: it is ended alone. */
static void end_by(const struct running *r, int sig)
{
	kill(r->p->terminal ? r->pid : -r->pid, sig);
}

/* Lets it clear up what it has begun, for a while; what is then left is killed. */
static void end_group(struct running *r, int *status)
{
	bool ended = false;

	if (r->p->grace_s) {
		end_by(r, SIGTERM);
		r->deadline_ns = now_ns() + r->p->grace_s * UINT64_C(1000000000);
		ended = attend(r, true, status);
	}
	end_by(r, SIGKILL);
	if (!ended)
		wait_for(r->pid);
}

int proc_run(const struct proc *p, int *status, struct err *e)
{
	struct pipes pipes = {{-1, -1, -1}, {-1, -1, -1}, {-1, -1}};
	struct child c = {.path = p->argv[0], .p = p, .pipes = &pipes, .parent = getpid()};
	struct running r = {.p = p, .fds = pipes.parent};
	int raw = 0;
	bool ended;

	if (!strchr(p->argv[0], '/') && !(c.path = proc_find(p->argv[0])))
		return err_set(e, ERR_SYSTEM, "cannot run '%s': not found in PATH", p->argv[0]);
	if (pipes_open(&pipes, p) < 0 || (r.pid = start(&c)) < 0) {
		err_sys(e, "cannot run '%s'%s%s%s", p->argv[0], p->cwd ? " in '" : "",
			p->cwd ? p->cwd : "", p->cwd ? "'" : "");
		pipes_release(&pipes);
		return -1;
	}
	if (p->timeout_s)
		r.deadline_ns = now_ns() + p->timeout_s * UINT64_C(1000000000);
	r.pidfd = (int)syscall(SYS_pidfd_open, r.pid, 0);
	ended = attend(&r, false, &raw);
	if (!ended)
		end_group(&r, &raw);
	/* What the pipes still hold (1 MiB at most); not until their end: a daemon may keep them. */
	for (int i = 1; i < 3; i++)
		for (int n = 0; n < LAST_PIECES && r.fds[i] >= 0 && drain(&r, i); n++)
			;
	fd_cleanup(&r.pidfd);
	pipes_release(&pipes);
	*status = !ended             ? TIMED_OUT
		  : WIFSIGNALED(raw) ? BY_SIGNAL + WTERMSIG(raw)
				     : WEXITSTATUS(raw);
	return ended ? 0 : interrupt_check(e);
}
