#include "builder/run.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "builder/active.h"

#include <stdlib.h>
#include <unistd.h>

/* --- the shell ---------------------------------------------------------------------------- */

bool run_at_terminal(void)
{
	return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

/* A prompt is expanded each time it is shown, and archives are called as anybody likes. */
static void put_word(struct buf *b, struct str word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._-+";

	for (size_t i = 0; i < word.n; i++)
		buf_putc(b, memchr(plain, word.p[i], sizeof plain - 1) ? word.p[i] : '_');
}

/* "demo-rhel7" for rhel7 is the environment demo. */
static struct str name_alone(struct str name, struct str target)
{
	size_t n = name.n - target.n;

	if (name.n > target.n + 1 && str_ends(name, target) && name.p[n - 1] == '-')
		name.n = n - 1;
	return name;
}

/*
 * What the shell reads when it starts.  It activates there rather than before, so that functions
 * and aliases of activate.d last.  The prompt is that of every sh; only bash knows \w.
 */
static int write_start(
	const char *path, const struct run_request *r, const struct active *env, struct err *e)
{
	CLEANUP_BUF b = {0};

	buf_printf(&b,
		"unset PS1 ENV\n"
		"HISTFILE=\n"
		"%s"
		"PS1='(",
		active_script(env));
	put_word(&b, name_alone(r->name, r->target));
	buf_putc(&b, '@');
	put_word(&b, r->target);
	buf_printf(&b, ") ${PWD}$ '\n");
	return file_write(path, buf_view(&b), 0644, e);
}

static bool is_bash(const struct active *env)
{
	return str_ends(str_of(env->shell), STR("/bash"));
}

/* At a terminal the shell activates by its start file, else its commands come from stdin. */
static const char *const *shell_argv(
	struct arena *a, const struct active *env, const char *start, const char **more)
{
	const char **argv = arena_array(a, const char *, 8);
	const char *quiet[] = {env->shell, "--norc", "--noprofile", NULL};
	size_t n = 0;

	if (!start) {
		if (!is_bash(env))
			quiet[1] = NULL;
		return active_argv(a, env, "exec \"$@\"", quiet);
	}
	argv[n++] = env->shell;
	if (is_bash(env)) {
		argv[n++] = "--noprofile";
		argv[n++] = "--rcfile";
		argv[n++] = start;
	} else {
		*more = arena_printf(a, "ENV=%s", start);
	}
	argv[n++] = "-i";
	argv[n] = NULL;
	return argv;
}

/* --- the job ------------------------------------------------------------------------------ */

bool run_folder_is_systems(const char *dir)
{
	static const char *const names[] = {"/", "/tmp", "/usr", "/bin", "/sbin", "/lib", "/lib32",
		"/lib64", "/etc", "/var", "/run", "/opt", "/boot", "/usr/bin", "/usr/sbin",
		"/usr/lib", "/usr/lib64"};
	static const char *const trees[] = {"/dev", "/proc", "/sys"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(dir, names[i]))
			return true;
	for (size_t i = 0; i < sizeof trees / sizeof *trees; i++)
		if (str_starts(str_of(dir), str_of(trees[i])) &&
			(dir[strlen(trees[i])] == '/' || !dir[strlen(trees[i])]))
			return true;
	return false;
}

/* What a user chose for words and their language; what a prompt asks more of than a test. */
static const char **shell_variables(struct arena *a, const struct active *env, const char *more)
{
	static const char *const names[] = {"LANGUAGE", "LC_CTYPE", "LC_COLLATE", "LC_MESSAGES",
		"LC_MONETARY", "LC_NUMERIC", "LC_TIME", "NO_COLOR"};
	enum { N = sizeof names / sizeof *names };
	const char **v = arena_array(a, const char *, N + 3);
	size_t n = 0;

	for (size_t i = 0; i < N; i++)
		if (getenv(names[i]))
			v[n++] = arena_printf(a, "%s=%s", names[i], getenv(names[i]));
	v[n++] = arena_printf(a, "SHELL=%s", env->shell);
	if (more)
		v[n++] = more;
	v[n] = NULL;
	return v;
}

/* The prefix comes after the folder that it may lie in. */
static size_t bind_all(const struct run_request *r, const char *start, struct bind binds[3])
{
	enum bind_kind kind = engine_is_direct(r->engine) ? BIND_READ_WRITE : BIND_THROW_AWAY;
	size_t n = 0;

	if (r->work_dir && !run_folder_is_systems(r->work_dir))
		binds[n++] = (struct bind){r->work_dir, r->work_dir, BIND_READ_WRITE, NULL, 0};
	binds[n++] = (struct bind){r->prefix, r->prefix_inside, kind, NULL, 0};
	if (start)
		binds[n++] = (struct bind){start, start, BIND_READ_ONLY, NULL, 0};
	return n;
}

static const char *folder(const struct run_request *r)
{
	if (!r->work_dir)
		return "/";
	if (engine_is_direct(r->engine) || !strcmp(r->work_dir, "/tmp") ||
		!run_folder_is_systems(r->work_dir))
		return r->work_dir;
	return "/";
}

int environment_run(struct arena *a, const struct run_request *r, int *status, struct err *e)
{
	const char *start = NULL, *more = NULL, **variables = NULL;
	struct bind binds[3];
	struct active env;

	if (active_init(a, r->engine, r->prefix, r->prefix_inside, &env, e) < 0)
		return -1;
	if (!r->argv && run_at_terminal()) {
		start = path_join(a, r->scratch, "shell-start.sh");
		if (write_start(start, r, &env, e) < 0)
			return -1;
	}
	struct job job = {.cwd = folder(r),
		.binds = binds,
		.n_binds = bind_all(r, start, binds),
		.network = r->network,
		.gpu = true,
		.interactive = true,
		.timeout_s = r->timeout_s,
		.arena = a};
	if (r->argv) {
		job.argv = active_argv(a, &env, "exec \"$@\"", r->argv);
	} else {
		job.argv = shell_argv(a, &env, start, &more);
		variables = shell_variables(a, &env, more);
	}
	job.env = active_environment(a, &env, r->engine, variables);
	engine_say_network(r->engine, r->network);
	if (engine_run(r->engine, &job, status, e) < 0)
		return -1;
	if (job.full && *status != 0)
		log_warn("the command had written all that --quota allows");
	return 0;
}
