/*
 * audit.json: keys in their order, nothing of the machine that made it, so that the same environment
 * and target give the same bytes.  The form is described in envbuild-audit(1).
 */
#include "packer/audit_report_inside.h"

#include "base/json.h"

enum { AUDIT_VERSION = 1 };

static void put_package(struct json_out *w, const struct audit *audit, ptrdiff_t package)
{
	jw_pair_or_null(
		w, "package", package < 0 ? (struct str){0} : audit->tree->packages[package].dist);
}

static void put_counts(struct json_out *w, const struct audit *audit)
{
	jw_key(w, "counts");
	jw_object(w);
	jw_pair_int(w, "binaries", (int64_t)audit->n_binaries);
	jw_pair_int(w, "errors", (int64_t)audit->n_of[LEVEL_ERROR]);
	jw_pair_int(w, "ignored", (int64_t)audit->n_ignored);
	jw_pair_int(w, "infos", (int64_t)audit->n_of[LEVEL_INFO]);
	jw_pair_int(w, "packages", (int64_t)audit->tree->n_packages);
	jw_pair_int(w, "processes", (int64_t)audit->n_processes);
	jw_pair_int(w, "warnings", (int64_t)audit->n_of[LEVEL_WARNING]);
	jw_object_end(w);
}

static void put_finding(
	struct json_out *w, const struct audit *audit, const struct audit_finding *f)
{
	jw_object(w);
	jw_pair_or_null(w, "advice", f->advice);
	jw_pair(w, "level", str_of(audit_level_name(f->level)));
	jw_pair_or_null(w, "library", f->library);
	jw_pair_or_null(w, "needs", f->needs);
	put_package(w, audit, f->package);
	jw_pair_or_null(w, "path", f->path);
	jw_pair_strs(w, "processes", f->processes, f->n_processes);
	if (f->reason.n)
		jw_pair(w, "reason", f->reason);
	jw_pair(w, "rule", str_of(audit_rule_name(f->rule)));
	jw_pair(w, "sure", str_of(report_sure(f->sure)));
	jw_pair_or_null(w, "target_has", f->has);
	jw_pair_or_null(w, "text", f->text);
	jw_object_end(w);
}

static void put_findings(
	struct json_out *w, const char *key, const struct audit *audit, bool ignored)
{
	jw_key(w, key);
	jw_array(w);
	for (size_t i = 0; i < audit->n_findings; i++)
		if ((audit->findings[i].reason.n > 0) == ignored)
			put_finding(w, audit, &audit->findings[i]);
	jw_array_end(w);
}

static void put_floors(struct json_out *w, const struct audit *audit)
{
	jw_key(w, "floors");
	jw_array(w);
	for (size_t i = 0; i < audit->n_floors; i++) {
		const struct audit_floor *f = &audit->floors[i];

		jw_object(w);
		jw_pair_or_null(w, "glibc", f->glibc);
		put_package(w, audit, f->package);
		jw_pair_or_null(w, "path", f->path);
		jw_object_end(w);
	}
	jw_array_end(w);
}

/* What `envbuild diff` reads. */
static void put_needs_glibc(struct json_out *w, const struct audit *audit)
{
	jw_key(w, "needs_glibc");
	if (!audit->n_floors) {
		jw_null(w);
		return;
	}
	jw_object(w);
	put_package(w, audit, audit->floors[0].package);
	jw_pair(w, "version", audit->floors[0].glibc);
	jw_object_end(w);
}

void audit_json(const struct audit *audit, struct buf *to)
{
	struct json_out w = {.to = to, .indent = 2};

	jw_object(&w);
	jw_pair(&w, "against", str_of(report_against(audit)));
	jw_pair_int(&w, "audit_version", AUDIT_VERSION);
	put_counts(&w, audit);
	put_findings(&w, "findings", audit, false);
	put_floors(&w, audit);
	jw_pair_or_null(&w, "glibc", audit->glibc);
	put_findings(&w, "ignored", audit, true);
	put_needs_glibc(&w, audit);
	jw_pair_or_null(&w, "target", audit->profile->name);
	jw_object_end(&w);
	buf_putc(to, '\n');
}
