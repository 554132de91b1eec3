/* envbuild install: an environment file or lock into a folder. */
#include "builder/install.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/environment.h"
#include "cli/output.h"

static int install_plan(struct session *s, struct project *p, const char *prefix, struct plan *plan,
	struct install_counts *counts, struct err *e)
{
	struct engine *engine = NULL;
	int rc = -1;

	if (environment_engine(s, &plan->profile, &engine, e) == 0)
		rc = environment_install(
			s, p, plan, engine, prefix, s->line.options.copy, counts, e);
	engine_close(engine);
	return rc;
}

int command_install(struct session *s, struct err *e)
{
	const struct options *o = &s->line.options;
	CLEANUP_BUF text = {0};
	struct json_out w = {.to = &text};
	struct project p;
	struct plan plan;
	struct install_counts counts = {0};
	const char *prefix;

	if (!o->prefix)
		return err_set(e, ERR_USAGE, "install needs a folder: -p DIR");
	if (session_open(s, e) < 0 || session_work(s, e) < 0 ||
		project_open(s, s->line.n_operands ? s->line.operands[0] : NULL, &p, e) < 0)
		return -1;
	if (p.n_targets > 1) {
		err_set(e, ERR_USAGE, "a prefix is for one target, %zu are named", p.n_targets);
		return err_advise(e, "choose one with -t");
	}
	prefix = path_absolute(&s->arena, o->prefix);
	if (plan_target(s, &p, p.targets[0], false, &plan, e) < 0 ||
		install_plan(s, &p, prefix, &plan, &counts, e) < 0)
		return -1;
	if (counts.unlinked || counts.kept)
		log_note("%s: %zu packages, %zu linked, %zu unlinked, %zu as they were", prefix,
			plan.n_records, counts.linked, counts.unlinked, counts.kept);
	else
		log_note("%s: %zu packages", prefix, plan.n_records);
	jw_object(&w);
	jw_key(&w, "prefix");
	jw_cstr(&w, prefix);
	jw_key(&w, "target");
	jw_str(&w, plan.profile.name);
	jw_key(&w, "packages");
	jw_int(&w, (int64_t)plan.n_records);
	jw_key(&w, "linked");
	jw_int(&w, (int64_t)counts.linked);
	jw_key(&w, "unlinked");
	jw_int(&w, (int64_t)counts.unlinked);
	jw_object_end(&w);
	output_document(&s->line.options, &text);
	return 0;
}
