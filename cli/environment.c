#include "cli/environment.h"

#include "base/file.h"
#include "base/log.h"
#include "builder/disk.h"
#include "builder/install.h"
#include "builder/upkeep.h"
#include "cli/image_root.h"
#include "packer/pack.h"
#include "packer/parts.h"

#include <sys/stat.h>

/* Link scripts and pip get no GPU, so a command that runs nothing else asks for none. */
static int gpu_mode(const struct session *s, enum gpu_mode *out, struct err *e)
{
	static const char *const names[] = {
		[GPU_AUTO] = "auto", [GPU_NONE] = "none", [GPU_REQUIRE] = "require"};
	const char *given = s->line.options.gpu;

	*out = option_is_taken(s->line.command, OPT_GPU) ? GPU_AUTO : GPU_NONE;
	for (int i = 0; given && i < 3; i++)
		if (!strcmp(given, names[i])) {
			*out = (enum gpu_mode)i;
			return 0;
		}
	if (!given)
		return 0;
	return err_set(e, ERR_USAGE, "--gpu takes auto, none or require, not '%s'", given);
}

int environment_options(
	struct session *s, const struct profile *profile, struct engine_options *out, struct err *e)
{
	const struct options *o = &s->line.options;

	*out = (struct engine_options){
		.profile = profile,
		.engine = o->engine,
		.state_dir = path_join(&s->arena, s->work, "engine"),
		.max_processes = o->max_processes,
		.max_bytes = o->quota,
	};
	return gpu_mode(s, &out->gpu, e);
}

int environment_engine(
	struct session *s, const struct profile *profile, struct engine **out, struct err *e)
{
	struct engine_options options;

	if (environment_options(s, profile, &options, e) < 0 ||
		engine_check_machine(profile, e) < 0 || image_root(s, &options, e) < 0)
		return -1;
	return engine_open(out, &options, e);
}

int environment_project(struct session *s, const char *folder, const char **out, struct err *e)
{
	const char *given = s->line.options.project;
	struct stat st;

	*out = path_absolute(&s->arena, given ? given : folder);
	if (!given || (stat(given, &st) == 0 && S_ISDIR(st.st_mode)))
		return 0;
	return err_set(e, ERR_USAGE, "--project: no folder '%s'", given);
}

static int check_space(struct session *s, const struct install_request *r,
	struct record *const *needed, size_t n, struct err *e)
{
	struct disk_plan plan = {.cache = &s->cache,
		.records = needed,
		.n_records = n,
		.prefix = r->prefix,
		.copy = r->copy};

	return disk_check_plan(&plan, NULL, e);
}

int environment_fill_and_install(
	struct session *s, const struct install_request *r, struct content *content, struct err *e)
{
	struct record **needed = arena_array(&s->arena, struct record *, r->n_records + 1);
	size_t n = 0;

	for (int attempt = 0;; attempt++) {
		if (install_needed(&s->arena, r, needed, &n, e) < 0 ||
			check_space(s, r, needed, n, e) < 0 ||
			cache_fill(&s->cache, s->http, needed, n, s->jobs, s->line.options.offline,
				e) < 0)
			return -1;
		if (install(&s->arena, r, content, e) == 0)
			return 0;
		if (attempt || !cache_lost(&s->cache, needed, n, e))
			return -1;
		log_debug("the cache was cleaned meanwhile: %s", e->text);
		err_release(e);
	}
}

int environment_install(struct session *s, const struct project *p, const struct plan *plan,
	struct engine *engine, const char *prefix, bool copy, struct install_counts *counts,
	struct err *e)
{
	const struct options *o = &s->line.options;
	struct install_request r = {
		.cache = &s->cache,
		.records = plan->records,
		.n_records = plan->n_records,
		.prefix = prefix,
		.prefix_inside = prefix,
		.engine = engine,
		.requested = plan->env.depends,
		.n_requested = plan->env.n_depends,
		.variables = plan->env.variables,
		.allow_clobber = o->allow_clobber.v,
		.n_allow_clobber = o->allow_clobber.n,
		.frozen = o->frozen || p->settings.frozen,
		.externally_managed = o->externally_managed || p->settings.externally_managed,
		.n_variables = plan->env.n_variables,
		.compile = !o->no_compile,
		.copy = copy || plan->env.n_pip || plan->pypi->n,
		.network = !o->offline && plan->profile.network,
		.jobs = s->jobs,
		.timeout_s = o->timeout,
		.counts = counts,
	};

	plan_fill_pip(s, p, plan, &r);
	return environment_fill_and_install(s, &r, NULL, e);
}

