#include "images/container.h"

#include "base/file.h"
#include "base/log.h"

#include <stdlib.h>
#include <unistd.h>

enum { MAX_ANSWER = 1 << 20, ANSWER_SECONDS = 60 };

/* --- asking ----------------------------------------------------------------------------------- */

static bool has(struct str text, const char *words)
{
	return str_find(text, str_of(words)) >= 0;
}

/* Only the last lines: warnings come before what matters. */
static struct str last_lines(struct str text)
{
	enum { MOST = 600 };

	text = str_trim(text);
	return text.n > MOST ? str_sub(text, text.n - MOST, text.n) : text;
}

static int advise_podman(struct str words, struct err *e)
{
	if (has(words, "rlimit") || has(words, "cgroup") || has(words, "crun") ||
		has(words, "events"))
		return err_advise(e,
			"containers.conf(5) can say what this machine needs: [containers] "
			"default_ulimits = [\"nofile=1024:1024\", \"nproc=4096:4096\"]; [engine] "
			"runtime = \"runc\", cgroup_manager = \"cgroupfs\", events_logger = "
			"\"file\"");
	if (has(words, "newuidmap") || has(words, "subuid"))
		return err_advise(e, "install uidmap, and give this user a line in /etc/subuid and "
				     "/etc/subgid");
	return err_advise(e, "see whether 'podman run' works here by itself, or use the sandbox "
			     "(--engine builtin)");
}

static int advise_docker(struct str words, struct err *e)
{
	if (has(words, "permission denied") && has(words, "sock"))
		return err_advise(e, "this user is not allowed to use docker: add it to the group "
				     "'docker', or use the sandbox (--engine builtin)");
	if (has(words, "connect") || has(words, "daemon running"))
		return err_advise(e, "start the service: as root, 'systemctl start docker', or set "
				     "DOCKER_HOST to where it is");
	return err_advise(e, "see whether 'docker run' works here by itself, or use the sandbox "
			     "(--engine builtin)");
}

int container_refused(const struct engine *en, struct str words, struct err *e)
{
	struct str last = last_lines(words);

	err_set(e, ERR_SANDBOX, "%s cannot do it: %.*s", en->ops->name, STR_ARG(last));
	return en->ops->kind == ENGINE_PODMAN ? advise_podman(words, e) : advise_docker(words, e);
}

struct answer {
	struct buf out, faults;
};

static void to_out(void *ctx, struct str bytes)
{
	buf_str(&((struct answer *)ctx)->out, bytes);
}

static void to_faults(void *ctx, struct str bytes)
{
	buf_str(&((struct answer *)ctx)->faults, bytes);
}

int container_ask(const struct engine *en, struct arena *a, const char *const *words,
	struct str *answer, struct err *e)
{
	struct answer said = {.out.max = MAX_ANSWER, .faults.max = MAX_ANSWER};
	struct proc p = {.argv = words,
		.on_stdout = to_out,
		.on_stderr = to_faults,
		.ctx = &said,
		.timeout_s = ANSWER_SECONDS};
	int status = 0, r = proc_run(&p, &status, e);

	if (r == 0 && status == 124)
		r = container_refused(en, STR("it does not answer"), e);
	else if (r == 0 && status != 0)
		r = container_refused(en, buf_view(said.faults.n ? &said.faults : &said.out), e);
	else if (r == 0)
		*answer = arena_str(a, str_trim(buf_view(&said.out)));
	buf_release(&said.out);
	buf_release(&said.faults);
	return r;
}

/* --- what is there ---------------------------------------------------------------------------- */

static int check_program(const struct engine *en, struct err *e)
{
	const char *name = en->ops->name;

	if (proc_find(name))
		return 0;
	err_set(e, ERR_SANDBOX, "engine '%s' is not installed: there is no program '%s' in PATH",
		name, name);
	return err_advise(e,
		"install it (Debian: apt-get install %s), or use the sandbox "
		"(--engine builtin)",
		en->ops->kind == ENGINE_PODMAN ? "podman" : "docker.io");
}

/* "4.10.2" is from 4.1 on. */
static bool is_from(struct str version, uint64_t major, uint64_t minor)
{
	struct str first = str_cut(&version, '.'), second = str_cut(&version, '.');
	uint64_t a = 0, b = 0;

	str_u64(first, UINT32_MAX, &a);
	str_u64(second, UINT32_MAX, &b);
	return a > major || (a == major && b >= minor);
}

/* An ordinary user's podman bounds tasks only where it has a cgroup of its own: cgroups v2. */
static void check_podman(struct engine *en, struct arena *a)
{
	static const char *const words[] = {"podman", "info", "--format",
		"{{.Version.Version}} {{.Host.CgroupsVersion}} {{.Host.CgroupControllers}}", NULL};
	struct str answer = {NULL, 0}, version;
	struct err ignored = {0};

	/* one that cannot say this may still run jobs; whether it does is tried next */
	if (container_ask(en, a, words, &answer, &ignored) < 0)
		log_debug("%s", ignored.text);
	err_release(&ignored);
	version = str_cut(&answer, ' ');
	en->maps_user = true;
	en->bounds_tasks = geteuid() == 0 || (str_starts(answer, STR("v2")) && has(answer, "pids"));
	en->knows_gpu = is_from(version, 4, 1);
}

/* What is bound lies on this machine, so docker has to be here, too. */
static int check_place(struct err *e)
{
	const char *host = getenv("DOCKER_HOST");

	if (!host || !*host || !strncmp(host, "unix://", 7))
		return 0;
	err_set(e, ERR_SANDBOX, "docker is on another machine (DOCKER_HOST is '%s')", host);
	return err_advise(e, "jobs need folders of this one: use the docker of this machine, or "
			     "another engine");
}

static int check_docker(struct engine *en, struct arena *a, struct err *e)
{
	static const char *const version[] = {
		"docker", "version", "--format", "{{.Server.Version}}", NULL};
	static const char *const info[] = {"docker", "info", "--format",
		"{{json .SecurityOptions}} {{json .Runtimes}} {{.PidsLimit}}", NULL};
	struct str answer;

	if (check_place(e) < 0 || container_ask(en, a, version, &answer, e) < 0 ||
		container_ask(en, a, info, &answer, e) < 0)
		return -1;
	en->maps_user = geteuid() == 0 || has(answer, "name=rootless");
	en->knows_gpu = has(answer, "\"nvidia\"");
	en->bounds_tasks = str_ends(answer, STR("true"));
	return 0;
}

int container_check(struct engine *en, struct err *e)
{
	struct arena a = {0};
	int r = check_program(en, e);

	if (r == 0 && en->ops->kind == ENGINE_PODMAN)
		check_podman(en, &a);
	else if (r == 0)
		r = check_docker(en, &a, e);
	arena_release(&a);
	return r;
}
