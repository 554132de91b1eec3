#include "builder/listing.h"

#include "base/file.h"
#include "base/json.h"

enum { MAX_INFO = 64 << 20, MAX_ENTRY_POINTS = 100000 };

/* --- entry points ------------------------------------------------------------------------- */

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || (unsigned char)c >= 0x80;
}

static bool is_command(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_word(s.p[i]) && (s.p[i] == '\0' || !strchr("._+-", s.p[i])))
			return false;
	return path_is_safe(s) && s.n < 256;
}

/* NAME(.NAME)*: Python identifiers, loosely. */
static bool is_dotted_name(struct str s)
{
	for (struct str rest = s; rest.p;) {
		struct str part = str_cut(&rest, '.');
		if (part.n == 0 || (part.p[0] >= '0' && part.p[0] <= '9'))
			return false;
		for (size_t i = 0; i < part.n; i++)
			if (!is_word(part.p[i]))
				return false;
	}
	return s.n > 0;
}

int entry_point_parse(struct arena *a, struct str text, struct entry_point *out, struct err *e)
{
	struct str rest = text, command = str_trim(str_cut(&rest, '='));
	struct str module = str_trim(str_cut(&rest, ':')), function = str_trim(rest);
	/* "f [extra]": extras of setuptools do not concern the script. */
	struct str bracket = function;

	function = str_trim(str_cut(&bracket, '['));
	if (!is_command(command) || !is_dotted_name(module) || !is_dotted_name(function))
		return err_set(e, ERR_INTEGRITY, "bad entry point '%.*s' in info/link.json",
			STR_ARG(text));
	out->command = arena_str(a, command);
	out->module = arena_str(a, module);
	out->function = arena_str(a, function);
	return 0;
}

/* --- link.json ---------------------------------------------------------------------------- */

static int read_entry_points(struct arena *a, struct json *j, struct package *out, struct err *e)
{
	struct {
		struct entry_point *v;
		size_t n, cap;
	} list = {0};
	enum json_type t;

	while ((t = json_next(j)) == JSON_STRING) {
		struct entry_point p;
		if (entry_point_parse(a, json_text(j), &p, e) < 0)
			return -1;
		if (list.n >= MAX_ENTRY_POINTS)
			return json_fail(j, e, "too many entry points");
		*VEC_PUSH(a, &list) = p;
	}
	if (t != JSON_ARRAY_END)
		return json_fail(j, e, "entry points are not texts");
	out->entry_points = list.v;
	out->n_entry_points = list.n;
	return 0;
}

static enum noarch noarch_of(struct str type)
{
	if (str_is(type, "python"))
		return NOARCH_PYTHON;
	return str_is(type, "generic") ? NOARCH_GENERIC : NOARCH_NONE;
}

/* Within the object "noarch": {"type": "python", "entry_points": [...]}. */
static int read_noarch(struct arena *a, struct json *j, struct package *out, struct err *e)
{
	enum json_type t;

	while ((t = json_next(j)) == JSON_KEY) {
		struct str key = arena_str(a, json_text(j));
		t = json_next(j);
		if (t == JSON_STRING && str_is(key, "type"))
			out->noarch = noarch_of(json_text(j));
		if (t == JSON_ARRAY && str_is(key, "entry_points")) {
			if (read_entry_points(a, j, out, e) < 0)
				return -1;
		} else if (json_skip_rest(j, t) < 0) {
			return json_error(j, e);
		}
	}
	return t == JSON_OBJECT_END ? 0 : json_error(j, e);
}

static int parse_link_json(struct arena *a, struct json *j, struct package *out, struct err *e)
{
	enum json_type t = json_next(j);

	if (t != JSON_OBJECT)
		return t == JSON_ERROR ? json_error(j, e) : json_fail(j, e, "expected an object");
	while ((t = json_next(j)) == JSON_KEY) {
		bool noarch = str_is(json_text(j), "noarch");
		t = json_next(j);
		if (noarch && t == JSON_OBJECT) {
			if (read_noarch(a, j, out, e) < 0)
				return -1;
		} else if (json_skip_rest(j, t) < 0) {
			return json_error(j, e);
		}
	}
	return t == JSON_OBJECT_END ? 0 : json_error(j, e);
}

static int read_link_json(struct arena *a, int files, struct package *out, struct err *e)
{
	struct str text;
	int rc = info_read(a, files, "link.json", MAX_INFO, &text, e);

	if (rc <= 0)
		return rc;
	struct json *j = json_open_text(text, "info/link.json");
	rc = parse_link_json(a, j, out, e);
	json_close(j);
	return rc;
}

/* --- index.json --------------------------------------------------------------------------- */

struct identity {
	struct str name, version, build;
};

static int parse_index(
	struct arena *a, struct json *j, struct identity *id, struct package *out, struct err *e)
{
	enum json_type t = json_next(j);

	if (t != JSON_OBJECT)
		return t == JSON_ERROR ? json_error(j, e) : json_fail(j, e, "expected an object");
	while ((t = json_next(j)) == JSON_KEY) {
		struct str key = arena_str(a, json_text(j));
		t = json_next(j);
		struct str *to = str_is(key, "name")      ? &id->name
				 : str_is(key, "version") ? &id->version
				 : str_is(key, "build")   ? &id->build
							  : NULL;
		if (to && t == JSON_STRING)
			*to = arena_str(a, json_text(j));
		else if (t == JSON_STRING && str_is(key, "noarch"))
			out->noarch = noarch_of(json_text(j));
		else if (t == JSON_TRUE && str_is(key, "noarch"))
			out->noarch = NOARCH_GENERIC;
		if (json_skip_rest(j, t) < 0)
			return json_error(j, e);
	}
	return t == JSON_OBJECT_END ? 0 : json_error(j, e);
}

static int check_identity(const struct identity *id, const struct record *r, struct err *e)
{
	if (str_eq(id->name, r->name) && str_eq(id->version, r->version) &&
		str_eq(id->build, r->build))
		return 0;
	return err_set(e, ERR_INTEGRITY,
		"its info/index.json says '%.*s %.*s %.*s', the channel says '%.*s %.*s %.*s'",
		STR_ARG(id->name), STR_ARG(id->version), STR_ARG(id->build), STR_ARG(r->name),
		STR_ARG(r->version), STR_ARG(r->build));
}

int package_info_read(
	struct arena *a, int files, const struct record *r, struct package *out, struct err *e)
{
	struct identity id = {0};
	int rc = info_read(a, files, "index.json", MAX_INFO, &out->index_json, e);

	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(e, ERR_INTEGRITY, "it has no info/index.json");
	struct json *j = json_open_text(out->index_json, "info/index.json");
	rc = parse_index(a, j, &id, out, e);
	json_close(j);
	if (rc < 0 || check_identity(&id, r, e) < 0)
		return -1;
	return read_link_json(a, files, out, e);
}
