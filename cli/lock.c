/* envbuild lock: solve for each target and write the lock. */
#include "base/json.h"
#include "base/log.h"
#include "cli/output.h"
#include "cli/plan.h"

static void json_target(struct json_out *w, const struct plan *plan)
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
	jw_array_end(w);
	jw_object_end(w);
}

int command_lock(struct session *s, struct err *e)
{
	CLEANUP_BUF text = {0};
	struct json_out w = {.to = &text};
	struct project p;
	const char *path;
	bool changed;

	if (session_open(s, e) < 0 ||
		project_open(s, s->line.n_operands ? s->line.operands[0] : NULL, &p, e) < 0)
		return -1;
	if (p.lock_is_input)
		return err_set(e, ERR_USAGE, "'%s' is a lock file; lock takes an environment file",
			p.path);
	path = s->line.options.output ? s->line.options.output : p.lock_path;
	jw_object(&w);
	jw_key(&w, "lock");
	jw_cstr(&w, path);
	jw_key(&w, "targets");
	jw_array(&w);
	for (size_t i = 0; i < p.n_targets; i++) {
		struct plan plan;

		if (plan_target(s, &p, p.targets[i], true, &plan, e) < 0)
			return -1;
		plan_enter_lock(s, &p, &plan);
		json_target(&w, &plan);
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
