#include "cli/pack_stages.h"

#include "base/file.h"
#include "builder/install.h"
#include "cli/environment.h"
#include "cli/rules.h"

#include <stdlib.h>

int pack_build(struct pack_run *run, struct err *e)
{
	const struct options *o = &run->s->line.options;
	struct arena *a = &run->s->arena;
	struct plan *plan = &run->plan;
	char *prefix = path_join(a, run->s->work, "build");
	struct install_request r = {
		.cache = &run->s->cache,
		.records = plan->records,
		.n_records = plan->n_records,
		.prefix = prefix,
		.prefix_inside = BUILD_PREFIX,
		.engine = run->engine,
		.requested = plan->env.depends,
		.n_requested = plan->env.n_depends,
		.variables = plan->env.variables,
		.allow_clobber = o->allow_clobber.v,
		.n_allow_clobber = o->allow_clobber.n,
		.frozen = o->frozen || run->project->settings.frozen,
		.externally_managed =
			o->externally_managed || run->project->settings.externally_managed,
		.n_variables = plan->env.n_variables,
		.compile = !o->no_compile,
		.for_pack = true,
		/* pip may write into what it finds; a hard link would carry that into the cache. */
		.copy = plan->env.n_pip || plan->pypi->n,
		.network = !o->offline && plan->profile.network,
		.jobs = run->s->jobs,
		.timeout_s = o->timeout,
	};

	plan_fill_pip(run->s, run->project, plan, &r);
	if (rules_fill_install(run->s, &run->rules, plan, run->project_dir, &run->pre_pack, &r, e) <
		0)
		return -1;
	if (engine_is_direct(run->engine)) {
		/* Without a sandbox the prefix has the path it lies at; its length is the build
		 * prefix's, so that the archive does not depend on the engine. */
		r.prefix = output_padded_prefix(a, prefix, strlen(BUILD_PREFIX));
		r.prefix_inside = r.prefix;
	}
	return environment_fill_and_install(run->s, &r, &run->content, e);
}

static int64_t source_date(const struct plan *plan)
{
	const char *given = getenv("SOURCE_DATE_EPOCH");
	uint64_t newest = 0;

	if (given && str_u64(str_of(given), INT64_MAX, &newest) == 0)
		return (int64_t)newest;
	for (size_t i = 0; i < plan->n_records; i++)
		if (plan->records[i]->timestamp > newest)
			newest = plan->records[i]->timestamp;
	return (int64_t)(newest / 1000);
}

static size_t add_papers(struct pack_run *run, struct pack_paper papers[5])
{
	size_t n = 0;

	if (!run->project->lock_is_input)
		papers[n++] = (struct pack_paper){
			"environment.yml", envfile_public_text(&run->s->arena, &run->plan.env)};
	papers[n++] = (struct pack_paper){
		"envbuild.lock", plan_lock_text(run->s, run->project, &run->plan)};
	papers[n++] = (struct pack_paper){"profile.yml", run->plan.profile.text};
	if (run->has_test)
		papers[n++] = (struct pack_paper){"run-test.sh", run->script_text};
	if (run->rules.has_pre_pack)
		papers[n++] = (struct pack_paper){PRE_PACK_PAPER, run->rules.pre_pack};
	return n;
}

int pack_archive(struct pack_run *run, struct err *e)
{
	const struct options *o = &run->s->line.options;
	struct pack_paper papers[5];
	struct pack_request r = {
		.content = &run->content,
		.path = run->output.temp,
		.format = run->output.format,
		.level = (int)o->level,
		.jobs = run->s->jobs,
		.epoch = source_date(&run->plan),
		.name = run->plan.name,
		.target = run->plan.profile.name,
		.profile = &run->plan.profile,
		.papers = papers,
		.rules = &run->rules,
		.sizes = &run->sizes,
	};

	r.n_papers = add_papers(run, papers);
	if (pack_write(&r, &run->packed, e) < 0)
		return -1;
	return rules_check_size(&run->rules, &run->sizes, run->packed.bytes, e);
}
