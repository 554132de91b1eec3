/* An audit for people at a terminal, or in a file. */
#include "packer/audit_report_inside.h"

#include "base/table.h"
#include "packer/diff_rows.h"

enum { FLOORS_SHOWN = 4 };

struct text_report {
	struct arena *a;
	const struct audit *audit;
	struct buf *to;
	struct table advised; /* advice that was given already */
};

static void put(struct text_report *r, struct str s)
{
	buf_str(r->to, diff_clean(r->a, s));
}

/* --- the head --------------------------------------------------------------------------------- */

static void put_target(struct text_report *r)
{
	const struct audit *audit = r->audit;

	buf_puts(r->to, "target '");
	put(r, audit->profile->name);
	buf_puts(r->to, "' with glibc ");
	put(r, audit->glibc);
	buf_puts(r->to,
		audit->against_root ? ", held against its image\n"
		: audit->profile->has_libraries
			? ", held against the libraries that its profile lists\n"
			: ", held against its glibc alone: its profile lists no libraries\n");
}

static void put_counts(struct text_report *r)
{
	static const char *const names[] = {
		[LEVEL_INFO] = "info", [LEVEL_WARNING] = "warning", [LEVEL_ERROR] = "error"};
	const struct audit *audit = r->audit;

	buf_printf(
		r->to, "%.*s of ", STR_ARG(report_count(r->a, audit->n_binaries, "binary file")));
	buf_printf(r->to, "%.*s, loaded as ",
		STR_ARG(report_count(r->a, audit->tree->n_packages, "package")));
	buf_printf(r->to, "%zu %s:", audit->n_processes,
		audit->n_processes == 1 ? "process" : "processes");
	for (int level = LEVEL_ERROR; level >= LEVEL_INFO; level--)
		buf_printf(r->to, " %.*s,",
			STR_ARG(report_count(r->a, audit->n_of[level], names[level])));
	buf_printf(r->to, " %zu ignored\n", audit->n_ignored);
}

static void put_floors(struct text_report *r)
{
	const struct audit *audit = r->audit;

	if (!audit->n_floors) {
		buf_puts(r->to, "no binary file needs a version of glibc\n");
		return;
	}
	buf_puts(r->to, "it needs glibc ");
	put(r, audit->floors[0].glibc);
	for (size_t i = 0; i < audit->n_floors && i < FLOORS_SHOWN; i++) {
		const struct audit_floor *f = &audit->floors[i];

		if (i) {
			buf_puts(r->to, i == 1 ? "; next " : ", ");
			put(r, f->glibc);
		}
		buf_puts(r->to, " (");
		put(r, report_package(audit, f->package));
		buf_putc(r->to, ')');
	}
	buf_putc(r->to, '\n');
}

/* Each reason once, with how many findings it takes out. */
static void put_reasons(struct text_report *r)
{
	struct table reasons = {.arena = r->a};

	for (size_t i = 0; i < r->audit->n_findings; i++)
		if (r->audit->findings[i].reason.n)
			table_put(&reasons, r->audit->findings[i].reason)->num++;
	for (size_t i = 0; i < reasons.n; i++) {
		buf_printf(r->to, "ignored: %zu, because ", (size_t)reasons.entries[i].value.num);
		put(r, reasons.entries[i].key);
		buf_putc(r->to, '\n');
	}
}

/* --- findings --------------------------------------------------------------------------------- */

static void put_finding(struct text_report *r, const struct audit_finding *f)
{
	buf_printf(r->to, "  %s", audit_level_name(f->level));
	if (f->sure != SURE_CERTAIN)
		buf_printf(r->to, " (%s)", report_sure(f->sure));
	buf_puts(r->to, ": ");
	put(r, f->text);
	if (f->reason.n) {
		buf_puts(r->to, "\n    ignored: ");
		put(r, f->reason);
	}
	buf_putc(r->to, '\n');
}

/* Below the last of a row of findings for which it is the same. */
static void put_advice(
	struct text_report *r, const struct audit_finding *f, const struct audit_finding *next)
{
	if (!f->advice.n || (next && str_eq(f->advice, next->advice)) ||
		table_get(&r->advised, f->advice))
		return;
	table_put(&r->advised, f->advice)->num = 1;
	buf_puts(r->to, "    hint: ");
	put(r, f->advice);
	buf_putc(r->to, '\n');
}

/* Infos are last in a group. */
static size_t shown_of(const struct report_group *g, bool all)
{
	size_t n = g->n;

	while (!all && n && g->v[n - 1]->level <= LEVEL_INFO)
		n--;
	return n;
}

static void put_group(struct text_report *r, const struct report_group *g, bool all)
{
	size_t n = shown_of(g, all);

	if (!n)
		return;
	buf_putc(r->to, '\n');
	put(r, report_package(r->audit, g->package));
	buf_putc(r->to, '\n');
	for (size_t i = 0; i < n; i++) {
		put_finding(r, g->v[i]);
		if (!g->v[i]->reason.n)
			put_advice(r, g->v[i], i + 1 < n ? g->v[i + 1] : NULL);
	}
}

static void put_groups(struct text_report *r, bool ignored, bool all)
{
	struct report_groups groups;

	report_group(r->a, r->audit, ignored, &groups);
	if (ignored && groups.n)
		buf_puts(r->to, "\nignored:\n");
	for (size_t i = 0; i < groups.n; i++)
		put_group(r, &groups.v[i], all);
}

void audit_text(struct arena *a, const struct audit *audit, bool all, struct buf *to)
{
	struct text_report r = {.a = a, .audit = audit, .to = to, .advised.arena = a};
	size_t hidden = audit->n_of[LEVEL_INFO] + audit->n_ignored;

	put_target(&r);
	put_counts(&r);
	put_floors(&r);
	put_reasons(&r);
	put_groups(&r, false, all);
	if (all)
		put_groups(&r, true, true);
	else if (hidden)
		buf_puts(to, "\n-v shows infos and what is ignored\n");
}
