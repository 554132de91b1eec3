/*
 * The pip section of environment.yml: the environment's own pip, in the engine, after conda's
 * packages.  No -U (conda env passes it): pip may add to what was solved and locked, not replace it.
 */
#include "builder/prefix.h"

#include "base/buf.h"
#include "base/file.h"

#include <unistd.h>

static const char REQUIREMENTS[] = ".envbuild-requirements.txt";
static const char PROJECT[] = "/tmp/project";

static bool have_pip(const struct prefix *p)
{
	for (size_t i = 0; i < p->n_packages; i++)
		if (str_is(p->packages[i].record->name, "pip"))
			return true;
	return false;
}

/*
 * "-r FILE" and "-c FILE" are relative to the file they stand in, which is ours; so they are made
 * absolute.  Paths of packages are relative to the working folder and stay.
 */
static void add_line(struct buf *to, struct str line)
{
	static const char *const OPTIONS[] = {"-r", "--requirement", "-c", "--constraint"};
	struct str rest = str_trim(line);

	for (size_t i = 0; i < sizeof OPTIONS / sizeof *OPTIONS; i++) {
		struct str option = str_of(OPTIONS[i]);
		if (!str_starts(rest, option))
			continue;
		struct str file = str_sub(rest, option.n, rest.n);
		if (file.n && (option.n == 2 || strchr(" \t=", file.p[0]))) {
			file = str_trim(file);
			if (file.n && file.p[0] == '=')
				file = str_trim(str_sub(file, 1, file.n));
			bool relative =
				file.n && file.p[0] != '/' && str_find(file, STR("://")) < 0;
			buf_printf(to, "%s %s%s%.*s\n", OPTIONS[i], relative ? PROJECT : "",
				relative ? "/" : "", STR_ARG(file));
			return;
		}
	}
	buf_printf(to, "%.*s\n", STR_ARG(rest));
}

static int run_pip(struct prefix *p, struct err *e)
{
	const struct install_request *r = p->request;
	struct arena a = {0};
	struct bind bind = {r->project_dir, PROJECT, BIND_THROW_AWAY, NULL, 0};
	const char *in = r->prefix_inside;
	const char *const argv[] = {
		arena_printf(&a, "%s/%.*s", in, STR_ARG(p->python.program)),
		"-m",
		"pip",
		"--isolated",
		"--disable-pip-version-check",
		"--no-cache-dir",
		"install",
		"--no-compile",
		"-r",
		arena_printf(&a, "%s/%s", in, REQUIREMENTS),
		NULL,
	};
	struct command c = {.argv = argv,
		.binds = &bind,
		.n_binds = r->project_dir ? 1 : 0,
		.cwd = r->project_dir ? PROJECT : "/",
		.network = r->network,
		.show = true};
	int rc = prefix_run(p, &c, "pip", e);

	arena_release(&a);
	if (rc < 0 && !r->network)
		err_advise(e, "pip ran without the network: leave out --offline, or give it a "
			      "folder with --find-links");
	return rc;
}

/* An editable install is a pointer to /tmp/project, which is thrown away. */
static int refuse_editable(const struct prefix *p, struct err *e)
{
	for (size_t i = 0; i < p->request->n_pip; i++) {
		struct str line = str_trim(p->request->pip[i].text);
		if (!str_starts(line, STR("-e")) && !str_starts(line, STR("--editable")))
			continue;
		err_set(e, ERR_INPUT,
			"editable pip requirement '%.*s': the environment would only "
			"point to the project's folder",
			STR_ARG(line));
		return err_advise(e, "leave out the option: pip then installs it");
	}
	return 0;
}

int prefix_check_pip(const struct prefix *p, struct err *e)
{
	if (p->request->n_pip == 0)
		return 0;
	if (p->python.major && have_pip(p))
		return refuse_editable(p, e);
	err_set(e, ERR_INPUT, "the environment file has a pip section and no pip");
	return err_advise(e, "add 'pip' to dependencies");
}

int prefix_pip(struct prefix *p, struct err *e)
{
	const struct install_request *r = p->request;
	CLEANUP_BUF text = {0};

	for (size_t i = 0; i < r->n_pip; i++)
		add_line(&text, r->pip[i].text);
	if (prefix_put(p, REQUIREMENTS, buf_view(&text), 0644, e) < 0)
		return -1;
	int rc = run_pip(p, e);
	if (unlinkat(p->fd, REQUIREMENTS, 0) < 0 && rc == 0)
		rc = err_sys(e, "cannot remove '%s'", REQUIREMENTS);
	return rc < 0 ? -1 : prefix_compile_pip(p, e);
}
