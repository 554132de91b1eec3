/* envbuild verify ARCHIVE --rebuild. */
#include "cli/verify_archive.h"

#include "base/archive.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/environment.h"
#include "cli/image_root.h"
#include "cli/pack_stages.h"
#include "cli/rules.h"

#include <unistd.h>

struct rebuild {
	struct session *s;
	const struct release *release;
	const struct archive_found *found;
	struct project project;
	struct pack_run run;
	struct pack_paper given[5];
};

/* What is inside stands in a folder of its own, as a project would. */
static int lay_out(struct rebuild *r, struct err *e)
{
	struct arena *a = &r->s->arena;
	const struct archive_found *f = r->found;
	struct project *p = &r->project;
	char *dir = path_join(a, r->s->work, "rebuild");
	char *env = path_join(a, dir, "environment.yml");
	const char *project_dir;

	if (dir_make(dir, e) < 0 || environment_project(r->s, ".", &project_dir, e) < 0)
		return -1;
	*p = (struct project){.dir = arena_strdup(a, project_dir),
		.lock_path = r->release->parts.whole,
		.lock_is_input = !f->environment.p,
		.lock = f->lock,
		.has_lock = true};
	p->path = p->lock_is_input ? p->lock_path : env;
	return p->lock_is_input ? 0 : file_write(env, f->environment, 0644, e);
}

/* The papers that are inputs, byte by byte. */
static void give_papers(struct rebuild *r)
{
	const struct archive_found *f = r->found;
	const struct pack_paper all[] = {{"environment.yml", f->environment},
		{"envbuild.lock", f->lock_text}, {"profile.yml", f->profile_text},
		{"run-test.sh", f->test}, {PRE_PACK_PAPER, f->pre_pack}};

	r->run.given = r->given;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i].text.p)
			r->given[r->run.n_given++] = all[i];
}

static int take_making(struct rebuild *r, struct err *e)
{
	struct pack_run *run = &r->run;
	const struct manifest *m = &r->found->manifest;
	const char *whole = r->release->parts.whole;

	if (!m->making.format.n) {
		err_set(e, ERR_FAIL, "'%s' does not say how it was made", whole);
		return err_advise(e, "envbuild %.*s made it, which did not note that yet",
			STR_ARG(m->envbuild));
	}
	if (pack_format_parse(m->making.format, &run->output.format) < 0 || m->making.level < 0 ||
		m->making.level > 100)
		return err_set(e, ERR_INTEGRITY,
			"the manifest of '%s' names a format or level that does not exist", whole);
	run->making = m->making;
	run->making.as_told = true;
	run->version = m->version;
	if (m->dest_prefix.n)
		run->dest_prefix = arena_cstr(&r->s->arena, m->dest_prefix);
	run->output.path = run->output.temp = path_join(&r->s->arena, r->s->work,
		arena_printf(&r->s->arena, "rebuilt.%s", pack_format_name(run->output.format)));
	run->output.lock = -1;
	return 0;
}

/* The archive's profile; of `host` it is this machine that scripts run on. */
static int make_plan(struct rebuild *r, struct err *e)
{
	struct profile profile = r->found->profile;

	profile.host = str_is(profile.name, "host");
	if (plan_as_locked(r->s, &r->project, &profile, &r->run.plan, e) < 0)
		return -1;
	r->run.plan.name = r->found->manifest.name;
	return rules_from_archive(&r->s->arena, r->release->parts.whole,
		path_join(&r->s->arena, r->s->work, "added"), &r->run.rules, e);
}

static int open_engine(struct rebuild *r, struct err *e)
{
	struct pack_run *run = &r->run;
	int has_image;

	if (environment_options(r->s, &run->plan.profile, &run->options, e) < 0 ||
		engine_check_machine(&run->plan.profile, e) < 0)
		return -1;
	has_image = image_root(r->s, &run->options, e);
	if (has_image <= 0)
		return has_image < 0 ? -1 : engine_no_root(&run->plan.profile, e);
	return engine_open(&run->engine, &run->options, e);
}

/* --- comparing -------------------------------------------------------------------------------- */

/* What its hosts have decides what is found: the files are as the lock gives them. */
static int say_audit(const struct rebuild *r, const struct difference *d, struct err *e)
{
	struct str target = r->run.plan.profile.name;

	err_set(e, ERR_INTEGRITY,
		"'%.*s' in '%s' is not what the audit finds here, against the %s of '%.*s'; all "
		"else is the same",
		STR_ARG(d->path), r->release->parts.whole,
		r->run.audit->against_root ? "image" : "list of libraries", STR_ARG(target));
	return err_advise(e,
		"it was made with another image of '%.*s', or somebody changed what it says: give "
		"that image with --image, or read 'envbuild audit %s'",
		STR_ARG(target), r->release->parts.whole);
}

static int say_difference(const struct rebuild *r, const struct difference *d, struct err *e)
{
	const char *whole = r->release->parts.whole;
	struct str made_by = r->found->manifest.envbuild;

	err_set(e, ERR_INTEGRITY, "'%.*s' in '%s' differs: %.*s%s", STR_ARG(d->path), whole,
		STR_ARG(d->how), d->n > 1 ? "; it is not the only one" : "");
	if (!str_is(made_by, ENVBUILD_VERSION))
		return err_advise(e,
			"envbuild %.*s made it and this is envbuild " ENVBUILD_VERSION
			": ask the one that made it",
			STR_ARG(made_by));
	if (d->only_audit)
		return say_audit(r, d, e);
	return err_advise(e, "it is not what its lock gives: do not use it");
}

static int compare(struct rebuild *r, struct rebuild_result *out, struct err *e)
{
	const struct pack_run *run = &r->run;
	struct difference d;
	struct str there = r->found->manifest.making.compressor;
	struct str here =
		making_compressor(run->output.format, pack_mounts_zstd(&run->plan.profile));

	*out = (struct rebuild_result){0};
	out->identical = memcmp(run->packed.sha256, r->release->sha256, SHA256_LEN) == 0;
	if (out->identical)
		return 0;
	if (archive_compare(&r->s->arena, r->release->parts.whole, run->output.temp,
		    "in the one made again", &d, e) < 0)
		return -1;
	if (!d.same)
		return say_difference(r, &d, e);
	if (str_eq(there, here))
		return err_set(e, ERR_INTEGRITY,
			"'%s' holds the members that its lock gives, but in other bytes than %.*s "
			"makes",
			r->release->parts.whole, STR_ARG(here.n ? here : STR("envbuild")));
	out->compressor_there = there;
	out->compressor_here = here;
	return 0;
}

static int make_and_compare(struct rebuild *r, struct rebuild_result *out, struct err *e)
{
	struct pack_run *run = &r->run;

	if (open_engine(r, e) < 0 || pack_build(run, e) < 0 ||
		rules_run(r->s, &run->rules, &run->content, &run->sizes, e) < 0 ||
		pack_archive(run, e) < 0)
		return err_wrap(e, "while making '%s' again", r->release->parts.whole);
	return compare(r, out, e);
}

int verify_rebuild(struct session *s, const struct release *release,
	const struct archive_found *found, struct rebuild_result *out, struct err *e)
{
	struct rebuild r = {.s = s, .release = release, .found = found};
	int rc = -1;

	r.run.s = s;
	r.run.project = &r.project;
	if (lay_out(&r, e) < 0 || take_making(&r, e) < 0 || make_plan(&r, e) < 0)
		return -1;
	r.run.project_dir = r.project.dir;
	give_papers(&r);
	rc = make_and_compare(&r, out, e);
	engine_close(r.run.engine);
	return rc;
}
