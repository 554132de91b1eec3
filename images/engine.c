#include "images/engine.h"

#include "base/file.h"
#include "base/log.h"
#include "images/engine_ops.h"
#include "images/host.h"
#include "images/libc.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* --- probing ------------------------------------------------------------------------------ */

/* 0 or -1; *overlay says whether overlays work. */
static int probe(struct state *state, const char *root, bool *overlay, struct err *e)
{
	struct arena a = {0};
	struct bind bind = {.to = "/tmp/probe", .kind = BIND_THROW_AWAY};
	static const char *const nothing[] = {NULL};
	struct job job = {.argv = nothing,
		.env = nothing,
		.cwd = "/",
		.binds = &bind,
		.n_binds = 1,
		.arena = &a};
	struct spawn_report report;
	struct prepared p;
	struct plan plan;
	struct place places[2] = {{.state = state->parent}};
	int status = 0, r = -1;
	char *dir = state_job(state, &a, e), *lower;

	if (!dir)
		goto out;
	places[0].dir = dir;
	bind.from = lower = path_join(&a, dir, "lower");
	if (mkdir(lower, 0755) < 0)
		err_sys(e, "cannot make the folder '%s'", lower);
	else if (binds_prepare(&a, &job, places, LAYERS_PLACED, &p, e) == 0 &&
		 plan_make(&a, root, dir, true, &p, false, &plan, e) == 0) {
		plan.probe = true;
		r = sandbox_run(&plan, &job, &report, &status, e);
	}
	dir_remove(dir, NULL);
out:
	arena_release(&a);
	*overlay = status != PROBE_NO_OVERLAY;
	if (r == 0 && !*overlay)
		log_debug("no overlays in a user namespace here: throw-away folders are copied, "
			  "and the root is read-only");
	return r;
}

int engine_probe(struct err *e)
{
	struct state state;
	bool overlay;
	int r = state_open(&state, NULL, e);

	if (r == 0)
		r = probe(&state, "/", &overlay, e);
	state_close(&state);
	return r;
}

static int open_builtin(struct engine *en, struct err *e)
{
	return probe(&en->state, en->root, &en->overlay, e);
}

static int run_builtin(struct engine *en, struct arena *a, struct job *job,
	const struct place places[2], int *status, struct err *e);

static const struct engine_ops builtin_ops = {
	.kind = ENGINE_BUILTIN,
	.name = "builtin",
	.quota = true,
	.open = open_builtin,
	.run = run_builtin,
};

/* --- opening ------------------------------------------------------------------------------ */

static int set_ops(struct engine *en, const char *name, struct err *e)
{
	static const struct engine_ops *const all[] = {
		&builtin_ops, &none_ops, &podman_ops, &docker_ops};

	for (size_t i = 0; i < sizeof all / sizeof *all && !en->ops; i++)
		if (!strcmp(name ? name : "builtin", all[i]->name))
			en->ops = all[i];
	if (en->ops)
		return 0;
	err_set(e, ERR_USAGE, "unknown engine '%s'", name);
	return err_advise(e, "there are builtin, none, podman and docker");
}

/* Engines differ in whether '/' is a root. */
static int check_kind_of_root(const struct engine *en, struct err *e)
{
	bool is_host = !strcmp(en->root, "/");

	if (en->ops->direct && !is_host) {
		err_set(e, ERR_USAGE, "engine '%s' cannot use the root '%s', only '/'",
			en->ops->name, en->root);
		return err_advise(e, "leave --engine out");
	}
	if (!en->ops->imports || !is_host)
		return 0;
	err_set(e, ERR_USAGE, "engine '%s' needs a root folder of its own, not '/' of this machine",
		en->ops->name);
	return err_advise(e, "name one with --image, or leave --engine out");
}

int engine_no_root(const struct profile *p, struct err *e)
{
	err_set(e, ERR_USAGE, "target '%.*s' has no image here", STR_ARG(p->name));
	return err_advise(e,
		"get it with 'envbuild image pull %.*s', 'envbuild image build %.*s' or 'envbuild "
		"image import %.*s FILE', or give a root folder with --image DIR",
		STR_ARG(p->name), STR_ARG(p->name), STR_ARG(p->name));
}

static int set_root(struct engine *en, const char *given, struct err *e)
{
	const char *root = given ? given : en->profile->root;
	char *real;

	if (!root && (en->profile->host || en->ops->direct))
		root = "/";
	if (!root)
		return engine_no_root(en->profile, e);
	real = realpath(root, NULL);
	if (!real) {
		err_sys(e, "cannot open the root folder '%s'", root);
		if (e)
			e->code = ERR_USAGE;
		return err_advise(e, "give the folder of an unpacked root file system");
	}
	en->root = arena_strdup(&en->arena, real);
	free(real);
	return check_kind_of_root(en, e);
}

