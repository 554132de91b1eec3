#include "packer/audit_report.h"

#include "base/json.h"

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
		audit_json(a, audit, to);
		break;
	case AUDIT_JUNIT:
		audit_junit(a, audit, to);
		break;
	case AUDIT_HTML:
		audit_html(a, audit, to);
		break;
	}
}

void audit_text(struct arena *a, const struct audit *audit, bool all, struct buf *to)
{
	(void)a;
	for (size_t i = 0; i < audit->n_findings; i++) {
		const struct audit_finding *f = &audit->findings[i];

		if (all || f->level > LEVEL_INFO)
			buf_printf(to, "%s: %.*s\n", audit_level_name(f->level), STR_ARG(f->text));
	}
}

static void put_package(struct json_out *w, const struct audit *audit, ptrdiff_t package)
{
	jw_key(w, "package");
	if (package < 0)
		jw_null(w);
	else
		jw_str(w, audit->tree->packages[package].dist);
}

static void put_floor(struct json_out *w, const struct audit *audit)
{
	jw_key(w, "needs_glibc");
	if (!audit->n_floors) {
		jw_null(w);
		return;
	}
	jw_object(w);
	jw_pair(w, "version", audit->floors[0].glibc);
	put_package(w, audit, audit->floors[0].package);
	jw_object_end(w);
}

static void put_finding(
	struct json_out *w, const struct audit *audit, const struct audit_finding *f)
{
	jw_object(w);
	jw_pair(w, "rule", str_of(audit_rule_name(f->rule)));
	jw_pair(w, "level", str_of(audit_level_name(f->level)));
	put_package(w, audit, f->package);
	jw_pair(w, "path", f->path);
	jw_pair(w, "needs", f->needs);
	jw_pair(w, "library", f->library);
	jw_pair(w, "target_has", f->has);
	jw_pair(w, "text", f->text);
	jw_object_end(w);
}

void audit_json(struct arena *a, const struct audit *audit, struct buf *to)
{
	struct json_out w = {.to = to, .indent = 2};

	(void)a;
	jw_object(&w);
	jw_pair(&w, "target", audit->profile->name);
	jw_pair(&w, "glibc", audit->glibc);
	jw_key(&w, "files");
	jw_int(&w, (int64_t)audit->n_binaries);
	put_floor(&w, audit);
	jw_key(&w, "findings");
	jw_array(&w);
	for (size_t i = 0; i < audit->n_findings; i++)
		put_finding(&w, audit, &audit->findings[i]);
	jw_array_end(&w);
	jw_object_end(&w);
	buf_putc(to, '\n');
}

void audit_junit(struct arena *a, const struct audit *audit, struct buf *to)
{
	audit_text(a, audit, true, to);
}

void audit_html(struct arena *a, const struct audit *audit, struct buf *to)
{
	audit_text(a, audit, true, to);
}
