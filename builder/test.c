#include "builder/test.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "builder/active.h"

enum { TAIL = 16 << 10, KEEP = 256 << 10 };
static const char SCRIPT[] = "/tmp/run-test.sh";

/* Output goes to the terminal and the log while it comes; the end of it is kept. */
struct output {
	struct file_out *log;
	struct buf text;
	struct err err; /* of writing the log */
};

static void on_output(void *ctx, struct str bytes)
{
	struct output *o = ctx;

	log_output(bytes);
	if (o->log && o->err.code == ERR_NONE)
		write_full(o->log->fd, bytes.p, bytes.n, &o->err);
	buf_str(&o->text, bytes);
	if (o->text.n > KEEP) {
		memmove(o->text.p, o->text.p + o->text.n - TAIL, TAIL);
		o->text.n = TAIL;
	}
}

static struct str tail(struct arena *a, const struct output *o)
{
	struct str all = buf_view(&o->text);

	return arena_str(a, all.n > TAIL ? str_sub(all, all.n - TAIL, all.n) : all);
}

/* --- the environment --------------------------------------------------------------------- */

/*
 * Activates once with the prefix writable, so that it names the path it is bound at.  What the
 * test itself writes is then thrown away.  One that is in use would name a path that is gone when
 * the test is: there the test's own activation does it, and it is thrown away, too.
 */
static int relocate(
	struct arena *a, const struct test_request *r, const struct active *env, struct err *e)
{
	struct bind bind = {r->prefix, env->prefix_inside, BIND_READ_WRITE, NULL, 0};
	CLEANUP_BUF text = {.max = 1 << 20};
	int status = 0;

	if (!env->packed || r->in_use)
		return 0;
	struct job job = {.argv = active_argv(a, env, "exit 0", NULL),
		.env = active_environment(a, env, r->engine, NULL),
		.cwd = "/",
		.binds = &bind,
		.n_binds = 1,
		.timeout_s = r->timeout_s,
		.on_output = proc_to_buf,
		.ctx = &text,
		.arena = a};
	if (engine_run(r->engine, &job, &status, e) < 0)
		return err_wrap(e, "while activating the environment");
	if (status == 0)
		return 0;
	return err_set(e, ERR_TEST, "the environment cannot be activated (status %d): %.*s", status,
		STR_ARG(str_trim(buf_view(&text))));
}

/* --- the test ---------------------------------------------------------------------------- */

struct binds {
	struct bind v[4];
	size_t n;
	ptrdiff_t environment, project;
};

static void bind_all(const struct test_request *r, const struct active *env, struct binds *b)
{
	*b = (struct binds){.project = -1};
	b->environment = (ptrdiff_t)b->n;
	b->v[b->n++] = (struct bind){r->prefix, env->prefix_inside, BIND_THROW_AWAY, NULL, 0};
	if (r->project_dir) {
		b->project = (ptrdiff_t)b->n;
		b->v[b->n++] =
			(struct bind){r->project_dir, "/tmp/project", BIND_THROW_AWAY, NULL, 0};
	}
	if (r->environment_file)
		b->v[b->n++] = (struct bind){
			r->environment_file, "/tmp/environment.yml", BIND_READ_ONLY, NULL, 0};
	b->v[b->n++] = (struct bind){r->script, SCRIPT, BIND_READ_ONLY, NULL, 0};
}

/* What running Python leaves behind everywhere says nothing. */
static bool is_noise(struct str path)
{
	return str_find(path, STR("__pycache__")) >= 0 || str_ends(path, STR(".pyc"));
}

static void take_changes(struct arena *a, const struct bind *b, struct str **changes, size_t *n)
{
	*changes = arena_array(a, struct str, b->n_changes);
	*n = 0;
	for (size_t i = 0; i < b->n_changes; i++)
		if (!is_noise(b->changes[i]))
			(*changes)[(*n)++] = arena_str(a, b->changes[i]);
}

