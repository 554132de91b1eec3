#include "cli/pack_stages.h"

#include "base/file.h"
#include "builder/install.h"
#include "cli/environment.h"
#include "cli/pack_papers.h"
#include "cli/rules.h"
#include "images/libc.h"

#include <stdlib.h>

/* The last second that a tar tells as every reader takes it, in the year 2242. */
#define EPOCH_MAX UINT64_C(077777777777)

static int source_date(const struct plan *plan, int64_t *out, struct err *e)
{
	const char *given = getenv("SOURCE_DATE_EPOCH");
	uint64_t newest = 0;

	if (given) {
		if (str_u64(str_of(given), EPOCH_MAX, &newest) < 0)
			return err_set(e, ERR_USAGE,
				"SOURCE_DATE_EPOCH is no number of seconds since 1970: '%s'",
				given);
		*out = (int64_t)newest;
		return 0;
	}
	for (size_t i = 0; i < plan->n_records; i++)
		if (plan->records[i]->timestamp > newest)
			newest = plan->records[i]->timestamp;
	*out = (int64_t)(newest / 1000);
	return 0;
}

int pack_choose_making(struct pack_run *run, struct err *e)
{
	const struct options *o = &run->s->line.options;
	const struct settings *set = &run->project->settings;
	int64_t epoch = 0;

	if (source_date(&run->plan, &epoch, e) < 0)
		return -1;
	run->version = o->version ? str_of(o->version) : set->version;
	if (run->version.n && !profile_name_is_good(run->version))
		return err_set(e, o->version ? ERR_USAGE : ERR_INPUT,
			"the version '%.*s' cannot be part of a file's name: letters, digits, '.', "
			"'_' "
			"and '-' can",
			STR_ARG(run->version));
	run->making = (struct pack_making){
		.level = o->level,
		.epoch = epoch,
		.no_compile = o->no_compile,
		.frozen = o->frozen || set->frozen,
		.externally_managed = o->externally_managed || set->externally_managed,
		.allow_clobber = o->allow_clobber.v,
		.n_allow_clobber = o->allow_clobber.n,
	};
	return 0;
}

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
		.allow_clobber = run->making.allow_clobber,
		.n_allow_clobber = run->making.n_allow_clobber,
		.frozen = run->making.frozen,
		.externally_managed = run->making.externally_managed,
		.n_variables = plan->env.n_variables,
		.compile = !run->making.no_compile,
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

bool pack_mounts_zstd(const struct profile *p)
{
	struct str version = profile_virtual_version(p, "__linux");

	return version.n && glibc_cmp(version, STR("4.14")) >= 0;
}

int pack_archive(struct pack_run *run, struct err *e)
{
	struct pack_paper papers[PACK_PAPERS_MAX];
	struct pack_request r = {
		.arena = &run->s->arena,
		.content = &run->content,
		.path = run->output.temp,
		.format = run->output.format,
		.level = (int)run->making.level,
		.split = run->output.split,
		.zstd = pack_mounts_zstd(&run->plan.profile),
		.jobs = run->s->jobs,
		.epoch = run->making.epoch,
		.name = run->plan.name,
		.target = run->plan.profile.name,
		.profile = &run->plan.profile,
		.version = run->version,
		.making = &run->making,
		.papers = papers,
		.rules = &run->rules,
		.sizes = &run->sizes,
		/* What is made again to be compared must not be what was kept from then. */
		.cache = run->given ? NULL : &run->s->cache,
		.keep_segments = run->keep_segments,
		.dest_prefix = str_of(run->dest_prefix),
	};

	if (pack_papers(run, r.epoch, papers, &r.n_papers, e) < 0)
		return -1;
	r.audit = run->audit;
	if (pack_write(&r, &run->packed, e) < 0)
		return -1;
	return rules_check_size(&run->rules, &run->sizes, run->packed.bytes, e);
}
