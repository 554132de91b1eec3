/* envbuild lock: solve for each target and write the lock. */
#include "base/date.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/audit_gate.h"
#include "cli/environment.h"
#include "cli/image_root.h"
#include "cli/learn.h"
#include "cli/output.h"
#include "cli/rules.h"
#include "cli/update.h"

static void json_target(
	struct session *s, const struct project *p, struct json_out *w, const struct plan *plan)
{
	jw_object(w);
	jw_key(w, "target");
	jw_str(w, plan->profile.name);
	jw_key(w, "subdir");
	jw_str(w, plan->profile.subdir);
	jw_key(w, "packages");
	jw_array(w);
	for (size_t i = 0; i < plan->locked.n_records; i++)
		jw_str(w, plan->locked.records[i]->url);
	for (size_t i = 0; i < plan->pypi->n; i++)
		jw_str(w, plan->pypi->v[i].url);
	jw_array_end(w);
	learn_tell(w, plan);
	update_tell(s, p, plan, w);
	jw_object_end(w);
}

/*
 * The target's Python and pip decide what its pip section comes to, so conda's part is installed
 * for them, privately.
 */
static int resolve_in(struct session *s, struct project *p, struct plan *plan,
	struct engine *engine, struct err *e)
{
	const struct options *o = &s->line.options;
	const struct lock_target *was =
		p->n_updates ? lock_find(&p->lock, plan->profile.name) : NULL;
	char *prefix = path_join(&s->arena, s->work, "lock");
	struct install_request r = {
		.cache = &s->cache,
		.records = plan->records,
		.n_records = plan->n_records,
		.prefix = prefix,
		.prefix_inside = BUILD_PREFIX,
		.engine = engine,
		.allow_clobber = o->allow_clobber.v,
		.n_allow_clobber = o->allow_clobber.n,
		.for_pack = true,
		.resolve_only = true,
		.network = !o->offline && plan->profile.network,
		.jobs = s->jobs,
		.timeout_s = o->timeout,
	};
	int rc;

	plan_fill_pip(s, p, plan, &r);
	if (was) {
		r.keep = &was->pypi;
		r.unkept = p->updates;
		r.n_unkept = p->n_updates;
	}
	if (engine_is_direct(engine)) {
		r.prefix = output_padded_prefix(&s->arena, prefix, strlen(BUILD_PREFIX));
		r.prefix_inside = r.prefix;
		r.copy = true;
	}
	rc = environment_fill_and_install(s, &r, NULL, e);
	return dir_remove(prefix, rc < 0 ? NULL : e) < 0 ? -1 : rc;
}

static int resolve_pip(struct session *s, struct project *p, struct plan *plan, struct err *e)
{
	struct engine *engine = NULL;
	int rc;

	if (plan->env.n_pip == 0 || plan->pypi->settled)
		return 0;
	rc = session_work(s, e);
	if (rc == 0)
		rc = environment_engine(s, &plan->profile, &engine, e);
	if (rc < 0) {
		err_wrap(e, "the pip section has to be resolved where target '%.*s' can run",
			STR_ARG(plan->profile.name));
		return err_advise(e, "leave out this target, or lock it on a machine that can");
	}
	rc = resolve_in(s, p, plan, engine, e);
	engine_close(engine);
	return rc;
}

/* --- learning ------------------------------------------------------------------------------- */

/*
 * Where the target's files are at hand, what is locked is audited against them; else only where that
 * is asked for, since packages are fetched for it.
 */
static int learn(struct session *s, struct project *p, struct plan *plan, struct err *e)
{
	const struct options *o = &s->line.options;
	struct engine_options engine = {.profile = &plan->profile, .engine = o->engine};
	struct learn_how how = {.final = true, .if_known = !o->audit_solve};
	struct err fault = {0};
	struct rules rules;

	if (plan->profile.host && !o->audit_solve)
		return 0;
	if (!o->audit_solve && !audit_knows(&plan->profile))
		return 0;
	if (image_root(s, &engine, e) < 0)
		return -1;
	how.root = image_root_folder(&engine);
	if (!how.root && !o->audit_solve)
		return 0;
	if (session_work(s, e) < 0)
		return -1;
	/* What envbuild.yml has of them; what is wrong there is for pack to say. */
	if (rules_collect(s, p, &rules, &fault) == 0)
		how.rules = &rules;
	err_release(&fault);
	return plan_learn(s, p, plan, &how, e);
}

