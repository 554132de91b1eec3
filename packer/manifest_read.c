#include "packer/manifest.h"

#include "base/json.h"
#include "packer/pack.h"

struct reading {
	struct arena *arena;
	struct json *json;
	struct err *err;
};

/* A text that may be null. */
static int read_text(struct reading *r, struct str *out)
{
	enum json_type t = json_next(r->json);

	if (t == JSON_STRING)
		*out = arena_str(r->arena, json_text(r->json));
	else if (t != JSON_NULL)
		return json_unexpected(r->json, t, "a text", r->err);
	return 0;
}

static int read_number(struct reading *r, int64_t *out)
{
	enum json_type t = json_next(r->json);

	if (t == JSON_NULL)
		return 0;
	if (t == JSON_NUMBER && json_int(r->json, out) == 0 && *out >= 0)
		return 0;
	return json_unexpected(r->json, t, "a number", r->err);
}

static struct str *package_field(struct manifest_package *p, struct str key)
{
	if (str_is(key, "name"))
		return &p->name;
	if (str_is(key, "version"))
		return &p->version;
	if (str_is(key, "build"))
		return &p->build;
	if (str_is(key, "subdir"))
		return &p->subdir;
	if (str_is(key, "file"))
		return &p->file;
	if (str_is(key, "url"))
		return &p->url;
	return str_is(key, "sha256") ? &p->sha256 : NULL;
}

static int read_package(struct reading *r, struct manifest_package *out)
{
	enum json_type t;

	while ((t = json_next(r->json)) == JSON_KEY) {
		struct str *field = package_field(out, json_text(r->json));

		if (field ? read_text(r, field) < 0 : json_skip(r->json) < 0)
			return field ? -1 : json_error(r->json, r->err);
	}
	return t == JSON_OBJECT_END ? 0 : json_error(r->json, r->err);
}

static int read_packages(struct reading *r, struct manifest *out)
{
	struct {
		struct manifest_package *v;
		size_t n, cap;
	} list = {0};
	enum json_type t = json_next(r->json);

	if (t != JSON_ARRAY)
		return t == JSON_ERROR ? json_error(r->json, r->err)
				       : json_fail(r->json, r->err, "'packages' is no list");
	while ((t = json_next(r->json)) == JSON_OBJECT) {
		struct manifest_package *p = VEC_PUSH(r->arena, &list);

		*p = (struct manifest_package){0};
		if (read_package(r, p) < 0)
			return -1;
	}
	out->packages = list.v;
	out->n_packages = list.n;
	if (t == JSON_ARRAY_END)
		return 0;
	return t == JSON_ERROR ? json_error(r->json, r->err)
			       : json_fail(r->json, r->err, "a package is no map");
}

static struct str *field_of(struct manifest *m, struct str key)
{
	if (str_is(key, "envbuild"))
		return &m->envbuild;
	if (str_is(key, "name"))
		return &m->name;
	if (str_is(key, "target"))
		return &m->target;
	if (str_is(key, "version"))
		return &m->version;
	if (str_is(key, "build_prefix"))
		return &m->build_prefix;
	if (str_is(key, "dest_prefix"))
		return &m->dest_prefix;
	return str_is(key, "longest_prefix_path") ? &m->longest_prefix_path : NULL;
}

static int read_key(struct reading *r, struct manifest *out, int64_t *longest)
{
	struct str key = json_text(r->json);
	struct str *field = field_of(out, key);

	if (field)
		return read_text(r, field);
	if (str_is(key, "manifest_version"))
		return read_number(r, &out->manifest_version);
	if (str_is(key, "longest_prefix"))
		return read_number(r, longest);
	if (str_is(key, "packages"))
		return read_packages(r, out);
	if (str_is(key, "making"))
		return making_read(r->arena, r->json, &out->making, r->err);
	return json_skip(r->json) < 0 ? json_error(r->json, r->err) : 0;
}

int manifest_parse(
	struct arena *a, struct str text, const char *where, struct manifest *out, struct err *e)
{
	struct reading r = {.arena = a, .json = json_open_text(text, where), .err = e};
	enum json_type t = json_next(r.json);
	int64_t longest = -1;
	int rc = 0;

	*out = (struct manifest){0};
	if (t != JSON_OBJECT)
		rc = t == JSON_ERROR ? json_error(r.json, e) : json_fail(r.json, e, "not a map");
	while (rc == 0 && (t = json_next(r.json)) == JSON_KEY)
		rc = read_key(&r, out, &longest);
	if (rc == 0 && t != JSON_OBJECT_END)
		rc = json_error(r.json, e);
	out->longest_prefix = longest < 0 ? SIZE_MAX : (size_t)longest;
	json_close(r.json);
	return rc;
}

int manifest_read(
	struct arena *a, const char *archive_or_prefix, struct manifest *out, struct err *e)
{
	struct str text;
	int rc = paper_read(a, archive_or_prefix, "manifest.json", &text, e);

	if (rc <= 0)
		return rc;
	if (manifest_parse(a, text, "manifest.json", out, e) < 0)
		return err_wrap(e, "in '%s'", archive_or_prefix);
	return 1;
}
