#include "images/container.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "images/inside/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

extern const char envbuild_inside[], envbuild_inside_end[];

/* One job's container. */
struct container {
	struct engine *en;
	struct arena *a;
	const struct job *job;
	const char *dir;  /* bound at INSIDE */
	const char *said; /* a file of messages, where no job can get at it */
	const char *name;
	const char *const *argv;
	int life;     /* as long as this is open, the container lives */
	int output;   /* the reading end of its output, -1: it goes where ours goes */
	int messages; /* what the tool itself says, -1: shown at once */
	int report;
};

/* --- the folder that both sides see ----------------------------------------------------------- */

static int write_job(const struct container *c, struct err *e)
{
	CLEANUP_BUF text = {0};
	size_t n = 0;

	while (c->job->argv[n])
		n++;
	buf_puts(&text, c->output >= 0                                  ? "o"
			: c->job->interactive && isatty(0) && isatty(1) ? "t"
									: "");
	buf_putc(&text, 0);
	buf_puts(&text, c->job->cwd ? c->job->cwd : "/");
	buf_putc(&text, 0);
	buf_printf(&text, "%zu", n);
	buf_putc(&text, 0);
	for (size_t i = 0; i < n; i++)
		buf_add(&text, c->job->argv[i], strlen(c->job->argv[i]) + 1);
	for (const char *const *v = c->job->env; *v; v++)
		buf_add(&text, *v, strlen(*v) + 1);
	return file_write(path_join(c->a, c->dir, "job"), buf_view(&text), 0600, e);
}

static int make_fifo(struct container *c, const char *name, int flags, int *fd, struct err *e)
{
	const char *path = path_join(c->a, c->dir, name);

	if (mkfifo(path, 0600) < 0)
		return err_sys(e, "cannot make the pipe '%s'", path);
	*fd = open(path, flags | O_CLOEXEC);
	return *fd < 0 ? err_sys(e, "cannot open '%s'", path) : 0;
}

static int make_file(const char *path, int *fd, struct err *e)
{
	*fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	return *fd < 0 ? err_sys(e, "cannot make the file '%s'", path) : 0;
}

static int make_folder(struct container *c, struct err *e)
{
	/* numbers, for the compiler takes the two names for two objects */
	uintptr_t begin = (uintptr_t)envbuild_inside, end = (uintptr_t)envbuild_inside_end;
	struct str init = str_n(envbuild_inside, end - begin);

	if (mkdir(c->dir, 0700) < 0)
		return err_sys(e, "cannot make the folder '%s'", c->dir);
	/* read and write: this end must not wait for the other */
	if (make_fifo(c, "life", O_RDWR, &c->life, e) < 0 ||
		make_file(path_join(c->a, c->dir, "report"), &c->report, e) < 0)
		return -1;
	if (c->job->on_output && !c->job->interactive &&
		(make_fifo(c, "output", O_RDONLY | O_NONBLOCK, &c->output, e) < 0 ||
			make_file(c->said, &c->messages, e) < 0))
		return -1;
	return file_write(path_join(c->a, c->dir, "init"), init, 0755, e) < 0 ? -1
									      : write_job(c, e);
}

/* --- the tool --------------------------------------------------------------------------------- */

/*
 * At a terminal it ends with us.  Else it goes on: killed between making a container and starting it,
 * podman leaves processes that wait for ever; let be, the container ends as soon as it has begun.
 */
static _Noreturn void client(const struct spawn *spawn, pid_t parent)
{
	if (spawn->job->interactive)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(255);
	spawn_child_begin(spawn);
	spawn_child_exec(spawn);
	spawn_child_fail(spawn, STEP_EXEC, spawn->job->argv[0]);
}

