#include "cli/pack_papers.h"

#include "cli/audit_gate.h"
#include "cli/image_root.h"
#include "packer/audit_report.h"
#include "packer/audit_tree.h"
#include "packer/sbom.h"
#include "solver/matchspec.h"

size_t pack_inputs(struct pack_run *run, struct pack_paper papers[PACK_PAPERS_MAX])
{
	size_t n = 0;

	if (run->given) {
		memcpy(papers, run->given, run->n_given * sizeof *papers);
		return run->n_given;
	}
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

/* --- the audit -------------------------------------------------------------------------------- */

static int audit(struct pack_run *run, struct str *out, struct err *e)
{
	struct arena *a = &run->s->arena;
	struct audit_options options;
	struct audit_tree *tree = arena_new(a, struct audit_tree);
	CLEANUP_BUF text = {0};
	struct audit *audit = arena_new(a, struct audit);

	if (audit_options_fill(
		    run->s, &run->plan.profile, image_root_folder(&run->options), &options, e) < 0)
		return -1;
	/* Made again, it is audited as it was: what is ignored stands in its manifest. */
	if (run->given) {
		options.ignores = run->making.ignores;
		options.n_ignores = run->making.n_ignores;
		options.symbols = run->making.symbols;
	}
	run->making.ignores = options.ignores;
	run->making.n_ignores = options.n_ignores;
	run->making.symbols = options.symbols;
	if (audit_tree_content(a, &run->s->cache, &run->content, tree, e) < 0 ||
		audit_run(a, tree, &options, audit, e) < 0)
		return -1;
	if (audit_write_reports(run->s, audit, e) < 0 || audit_gate(run->s, audit, e) < 0)
		return -1;
	audit_json(audit, &text);
	run->audit = audit;
	*out = arena_str(a, buf_view(&text));
	return 0;
}

/* --- the list of parts ------------------------------------------------------------------------ */

static int sbom(struct pack_run *run, int64_t epoch, struct str *out, struct err *e)
{
	struct arena *a = &run->s->arena;
	const struct plan *plan = &run->plan;
	struct str *requested = arena_array(a, struct str, plan->env.n_depends + 1);
	struct sbom_request r = {.packages = run->content.packages,
		.n_packages = run->content.n_packages,
		.pypi = plan->pypi,
		.name = plan->name,
		.version = run->version,
		.target = plan->profile.name,
		.requested = requested,
		.epoch = epoch};
	CLEANUP_BUF text = {0};
	struct matchspec spec;

	for (size_t i = 0; i < plan->env.n_depends; i++)
		if (matchspec_parse(a, plan->env.depends[i].text, &spec, NULL) == 0)
			requested[r.n_requested++] = spec.name;
	if (sbom_write(a, &r, &text, e) < 0)
		return -1;
	*out = arena_str(a, buf_view(&text));
	return 0;
}

int pack_papers(struct pack_run *run, int64_t epoch, struct pack_paper papers[PACK_PAPERS_MAX],
	size_t *n, struct err *e)
{
	struct pack_paper *p = papers + pack_inputs(run, papers);

	p->name = "audit.json";
	if (audit(run, &p++->text, e) < 0) /* what it found says by itself what it is about */
		return e && e->code == ERR_AUDIT ? -1 : err_wrap(e, "while auditing");
	p->name = "sbom.cdx.json";
	if (sbom(run, epoch, &p++->text, e) < 0)
		return err_wrap(e, "while listing the parts");
	*n = (size_t)(p - papers);
	return 0;
}