static const char *name_of(const struct test_request *r)
{
	return r->script_name ? r->script_name : r->script;
}

static int run_script(struct arena *a, const struct test_request *r, const struct active *env,
	struct output *output, struct test_result *out, struct err *e)
{
	const char *args[] = {r->shell ? r->shell : "bash -e", NULL};
	const char *more[] = {arena_printf(a, "ENVIRONMENT_NAME=%s", r->name), NULL};
	struct binds binds;

	bind_all(r, env, &binds);
	/* $1 is split into words: "bash -e". */
	struct job job = {.argv = active_argv(a, env, "exec $1 /tmp/run-test.sh", args),
		.env = active_environment(a, env, r->engine, more),
		.cwd = r->project_dir ? "/tmp/project" : "/tmp",
		.binds = binds.v,
		.n_binds = binds.n,
		.network = r->network,
		.gpu = true,
		.timeout_s = r->timeout_s,
		.on_output = on_output,
		.ctx = output,
		.arena = a};
	uint64_t start = now_ns();
	engine_say_network(r->engine, r->network);
	if (engine_run(r->engine, &job, &out->status, e) < 0)
		return err_wrap(e, "while running the test '%s'", name_of(r));
	out->full = job.full;
	out->seconds = (double)(now_ns() - start) / 1e9;
	take_changes(a, &binds.v[binds.environment], &out->changed_environment,
		&out->n_changed_environment);
	if (binds.project >= 0)
		take_changes(
			a, &binds.v[binds.project], &out->changed_project, &out->n_changed_project);
	return 0;
}

static int judge(const struct test_request *r, const struct test_result *t, struct err *e)
{
	if (t->status == 0)
		return 0;
	if (t->status == 124 && r->timeout_s) {
		err_set(e, ERR_TEST, "the test '%s' took more than %u seconds", name_of(r),
			r->timeout_s);
		return err_advise(e, "give it more time with --timeout");
	}
	if (t->full) {
		err_set(e, ERR_TEST,
			"the test '%s' failed with status %d and had written all that --quota "
			"allows",
			name_of(r), t->status);
		return err_advise(e, "give it more space with --quota");
	}
	return err_set(e, ERR_TEST, "the test '%s' failed with status %d", name_of(r), t->status);
}

static int check_request(const struct test_request *r, struct err *e)
{
	struct str name = str_of(r->name);

	if (!path_is_safe(name) || str_chr(name, '/') >= 0)
		return err_set(e, ERR_INPUT, "'%s' cannot be the name of an environment", r->name);
	if (path_exists(r->script))
		return 0;
	return err_set(e, ERR_USAGE, "the test script '%s' does not exist", r->script);
}

static int run_logged(struct arena *a, const struct test_request *r, const struct active *env,
	struct test_result *out, struct err *e)
{
	CLEANUP_FILE_OUT log = {.fd = -1};
	struct output output = {0};

	if (r->log_path) {
		if (file_begin(&log, r->log_path, 0644, e) < 0)
			return -1;
		output.log = &log;
	}
	int rc = run_script(a, r, env, &output, out, e);
	out->output_tail = tail(a, &output);
	buf_release(&output.text);
	if (rc == 0 && output.err.code != ERR_NONE)
		rc = err_move(e, &output.err);
	err_release(&output.err);
	if (rc == 0 && r->log_path)
		rc = file_commit(&log, e);
	return rc;
}

int test_run(struct arena *a, const struct test_request *r, struct test_result *out, struct err *e)
{
	struct active env;

	*out = (struct test_result){0};
	if (check_request(r, e) < 0 ||
		active_init(a, r->engine, r->prefix,
			r->at_place ? r->prefix : arena_printf(a, "/tmp/%s", r->name), &env,
			e) < 0 ||
		relocate(a, r, &env, e) < 0 || run_logged(a, r, &env, out, e) < 0)
		return -1;
	if (judge(r, out, e) == 0)
		return 0;
	log_unseen_output(out->output_tail);
	return -1;
}
