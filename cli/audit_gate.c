#include "cli/audit_gate.h"

#include "base/file.h"
#include "base/log.h"
#include "images/host.h"
#include "packer/audit_report.h"
#include "packer/diff_rows.h"

enum {
	SHOWN = 10,
	SENTENCE_MAX = 400, /* bytes, on the terminal */
};

/* --ignore, then envbuild.yml. */
static int gather_ignores(struct session *s, struct audit_options *out, struct err *e)
{
	const struct text_list *given = &s->line.options.ignore;
	size_t n_set = s->settings ? s->settings->n_ignores : 0;
	struct audit_ignore *v = arena_array(&s->arena, struct audit_ignore, given->n + n_set);

	out->ignores = v;
	for (size_t i = 0; i < given->n; i++)
		if (audit_ignore_parse(str_of(given->v[i]), &v[out->n_ignores++], e) < 0)
			return err_wrap(e, "--ignore");
	for (size_t i = 0; i < n_set; i++) {
		const struct ignore_setting *set = &s->settings->ignores[i];
		struct audit_ignore *one = &v[out->n_ignores++];

		one->place = set->place;
		if (audit_ignore_of(set->rule, set->pattern, set->reason, one, e) < 0)
			return -1;
	}
	return 0;
}

bool audit_knows(const struct profile *profile)
{
	return str_eq(profile->subdir, machine_subdir());
}

int audit_options_fill(struct session *s, const struct profile *profile, const char *root,
	struct audit_options *out, struct err *e)
{
	if (!audit_knows(profile)) {
		err_set(e, ERR_USAGE,
			"target '%.*s' is %.*s; on this machine the audit knows the loader of %.*s "
			"alone",
			STR_ARG(profile->name), STR_ARG(profile->subdir),
			STR_ARG(machine_subdir()));
		return err_advise(e, "audit on a machine of the target's type");
	}
	*out = (struct audit_options){.profile = profile,
		.root = root,
		.symbols = s->line.options.symbols,
		.jobs = s->jobs};
	return gather_ignores(s, out, e);
}

int audit_known(struct session *s, const struct known_binaries **out, struct err *e)
{
	const struct text_list *given = &s->line.options.facts;
	struct known_binaries *known;

	*out = s->known;
	if (s->known || !given->n)
		return 0;
	known = arena_new(&s->arena, struct known_binaries);
	known->arena = &s->arena;
	known->by_sum.arena = &s->arena;
	for (size_t i = 0; i < given->n; i++)
		if (known_binaries_read(known, given->v[i], e) < 0)
			return err_wrap(e, "--facts");
	*out = s->known = known;
	return 0;
}

int audit_check_options(const struct options *o, struct err *e)
{
	struct audit_ignore ignore;
	enum audit_form form;

	for (size_t i = 0; i < o->reports.n; i++)
		if (audit_form_of(o->reports.v[i], &form, e) < 0)
			return err_wrap(e, "--report");
	for (size_t i = 0; i < o->ignore.n; i++)
		if (audit_ignore_parse(str_of(o->ignore.v[i]), &ignore, e) < 0)
			return err_wrap(e, "--ignore");
	return 0;
}

/* --- reports ---------------------------------------------------------------------------------- */

/* Of several targets each has its own: audit.html -> audit-rhel7.html. */
static const char *report_path(struct session *s, const struct audit *audit, const char *given)
{
	struct str name = str_of(given);
	size_t dot = (size_t)str_rchr(name, '.');

	if (s->n_targets < 2)
		return given;
	return arena_printf(&s->arena, "%.*s-%.*s%s", (int)dot, given,
		STR_ARG(audit->profile->name), given + dot);
}

int audit_write_reports(struct session *s, const struct audit *audit, struct err *e)
{
	const struct text_list *given = &s->line.options.reports;

	for (size_t i = 0; i < given->n; i++) {
		const char *path = report_path(s, audit, given->v[i]);
		CLEANUP_BUF text = {0};
		enum audit_form form;

		if (audit_form_of(given->v[i], &form, e) < 0)
			return -1;
		audit_report(&s->arena, audit, form, &text);
		if (file_write(path, buf_view(&text), 0644, e) < 0)
			return -1;
		log_note("%s: written", path);
	}
	return 0;
}

