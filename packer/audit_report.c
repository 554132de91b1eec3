#include "packer/audit_report_inside.h"

int audit_form_of(const char *file, enum audit_form *out, struct err *e)
{
	static const char *const endings[] = {[AUDIT_TEXT] = ".txt",
		[AUDIT_JSON] = ".json",
		[AUDIT_JUNIT] = ".xml",
		[AUDIT_HTML] = ".html"};

	for (int i = 0; i <= AUDIT_HTML; i++)
		if (str_ends(str_of(file), str_of(endings[i]))) {
			*out = (enum audit_form)i;
			return 0;
		}
	err_set(e, ERR_USAGE, "the ending of '%s' says no form of a report", file);
	return err_advise(e, ".txt, .json, .xml (JUnit) and .html do");
}

void audit_report(struct arena *a, const struct audit *audit, enum audit_form form, struct buf *to)
{
	switch (form) {
	case AUDIT_TEXT:
		audit_text(a, audit, true, to);
		break;
	case AUDIT_JSON:
		audit_json(audit, to);
		break;
	case AUDIT_JUNIT:
		audit_junit(a, audit, to);
		break;
	case AUDIT_HTML:
		audit_html(a, audit, to);
		break;
	}
}

/* --- what the forms have in common ------------------------------------------------------------ */

void report_group(
	struct arena *a, const struct audit *audit, bool ignored, struct report_groups *out)
{
	size_t n = audit->tree->n_packages + 1;
	size_t *sizes = arena_array(a, size_t, n);
	struct report_group **groups = arena_array(a, struct report_group *, n);

	*out = (struct report_groups){.v = arena_array(a, struct report_group, n)};
	for (size_t i = 0; i < audit->n_findings; i++)
		if ((audit->findings[i].reason.n > 0) == ignored)
			sizes[audit->findings[i].package + 1]++;
	for (size_t i = 0; i < audit->n_findings; i++) {
		const struct audit_finding *f = &audit->findings[i];
		struct report_group **group = &groups[f->package + 1];

		if ((f->reason.n > 0) != ignored)
			continue;
		if (!*group) {
			*group = &out->v[out->n++];
			(*group)->package = f->package;
			(*group)->v =
				arena_array(a, const struct audit_finding *, sizes[f->package + 1]);
		}
		(*group)->v[(*group)->n++] = f;
	}
}

struct str report_package(const struct audit *audit, ptrdiff_t package)
{
	return package < 0 ? STR("no package") : audit->tree->packages[package].dist;
}

struct str report_count(struct arena *a, size_t n, const char *what)
{
	return arena_strf(a, "%zu %s%s", n, what, n == 1 ? "" : "s");
}

const char *report_sure(enum audit_sure sure)
{
	static const char *const names[] = {
		[SURE_POSSIBLE] = "possible", [SURE_LIKELY] = "likely", [SURE_CERTAIN] = "certain"};

	return names[sure];
}

const char *report_against(const struct audit *audit)
{
	return audit->against_root ? "image" : "list";
}

/* Char of XML 1.0, section 2.2; n bytes of one character of UTF-8. */
static bool is_of_xml(const char *p, size_t n)
{
	unsigned char c = (unsigned char)*p;

	if (n == 1)
		return (c >= ' ' && c != 0x7f) || c == '\t' || c == '\n' || c == '\r';
	if (n == 2 && c == 0xc2) /* C1: allowed, but they steer terminals */
		return (unsigned char)p[1] >= 0xa0;
	return n != 0 &&
	       !(n == 3 && memcmp(p, "\xef\xbf\xbe", 2) == 0 && (unsigned char)p[2] >= 0xbe);
}

static const char *entity_of(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>': /* "]]>" may not stand in XML */
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	case '\t': /* as white space an attribute would lose these */
		return "&#9;";
	case '\n':
		return "&#10;";
	case '\r':
		return "&#13;";
	}
	return NULL;
}

void report_markup(struct buf *to, struct str s)
{
	for (size_t i = 0; i < s.n;) {
		size_t n = utf8_sequence(str_sub(s, i, s.n));
		const char *entity = n == 1 ? entity_of(s.p[i]) : NULL;

		if (entity)
			buf_puts(to, entity);
		else if (is_of_xml(s.p + i, n))
			buf_add(to, s.p + i, n);
		else
			buf_puts(to, "\xef\xbf\xbd");
		i += n ? n : 1;
	}
}
