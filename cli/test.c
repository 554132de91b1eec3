/* envbuild test: the test script on an archive or a prefix, as pack runs it. */
#include "builder/test.h"

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/environment.h"
#include "cli/output.h"
#include "packer/pack.h"

enum { SCRIPT_MAX = 64 << 20 };

/* Copies a paper that the archive or prefix carries into the work folder: 1, or 0 without it. */
static int copy_paper(
	struct session *s, const char *operand, const char *name, const char **out, struct err *e)
{
	char *copy = path_join(&s->arena, s->work, name);
	struct str text;
	int found = paper_read(&s->arena, operand, name, &text, e);

	if (found <= 0)
		return found;
	*out = copy;
	return file_write(copy, text, 0755, e) < 0 ? -1 : 1;
}

/* A copy of --test, which may be a pipe, else of the script that the archive or prefix carries. */
static int find_script(struct session *s, const char *operand, const char **out, struct err *e)
{
	struct arena *a = &s->arena;
	struct str text;
	int found;

	if (s->line.options.test) {
		const char *given = path_absolute(a, s->line.options.test);

		if (!path_exists(given))
			return err_set(e, ERR_USAGE, "no test script '%s'", given);
		*out = output_work_path(a, s, "run-test.sh");
		if (file_read(a, given, SCRIPT_MAX, &text, e) < 0)
			return -1;
		return file_write(*out, text, 0755, e);
	}
	found = copy_paper(s, operand, "run-test.sh", out, e);
	if (found == 0)
		return err_set(
			e, ERR_USAGE, "'%s' carries no test script: give one with --test", operand);
	return found < 0 ? -1 : 0;
}

static void say(const struct session *s, const struct test_result *t)
{
	CLEANUP_BUF text = {0};
	struct json_out w = {.to = &text};

	log_note("test passed in %.1f s", t->seconds);
	jw_object(&w);
	jw_key(&w, "status");
	jw_int(&w, t->status);
	jw_key(&w, "seconds");
	jw_double(&w, t->seconds);
	jw_object_end(&w);
	output_document(&s->line.options, &text);
}

int command_test(struct session *s, struct err *e)
{
	const struct options *o = &s->line.options;
	const char *operand = s->line.operands[0];
	enum environment_kind kind;
	struct environment env = {0};
	struct test_request r = {.script_name = o->test ? o->test : "run-test.sh",
		.shell = o->test_shell,
		.timeout_s = o->timeout};
	struct test_result result;
	int rc = -1;

	if (environment_kind(operand, &kind, e) < 0)
		return -1;
	if (kind == ENVIRONMENT_FILE)
		return err_set(e, ERR_USAGE, "'%s' is neither an archive nor a prefix", operand);
	if (session_open(s, e) < 0 || session_work(s, e) < 0 ||
		environment_project(s, ".", &r.project_dir, e) < 0 ||
		find_script(s, operand, &r.script, e) < 0 ||
		copy_paper(s, operand, "environment.yml", &r.environment_file, e) < 0)
		return -1;
	if (environment_open(s, operand, false, &env, e) == 0) {
		r.engine = env.engine;
		r.prefix = env.prefix;
		r.in_use = kind == ENVIRONMENT_PREFIX;
		r.name = o->name ? o->name : arena_cstr(&s->arena, env.name);
		r.network = !o->offline && env.profile.network;
		rc = test_run(&s->arena, &r, &result, e);
	}
	environment_close(&env);
	if (rc == 0)
		say(s, &result);
	return rc;
}
