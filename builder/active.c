#include "builder/active.h"

#include "base/file.h"
#include "base/json.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_STATE = 16 << 20 };

struct list {
	const char **v;
	size_t n, cap;
};

/* An environment that was packed brings its own activate. */
static const char ACTIVATE_PACKED[] = ". \"$ENVBUILD_PREFIX/bin/activate\" || exit 125\n";

/* One that was only installed is activated as conda does it. */
static const char ACTIVATE_PLAIN[] =
	"for _script in \"$CONDA_PREFIX\"/etc/conda/activate.d/*.sh; do\n"
	"	if [ -r \"$_script\" ]; then . \"$_script\"; fi\n"
	"done\n"
	"unset _script\n";

static const char *find_shell(struct arena *a, struct engine *engine, const struct active *env)
{
	static const char *const SHELLS[] = {"/bin/bash", "/usr/bin/bash"};

	for (size_t i = 0; i < sizeof SHELLS / sizeof *SHELLS; i++)
		if (path_exists(arena_printf(a, "%s%s", engine_root(engine), SHELLS[i])))
			return SHELLS[i];
	if (path_exists(path_join(a, env->prefix, "bin/bash")))
		return path_join(a, env->prefix_inside, "bin/bash");
	if (path_exists(arena_printf(a, "%s/bin/sh", engine_root(engine))))
		return "/bin/sh";
	return NULL;
}

int active_init(struct arena *a, struct engine *engine, const char *prefix,
	const char *prefix_inside, struct active *out, struct err *e)
{
	*out = (struct active){.prefix = prefix, .prefix_inside = prefix_inside};
	if (!path_exists(path_join(a, prefix, "conda-meta"))) {
		err_set(e, ERR_USAGE, "no environment at '%s': it has no conda-meta", prefix);
		return err_advise(e, "name an environment's folder, or an archive");
	}
	out->packed = path_exists(path_join(a, prefix, "bin/activate")) &&
		      path_exists(path_join(a, prefix, "conda-meta/envbuild"));
	out->shell = find_shell(a, engine, out);
	if (out->shell)
		return 0;
	err_set(e, ERR_SANDBOX, "the image has no shell: neither /bin/bash nor /bin/sh is in '%s'",
		engine_root(engine));
	return err_advise(e, "use an image with a shell, or add 'bash' to dependencies");
}

const char *active_script(const struct active *env)
{
	return env->packed ? ACTIVATE_PACKED : ACTIVATE_PLAIN;
}

const char *const *active_argv(
	struct arena *a, const struct active *env, const char *script, const char *const *args)
{
	struct list list = {0};

	*VEC_PUSH(a, &list) = env->shell;
	*VEC_PUSH(a, &list) = "-c";
	*VEC_PUSH(a, &list) = arena_printf(a, "%s%s", active_script(env), script);
	*VEC_PUSH(a, &list) = "envbuild";
	for (; args && *args; args++)
		*VEC_PUSH(a, &list) = *args;
	*VEC_PUSH(a, &list) = NULL;
	return list.v;
}

/* --- variables ---------------------------------------------------------------------------- */

static void read_variables(struct arena *a, struct json *j, struct list *list)
{
	enum json_type t;

	while (json_next(j) == JSON_KEY) {
		struct str name = arena_str(a, json_text(j));
		t = json_next(j);
		if (t == JSON_STRING && name.n && str_chr(name, '=') < 0)
			*VEC_PUSH(a, list) =
				arena_printf(a, "%.*s=%.*s", STR_ARG(name), STR_ARG(json_text(j)));
		if (json_skip_rest(j, t) < 0)
			return;
	}
}

/* conda-meta/state: {"env_vars": {NAME: VALUE}} (CEP 24). */
static void add_state(struct arena *a, const struct active *env, struct list *list)
{
	struct str text;

	if (file_read(a, path_join(a, env->prefix, "conda-meta/state"), MAX_STATE, &text, NULL) < 0)
		return;
	struct json *j = json_open_text(text, "conda-meta/state");
	if (json_next(j) == JSON_OBJECT)
		while (json_next(j) == JSON_KEY) {
			bool it = str_is(json_text(j), "env_vars");
			enum json_type t = json_next(j);
			if (it && t == JSON_OBJECT)
				read_variables(a, j, list);
			else if (json_skip_rest(j, t) < 0)
				break;
		}
	json_close(j);
}

static void add_inherited(struct arena *a, struct list *list)
{
	static const char *const NAMES[] = {"TERM", "COLORTERM", "LANG", "LC_ALL", "TZ",
		"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
		"ENVBUILD_SKIP_CHECK"};
	bool lang = false;

	for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
		const char *value = getenv(NAMES[i]);
		if (!value)
			continue;
		lang = lang || strcmp(NAMES[i], "LANG") == 0;
		*VEC_PUSH(a, list) = arena_printf(a, "%s=%s", NAMES[i], value);
	}
	if (!lang)
		*VEC_PUSH(a, list) = "LANG=C.UTF-8";
}

static const char SYSTEM_PATH[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

static void add_plain(struct arena *a, const struct active *env, struct list *list)
{
	const char *in = env->prefix_inside;

	*VEC_PUSH(a, list) = arena_printf(a, "PATH=%s/bin:%s", in, SYSTEM_PATH);
	*VEC_PUSH(a, list) = arena_printf(a, "CONDA_PREFIX=%s", in);
	*VEC_PUSH(a, list) = arena_printf(a, "CONDA_DEFAULT_ENV=%s", in);
	*VEC_PUSH(a, list) = "CONDA_SHLVL=1";
	add_state(a, env, list);
}

const char *const *active_variables(struct arena *a, const struct active *env)
{
	struct list list = {0};

	add_plain(a, env, &list);
	*VEC_PUSH(a, &list) = NULL;
	return list.v;
}

const char *const *active_proxies(struct arena *a)
{
	static const char *const NAMES[] = {"http_proxy", "https_proxy", "no_proxy", "all_proxy",
		"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"};
	struct list list = {0};

	for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
		if (getenv(NAMES[i]))
			*VEC_PUSH(a, &list) = arena_printf(a, "%s=%s", NAMES[i], getenv(NAMES[i]));
	*VEC_PUSH(a, &list) = NULL;
	return list.v;
}

const char *const *active_environment(
	struct arena *a, const struct active *env, struct engine *engine, const char *const *more)
{
	bool direct = engine_is_direct(engine);
	const char *home = direct ? getenv("HOME") : NULL;
	const char *in = env->prefix_inside;
	struct list list = {0};

	*VEC_PUSH(a, &list) = arena_printf(a, "HOME=%s", home ? home : "/tmp");
	if (!direct) {
		*VEC_PUSH(a, &list) = "USER=root";
		*VEC_PUSH(a, &list) = "LOGNAME=root";
	}
	add_inherited(a, &list);
	if (env->packed) {
		*VEC_PUSH(a, &list) = arena_printf(a, "PATH=%s", SYSTEM_PATH);
		*VEC_PUSH(a, &list) = arena_printf(a, "ENVBUILD_PREFIX=%s", in);
	} else {
		add_plain(a, env, &list);
	}
	for (; more && *more; more++)
		*VEC_PUSH(a, &list) = *more;
	*VEC_PUSH(a, &list) = NULL;
	return list.v;
}