int engine_check_machine(const struct profile *p, struct err *e)
{
	struct str here = machine_subdir();

	if (str_eq(p->subdir, here))
		return 0;
	err_set(e, ERR_USAGE, "target '%.*s' is %.*s; this machine (%.*s) cannot run it",
		STR_ARG(p->name), STR_ARG(p->subdir), STR_ARG(here));
	return err_advise(
		e, "such a target can be locked here, and packed on a machine of its type");
}

/* glibc before 2.14 calls the kernel at a fixed page that newer kernels may leave out. */
static int check_vsyscall(struct engine *en, struct str glibc, struct err *e)
{
	struct str maps;

	if (glibc_cmp(glibc, STR("2.14")) >= 0)
		return 0;
	if (file_read(&en->arena, "/proc/self/maps", 64 << 20, &maps, NULL) < 0 ||
		str_find(maps, STR("[vsyscall]")) >= 0)
		return 0;
	err_set(e, ERR_SANDBOX,
		"programs of glibc %.*s crash on this kernel, which has no vsyscall page",
		STR_ARG(glibc));
	return err_advise(e, "boot the kernel with 'vsyscall=emulate' (or 'xonly')");
}

static int check_root(struct engine *en, struct err *e)
{
	struct str reason, glibc;
	int r = root_satisfies(&en->arena, en->root, en->profile, &reason, e);

	if (r == 0) {
		err_set(e, ERR_USAGE, "this root does not fit the target: %.*s", STR_ARG(reason));
		return err_advise(e, "give another one with --image DIR");
	}
	if (r < 0 || root_glibc(&en->arena, en->root, &glibc, &reason, e) < 0)
		return -1;
	if (glibc_cmp(glibc, en->profile->glibc) > 0 && !en->profile->host)
		log_warn("the root '%s' has glibc %.*s, newer than target '%.*s' (%.*s): what runs "
			 "there may not run on the target",
			en->root, STR_ARG(glibc), STR_ARG(en->profile->name),
			STR_ARG(en->profile->glibc));
	return check_vsyscall(en, glibc, e);
}

/* The sandbox where the kernel allows it, else `host` without one unless asked for by name. */
static int open_or_fall_back(struct engine *en, const char *asked, struct err *e)
{
	struct err refused = {0};

	if (!en->ops->open || en->ops->open(en, &refused) == 0)
		return 0;
	if (refused.code != ERR_SANDBOX || !en->profile->host || asked ||
		strcmp(en->root, "/") != 0)
		return err_move(e, &refused);
	log_warn("%s; without a sandbox, the steps run directly on this machine", refused.text);
	err_release(&refused);
	en->ops = &none_ops;
	return 0;
}

static int set_limits(struct engine *en, const struct engine_options *o, struct err *e)
{
	uint64_t most = plan_memory() / 2;
	char max[24];

	en->max_processes = o->max_processes;
	en->max_bytes = o->max_bytes;
	if (en->ops->direct && (o->max_processes || o->max_bytes))
		log_warn("without a sandbox, processes and what is written are not limited");
	if (en->ops->direct || !o->max_bytes)
		return 0;
	if (!en->ops->quota) {
		err_set(e, ERR_USAGE, "engine '%s' cannot hold a quota", en->ops->name);
		return err_advise(e, "leave out --quota, or use the sandbox (--engine builtin)");
	}
	if (!en->overlay) {
		err_set(e, ERR_SANDBOX,
			"a quota needs overlays in a user namespace, which are refused here");
		return err_advise(e, "use Linux 6.6 or newer, or leave out --quota");
	}
	if (o->max_bytes <= most)
		return 0;
	err_set(e, ERR_USAGE,
		"what is written under a quota is kept in memory, and half of it is %s here",
		format_bytes(most, max));
	return err_advise(e, "give a smaller --quota, or none");
}

/* Without a sandbox jobs have what this machine has; whether that is a GPU can be asked all the same. */
static int set_gpu(struct engine *en, const struct engine_options *o, struct err *e)
{
	int r;

	if (en->ops->direct && o->gpu != GPU_REQUIRE)
		return 0;
	r = gpu_find(&en->arena, en->profile, en->root, o->gpu, &en->gpu, e);
	if (en->ops->direct)
		en->gpu = (struct gpu){0};
	return r < 0 ? -1 : 0;
}

