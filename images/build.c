#include "images/build.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/proc.h"
#include "images/dockerfiles.h"

#include <stdio.h>
#include <unistd.h>

/* GRACE_S: buildah removes its container when asked to end. */
enum { GRACE_S = 10, ASK_S = 20, SAVE_S = 3600, SHOWN_OUTPUT = 4096 };

/* --- the tools ------------------------------------------------------------------------------ */

enum tool { BUILDAH, PODMAN, DOCKER, N_TOOLS };

static const char *const tool_names[N_TOOLS] = {"buildah", "podman", "docker"};

static void drop(void *ctx, struct str bytes)
{
	(void)ctx;
	(void)bytes;
}

/* docker is of no use without its daemon. */
static bool daemon_answers(void)
{
	static const char *const argv[] = {
		"docker", "version", "--format", "{{.Server.Version}}", NULL};
	struct proc p = {.argv = argv, .on_stdout = drop, .on_stderr = drop, .timeout_s = ASK_S};
	int status;

	return proc_run(&p, &status, NULL) == 0 && status == 0;
}

static int fail_no_tool(bool docker_is_there, struct err *e)
{
	err_set(e, ERR_FAIL, "nothing here builds images: neither buildah nor podman%s",
		docker_is_there ? ", and docker's daemon does not answer" : " nor docker");
	return err_advise(e,
		"install one (apt install buildah, dnf install podman)%s, or bring the "
		"image with envbuild image pull or import",
		docker_is_there ? ", or start docker's daemon" : "");
}

static int named_tool(const char *name, enum tool *out, struct err *e)
{
	for (*out = BUILDAH; *out < N_TOOLS; ++*out)
		if (strcmp(name, tool_names[*out]) == 0)
			break;
	if (*out == N_TOOLS)
		return err_set(e, ERR_USAGE, "no tool '%s': it is buildah, podman or docker", name);
	if (!proc_find(name)) {
		err_set(e, ERR_FAIL, "no program '%s' on PATH", name);
		return err_advise(e, "install it (apt install %s, dnf install %s)",
			*out == DOCKER ? "docker.io" : name, name);
	}
	if (*out == DOCKER && !daemon_answers()) {
		err_set(e, ERR_FAIL, "docker's daemon does not answer");
		return err_advise(
			e, "start it, or see with 'docker version' why you may not use it");
	}
	return 0;
}

static int find_tool(const char *name, enum tool *out, struct err *e)
{
	bool docker_is_there;

	if (name)
		return named_tool(name, out, e);
	for (*out = BUILDAH; *out < DOCKER; ++*out)
		if (proc_find(tool_names[*out]))
			return 0;
	docker_is_there = proc_find("docker") != NULL;
	return docker_is_there && daemon_answers() ? 0 : fail_no_tool(docker_is_there, e);
}

/* --- the Dockerfile ------------------------------------------------------------------------- */

struct source {
	const char *file, *context;
	const char *name; /* for messages and the origin */
};

static bool is_shipped(const struct profile *p)
{
	return strcmp(p->source, "built-in") == 0;
}

/* From the program into a folder of its own: such a file adds nothing from here. */
static int write_shipped(
	struct arena *a, const struct build_request *r, struct source *out, struct err *e)
{
	struct str path = r->import.profile->dockerfile, text = dockerfile_text(path);

	if (!text.p)
		return err_set(e, ERR_FAIL, "no '%.*s' in this program", STR_ARG(path));
	out->file = path_join(a, r->work, "Dockerfile");
	out->context = path_join(a, r->work, "context");
	out->name = arena_cstr(a, path);
	return dir_make(out->context, e) < 0 ? -1 : file_write(out->file, text, 0600, e);
}

static int fail_no_dockerfile(const struct build_request *r, struct err *e)
{
	if (r->import.profile)
		err_set(e, ERR_USAGE,
			"target '%.*s' names no Dockerfile (image: {dockerfile: FILE})",
			STR_ARG(r->import.profile->name));
	else
		err_set(e, ERR_USAGE, "'%s' is no target, so that a Dockerfile is to be named",
			r->import.name);
	return err_advise(e, "--dockerfile FILE names one");
}

static int find_source(
	struct arena *a, const struct build_request *r, struct source *out, struct err *e)
{
	const struct profile *p = r->import.profile;
	const char *file = r->dockerfile;

