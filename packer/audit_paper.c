#include "packer/audit_paper.h"

#include "base/json.h"

static void key_str(struct json_out *w, const char *key, struct str value)
{
	jw_key(w, key);
	jw_str(w, value);
}

static void key_int(struct json_out *w, const char *key, size_t n)
{
	jw_key(w, key);
	jw_int(w, (int64_t)n);
}

static void add_findings(struct arena *a, struct json_out *w, const struct audit *audit)
{
	jw_key(w, "errors");
	jw_array(w);
	for (size_t i = 0; i < audit->n_findings; i++) {
		const struct audit_finding *f = &audit->findings[i];

		jw_object(w);
		key_str(w, "package", record_dist(a, f->record));
		key_str(w, "path", f->path);
		key_str(w, "library", f->library);
		key_str(w, "needs", f->version);
		key_str(w, "target_has", f->best);
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
		key_str(w, "library", u->library);
		key_str(w, "package", record_dist(a, u->record));
		key_str(w, "path", u->path);
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
	key_str(w, "version", audit->floor);
	key_str(w, "package", record_dist(a, audit->floor_record));
	jw_object_end(w);
}

void audit_write(struct arena *a, const struct audit *audit, const struct profile *profile,
	const char *fault, struct buf *to)
{
	struct json_out w = {.to = to, .indent = 2};

	jw_object(&w);
	key_str(&w, "target", profile->name);
	key_str(&w, "glibc", profile->glibc);
	jw_key(&w, "libraries_known");
	jw_bool(&w, profile->has_libraries);
	if (fault) {
		key_str(&w, "fault", str_of(fault));
	} else {
		key_int(&w, "files", audit->n_files);
		add_floor(a, &w, audit);
		add_findings(a, &w, audit);
		add_unlisted(a, &w, audit);
	}
	jw_object_end(&w);
	buf_putc(to, '\n');
}
