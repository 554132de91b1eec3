#include "cli/pack_papers.h"

#include "base/log.h"
#include "packer/audit_paper.h"
#include "packer/sbom.h"
#include "solver/matchspec.h"

enum { SHOWN = 10 };

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

static void warn_of_errors(struct arena *a, const struct audit *audit, const struct profile *p)
{
	const struct audit_finding *f = audit->findings;
	struct str owner = {0};

	if (!audit->n_findings)
		return;
	if (f->record)
		owner = arena_strf(a, " of package '%.*s'", STR_ARG(record_dist(a, f->record)));
	log_warn("audit: '%.*s'%.*s needs %.*s of %.*s, which hosts of target '%.*s' lack%s",
		STR_ARG(f->path), STR_ARG(owner), STR_ARG(f->version), STR_ARG(f->library),
		STR_ARG(p->name),
		audit->n_findings > 1 ? "; it is not the only one: see audit.json" : "");
}

static void warn_of_unlisted(const struct audit *audit, const struct profile *p)
{
	CLEANUP_BUF names = {0};

	if (!audit->n_unlisted)
		return;
	for (size_t i = 0; i < audit->n_unlisted && i < SHOWN; i++)
		buf_printf(&names, "%s%.*s", i ? ", " : "", STR_ARG(audit->unlisted[i].library));
	if (audit->n_unlisted > SHOWN)
		buf_printf(&names, " and %zu more", audit->n_unlisted - SHOWN);
	log_warn("audit: no package brings and target '%.*s' does not list: %s", STR_ARG(p->name),
		names.p);
}

/* A file that is no proper binary has never kept an archive from being made. */
static int audit(struct pack_run *run, struct str *out, struct err *e)
{
	struct arena *a = &run->s->arena;
	struct audit audit = {0};
	struct err fault = {0};
	CLEANUP_BUF text = {0};

	if (audit_content(a, &run->content, &run->plan.profile, &audit, &fault) < 0 &&
		fault.code != ERR_INTEGRITY)
		return err_move(e, &fault);
	if (fault.code)
		log_warn("audit: %s", fault.text);
	warn_of_errors(a, &audit, &run->plan.profile);
	warn_of_unlisted(&audit, &run->plan.profile);
	audit_write(a, &audit, &run->plan.profile,
		fault.code ? "a binary file cannot be read" : NULL, &text);
	err_release(&fault);
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
	if (audit(run, &p++->text, e) < 0)
		return err_wrap(e, "while auditing");
	p->name = "sbom.cdx.json";
	if (sbom(run, epoch, &p++->text, e) < 0)
		return err_wrap(e, "while listing the parts");
	*n = (size_t)(p - papers);
	return 0;
}