/* Holds the life pipe while the tool runs: what the tool starts would keep it open longer. */
static _Noreturn void guard(const struct spawn *spawn, pid_t parent)
{
	sigset_t all;
	pid_t self, pid;
	int status;

	spawn_child_signals();
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(255);
	spawn_child_close_others(spawn);
	self = getpid();
	pid = fork();
	if (pid == 0)
		client(spawn, self);
	if (spawn->output[1] >= 0)
		close(spawn->output[1]);
	close(spawn->go[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			_exit(255);
	_exit(pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 255);
}

static void replace(int *fd, int by)
{
	fd_cleanup(fd);
	*fd = by >= 0 ? fcntl(by, F_DUPFD_CLOEXEC, 3) : -1;
}

static int run_client(const struct container *c, int *status, struct err *e)
{
	struct job job = {.argv = c->argv,
		.env = (const char *const *)environ,
		.interactive = c->job->interactive,
		.timeout_s = c->job->timeout_s,
		.on_output = c->output >= 0 ? c->job->on_output : NULL,
		.ctx = c->job->ctx};
	struct spawn_report report = {0};
	struct spawn spawn;
	pid_t self = getpid(), pid;
	int r;

	if (spawn_init(&spawn, &job, e) < 0)
		return -1;
	replace(&spawn.output[0], c->output);
	replace(&spawn.output[1], c->messages);
	pid = fork();
	if (pid == 0)
		guard(&spawn, self);
	if (pid < 0)
		r = err_sys(e, "cannot start a process");
	else
		r = spawn_wait(&spawn, pid, SIGKILL, &report, status, e);
	spawn_release(&spawn);
	if (r < 0 || !report.step)
		return r;
	errno = report.error;
	return err_sys(e, "cannot run '%s'", c->argv[0]);
}

/* A tool that was killed leaves a terminal as it had set it. */
static int run_at_terminal(const struct container *c, int *status, struct err *e)
{
	struct termios before;
	bool terminal = c->job->interactive && tcgetattr(0, &before) == 0;
	int r = run_client(c, status, e);

	if (terminal)
		tcsetattr(0, TCSANOW, &before);
	return r;
}

/* --- the end ---------------------------------------------------------------------------------- */

static void remove_container(const struct container *c)
{
	interrupt_hold();
	state_remove_container(c->argv[0], c->name);
	interrupt_release();
}

static int not_started(const struct container *c, int status, struct err *e)
{
	struct str words = {NULL, 0};

	if (c->messages >= 0)
		file_read(c->a, c->said, 1 << 20, &words, NULL);
	if (!words.n)
		words = str_of(arena_printf(c->a, "it ended with status %d", status));
	return container_refused(c->en, words, e);
}

static int judge(
	const struct container *c, const struct inside_report *report, int *status, struct err *e)
{
	errno = report->error;
	switch ((enum inside_step)report->step) {
	case INSIDE_ENDED:
		*status = report->status;
		return 0;
	case INSIDE_CWD:
		return err_sys(e, "cannot enter '%s'", c->job->cwd);
	case INSIDE_EXEC:
		return err_sys(e, "cannot run '%s'", c->job->argv[0]);
	case INSIDE_SETUP:
		break;
	}
	return err_sys(e, "cannot prepare a job in a container");
}

static int run_and_judge(struct container *c, int *status, struct err *e)
{
	struct inside_report report = {0};
	int r = run_at_terminal(c, status, e);
	bool late = r == 0 && *status == INSIDE_LATE && c->job->timeout_s;
	bool told;

	fd_cleanup(&c->life);
	told = pread(c->report, &report, sizeof report, 0) == (ssize_t)sizeof report &&
	       report.check == INSIDE_CHECK;
	if (r < 0 || late || !told)
		remove_container(c);
	/* whatever the job says that it would have come to */
	if (r < 0 || late)
		return r;
	return told ? judge(c, &report, status, e) : not_started(c, *status, e);
}

static void release(struct container *c)
{
	fd_cleanup(&c->life);
	fd_cleanup(&c->output);
	fd_cleanup(&c->messages);
	fd_cleanup(&c->report);
}

/* "run.123.abcdef" and "7": "envbuild-123.abcdef-7". */
static const char *name_of(const struct container *c, const char *dir)
{
	return arena_printf(
		c->a, "envbuild-%s-%s", path_base(c->en->state.dir) + 4, path_base(dir));
}

static int run_planned(struct engine *en, struct arena *a, const struct plan *plan,
	const struct job *job, int *status, struct err *e)
{
	struct container c = {.en = en,
		.a = a,
		.job = job,
		.dir = path_join(a, plan->dir, "inside"),
		.said = path_join(a, plan->dir, "messages"),
		.life = -1,
		.output = -1,
		.messages = -1,
		.report = -1};
	int r;

	c.name = name_of(&c, plan->dir);
	c.argv = container_argv(en, a, plan, job, c.name, c.dir);
	r = state_note_container(a, plan->dir, c.argv[0], c.name, e);
	if (r == 0)
		r = make_folder(&c, e);
	if (r == 0)
		r = run_and_judge(&c, status, e);
	release(&c);
	return r;
}

static int run_container(struct engine *en, struct arena *a, struct job *job,
	const struct place places[2], int *status, struct err *e)
{
	bool overlay = en->overlay && container_takes_overlays(en, job);
	struct prepared p;
	struct plan plan;

	if (binds_prepare(a, job, places, overlay ? LAYERS_PLACED : LAYERS_NONE, &p, e) < 0 ||
		plan_make(a, en->root, places[0].dir, overlay, &p, job->network, &plan, e) < 0)
		return -1;
	if (en->max_processes)
		plan.max_processes = en->max_processes;
	if (job->gpu && !container_brings_gpu(en))
		plan_add_gpu(a, &plan, &en->gpu);
	if (run_planned(en, a, &plan, job, status, e) < 0)
		return -1;
	return binds_answer(job, &p, places[0].state, -1, e);
}

/* --- opening ---------------------------------------------------------------------------------- */

static void drop(void *ctx, struct str bytes)
{
	(void)ctx;
	(void)bytes;
}

/* A job without words: the container's first process ends at once. */
static int probe_with(struct engine *en, bool overlay, struct err *e)
{
	struct arena a = {0};
	struct bind bind = {.to = "/tmp/probe", .kind = BIND_THROW_AWAY};
	static const char *const nothing[] = {NULL};
	struct place places[2] = {{.state = en->state.parent}};
	struct job job = {.argv = nothing,
		.env = nothing,
		.binds = &bind,
		.n_binds = overlay,
		.on_output = drop,
		.arena = &a};
	int status = 0, r = -1;

	en->overlay = overlay;
	places[0].dir = state_job(&en->state, &a, e);
	if (places[0].dir) {
		char *lower = path_join(&a, places[0].dir, "lower");

		bind.from = lower;
		if (mkdir(lower, 0755) < 0)
			err_sys(e, "cannot make the folder '%s'", lower);
		else
			r = run_container(en, &a, &job, places, &status, e);
		dir_remove(places[0].dir, NULL);
	}
	arena_release(&a);
	return r;
}

static int open_container(struct engine *en, struct err *e)
{
	struct err first = {0};

	if (container_check(en, e) < 0 ||
		(en->ops->kind == ENGINE_DOCKER && container_image(en, e) < 0))
		return -1;
	/* an overlay of root's leaves folders that an ordinary user cannot remove */
	if (!en->maps_user)
		return probe_with(en, false, e);
	if (probe_with(en, true, &first) == 0)
		return 0;
	log_debug("without overlays for folders that are thrown away: %s", first.text);
	err_release(&first);
	return probe_with(en, false, e);
}

const struct engine_ops podman_ops = {
	.kind = ENGINE_PODMAN,
	.name = "podman",
	.imports = true,
	.open = open_container,
	.run = run_container,
};

const struct engine_ops docker_ops = {
	.kind = ENGINE_DOCKER,
	.name = "docker",
	.imports = true,
	.open = open_container,
	.run = run_container,
};
