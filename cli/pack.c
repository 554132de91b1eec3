/*
 * envbuild pack: the whole way from environment.yml to a tested archive.
 *
 * pack_target() is the list of stages.  Everything is made in the work folder; the archive is
 * written under a temporary name in the folder where it will stand, tested, and renamed only then.
 */
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "builder/disk.h"
#include "builder/install.h"
#include "builder/test.h"
#include "builder/upkeep.h"
#include "cli/audit_gate.h"
#include "cli/condarc.h"
#include "cli/environment.h"
#include "cli/image_root.h"
#include "cli/learn.h"
#include "cli/pack_beside.h"
#include "cli/pack_stages.h"
#include "cli/rules.h"
#include "cli/unchanged.h"
#include "packer/form.h"
#include "packer/parts.h"
#include "packer/relocator/relocate.h"
#include "packer/sums.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { SCRIPT_MAX = 64 << 20 };

/* --- what is asked for ---------------------------------------------------------------------- */

static int check_name(const struct pack_run *run, struct err *e)
{
	struct str name = run->plan.name;

	if (name.n == 0) {
		err_set(e, ERR_INPUT, "%s: the environment has no name", run->project->path);
		return err_advise(e, run->project->lock_is_input
					     ? "give one with -n NAME"
					     : "add a line 'name: NAME' to it, or give -n NAME");
	}
	if (!profile_name_is_good(name)) /* their rule is that of plain file names */
		return err_set(e, ERR_INPUT,
			"the name '%.*s' cannot be a file's name: letters, digits, '.', '_' "
			"and '-' can",
			STR_ARG(name));
	return 0;
}

/* What is tested and what the archive carries are the same bytes, whatever becomes of the file. */
static int take_script(struct pack_run *run, const char *path, struct err *e)
{
	struct arena *a = &run->s->arena;

	if (!path_exists(path))
		return err_set(e, ERR_USAGE, "no test script '%s'", path);
	run->has_test = true;
	run->script_name = path_base(path);
	run->script = output_work_path(a, run->s, "run-test.sh");
	if (file_read(a, path, SCRIPT_MAX, &run->script_text, e) < 0)
		return -1;
	return file_write(run->script, run->script_text, 0755, e);
}

/* --test, else envbuild.yml's; relative to the working folder and to the file's folder. */
static int choose_script(struct pack_run *run, struct err *e)
{
	struct arena *a = &run->s->arena;
	const struct options *o = &run->s->line.options;
	struct str set = run->project->settings.test_script;

	if (o->test && o->no_test)
		return err_set(e, ERR_USAGE, "--test and --no-test exclude each other");
	if (o->no_test)
		return 0;
	if (o->test)
		return take_script(run, path_absolute(a, o->test), e);
	if (set.n)
		return take_script(run, path_join(a, run->project->dir, arena_cstr(a, set)), e);
	return 0;
}

/* --dest-prefix, else envbuild.yml's, without a slash at its end. */
static int choose_dest_prefix(struct pack_run *run, struct err *e)
{
	struct arena *a = &run->s->arena;
	const char *given = run->s->line.options.dest_prefix;
	struct str set = run->project->settings.dest_prefix;
	enum err_code code = given ? ERR_USAGE : ERR_INPUT;

	if (!given && set.n == 0)
		return 0;
	given = given ? given : arena_cstr(a, set);
	if (given[0] != '/')
		return err_set(e, code, "destination prefix '%s' is no absolute path", given);
	if (!relocate_prefix_is_good(path_absolute(a, given)))
		return err_set(
			e, code, "destination prefix '%s' can be no environment's path", given);
	run->dest_prefix = path_absolute(a, given);
	return 0;
}

/* The lock is written last; that it cannot be is better known before anything is released. */
static int check_lock_place(const struct pack_run *run, struct err *e)
{
	const struct project *p = run->project;

	if (p->lock_is_input || run->plan.from_lock || access(p->dir, W_OK) == 0)
		return 0;
	err_sys(e, "cannot write the lock '%s'", p->lock_path);
	return err_advise(e, "it goes beside the environment file: pack a copy in another folder");
}

/* 1, or 0 where the target's image is not at hand. */
static int choose_image(struct pack_run *run, struct err *e)
{
	struct session *s = run->s;

	if (!s->line.options.quota)
		s->line.options.quota = run->project->settings.test_quota;
	if (environment_options(s, &run->plan.profile, &run->options, e) < 0 ||
		engine_check_machine(&run->plan.profile, e) < 0)
		return -1;
	return image_root(s, &run->options, e);
}

