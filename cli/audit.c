/* envbuild audit: can every binary file load on the target's hosts? */
#include "base/file.h"
#include "cli/audit_facts.h"
#include "cli/audit_gate.h"
#include "cli/environment.h"
#include "cli/image_root.h"
#include "cli/output.h"
#include "packer/audit_report.h"
#include "packer/audit_tree.h"

#include <stdio.h>

/* The root of the target's image; NULL where it is not at hand. */
static int find_root(
	struct session *s, const struct profile *profile, const char **out, struct err *e)
{
	struct engine_options options = {0};
	int r;

	if (environment_options(s, profile, &options, e) < 0)
		return -1;
	r = image_root(s, &options, e);
	*out = r > 0 ? options.root : NULL;
	return r < 0 ? -1 : 0;
}

static void tell(struct session *s, const struct audit *audit)
{
	CLEANUP_BUF text = {0};

	if (s->line.options.json)
		audit_json(&s->arena, audit, &text);
	else
		audit_text(&s->arena, audit, s->line.options.verbose > 0, &text);
	fwrite(text.p, 1, text.n, stdout);
}

int command_audit(struct session *s, struct err *e)
{
	struct audit_options options;
	struct audit_tree tree;
	struct profile profile;
	struct audit audit;
	const char *root;

	if (session_open(s, e) < 0 || session_work(s, e) < 0 ||
		profile_find(&s->arena,
			s->line.options.targets.n ? s->line.options.targets.v[0] : "host", ".",
			&profile, e) < 0 ||
		find_root(s, &profile, &root, e) < 0 ||
		audit_options_fill(s, &profile, root, &options, e) < 0 ||
		audit_tree_prefix(&s->arena, &s->cache, s->line.operands[0], s->jobs, &tree, e) <
			0 ||
		audit_export_facts(s, &tree, e) < 0 ||
		audit_run(&s->arena, &tree, &options, &audit, e) < 0 ||
		audit_write_reports(s, &audit, e) < 0)
		return -1;
	tell(s, &audit);
	return audit_gate(s, &audit, e);
}