/* --- what is said ----------------------------------------------------------------------------- */

/* A package may have names without end, and lines in them that look like ours. */
static struct str brief(struct arena *a, struct str text)
{
	return diff_brief(a, text, SENTENCE_MAX);
}

static bool is_told(const struct audit_finding *f)
{
	return f->level >= LEVEL_WARNING && !f->reason.n;
}

/* The worst is the error that the command ends with: it is not said here, but counts. */
static void say_findings(struct session *s, const struct audit *audit)
{
	const struct text_list *reports = &s->line.options.reports;
	size_t told = 0;

	for (size_t i = 0; i < audit->n_findings; i++) {
		const struct audit_finding *f = &audit->findings[i];

		if (!is_told(f) || ++told > SHOWN || (i == 0 && f->level == LEVEL_ERROR))
			continue;
		if (f->level == LEVEL_WARNING)
			log_warn("audit: %.*s", STR_ARG(brief(&s->arena, f->text)));
		else
			log_note("audit: %.*s", STR_ARG(brief(&s->arena, f->text)));
	}
	if (told > SHOWN && reports->n)
		log_note("audit: and %zu more; '%s' shows all", told - SHOWN,
			report_path(s, audit, reports->v[0]));
	else if (told > SHOWN)
		log_note("audit: and %zu more; --report audit.html shows all", told - SHOWN);
}

static void say_floor(struct arena *a, const struct audit *audit)
{
	const struct audit_floor *floor = &audit->floors[0];
	struct str owner = {0};

	if (!audit->n_floors)
		return;
	if (floor->package >= 0)
		owner = arena_strf(a, " (package '%.*s')",
			STR_ARG(audit->tree->packages[floor->package].dist));
	log_note("audit: %zu binary file%s glibc %.*s at most%.*s; target '%.*s' has %.*s",
		audit->n_binaries, audit->n_binaries == 1 ? " needs" : "s need",
		STR_ARG(floor->glibc), STR_ARG(owner), STR_ARG(audit->profile->name),
		STR_ARG(audit->glibc));
}

static int fail(struct session *s, const struct audit *audit, struct err *e)
{
	const struct audit_finding *worst = audit->findings;
	struct str name;

	err_set(e, ERR_AUDIT, "%.*s", STR_ARG(brief(&s->arena, worst->text)));
	if (worst->advice.n)
		return err_advise(e, "%.*s", STR_ARG(diff_clean(&s->arena, worst->advice)));
	if (worst->package < 0)
		return err_advise(e, "choose a newer target");
	name = audit->tree->packages[worst->package].name;
	return err_advise(e,
		"ask for an older build of '%.*s' in the environment file ('envbuild why %.*s' "
		"says what asks for it), or choose a newer target",
		STR_ARG(name), STR_ARG(name));
}

/* What is said of a site's hosts may be of no use here; what is said of this environment should be. */
static void say_useless(const struct audit *audit)
{
	for (size_t i = 0; i < audit->n_ignores && !audit->tree->of_packages; i++) {
		const struct audit_ignored *one = &audit->ignores[i];

		if (one->n == 0 && !one->of_profile)
			log_note("%s: the audit finds nothing that '%s:%.*s' would ignore",
				one->ignore->place, audit_ignore_rule(one->ignore),
				STR_ARG(one->ignore->pattern));
	}
}

int audit_gate(struct session *s, const struct audit *audit, struct err *e)
{
	say_useless(audit);
	if (s->line.command->run != command_audit) { /* which tells it all on stdout */
		say_findings(s, audit);
		say_floor(&s->arena, audit);
	}
	return audit->n_of[LEVEL_ERROR] ? fail(s, audit, e) : 0;
}