/* --- stages --------------------------------------------------------------------------------- */

/* The archive, as a user would have it: unpacked at another path, in a fresh root. */
static int test_archive(struct pack_run *run, struct err *e)
{
	const struct options *o = &run->s->line.options;
	struct arena *a = &run->s->arena;
	char *name = arena_cstr(a, run->plan.name);
	char *copy = path_join(a, run->s->work, "test");
	struct unpack_request unpacked = {
		.archive = run->output.temp, .dir = copy, .jobs = run->s->jobs};
	struct test_request r = {
		.engine = run->engine,
		.prefix = copy,
		.name = name,
		.project_dir = run->project_dir,
		.environment_file = run->project->lock_is_input ? NULL : run->project->path,
		.script = run->script,
		.script_name = run->script_name,
		.shell = o->test_shell,
		.log_path = output_work_path(a, run->s, "test.log"),
		.network = !o->offline && run->plan.profile.network,
		.timeout_s = o->timeout ? o->timeout : run->project->settings.test_timeout,
	};
	struct step step;
	int rc;

	if (!run->has_test) {
		log_warn("not tested: %s", o->no_test ? "--no-test was given"
						      : "no test script was given with --test");
		return 0;
	}
	step_begin(&step, "unpack", 0, 0);
	if (unpack(&unpacked, e) < 0) {
		step_fail(&step);
		return err_wrap(e, "while unpacking the archive for its test");
	}
	step_end(&step, "at another path");
	step_begin(&step, "test", 0, 0);
	rc = test_run(a, &r, &run->tested, e);
	if (rc < 0) {
		step_fail(&step);
		if (e->code == ERR_TEST)
			err_advise(e, "nothing was released; mend the environment or the test and "
				      "run again");
	} else {
		step_end(&step, "%s passed", run->script_name);
	}
	if (dir_remove(copy, rc < 0 ? NULL : e) < 0)
		return -1;
	return rc;
}

/* --- papers beside the archive -------------------------------------------------------------- */

static void json_test(struct json_out *w, const struct pack_run *run)
{
	const struct test_result *t = &run->tested;

	jw_key(w, "test");
	if (!run->has_test) {
		jw_null(w);
		return;
	}
	jw_object(w);
	jw_key(w, "status");
	jw_int(w, t->status);
	jw_key(w, "seconds");
	jw_double(w, t->seconds);
	jw_pair_strs(w, "changed_environment", t->changed_environment, t->n_changed_environment);
	jw_pair_strs(w, "changed_project", t->changed_project, t->n_changed_project);
	jw_object_end(w);
}

/* One that was made several times is told once, with all of its time. */
static void json_step(struct json_out *w, const struct step_time *steps, size_t n, size_t i)
{
	double seconds = 0;

	for (size_t k = 0; k < i; k++)
		if (strcmp(steps[k].name, steps[i].name) == 0)
			return;
	for (size_t k = i; k < n; k++)
		if (strcmp(steps[k].name, steps[i].name) == 0)
			seconds += steps[k].seconds;
	jw_key(w, steps[i].name);
	jw_double(w, seconds);
}

static void json_run(struct json_out *w, const struct pack_run *run)
{
	const struct step_time *steps;
	const char *const *warnings;
	size_t n;

	condarc_tell(run->s, w);
	jw_key(w, "started");
	jw_int(w, run->started);
	jw_key(w, "engine");
	jw_cstr(w, engine_name(run->engine));
	jw_key(w, "steps");
	jw_object(w);
	n = log_steps(&steps);
	for (size_t i = 0; i < n; i++)
		json_step(w, steps, n, i);
	jw_object_end(w);
	jw_key(w, "segments");
	jw_object(w);
	jw_key(w, "reused");
	jw_int(w, (int64_t)run->packed.segments_reused);
	jw_key(w, "made");
	jw_int(w, (int64_t)run->packed.segments_made);
	jw_object_end(w);
	jw_key(w, "warnings");
	jw_array(w);
	n = log_warnings(&warnings);
	for (size_t i = 0; i < n; i++)
		jw_cstr(w, warnings[i]);
	jw_array_end(w);
}

