/* The machine that is deployed to: what it offers, and the packed test on it. */
#include "cli/deploy.h"

#include "base/file.h"
#include "base/log.h"
#include "builder/test.h"
#include "cli/environment.h"
#include "images/compare.h"
#include "images/probe.h"
#include "packer/pack.h"

#include <stdlib.h>
#include <unistd.h>

/* 1, or 0 where the archive carries none. */
static int read_paper(struct deploying *d, const char *name, struct str *out, struct err *e)
{
	return paper_read(&d->s->arena, d->release.parts.whole, name, out, e);
}

/* --- what it offers --------------------------------------------------------------------------- */

static bool is_skipped(void)
{
	const char *skip = getenv("ENVBUILD_SKIP_CHECK");

	return skip && *skip && strcmp(skip, "0") != 0;
}

static int refuse(const struct profile *target, const struct drift *first, struct err *e)
{
	err_set(e, ERR_FAIL, "target '%.*s' promises %s %s, and this host has %s",
		STR_ARG(target->name), first->what, first->said, *first->has ? first->has : "none");
	return err_advise(e, "deploy on a host of the target; ENVBUILD_SKIP_CHECK=1 goes on");
}

/*
 * The solver counted on virtual packages; `host` names the kernel that just happened to be there.
 * Activation does not refuse for want of a GPU: who deploys and submits may have none.
 */
static bool decides(const struct profile *target, const struct drift *drift)
{
	return str_starts(str_of(drift->what), STR("__")) && strcmp(drift->what, "__cuda") != 0 &&
	       !(str_is(target->name, "host") && strcmp(drift->what, "__linux") == 0);
}

static int judge_host(const struct profile *target, const struct drifts *drifts, struct err *e)
{
	const struct drift *first = NULL;

	for (size_t i = 0; i < drifts->n; i++) {
		const struct drift *drift = &drifts->v[i];

		if (!drift->lacks)
			continue;
		if (decides(target, drift) && !is_skipped())
			first = first ? first : drift;
		else
			log_warn("target '%.*s' promises %s %s, and this host has %s",
				STR_ARG(target->name), drift->what, drift->said,
				*drift->has ? drift->has : "none");
	}
	return first ? refuse(target, first, e) : 0;
}

static int read_profile(struct deploying *d, struct profile *out, struct err *e)
{
	struct str text;
	int found = read_paper(d, "profile.yml", &text, e);

	if (found < 0)
		return -1;
	if (!found)
		return err_set(e, ERR_INTEGRITY, "'%s' carries no profile", d->operand);
	return profile_parse(&d->s->arena, "profile.yml", text, out, e) < 0
		       ? err_wrap(e, "in '%s'", d->operand)
		       : 0;
}

int deploy_check_host(struct deploying *d, struct err *e)
{
	struct probe_notes notes = {0};
	struct drifts drifts = {0};
	struct profile target, host;

	if (read_profile(d, &target, e) < 0)
		return -1;
	/* Whether its programs can run here at all. */
	if (engine_check_machine(&target, e) < 0)
		return -1;
	if (probe_host(&d->s->arena, NULL, &host, &notes, e) < 0)
		return err_wrap(e, "while looking at this host");
	profile_drift(&d->s->arena, &target, &host, false, &drifts);
	return judge_host(&target, &drifts, e);
}

/* --- the test --------------------------------------------------------------------------------- */

static int copy_paper(struct deploying *d, const char *name, const char **out, struct err *e)
{
	char *path = path_join(&d->s->arena, d->s->work, name);
	struct str text;
	int found = read_paper(d, name, &text, e);

	if (found <= 0)
		return found;
	*out = path;
	return file_write(path, text, 0755, e) < 0 ? -1 : 1;
}

/* This machine itself, in a sandbox where it allows one. */
static int open_engine(
	struct deploying *d, struct profile *target, struct engine **out, struct err *e)
{
	struct engine_options options;
	struct err refused = {0};

	if (environment_options(d->s, target, &options, e) < 0)
		return -1;
	options.root = "/";
	if (engine_open(out, &options, &refused) == 0)
		return 0;
	if (options.engine || refused.code != ERR_SANDBOX)
		return err_move(e, &refused);
	log_warn("the test runs without a sandbox: %s", refused.text);
	err_release(&refused);
	options.engine = "none";
	return engine_open(out, &options, e);
}

/* 1: it was not run after all. */
static int run_test(struct deploying *d, const char *script, struct err *e)
{
	const struct options *o = &d->s->line.options;
	struct arena *a = &d->s->arena;
	struct test_request r = {.prefix = d->dir,
		.in_use = true,
		.at_place = true,
		.name = arena_cstr(a, d->line.name),
		.script = script,
		.script_name = "run-test.sh",
		.shell = o->test_shell,
		.timeout_s = o->timeout};
	struct profile target;
	struct test_result result;
	int rc = -1;

	if (o->project && environment_project(d->s, NULL, &r.project_dir, e) < 0)
		return -1;
	if (copy_paper(d, "environment.yml", &r.environment_file, e) < 0 ||
		read_profile(d, &target, e) < 0 || open_engine(d, &target, &r.engine, e) < 0)
		return -1;
	if (engine_is_direct(r.engine) && d->again) {
		log_warn("not tested again: without a sandbox it would be tested while it is used");
		engine_close(r.engine);
		return 1;
	}
	d->written = engine_is_direct(r.engine) && geteuid() == 0;
	r.network = target.network;
	rc = test_run(a, &r, &result, e);
	engine_close(r.engine);
	return rc;
}

int deploy_test(struct deploying *d, struct err *e)
{
	const char *script = NULL;
	struct step step;
	int found = copy_paper(d, "run-test.sh", &script, e), rc;

	if (found < 0)
		return -1;
	if (!found || d->s->line.options.no_test) {
		d->line.test = STR("not run");
		log_warn("not tested here: %s",
			found ? "--no-test was given" : "the archive carries no test script");
		return 0;
	}
	step_begin(&step, "test", 0, 0);
	rc = run_test(d, script, e);
	d->line.test = rc == 0 ? STR("passed") : rc > 0 ? STR("not run") : STR("failed");
	if (rc < 0)
		step_fail(&step);
	else
		step_end(&step, rc ? "not run" : "run-test.sh passed in '%s'", d->dir);
	return rc < 0 ? -1 : 0;
}