	if (!file && (!p || !p->dockerfile.n))
		return fail_no_dockerfile(r, e);
	if (!file && is_shipped(p))
		return write_shipped(a, r, out, e);
	if (!file)
		file = path_join(a, path_dir(a, p->source), arena_cstr(a, p->dockerfile));
	if (access(file, R_OK) < 0) {
		err_sys(e, "cannot read the Dockerfile '%s'", file);
		return err_advise(e,
			"--dockerfile FILE names another; a profile's is relative to the "
			"profile");
	}
	out->file = path_absolute(a, file);
	out->context = path_dir(a, out->file);
	out->name = file;
	return 0;
}

/* --- running -------------------------------------------------------------------------------- */

static void show(void *ctx, struct str bytes)
{
	struct buf *tail = ctx;

	log_output(bytes);
	if (tail->n > 2 * SHOWN_OUTPUT) { /* the end is enough */
		memmove(tail->p, tail->p + tail->n - SHOWN_OUTPUT, SHOWN_OUTPUT);
		tail->n = SHOWN_OUTPUT;
	}
	buf_str(tail, bytes);
}

static int run_tool(const char *const *argv, unsigned timeout_s, struct err *e)
{
	CLEANUP_BUF tail = {0};
	struct proc p = {.argv = argv,
		.on_stdout = show,
		.on_stderr = show,
		.ctx = &tail,
		.timeout_s = timeout_s,
		.grace_s = GRACE_S};
	int status;

	if (proc_run(&p, &status, e) < 0)
		return -1;
	if (status == 0)
		return 0;
	log_unseen_output(str_sub(
		buf_view(&tail), tail.n > SHOWN_OUTPUT ? tail.n - SHOWN_OUTPUT : 0, tail.n));
	if (status == 124)
		err_set(e, ERR_SCRIPT, "'%s %s' took longer than %u seconds", argv[0], argv[1],
			timeout_s);
	else
		err_set(e, ERR_SCRIPT, "'%s %s' failed with exit status %d", argv[0], argv[1],
			status);
	return err_advise(e, status == 124 ? "--timeout gives it more" : "its output says why");
}

static int build(
	enum tool tool, const struct source *s, const char *tag, unsigned timeout_s, struct err *e)
{
	const char *const buildah[] = {
		"buildah", "bud", "-t", tag, "-f", s->file, s->context, NULL};
	const char *const podman[] = {
		"podman", "build", "--layers=false", "-t", tag, "-f", s->file, s->context, NULL};
	const char *const docker[] = {
		"docker", "build", "-t", tag, "-f", s->file, s->context, NULL};
	const char *const *const argv[N_TOOLS] = {buildah, podman, docker};

	return run_tool(argv[tool], timeout_s, e);
}

static int save(struct arena *a, enum tool tool, const char *tag, const char *file, struct err *e)
{
	const char *const buildah[] = {
		"buildah", "push", tag, arena_printf(a, "oci-archive:%s", file), NULL};
	const char *const podman[] = {
		"podman", "save", "--format", "oci-archive", "-o", file, tag, NULL};
	const char *const docker[] = {"docker", "save", "-o", file, tag, NULL};
	const char *const *const argv[N_TOOLS] = {buildah, podman, docker};

	return run_tool(argv[tool], SAVE_S, e);
}

/* Also after a failure or a signal; where there is no such image, that is well. */
static void forget(enum tool tool, const char *tag)
{
	const char *const argv[] = {tool_names[tool], "rmi", tag, NULL};
	struct proc p = {.argv = argv, .on_stdout = drop, .on_stderr = drop, .timeout_s = ASK_S};
	int status;

	interrupt_hold();
	proc_run(&p, &status, NULL);
	interrupt_release();
}

static int make_archive(struct arena *a, const struct build_request *r, enum tool tool,
	const struct source *s, const char *archive, struct err *e)
{
	const char *tag = arena_printf(a, "localhost/envbuild-build-%ld-%llx", (long)getpid(),
		(unsigned long long)now_ns());
	int rc;

	log_note("%s builds '%s'", tool_names[tool], s->name);
	rc = build(tool, s, tag, r->timeout_s, e);
	if (rc == 0)
		rc = save(a, tool, tag, archive, e);
	forget(tool, tag);
	return rc < 0 ? err_wrap(e, "cannot build '%s'", s->name) : 0;
}

int image_build(struct arena *a, const struct build_request *r, struct image *out, bool *was_there,
	struct err *e)
{
	struct import_request import = r->import;
	const char *archive = path_join(a, r->work, "image.tar");
	struct source source = {0};
	enum tool tool;

	if (find_source(a, r, &source, e) < 0 || find_tool(r->tool, &tool, e) < 0 ||
		make_archive(a, r, tool, &source, archive, e) < 0)
		return -1;
	import.origin = source.name;
	return image_import_path(a, &import, archive, out, was_there, e);
}