/* Of an archive that is not split there are none. */
static void json_parts(struct json_out *w, const struct pack_run *run)
{
	jw_key(w, "parts");
	jw_array(w);
	for (size_t i = 0; i < run->packed.n_parts; i++) {
		const struct pack_part *part = &run->packed.parts[i];
		char hex[SHA256_HEX + 1];

		hex_encode(part->sha256, SHA256_LEN, hex);
		jw_object(w);
		jw_key(w, "name");
		jw_cstr(w, part_path(&run->s->arena, path_base(run->output.path), i));
		jw_key(w, "bytes");
		jw_int(w, (int64_t)part->bytes);
		jw_key(w, "sha256");
		jw_cstr(w, hex);
		jw_object_end(w);
	}
	jw_array_end(w);
}

static void describe(const struct pack_run *run, bool whole, struct buf *to, int indent)
{
	struct json_out w = {.to = to, .indent = indent};
	char hex[SHA256_HEX + 1];

	hex_encode(run->packed.sha256, SHA256_LEN, hex);
	jw_object(&w);
	jw_key(&w, "envbuild");
	jw_cstr(&w, ENVBUILD_VERSION);
	jw_key(&w, "archive");
	jw_cstr(&w, whole ? path_base(run->output.path) : run->output.path);
	jw_key(&w, "format");
	jw_cstr(&w, pack_format_name(run->output.format));
	jw_key(&w, "sha256");
	jw_cstr(&w, hex);
	jw_key(&w, "bytes");
	jw_int(&w, (int64_t)run->packed.bytes);
	jw_key(&w, "unpacked_bytes");
	jw_int(&w, (int64_t)run->packed.unpacked_bytes);
	jw_key(&w, "target");
	jw_str(&w, run->plan.profile.name);
	jw_key(&w, "packages");
	jw_int(&w, (int64_t)run->plan.n_records);
	jw_key(&w, "tested");
	jw_bool(&w, run->has_test);
	json_test(&w, run);
	if (!run->unchanged)
		manifest_sizes_write(&w, &run->sizes);
	pack_describe_beside(run, &w);
	if (!run->unchanged)
		learn_tell(&w, &run->plan);
	if (!run->unchanged)
		json_parts(&w, run);
	if (whole) {
		json_run(&w, run);
		inputs_tell(&run->s->arena, &run->inputs, run->output.temp, &w);
	} else {
		jw_key(&w, "unchanged");
		jw_bool(&w, run->unchanged);
	}
	jw_object_end(&w);
	buf_putc(to, '\n');
}

/* NAME.sha256: of the file, of each part, or of the list that a folder has of its files. */
static void list_sums(const struct pack_run *run, struct buf *to)
{
	struct arena *a = &run->s->arena;
	const char *base = path_base(run->output.path);

	if (run->output.format == PACK_DIR)
		sums_add(to, arena_strf(a, "%s/" SUMS_PATH, base), run->packed.sha256);
	else if (!run->output.split)
		sums_add(to, str_of(base), run->packed.sha256);
	for (size_t i = 0; i < run->packed.n_parts; i++)
		sums_add(to, str_of(part_path(a, base, i)), run->packed.parts[i].sha256);
}

/*
 * All appear together, the archive last but for its lock: whoever sees it sees its papers too.
 */
static int release(struct pack_run *run, struct err *e)
{
	CLEANUP_BUF sums = {0};
	CLEANUP_BUF told = {0};
	struct pack_beside beside = {0};

	inputs_finish(&run->inputs, plan_lock_text(run->s, run->project, &run->plan));
	list_sums(run, &sums);
	describe(run, true, &told, 2);
	beside.sums = buf_view(&sums);
	beside.run_json = buf_view(&told);
	if (run->has_test &&
		file_read(&run->s->arena, output_work_path(&run->s->arena, run->s, "test.log"),
			SIZE_MAX, &beside.log, e) < 0)
		return -1;
	if (pack_make_beside(run, &beside, e) < 0 || pack_write_beside(run, &beside, e) < 0)
		return -1;
	return output_release(&run->output, run->packed.n_parts, e);
}

static void say_result(const struct pack_run *run)
{
	char size[24], parts[32] = "";

	if (run->output.split)
		snprintf(parts, sizeof parts, " in %zu part%s", run->packed.n_parts,
			run->packed.n_parts == 1 ? "" : "s");
	log_note("%s: %s%s, %zu packages for %.*s%s", run->output.path,
		format_bytes(run->packed.bytes, size), parts, run->plan.n_records,
		STR_ARG(run->plan.profile.name), run->has_test ? ", tested" : ", not tested");
	if (run->content.longest_prefix != SIZE_MAX)
		log_note("it can be unpacked to paths of at most %zu characters ('%.*s' sets that)",
			run->content.longest_prefix, STR_ARG(run->content.longest_prefix_path));
}