/* An archive of which only the parts are there is called by its own name. */
static int find_split(const char *path, enum environment_kind *out, struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	struct archive_parts parts;

	*out = ENVIRONMENT_ARCHIVE;
	return archive_parts_find(&scratch, path, &parts, e);
}

int environment_kind(const char *path, enum environment_kind *out, struct err *e)
{
	enum pack_format format;
	struct stat st;

	*out = ENVIRONMENT_FILE;
	if (stat(path, &st) < 0)
		return find_split(path, out, e);
	if (S_ISDIR(st.st_mode)) {
		struct arena scratch = {0};

		if (path_exists(path_join(&scratch, path, "conda-meta")))
			*out = ENVIRONMENT_PREFIX;
		arena_release(&scratch);
	} else if (pack_format_of_path(path, &format) == 0) {
		*out = ENVIRONMENT_ARCHIVE;
	}
	return 0;
}

int environment_profile(struct session *s, const char *path, struct profile *out, struct err *e)
{
	struct arena *a = &s->arena;
	char *copy = path_join(a, s->work, "profile.yml");
	struct str text = {0};
	int found;

	if (s->line.options.targets.n)
		return profile_find(a, s->line.options.targets.v[0], ".", out, e);
	found = paper_read(a, path, "profile.yml", &text, e);
	if (found < 0)
		return -1;
	if (!found)
		return profile_find(a, "host", ".", out, e);
	if (file_write(copy, text, 0644, e) < 0 || profile_find(a, copy, ".", out, e) < 0)
		return err_wrap(e, "in the profile that '%s' carries", path);
	if (str_is(out->name, "host"))
		return profile_find(a, "host", ".", out, e);
	return 0;
}

/* "/a/demo.tar.gz" and "/a/demo" are both called demo. */
static struct str name_of(struct arena *a, const char *path)
{
	const char *name = path_base(path_absolute(a, path));

	return (struct str){name, pack_stem_length(name)};
}

static int open_file(struct session *s, const char *operand, struct environment *out, struct err *e)
{
	struct project *p = arena_new(&s->arena, struct project);
	struct plan plan;

	if (project_open(s, operand, p, e) < 0)
		return -1;
	if (p->n_targets > 1) {
		err_set(e, ERR_USAGE, "'%s' names %zu targets", operand, p->n_targets);
		return err_advise(e, "choose one with -t");
	}
	if (plan_target(s, p, p->targets[0], false, &plan, e) < 0)
		return -1;
	out->profile = plan.profile;
	out->name = plan.name.n ? plan.name : STR("env");
	out->project_dir = p->dir;
	out->file = p->lock_is_input ? NULL : p->path;
	out->prefix = path_join(&s->arena, s->work, "env");
	if (!s->line.options.quota)
		s->line.options.quota = p->settings.test_quota;
	if (environment_engine(s, &out->profile, &out->engine, e) < 0)
		return -1;
	return environment_install(
		s, p, &plan, out->engine, out->prefix, engine_is_direct(out->engine), NULL, e);
}

static int open_archive(struct session *s, const char *operand, bool relocate,
	struct environment *out, struct err *e)
{
	struct unpack_request r = {.archive = operand, .jobs = s->jobs};
	struct step step;

	if (environment_profile(s, operand, &out->profile, e) < 0 ||
		environment_engine(s, &out->profile, &out->engine, e) < 0)
		return -1;
	out->prefix = path_join(&s->arena, s->work, "env");
	r.dir = out->prefix;
	r.prefix = relocate ? out->prefix : NULL;
	step_begin(&step, "unpack", 0, 0);
	if (unpack(&r, e) < 0) {
		step_fail(&step);
		return -1;
	}
	step_end(&step, "%s", path_base(operand));
	return 0;
}

int environment_open(struct session *s, const char *operand, bool relocate, struct environment *out,
	struct err *e)
{
	enum environment_kind kind;

	*out = (struct environment){0};
	if (environment_kind(operand, &kind, e) < 0)
		return -1;
	out->name = name_of(&s->arena, operand);
	switch (kind) {
	case ENVIRONMENT_FILE:
		return open_file(s, operand, out, e);
	case ENVIRONMENT_ARCHIVE:
		return open_archive(s, operand, relocate, out, e);
	case ENVIRONMENT_PREFIX:
		out->prefix = path_absolute(&s->arena, operand);
		if (environment_profile(s, operand, &out->profile, e) < 0)
			return -1;
		return environment_engine(s, &out->profile, &out->engine, e);
	}
	return 0;
}

void environment_close(struct environment *env)
{
	engine_close(env->engine);
}
