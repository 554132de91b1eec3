/*
 * Engine `none`: a job directly on this machine.  Its binds are symlinks for the job's time (engine.h);
 * throw-away ones lead to copies.  What the job leaves running is killed.
 */
#include "base/file.h"
#include "base/log.h"
#include "images/engine_ops.h"
#include "images/throwaway.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- links ---------------------------------------------------------------------------------- */

/* Every missing folder above path, noted so that it is removed again. */
static int make_parents(struct state *s, struct arena *a, const char *path, struct err *e)
{
	char *copy = arena_strdup(a, path);

	for (char *p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		if (!path_exists(copy)) {
			if (state_note_folder(s, copy, e) < 0)
				return -1;
			if (mkdir(copy, 0755) < 0)
				return err_sys(e, "cannot make the folder '%s'", copy);
		}
		*p = '/';
	}
	return 0;
}

static int make_link(struct state *s, const char *from, const char *to, struct err *e)
{
	struct arena a = {0};
	int r = make_parents(s, &a, to, e);

	arena_release(&a);
	if (r < 0 || state_note_link(s, to, from, e) < 0)
		return -1;
	if (symlink(from, to) == 0)
		return 0;
	if (errno != EEXIST)
		return err_sys(e, "cannot make the link '%s'", to);
	err_set(e, ERR_SANDBOX, "'%s' is not free, and without a sandbox the job needs it", to);
	return err_advise(e, "move '%s' away, or use the sandbox (--engine builtin)", to);
}

/* Is the source there already, by whatever name?  To be read, a file like it will do. */
static bool is_in_place(const struct bind *b)
{
	char *to = realpath(b->to, NULL), *from = realpath(b->from, NULL);
	bool same = to && from && !strcmp(to, from);

	free(to);
	free(from);
	return same || (b->kind == BIND_READ_ONLY && same_bytes_in(b->from, b->to));
}

/*
 * A throw-away bind whose source lies at its place already (in a container: /tmp/project) is one to be
 * written to: a copy could not be put there.  It has no changes to tell.
 */
static struct bind *used_in_place(struct arena *a, const struct job *job)
{
	struct bind *binds = arena_array(a, struct bind, job->n_binds);

	for (size_t i = 0; i < job->n_binds; i++) {
		binds[i] = job->binds[i];
		if (binds[i].kind != BIND_THROW_AWAY || !is_in_place(&binds[i]))
			continue;
		binds[i].kind = BIND_READ_WRITE;
		log_note("without a sandbox '%s' is used where it lies, and what is changed in it "
			 "stays",
			binds[i].to);
	}
	return binds;
}

static int make_links(struct state *s, const struct bind *binds, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (is_in_place(&binds[i]))
			continue;
		if (make_link(s, binds[i].from, binds[i].to, e) < 0)
			return -1;
	}
	return 0;
}

/* --- the process ---------------------------------------------------------------------------- */

static _Noreturn void child(const struct spawn *spawn, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(255);
	spawn_child_begin(spawn);
	if (chdir(spawn->job->cwd ? spawn->job->cwd : "/") < 0)
		spawn_child_fail(spawn, STEP_CWD, spawn->job->cwd);
	spawn_child_exec(spawn);
	spawn_child_fail(spawn, STEP_EXEC, spawn->job->argv[0]);
}

/* The watcher's children: the job, and, since it is a subreaper, whatever lost its parent. */
static void kill_children(pid_t job)
{
	char path[64], text[8192];
	ssize_t n = -1;
	int fd;

	kill(-job, SIGKILL);
	snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof text - 1);
		close(fd);
	}
	if (n <= 0)
		return;
	text[n] = 0;
	for (char *p = text; *p;) {
		pid_t pid = (pid_t)strtol(p, &p, 10);

		if (pid > 1)
			kill(pid, SIGKILL);
		p += strspn(p, " ");
	}
}

/* Children of the killed come to us in turn, so until there are none; within a second. */
static _Noreturn void end_all(pid_t job, int status)
{
	for (int i = 0; i < 200; i++) {
		pid_t pid;

		kill_children(job);
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		if (pid < 0 && errno == ECHILD)
			break;
		usleep(5000);
	}
	_exit(status);
}

/*
 * Between us and the job stands a watcher: it holds the life pipe until the job has ended, and ends
 * what the job left behind, also when envbuild is killed; then it takes back the links, too.
 */
static _Noreturn void watcher(struct state *state, const struct spawn *spawn, pid_t parent)
{
	sigset_t signals;
	pid_t self, job;
	bool ended = false;
	int status;

	spawn_child_signals();
	sigfillset(&signals);
	sigprocmask(SIG_SETMASK, &signals, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(255);
	spawn_child_close_others(spawn);
	self = getpid();
	job = fork();
	if (job == 0)
		child(spawn, self);
	if (spawn->output[1] >= 0)
		close(spawn->output[1]);
	status = spawn_child_wait(spawn, job, &ended);
	if (status < 0)
		_exit(255);
	if (ended) {
		kill_children(job);
		state_undo_notes(state);
	}
	end_all(job, status);
}

static int failed(const struct job *job, const struct spawn_report *report, struct err *e)
{
	errno = report->error;
	if (report->step == STEP_CWD)
		return err_sys(e, "cannot enter '%s'", job->cwd);
	return err_sys(e, "cannot run '%s'", job->argv[0]);
}

static int run(struct state *state, const struct job *job, int *status, struct err *e)
{
	struct spawn_report report = {0};
	struct spawn spawn;
	pid_t self = getpid(), pid;
	int r;

	if (spawn_init(&spawn, job, e) < 0)
		return -1;
	pid = fork();
	if (pid == 0)
		watcher(state, &spawn, self);
	if (pid < 0)
		r = err_sys(e, "cannot start a process");
	else
		r = spawn_wait(&spawn, pid, SIGTERM, &report, status, e);
	spawn_release(&spawn);
	if (r == 0 && report.step)
		return failed(job, &report, e);
	return r;
}

static int run_linked(
	struct state *state, const struct job *job, struct bind *binds, int *status, struct err *e)
{
	int r = make_links(state, binds, job->n_binds, e);

	if (r == 0)
		r = run(state, job, status, e);
	state_undo_notes(state);
	return r;
}

static int run_none(struct engine *en, struct arena *a, struct job *job,
	const struct place places[2], int *status, struct err *e)
{
	struct job adapted = *job;
	struct prepared p;

	adapted.binds = used_in_place(a, job);
	if (binds_prepare(a, &adapted, places, LAYERS_NONE, &p, e) < 0 ||
		run_linked(&en->state, job, p.binds, status, e) < 0)
		return -1;
	return binds_answer(job, &p, places[0].state, -1, e);
}

const struct engine_ops none_ops = {
	.kind = ENGINE_NONE,
	.name = "none",
	.direct = true,
	.run = run_none,
};
