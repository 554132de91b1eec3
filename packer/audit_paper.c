#include "packer/audit_paper.h"

#include "base/json.h"

static void key_int(struct json_out *w, const char *key, size_t n)
{
	jw_key(w, key);
	jw_int(w, (int64_t)n);
}

/* null: of no package */
static void key_package(struct arena *a, struct json_out *w, const struct record *r)
{
	jw_key(w, "package");
	if (r)
		jw_str(w, record_dist(a, r));
	else
		jw_null(w);
}

static void add_findings(struct arena *a, struct json_out *w, const struct audit *audit)
{
	jw_key(w, "errors");
	jw_array(w);
	for (size_t i = 0; i < audit->n_findings; i++) {
		const struct audit_finding *f = &audit->findings[i];

		jw_object(w);
		key_package(a, w, f->record);
		jw_pair(w, "path", f->path);
		jw_pair(w, "library", f->library);
		jw_pair(w, "needs", f->version);
		jw_pair(w, "target_has", f->best);
		jw_object_end(w);
	}
	jw_array_end(w);
}

static void add_unlisted(struct arena *a, struct json_out *w, const struct audit *audit)
{
	jw_key(w, "unlisted");
	jw_array(w);
	for (size_t i = 0; i < audit->n_unlisted; i++) {
		const struct audit_unlisted *u = &audit->unlisted[i];

		jw_object(w);
		jw_pair(w, "library", u->library);
		key_package(a, w, u->record);
		jw_pair(w, "path", u->path);
		key_int(w, "files", u->n_files);
		jw_object_end(w);
	}
	jw_array_end(w);
}

static void add_floor(struct arena *a, struct json_out *w, const struct audit *audit)
{
	jw_key(w, "needs_glibc");
	if (!audit->floor.n) {
		jw_null(w);
		return;
	}
	jw_object(w);
	jw_pair(w, "version", audit->floor);
	key_package(a, w, audit->floor_record);
	jw_object_end(w);
}

void audit_write(struct arena *a, const struct audit *audit, const struct profile *profile,
	const char *fault, struct buf *to)
{
	struct json_out w = {.to = to, .indent = 2};

	jw_object(&w);
	jw_pair(&w, "target", profile->name);
	jw_pair(&w, "glibc", profile->glibc);
	jw_key(&w, "libraries_known");
	jw_bool(&w, profile->has_libraries);
	if (fault) {
		jw_pair(&w, "fault", str_of(fault));
	} else {
		key_int(&w, "files", audit->n_files);
		add_floor(a, &w, audit);
		add_findings(a, &w, audit);
		add_unlisted(a, &w, audit);
	}
	jw_object_end(&w);
	buf_putc(to, '\n');
}
