#include "cli/audit.h"

#include "base/log.h"
#include "builder/disk.h"
#include "images/libc.h"
#include "packer/audit.h"

enum { SHOWN = 10 };

static int fill(struct session *s, const struct plan *plan, struct err *e)
{
	struct disk_plan disk = {.cache = &s->cache,
		.records = plan->records,
		.n_records = plan->n_records,
		.prefix = s->work};

	if (disk_check_plan(&disk, NULL, e) < 0)
		return -1;
	return cache_fill(&s->cache, s->http, plan->records, plan->n_records, s->jobs,
		s->line.options.offline, e);
}

/* Of "GLIBC_2.28" and the like the higher number is further from what the target has. */
static bool is_worse(const struct audit_finding *a, const struct audit_finding *b)
{
	struct str x = a->version, y = b->version;

	str_cut(&x, '_');
	str_cut(&y, '_');
	return x.p && y.p && glibc_cmp(x, y) > 0;
}

static const struct audit_finding *worst_of(const struct audit *audit)
{
	const struct audit_finding *worst = &audit->findings[0];

	for (size_t i = 1; i < audit->n_findings; i++)
		if (is_worse(&audit->findings[i], worst))
			worst = &audit->findings[i];
	return worst;
}

static void say_finding(struct arena *a, const struct audit_finding *f)
{
	log_note("audit: '%.*s' of package '%.*s' needs %.*s of %.*s", STR_ARG(f->path),
		STR_ARG(record_dist(a, f->record)), STR_ARG(f->version), STR_ARG(f->library));
}

static int fail(struct arena *a, const struct audit *audit, const struct profile *p, struct err *e)
{
	const struct audit_finding *f = worst_of(audit);

	for (size_t i = 0; i < audit->n_findings && i < SHOWN; i++)
		say_finding(a, &audit->findings[i]);
	if (audit->n_findings > SHOWN)
		log_note("audit: and %zu more", audit->n_findings - SHOWN);
	err_set(e, ERR_AUDIT,
		"'%.*s' of package '%.*s' needs %.*s of %.*s; hosts of target '%.*s' have %.*s%.*s",
		STR_ARG(f->path), STR_ARG(record_dist(a, f->record)), STR_ARG(f->version),
		STR_ARG(f->library), STR_ARG(p->name),
		STR_ARG(f->best.n ? f->best : STR("none of its kind")),
		STR_ARG(f->best.n ? STR(" at most") : STR("")));
	return err_advise(e,
		"ask for an older build of '%.*s' in the environment file ('envbuild why %.*s' "
		"says "
		"what asks for it), or choose a newer target",
		STR_ARG(f->record->name), STR_ARG(f->record->name));
}

static void say(struct arena *a, const struct audit *audit, const struct profile *p)
{
	for (size_t i = 0; i < audit->n_unlisted && i < SHOWN; i++) {
		const struct audit_unlisted *u = &audit->unlisted[i];

		log_warn("audit: '%.*s' of package '%.*s' needs the library %.*s, which no package "
			 "brings and target '%.*s' does not list",
			STR_ARG(u->path), STR_ARG(record_dist(a, u->record)), STR_ARG(u->library),
			STR_ARG(p->name));
	}
	if (audit->n_unlisted > SHOWN)
		log_warn("audit: and %zu more libraries", audit->n_unlisted - SHOWN);
	if (audit->floor.n && !audit->n_findings)
		log_note("audit: %zu binary files need glibc %.*s at most (package '%.*s'); target "
			 "'%.*s' has %.*s",
			audit->n_files, STR_ARG(audit->floor),
			STR_ARG(record_dist(a, audit->floor_record)), STR_ARG(p->name),
			STR_ARG(p->glibc));
}

int audit_plan(struct session *s, const struct plan *plan, struct err *e)
{
	struct audit audit;

	if (fill(s, plan, e) < 0 || audit_packages(&s->arena, &s->cache, plan->records,
					    plan->n_records, &plan->profile, &audit, e) < 0)
		return err_wrap(e, "while auditing");
	say(&s->arena, &audit, &plan->profile);
	return audit.n_findings ? fail(&s->arena, &audit, &plan->profile, e) : 0;
}
