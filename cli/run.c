/* envbuild run: a command in a production environment, on this machine. */
#include "base/file.h"
#include "builder/test.h"
#include "cli/environment.h"

int command_run(struct session *s, struct err *e)
{
	static const char *const shell[] = {"bash", NULL};
	const struct options *o = &s->line.options;
	const char **program = s->line.program;
	struct environment env = {0};
	struct run_request r = {.argv = shell, .timeout_s = o->timeout};
	int rc = -1;

	if (program && program[0])
		r.argv = (const char *const *)program;
	if (session_open(s, e) < 0 || session_work(s, e) < 0)
		return -1;
	if (environment_open(s, s->line.operands[0], true, &env, e) == 0) {
		r.engine = env.engine;
		r.prefix = env.prefix;
		r.prefix_inside = env.prefix;
		r.work_dir = path_absolute(&s->arena, ".");
		r.network = !o->offline && env.profile.network;
		rc = environment_run(&s->arena, &r, &command_status, e);
	}
	environment_close(&env);
	return rc;
}
