#include "images/container.h"
#include "images/inside/inside.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

struct args {
	struct arena *a;
	const char **v;
	size_t n, cap;
};

static void add(struct args *args, const char *word)
{
	*VEC_PUSH(args->a, args) = word;
}

static void add_all(struct args *args, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add(args, words[i]);
}

/* One field of an option that both tools read as a line of CSV (RFC 4180). */
static const char *field(struct arena *a, const char *name, const char *value)
{
	CLEANUP_BUF text = {0};

	if (!strpbrk(value, ",\"\n\r"))
		return arena_printf(a, "%s=%s", name, value);
	buf_printf(&text, "\"%s=", name);
	for (const char *p = value; *p; p++) {
		if (*p == '"')
			buf_putc(&text, '"');
		buf_putc(&text, *p);
	}
	buf_putc(&text, '"');
	return arena_cstr(a, buf_view(&text));
}

static void add_bind(struct args *args, const char *from, const char *to, bool read_only)
{
	add(args, "--mount");
	add(args, arena_printf(args->a, "type=bind,%s,%s%s", field(args->a, "source", from),
			  field(args->a, "target", to), read_only ? ",readonly" : ""));
}

/* podman has overlays of its own; docker's local volumes are whatever mount(8) can mount. */
static void add_overlay(struct args *args, bool podman, const struct plan_bind *b)
{
	struct arena *a = args->a;
	const char *layers;

	if (podman) {
		add(args, "--volume");
		add(args, arena_printf(a, "%s:%s:O,upperdir=%s,workdir=%s", b->from, b->to,
				  b->upper, b->work));
		return;
	}
	layers =
		arena_printf(a, "o=lowerdir=%s,upperdir=%s,workdir=%s", b->from, b->upper, b->work);
	add(args, "--mount");
	add(args, arena_printf(a,
			  "type=volume,%s,volume-driver=local,volume-opt=type=overlay,"
			  "volume-opt=device=overlay,%s",
			  field(a, "target", b->to), field(a, "volume-opt", layers)));
}

/* Names and addresses of hosts come from the tool. */
static bool is_tools_own(const char *to)
{
	return !strcmp(to, "/etc/resolv.conf") || !strcmp(to, "/etc/hosts");
}

static void add_mount(struct args *args, bool podman, const struct plan_bind *b)
{
	switch (b->kind) {
	case PLAN_READ_ONLY:
		add_bind(args, b->from, b->to, true);
		break;
	case PLAN_READ_WRITE:
		add_bind(args, b->from, b->to, false);
		break;
	case PLAN_OVERLAY:
		add_overlay(args, podman, b);
		break;
	case PLAN_DEFAULT:
		if (!is_tools_own(b->to))
			add_bind(args, b->from, b->to, true);
		break;
	case PLAN_DEVICE:
		add(args, "--device");
		add(args, b->from);
		break;
	case PLAN_COPY: /* only under a quota, which no container has */
		break;
	}
}

/* Root inside is who may write to the caller's folders: root, or an ordinary user by mapping. */
static const char *user_of(const struct engine *en, struct arena *a)
{
	if (en->maps_user)
		return "0:0";
	return arena_printf(a, "%u:%u", (unsigned)geteuid(), (unsigned)getegid());
}

/* Nobody but root can give more than there is. */
static unsigned long long most_processes(const struct plan *plan)
{
	struct rlimit now = {.rlim_max = RLIM_INFINITY};

	getrlimit(RLIMIT_NPROC, &now);
	return now.rlim_max < plan->max_processes ? now.rlim_max : plan->max_processes;
}

static void add_limits(struct args *args, const struct engine *en, const struct plan *plan)
{
	struct arena *a = args->a;
	unsigned long long most;

	add(args, "--shm-size");
	add(args, arena_printf(a, "%llu", (unsigned long long)plan_memory() / 2));
	if (en->bounds_tasks) {
		add(args, "--pids-limit");
		add(args, arena_printf(a, "%u", plan->max_processes));
		return;
	}
	add(args, "--ulimit");
	most = most_processes(plan);
	add(args, arena_printf(a, "nproc=%llu:%llu", most, most));
}

static void add_interactive(struct args *args, const struct job *job)
{
	if (!job->interactive)
		return;
	add(args, "--interactive");
	if (!isatty(0) || !isatty(1))
		return;
	add(args, "--tty");
	/* by default, Ctrl-P Ctrl-Q would leave the job alone; nobody types this */
	add(args, "--detach-keys=ctrl-^,ctrl-],ctrl-^,ctrl-]");
}

/* podman knows the specifications of the usual folders only. */
bool container_brings_gpu(const struct engine *en)
{
	if (!en->knows_gpu || !en->gpu.n_nodes)
		return false;
	return en->ops->kind == ENGINE_DOCKER || (en->gpu.device && !getenv("CDI_SPEC_DIRS"));
}

static void add_gpu(struct args *args, const struct engine *en, bool podman)
{
	add(args, podman ? "--device" : "--gpus");
	add(args, podman ? en->gpu.device : "all");
}

const char *const *container_argv(const struct engine *en, struct arena *a, const struct plan *plan,
	const struct job *job, const char *name, const char *dir)
{
	const char *const common[] = {en->ops->name, "run", "--rm", "--name", name, "--label",
		"envbuild", "--log-driver", "none", "--network", job->network ? "host" : "none",
		"--hostname", "envbuild", "--cap-drop", "all", "--security-opt",
		"no-new-privileges", "--security-opt", "label=disable", "--user", user_of(en, a),
		"--workdir", "/", "--no-healthcheck"};
	static const char *const podman_only[] = {"--tmpfs",
		"/tmp:rw,exec,nosuid,nodev,mode=1777,notmpcopyup", "--tmpfs",
		"/run:rw,exec,nosuid,nodev,mode=755,notmpcopyup"};
	static const char *const docker_only[] = {"--tmpfs", "/tmp:rw,exec,nosuid,nodev,mode=1777",
		"--tmpfs", "/run:rw,exec,nosuid,nodev,mode=755", "--pull", "never", "--entrypoint",
		INSIDE "/init"};
	bool podman = en->ops->kind == ENGINE_PODMAN;
	struct args args = {.a = a};

	add_all(&args, common, sizeof common / sizeof *common);
	if (podman)
		add_all(&args, podman_only, sizeof podman_only / sizeof *podman_only);
	else
		add_all(&args, docker_only, sizeof docker_only / sizeof *docker_only);
	add_limits(&args, en, plan);
	add_interactive(&args, job);
	if (job->gpu && container_brings_gpu(en))
		add_gpu(&args, en, podman);
	add_bind(&args, dir, INSIDE, false);
	for (size_t i = 0; i < plan->n_binds; i++)
		add_mount(&args, podman, &plan->binds[i]);
	if (podman)
		add(&args, "--rootfs");
	add(&args, podman ? arena_printf(a, "%s:O", en->root) : en->image);
	if (podman)
		add(&args, INSIDE "/init");
	add(&args, NULL);
	return args.v;
}

static bool is_plain(const char *path)
{
	char *real = realpath(path, NULL);
	bool plain = !strpbrk(real ? real : path, ",:\\\"\n");

	free(real);
	return plain;
}

bool container_takes_overlays(const struct engine *en, const struct job *job)
{
	bool plain = is_plain(en->state.dir) && (!en->spare.dir || is_plain(en->spare.dir));

	for (size_t i = 0; i < job->n_binds && plain; i++)
		plain = job->binds[i].kind != BIND_THROW_AWAY ||
			(is_plain(job->binds[i].from) && is_plain(job->binds[i].to));
	return plain;
}