int engine_open(struct engine **out, const struct engine_options *options, struct err *e)
{
	struct engine *en = xcalloc(1, sizeof *en);

	en->profile = options->profile;
	en->digest = options->digest ? arena_strdup(&en->arena, options->digest) : NULL;
	en->state.lock = en->spare.lock = -1;
	if (set_ops(en, options->engine, e) < 0 || engine_check_machine(en->profile, e) < 0 ||
		set_root(en, options->root, e) < 0 || check_root(en, e) < 0 ||
		state_open(&en->state, options->state_dir, e) < 0 ||
		open_or_fall_back(en, options->engine, e) < 0 || set_limits(en, options, e) < 0 ||
		set_gpu(en, options, e) < 0) {
		engine_close(en);
		return -1;
	}
	*out = en;
	return 0;
}

void engine_close(struct engine *en)
{
	if (!en)
		return;
	state_close(&en->spare);
	state_close(&en->state);
	arena_release(&en->arena);
	free(en);
}

void engine_sweep(const char *state_dir)
{
	state_sweep(state_dir);
}

const char *engine_name(const struct engine *engine)
{
	return engine->ops->name;
}

bool engine_is_direct(const struct engine *engine)
{
	return engine->ops->direct;
}

const char *engine_root(const struct engine *engine)
{
	return engine->root;
}

void engine_say_network(const struct engine *engine, bool network)
{
	if (!network && engine->ops->direct)
		log_warn("without a sandbox, what runs is not kept from the network");
}

/* --- running ------------------------------------------------------------------------------ */

/* An overlay's layer cannot lie below what it is laid over: then it lies with the temporaries. */
static int open_spare(struct engine *en, struct arena *a, const struct job *job,
	struct place *place, struct err *e)
{
	if (!en->overlay || en->max_bytes || !binds_hold(job, en->state.parent))
		return 0;
	if (!en->spare.dir && state_open(&en->spare, NULL, e) < 0)
		return -1;
	place->dir = state_job(&en->spare, a, e);
	place->state = en->spare.parent;
	return place->dir ? 0 : -1;
}

static void set_extras(const struct engine *en, struct arena *a, const struct job *job, int *kept,
	struct plan *plan)
{
	if (en->max_processes) {
		plan->max_processes = en->max_processes;
		plan->asked = true;
	}
	if (en->max_bytes) {
		plan->max_bytes = en->max_bytes;
		plan->quota = true;
		plan->kept = kept;
	}
	if (job->gpu)
		plan_add_gpu(a, plan, &en->gpu);
}

static int run_builtin(struct engine *en, struct arena *a, struct job *job,
	const struct place places[2], int *status, struct err *e)
{
	enum layers layers = en->max_bytes ? LAYERS_QUOTA
			     : en->overlay ? LAYERS_PLACED
					   : LAYERS_NONE;
	struct spawn_report report;
	struct prepared p;
	struct plan plan;
	CLEANUP_FD kept = -1;

	if (binds_prepare(a, job, places, layers, &p, e) < 0 ||
		plan_make(a, en->root, places[0].dir, en->overlay, &p, job->network, &plan, e) < 0)
		return -1;
	set_extras(en, a, job, &kept, &plan);
	if (sandbox_run(&plan, job, &report, status, e) < 0)
		return -1;
	job->full = kept_is_full(kept);
	return binds_answer(job, &p, places[0].state, kept, e);
}

static void remove_job(const char *dir)
{
	struct err e = {0};

	if (dir && dir_remove(dir, &e) < 0)
		log_warn("a folder of the sandbox stays behind: %s", e.text);
	err_release(&e);
}

/* The job's variables and those of the GPU; a job's own wins, as the first one found. */
static const char *const *add_env(struct arena *a, const char *const *env, const struct gpu *gpu)
{
	size_t n = 0;
	const char **all;

	while (env[n])
		n++;
	all = arena_array(a, const char *, n + gpu->n_env + 1);
	memcpy(all, env, n * sizeof *all);
	if (gpu->n_env)
		memcpy(all + n, gpu->env, gpu->n_env * sizeof *all);
	return all;
}

int engine_run(struct engine *en, struct job *job, int *status, struct err *e)
{
	const char *const *own_env = job->env;
	struct arena a = {0};
	struct place places[2] = {{.state = en->state.parent}};
	int r = -1;

	if (job->gpu)
		job->env = add_env(&a, own_env, &en->gpu);
	places[0].dir = state_job(&en->state, &a, e);
	if (places[0].dir && open_spare(en, &a, job, &places[1], e) == 0)
		r = en->ops->run(en, &a, job, places, status, e);
	remove_job(places[0].dir);
	remove_job(places[1].dir);
	job->env = own_env;
	arena_release(&a);
	return r;
}