/*
 * Before anything is fetched; tell: what it comes to, which takes time to reckon.  A compressed archive is
 * about as large as its packages together.
 */
static int check_space(struct pack_run *run, bool tell, struct err *e)
{
	static const unsigned percent[] = {[PACK_TAR] = 0,
		[PACK_TAR_GZ] = 150,
		[PACK_TAR_ZST] = 110,
		[PACK_SQUASHFS] = 150,
		[PACK_DIR] = 0};
	struct session *s = run->s;
	struct disk_plan plan = {.cache = &s->cache,
		.records = run->plan.records,
		.n_records = run->plan.n_records,
		.prefix = s->work,
		.copy = run->plan.env.n_pip > 0 || run->rules.has_pre_pack,
		.archive = path_dir(&s->arena, run->output.path),
		.archive_percent = percent[run->output.format],
		.segments = percent[run->output.format] > 0 && !s->line.options.low_disk,
		.test = run->has_test ? s->work : NULL,
		.low_disk = s->line.options.low_disk};
	uint64_t peak = 0, *told = tell && s->line.options.verbose ? &peak : NULL;
	int rc = disk_check_plan(&plan, told, plan.segments ? NULL : e);
	char size[24];

	if (rc < 0 && plan.segments) {
		plan.segments = false;
		rc = disk_check_plan(&plan, told, e);
	}
	run->keep_segments = plan.segments;
	if (rc == 0 && told)
		log_debug("at most %s more than now are needed on the disk of '%s'",
			format_bytes(peak, size), s->cache_dir);
	return rc;
}

/* --low-disk: what this run brought into the cache is not needed for the test. */
static void drop_added(struct pack_run *run, const bool *added)
{
	if (!run->s->line.options.low_disk)
		return;
	cache_drop(&run->s->cache, run->plan.records, added, run->plan.n_records);
	learn_drop(run->s, &run->plan);
}

/* The way.  The audit looks at what the rules have left (pack_archive). */
static int walk(struct pack_run *run, struct err *e)
{
	struct session *s = run->s;
	char *build_dir = path_join(&s->arena, s->work, "build");
	bool *added = arena_array(&s->arena, bool, run->plan.n_records + 1);

	cache_missing(&s->cache, run->plan.records, run->plan.n_records, added);
	if (engine_open(&run->engine, &run->options, e) < 0 || pack_build(run, e) < 0 ||
		rules_run(s, &run->rules, &run->content, &run->sizes, e) < 0 ||
		pack_archive(run, e) < 0)
		return -1;
	if (dir_remove(build_dir, e) < 0)
		return -1;
	drop_added(run, added);
	return test_archive(run, e);
}

/* Before anything is built: what cannot load on the target is solved anew. */
static int learn(struct pack_run *run, bool has_image, struct err *e)
{
	const struct learn_how how = {.root = has_image ? image_root_folder(&run->options) : NULL,
		.rules = &run->rules,
		.final = !has_image};

	return plan_learn(run->s, run->project, &run->plan, &how, e);
}

static int check_pip(const struct plan *plan, struct err *e)
{
	if (!plan->env.n_pip || plan->pypi->settled)
		return 0;
	engine_no_root(&plan->profile, e);
	return err_wrap(e, "the pip section has to be resolved where the target can run");
}

/* What can be done without the target's image; then the sentence that says how to get it. */
static int stop_without_image(struct pack_run *run, struct err *e)
{
	const struct plan *plan = &run->plan;
	struct project *p = run->project;
	bool changed;

	/* A plan that is solved anew has lost what its pip section came to. */
	if (check_pip(plan, e) < 0 || learn(run, false, e) < 0 || check_pip(plan, e) < 0)
		return -1;
	plan_enter_lock(run->s, p, plan);
	if (project_write_lock(run->s, p, p->lock_path, &changed, e) < 0)
		return -1;
	log_note("%s: %s", p->lock_path, changed ? "written" : "unchanged");
	return engine_no_root(&plan->profile, e);
}

/* Said before anything is built. */
static int check_level(const struct pack_run *run, struct err *e)
{
	struct pack_request r = {.format = run->output.format,
		.level = (int)run->making.level,
		.zstd = pack_mounts_zstd(&run->plan.profile)};
	int level;

	return form_level(&r, &level, e);
}

static void take_inputs(struct pack_run *run, struct inputs_request *out)
{
	*out = (struct inputs_request){.s = run->s,
		.project = run->project,
		.plan = &run->plan,
		.engine = &run->options,
		.output = &run->output,
		.has_test = run->has_test,
		.has_hook = run->rules.has_pre_pack,
		.script = run->script_text,
		.project_dir = run->project_dir};
	inputs_take(out, &run->inputs);
}

