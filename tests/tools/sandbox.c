/*
 * Runs one command through images/engine.h, for the tests:
 *
 *	sandbox [OPTION...] -- COMMAND...
 *	  --target NAME|FILE  --root DIR  --engine NAME  --state DIR  --cwd DIR  --timeout SECONDS
 *	  --net  --tty  --pipe (output through our own pipe)  --ro|--rw|--throw FROM:TO  --env K=V
 *	  --processes N  --bytes N (of a quota)  --gpu auto|none|require
 *	  --times N (print the mean milliseconds)  --probe
 *
 * Changes of throw-away binds are printed on stderr as "changed TO: PATH", and "full" where a quota
 * was used up.  The exit status is the command's, 125 where it could not be started.
 */
#include "base/log.h"
#include "images/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_BINDS = 16, MAX_ENV = 64 };

static struct bind binds[MAX_BINDS];
static const char *env[MAX_ENV + 1];
static size_t n_env;
static struct arena arena;

static void pass(void *ctx, struct str bytes)
{
	(void)ctx;
	fwrite(bytes.p, 1, bytes.n, stdout);
	fflush(stdout);
}

static int failed(struct err *e)
{
	log_error(e);
	err_release(e);
	arena_release(&arena);
	return 125;
}

static void add_bind(struct job *job, enum bind_kind kind, const char *text)
{
	const char *colon = strchr(text, ':');

	if (!colon || job->n_binds == MAX_BINDS)
		exit(125);
	binds[job->n_binds++] = (struct bind){
		.from = arena_cstr(&arena, str_n(text, (size_t)(colon - text))),
		.to = colon + 1,
		.kind = kind,
	};
}

struct options {
	struct engine_options engine;
	const char *target;
	unsigned times;
	bool probe, pipe;
};

static bool is_flag(const char *name)
{
	static const char *const flags[] = {"--net", "--tty", "--pipe", "--probe"};

	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		if (!strcmp(name, flags[i]))
			return true;
	return false;
}

static void set_gpu(struct options *o, struct job *job, const char *value)
{
	job->gpu = true;
	o->engine.gpu = !strcmp(value, "none")   ? GPU_NONE
			: !strcmp(value, "auto") ? GPU_AUTO
						 : GPU_REQUIRE;
}

/* One option with its value; how many words it took. */
static int parse_one(struct options *o, struct job *job, const char *name, const char *value)
{
	if (!strcmp(name, "--net"))
		job->network = true;
	else if (!strcmp(name, "--tty"))
		job->interactive = true;
	else if (!strcmp(name, "--pipe"))
		o->pipe = true;
	else if (!strcmp(name, "--probe"))
		o->probe = true;
	else if (!value)
		exit(125);
	else if (!strcmp(name, "--target"))
		o->target = value;
	else if (!strcmp(name, "--root"))
		o->engine.root = value;
	else if (!strcmp(name, "--engine"))
		o->engine.engine = value;
	else if (!strcmp(name, "--state"))
		o->engine.state_dir = value;
	else if (!strcmp(name, "--cwd"))
		job->cwd = value;
	else if (!strcmp(name, "--timeout"))
		job->timeout_s = (unsigned)strtoul(value, NULL, 10);
	else if (!strcmp(name, "--times"))
		o->times = (unsigned)strtoul(value, NULL, 10);
	else if (!strcmp(name, "--ro"))
		add_bind(job, BIND_READ_ONLY, value);
	else if (!strcmp(name, "--rw"))
		add_bind(job, BIND_READ_WRITE, value);
	else if (!strcmp(name, "--throw"))
		add_bind(job, BIND_THROW_AWAY, value);
	else if (!strcmp(name, "--processes"))
		o->engine.max_processes = (unsigned)strtoul(value, NULL, 10);
	else if (!strcmp(name, "--bytes"))
		o->engine.max_bytes = strtoull(value, NULL, 10);
	else if (!strcmp(name, "--gpu"))
		set_gpu(o, job, value);
	else if (!strcmp(name, "--env") && n_env < MAX_ENV)
		env[n_env++] = value;
	else
		exit(125);
	return is_flag(name) ? 1 : 2;
}

static void print_changes(const struct job *job)
{
	for (size_t i = 0; i < job->n_binds; i++)
		for (size_t k = 0; k < job->binds[i].n_changes; k++)
			fprintf(stderr, "changed %s: %.*s\n", job->binds[i].to,
				STR_ARG(job->binds[i].changes[k]));
	if (job->full)
		fprintf(stderr, "full\n");
}

static int run(const struct options *o, struct job *job)
{
	struct engine *engine;
	struct err e = {0};
	uint64_t start;
	int status = 0, r = 0;

	if (engine_open(&engine, &o->engine, &e) < 0)
		return failed(&e);
	start = now_ns();
	for (unsigned i = 0; i < o->times && r == 0; i++)
		r = engine_run(engine, job, &status, &e);
	if (o->times > 1)
		fprintf(stderr, "%.2f ms\n", (double)(now_ns() - start) / 1e6 / o->times);
	print_changes(job);
	engine_close(engine);
	return r < 0 ? failed(&e) : status;
}

int main(int argc, char **argv)
{
	struct options o = {.target = "host", .times = 1};
	struct job job = {.cwd = "/", .binds = binds, .arena = &arena};
	struct profile profile;
	struct err e = {0};
	int i = 1, r;

	while (i < argc && strcmp(argv[i], "--") != 0)
		i += parse_one(&o, &job, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
	if (o.probe)
		return engine_probe(&e) < 0 ? failed(&e) : 0;
	if (i + 1 >= argc)
		return 125;
	job.argv = (const char *const *)argv + i + 1;
	job.env = env;
	if (n_env == 0)
		env[n_env++] = "PATH=/usr/bin:/bin:/usr/sbin:/sbin";
	job.on_output = o.pipe ? pass : NULL;
	if (profile_find(&arena, o.target, NULL, &profile, &e) < 0)
		return failed(&e);
	o.engine.profile = &profile;
	r = run(&o, &job);
	arena_release(&arena);
	return r;
}
