/* The page's table of findings.  It is plain HTML: the script only sorts and hides its rows. */
#include "packer/audit_html_inside.h"

#include "images/policy.h"

/* A browser has to hold them all; what is beyond is in the other forms. */
enum { ROWS_MAX = 20000 };

static void cell(struct buf *to, struct str text)
{
	buf_puts(to, "<td>");
	report_markup(to, text);
	buf_puts(to, "</td>");
}

static const char *class_of(const struct audit_finding *f)
{
	return f->reason.n ? "ignored" : audit_level_name(f->level);
}

/* Sorted by what counts, how bad it is and how sure, the worst first. */
static void put_level(struct buf *to, const struct audit_finding *f)
{
	buf_printf(to,
		"<td data-key=\"%d%d%d\"><span class=\"level\">%s</span><small>%s</small></td>",
		f->reason.n > 0, LEVEL_ERROR - (int)f->level, SURE_CERTAIN - (int)f->sure,
		class_of(f), report_sure(f->sure));
}

static void put_rule(struct buf *to, const struct audit_finding *f)
{
	buf_printf(to, "<td title=\"%s\">%s</td>", audit_rule_about(f->rule),
		audit_rule_name(f->rule));
}

static void put_note(struct buf *to, const char *what, struct str text)
{
	if (!text.n)
		return;
	buf_printf(to, "<p><b>%s</b> ", what);
	report_markup(to, text);
	buf_puts(to, "</p>");
}

static void put_text(struct buf *to, const struct audit_finding *f)
{
	buf_puts(to, "<td>");
	report_markup(to, f->text);
	if (f->n_processes) {
		buf_puts(to, "<small>in ");
		report_markup(to, f->processes[0]);
		if (f->n_processes > 1)
			buf_printf(to, " and %zu more", f->n_processes - 1);
		buf_puts(to, "</small>");
	}
	put_note(to, "What to do:", f->advice);
	if (f->reason.n)
		buf_printf(to, "<p>A finding of level %s.</p>", audit_level_name(f->level));
	put_note(to, "Ignored:", f->reason);
	buf_puts(to, "</td>");
}

/* "GLIBC_2.28", with the library it is needed of where that says more. */
static void put_needs(struct buf *to, const struct audit_finding *f)
{
	buf_puts(to, "<td>");
	report_markup(to, f->needs);
	if (f->library.n && !str_eq(f->library, f->needs)) {
		buf_puts(to, "<small>");
		report_markup(to, f->library);
		buf_puts(to, "</small>");
	}
	buf_puts(to, "</td>");
}

static void put_row(const struct audit *audit, struct buf *to, const struct audit_finding *f)
{
	buf_printf(to, "<tr class=\"%s\">", class_of(f));
	put_level(to, f);
	put_rule(to, f);
	cell(to, f->package < 0 ? STR("(none)") : report_package(audit, f->package));
	cell(to, f->path);
	put_needs(to, f);
	cell(to, f->has);
	put_text(to, f);
	buf_puts(to, "</tr>\n");
}

static void put_box(struct buf *to, const char *value, const char *label)
{
	buf_printf(to,
		"<label><input type=\"checkbox\" name=\"level\" value=\"%s\" checked> %s</label>\n",
		value, label);
}

/* Without a script it would do nothing: the script shows it. */
static void put_filter(struct buf *to)
{
	buf_puts(to, "<form id=\"filter\" hidden>\n"
		     "<input type=\"search\" name=\"words\" placeholder=\"Filter by words\" "
		     "aria-label=\"Filter by words\" autocomplete=\"off\">\n"
		     "<select name=\"rule\" aria-label=\"Rule\"><option value=\"\">All rules"
		     "</option></select>\n"
		     "<select name=\"package\" aria-label=\"Package\"><option value=\"\">All "
		     "packages</option></select>\n"
		     "<fieldset><legend>Levels</legend>\n");
	put_box(to, "error", "Errors");
	put_box(to, "warning", "Warnings");
	put_box(to, "info", "Infos");
	put_box(to, "ignored", "Ignored");
	buf_puts(to, "</fieldset>\n<output id=\"shown\" aria-live=\"polite\"></output>\n</form>\n");
}

void html_findings(struct arena *a, const struct audit *audit, struct buf *to)
{
	size_t n = audit->n_findings < ROWS_MAX ? audit->n_findings : ROWS_MAX;

	if (!n) {
		buf_puts(to, "<p>Nothing was found.</p>\n");
		return;
	}
	put_filter(to);
	buf_puts(to, "<table id=\"findings\">\n<thead><tr><th>Level</th><th>Rule</th><th>Package"
		     "</th><th>File</th><th>Needs</th><th>Target has</th><th>Finding</th></tr>"
		     "</thead>\n<tbody>\n");
	for (size_t i = 0; i < n; i++)
		put_row(audit, to, &audit->findings[i]);
	buf_puts(to, "</tbody>\n</table>\n");
	if (n < audit->n_findings)
		buf_printf(to, "<p class=\"soft\">And %.*s, which a report as .json has.</p>\n",
			STR_ARG(report_count(a, audit->n_findings - n, "more finding")));
}
