/* envbuild run, envbuild shell: a production environment, on this machine. */
#include "builder/run.h"

#include "base/file.h"
#include "base/log.h"
#include "cli/environment.h"

/* What is lost and what stays, before anything is done. */
static void say(const struct environment *env, const struct run_request *r, bool own_prefix)
{
	bool direct = engine_is_direct(env->engine);
	bool typed = !r->argv && run_at_terminal();

	if (typed && direct && own_prefix)
		log_note("without a sandbox, what is written into '%s' stays", env->prefix);
	else if (typed)
		log_note("what is written into the environment (%s) is thrown away", env->prefix);
	if (!direct && run_folder_is_systems(r->work_dir))
		log_note("the working folder '%s' is not mounted: it is the image's own there",
			r->work_dir);
}

static int use(struct session *s, const char *const *argv, struct err *e)
{
	const struct options *o = &s->line.options;
	const char *operand = s->line.operands[0];
	enum environment_kind kind;
	struct environment env = {0};
	int rc = -1;

	if (session_open(s, e) < 0 || session_work(s, e) < 0 ||
		environment_kind(operand, &kind, e) < 0)
		return -1;
	if (environment_open(s, operand, true, &env, e) == 0) {
		struct run_request r = {
			.engine = env.engine,
			.prefix = env.prefix,
			.prefix_inside = env.prefix,
			.argv = argv,
			.name = env.name,
			.target = env.profile.name,
			.work_dir = path_absolute(&s->arena, "."),
			.scratch = s->work,
			.network = !o->offline && env.profile.network,
			.timeout_s = o->timeout,
		};

		say(&env, &r, kind == ENVIRONMENT_PREFIX);
		rc = environment_run(&s->arena, &r, &command_status, e);
	}
	environment_close(&env);
	return rc;
}

int command_run(struct session *s, struct err *e)
{
	const char **program = s->line.program;

	return use(s, program && program[0] ? (const char *const *)program : NULL, e);
}

int command_shell(struct session *s, struct err *e)
{
	return use(s, NULL, e);
}