/* Is what lies there what this would make? */
static bool look_first(struct pack_run *run)
{
	struct release_run found;
	struct inputs_request r;

	take_inputs(run, &r);
	/* A report is of an audit that has been made. */
	if (run->s->line.options.reports.n || !unchanged(&r, &run->inputs, &found))
		return false;
	run->unchanged = true;
	memcpy(run->packed.sha256, found.sha256, SHA256_LEN);
	run->packed.bytes = (uint64_t)found.bytes;
	run->packed.unpacked_bytes = (uint64_t)found.unpacked_bytes;
	run->tested.seconds = found.seconds;
	log_note("unchanged: %s is as this would make it", run->output.path);
	return true;
}

/*
 * What it comes to in the end is checked again only where that is another plan, and not under --low-disk:
 * what has been fetched by then will go, which a check cannot know.
 */
static int learn_in_space(struct pack_run *run, struct err *e)
{
	if (check_space(run, true, e) < 0 || learn(run, true, e) < 0)
		return -1;
	if (!run->plan.rounds.n || run->s->line.options.low_disk)
		return 0;
	return check_space(run, false, e);
}

/* A plan that was solved just now is learned from before anything is asked of what lies there. */
static int learn_fresh(struct pack_run *run, struct err *e)
{
	if (output_name(run->s, run->project, &run->plan, &run->output, e) < 0 ||
		check_level(run, e) < 0)
		return -1;
	if (run->plan.from_lock)
		return 0;
	if (learn_in_space(run, e) < 0)
		return -1;
	return pack_choose_making(run, e); /* by what is in it now */
}

/* One of a lock before it is built: where nothing has changed there is no need to look. */
static int learn_locked(struct pack_run *run, struct err *e)
{
	struct inputs_request r;

	if (!run->plan.from_lock)
		return 0;
	if (learn_in_space(run, e) < 0)
		return -1;
	if (run->plan.from_lock)
		return 0;
	if (pack_choose_making(run, e) < 0 || check_lock_place(run, e) < 0)
		return -1;
	take_inputs(run, &r);
	return 0;
}

static int pack_target(
	struct session *s, struct project *p, const char *target, struct buf *json, struct err *e)
{
	struct pack_run run = {.s = s, .project = p, .started = time(NULL)};
	bool changed;
	int rc = -1, has_image;

	if (environment_project(s, p->dir, &run.project_dir, e) < 0 ||
		plan_target(s, p, target, false, &run.plan, e) < 0 || check_name(&run, e) < 0 ||
		choose_script(&run, e) < 0 || pack_choose_making(&run, e) < 0 ||
		rules_collect(s, p, &run.rules, e) < 0 || choose_dest_prefix(&run, e) < 0 ||
		check_lock_place(&run, e) < 0)
		return -1;
	has_image = choose_image(&run, e);
	if (has_image <= 0)
		return has_image < 0 ? -1 : stop_without_image(&run, e);
	if (learn_fresh(&run, e) < 0)
		return -1;
	if (look_first(&run)) {
		describe(&run, false, json, 0);
		return 0;
	}
	if (learn_locked(&run, e) < 0 || output_begin(s, p, &run.plan, &run.output, e) < 0)
		return -1;
	if (walk(&run, e) == 0 && release(&run, e) == 0) {
		plan_enter_lock(s, p, &run.plan);
		rc = project_write_lock(s, p, p->lock_path, &changed, e);
		say_result(&run);
		describe(&run, false, json, 0);
	}
	engine_close(run.engine);
	output_abort(&run.output);
	return rc;
}

int command_pack(struct session *s, struct err *e)
{
	CLEANUP_BUF json = {0};
	struct project project;

	if (learn_check_options(s, e) < 0 || session_open(s, e) < 0 || session_work(s, e) < 0 ||
		project_open(s, s->line.n_operands ? s->line.operands[0] : NULL, &project, e) < 0)
		return -1;
	if (s->line.options.output && project.n_targets > 1)
		return err_set(e, ERR_USAGE, "-o names one file, but there are %zu targets",
			project.n_targets);
	for (size_t i = 0; i < project.n_targets; i++)
		if (pack_target(s, &project, project.targets[i], &json, e) < 0)
			return -1;
	if (s->line.options.json)
		output_json_documents(buf_view(&json), project.n_targets);
	return 0;
}