/* --- --check -------------------------------------------------------------------------------- */

static void json_check(struct json_out *w, const struct plan *plan, bool current, struct str reason)
{
	jw_object(w);
	jw_key(w, "target");
	jw_str(w, plan->profile.name);
	jw_key(w, "current");
	jw_bool(w, current);
	if (!current) {
		jw_key(w, "reason");
		jw_str(w, reason);
	}
	jw_object_end(w);
}

/* Every target is looked at, so that one run tells all. */
static int check_targets(struct session *s, const struct project *p, struct json_out *w,
	struct buf *reasons, struct err *e)
{
	for (size_t i = 0; i < p->n_targets; i++) {
		struct plan plan;
		struct str reason;
		int current = plan_check(s, p, p->targets[i], &plan, &reason, e);

		if (current < 0)
			return -1;
		json_check(w, &plan, current, reason);
		if (!current)
			buf_printf(reasons, "\n  %.*s: %.*s", STR_ARG(plan.profile.name),
				STR_ARG(reason));
	}
	return 0;
}

static int check_lock(struct session *s, const struct project *p, struct err *e)
{
	CLEANUP_BUF text = {0}, reasons = {0};
	struct json_out w = {.to = &text};

	jw_object(&w);
	jw_key(&w, "lock");
	jw_cstr(&w, p->lock_path);
	jw_key(&w, "targets");
	jw_array(&w);
	if (check_targets(s, p, &w, &reasons, e) < 0)
		return -1;
	jw_array_end(&w);
	jw_key(&w, "current");
	jw_bool(&w, reasons.n == 0);
	jw_object_end(&w);
	output_document(&s->line.options, &text);
	if (reasons.n) {
		err_set(e, ERR_STALE, "the lock '%s' does not fit:%.*s", p->lock_path,
			STR_ARG(buf_view(&reasons)));
		return err_advise(e, "'envbuild lock' makes it anew");
	}
	log_note("%s: current", p->lock_path);
	return 0;
}

/* A lock that was made as of a date is asked for anew without it. */
static void warn_of_date(const struct session *s, const struct project *p)
{
	char day[DATE_DAY];

	if (!p->lock.as_of || s->line.options.as_of)
		return;
	date_day(p->lock.as_of, day);
	log_warn("the lock was made as of %s and will be of now; --as-of %s keeps it so", day, day);
}

int command_lock(struct session *s, struct err *e)
{
	CLEANUP_BUF text = {0};
	struct json_out w = {.to = &text};
	struct project p;
	const char *path;
	bool changed;

	if (learn_check_options(s, e) < 0 || session_open(s, e) < 0 ||
		project_open(s, s->line.n_operands ? s->line.operands[0] : NULL, &p, e) < 0)
		return -1;
	if (p.lock_is_input)
		return err_set(e, ERR_USAGE, "'%s' is a lock file; lock takes an environment file",
			p.path);
	if (s->line.options.check && s->line.options.output)
		return err_set(e, ERR_USAGE, "--check writes nothing: -o does not go with it");
	if (s->line.options.check && s->line.options.update.n)
		return err_set(
			e, ERR_USAGE, "--check changes nothing: --update does not go with it");
	if (s->line.options.check)
		return check_lock(s, &p, e);
	if (update_begin(s, &p, e) < 0)
		return -1;
	warn_of_date(s, &p);
	path = s->line.options.output ? s->line.options.output : p.lock_path;
	jw_object(&w);
	jw_key(&w, "lock");
	jw_cstr(&w, path);
	jw_key(&w, "targets");
	jw_array(&w);
	for (size_t i = 0; i < p.n_targets; i++) {
		struct plan plan;

		if (plan_target(s, &p, p.targets[i], true, &plan, e) < 0 ||
			learn(s, &p, &plan, e) < 0 || update_keep(s, &p, &plan, e) < 0 ||
			resolve_pip(s, &p, &plan, e) < 0)
			return -1;
		json_target(s, &p, &w, &plan);
		plan_enter_lock(s, &p, &plan);
	}
	jw_array_end(&w);
	if (project_write_lock(s, &p, path, &changed, e) < 0)
		return -1;
	jw_key(&w, "changed");
	jw_bool(&w, changed);
	jw_object_end(&w);
	log_note("%s: %s", path, changed ? "written" : "unchanged");
	output_document(&s->line.options, &text);
	return 0;
}
