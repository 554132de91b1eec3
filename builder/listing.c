#include "builder/listing.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/table.h"
#include "builder/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum {
	MAX_LISTED = 1000000,
	MAX_LISTING = 512 << 20,
	MAX_LINES = 64 << 20,
	MAX_PLACEHOLDER = 1024,
};

/* What a package can bring about, and no fault of the disk's: then it is not there. */
static bool is_absent(int error)
{
	return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

int info_read(
	struct arena *a, int files, const char *name, size_t max, struct str *out, struct err *e)
{
	CLEANUP_FD info = openat(files, "info", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	*out = (struct str){0};
	if (info < 0 || fstatat(info, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return is_absent(errno) ? 0 : err_sys(e, "cannot read 'info/%s'", name);
	if (!S_ISREG(st.st_mode))
		return 0;
	if ((uint64_t)st.st_size > max)
		return err_set(e, ERR_INTEGRITY, "'info/%s' has more than %zu bytes", name, max);
	return file_read_at(a, info, name, max, out, e) < 0 ? -1 : 1;
}

static int check_listed(const struct listed *l, struct table *seen, struct err *e)
{
	union table_value *v;

	if (!path_is_safe(l->path))
		return err_set(e, ERR_INTEGRITY, "unsafe path '%.*s' in its list of files",
			STR_ARG(l->path));
	if (str_chr(l->placeholder, '\0') >= 0)
		return err_set(e, ERR_INTEGRITY, "placeholder of '%.*s' has a NUL byte in it",
			STR_ARG(l->path));
	if (l->placeholder.n > MAX_PLACEHOLDER)
		return err_set(e, ERR_INTEGRITY, "placeholder of '%.*s' is over %d bytes",
			STR_ARG(l->path), MAX_PLACEHOLDER);
	v = table_put(seen, l->path);
	if (v->num)
		return err_set(e, ERR_INTEGRITY, "path '%.*s' is listed twice", STR_ARG(l->path));
	v->num = 1;
	if (seen->n > MAX_LISTED)
		return err_set(e, ERR_INTEGRITY, "over %d files are listed", MAX_LISTED);
	return 0;
}

/* --- paths.json --------------------------------------------------------------------------- */

static int set_path_type(struct json *j, struct listed *l, struct err *e)
{
	struct str type = json_text(j);

	l->has_type = true;
	l->type = str_is(type, "softlink")    ? PATH_SOFTLINK
		  : str_is(type, "directory") ? PATH_DIRECTORY
					      : PATH_FILE;
	if (l->type != PATH_FILE || str_is(type, "hardlink"))
		return 0;
	return json_fail(j, e, "unknown path_type '%.*s'", STR_ARG(type));
}

static int set_string(
	struct arena *a, struct json *j, struct str key, struct listed *l, struct err *e)
{
	struct str text = json_text(j);

	if (str_is(key, "_path"))
		l->path = arena_str(a, text);
	else if (str_is(key, "path_type"))
		return set_path_type(j, l, e);
	else if (str_is(key, "prefix_placeholder"))
		l->placeholder = arena_str(a, text);
	else if (str_is(key, "file_mode") && !str_is(text, "binary") && !str_is(text, "text"))
		return json_fail(j, e, "unknown file_mode '%.*s'", STR_ARG(text));
	else if (str_is(key, "file_mode"))
		l->binary = str_is(text, "binary");
	else if (str_is(key, "sha256") && hex_decode(text, l->sha256, SHA256_LEN) < 0)
		return json_fail(j, e, "'%.*s' is no sha256", STR_ARG(text));
	else if (str_is(key, "sha256"))
		l->has_sha256 = true;
	return 0;
}

static void set_size(struct json *j, struct listed *l)
{
	int64_t size;

	l->has_size = json_int(j, &size) == 0;
	/* One that no file has stays one. */
	l->size = l->has_size && size >= 0 ? (uint64_t)size : UINT64_MAX;
}

static int read_entry(struct arena *a, struct json *j, struct listed *l, struct err *e)
{
	enum json_type t;

	while ((t = json_next(j)) == JSON_KEY) {
		struct str key = arena_str(a, json_text(j));
		t = json_next(j);
		if (t == JSON_STRING && set_string(a, j, key, l, e) < 0)
			return -1;
		if (t == JSON_TRUE && str_is(key, "no_link"))
			l->no_link = true;
		if (t == JSON_NUMBER && str_is(key, "size_in_bytes"))
			set_size(j, l);
		if (json_skip_rest(j, t) < 0)
			return json_error(j, e);
	}
	if (t != JSON_OBJECT_END)
		return json_error(j, e);
	return l->path.n ? 0 : json_fail(j, e, "an entry without '_path'");
}

static int read_entries(struct arena *a, struct json *j, struct listing *out, struct err *e)
{
	struct table seen = {.arena = a};
	enum json_type t;

	while ((t = json_next(j)) == JSON_OBJECT) {
		struct listed l = {0};
		if (read_entry(a, j, &l, e) < 0 || check_listed(&l, &seen, e) < 0)
			return -1;
		*VEC_PUSH(a, out) = l;
	}
	if (t == JSON_ARRAY_END)
		return 0;
	return t == JSON_ERROR ? json_error(j, e) : json_fail(j, e, "expected an object");
}

static int read_top(struct arena *a, struct json *j, struct listing *out, struct err *e)
{
	bool found = false;
	enum json_type t = json_next(j);

	if (t != JSON_OBJECT)
		return t == JSON_ERROR ? json_error(j, e) : json_fail(j, e, "expected an object");
	while ((t = json_next(j)) == JSON_KEY) {
		bool paths = str_is(json_text(j), "paths"),
		     version = str_is(json_text(j), "paths_version");
		int64_t number;
		t = json_next(j);
		if (version && (t != JSON_NUMBER || json_int(j, &number) < 0 || number != 1))
			return json_fail(j, e, "paths_version is not 1");
		if (paths && (t != JSON_ARRAY || found))
			return json_fail(j, e, "'paths' is not one array");
		if (paths && read_entries(a, j, out, e) < 0)
			return -1;
		found = found || paths;
		if (!paths && json_skip_rest(j, t) < 0)
			return json_error(j, e);
	}
	if (t != JSON_OBJECT_END)
		return json_error(j, e);
	return found ? 0 : json_fail(j, e, "'paths' is missing");
}

static int parse_paths_json(struct arena *a, struct str text, struct listing *out, struct err *e)
{
	struct json *j = json_open_text(text, "info/paths.json");
	int rc = read_top(a, j, out, e);

	json_close(j);
	return rc;
}

/* --- before paths.json -------------------------------------------------------------------- */

/* One field, plain or in double quotes, off the front of *line. */
static struct str take_field(struct str *line)
{
	struct str s = str_trim(*line);

	if (s.n > 1 && s.p[0] == '"') {
		struct str rest = str_sub(s, 1, s.n);
		struct str field = str_cut(&rest, '"');
		*line = rest;
		return field;
	}
	struct str field = str_cut(&s, ' ');
	*line = s;
	return field;
}

int has_prefix_parse(struct arena *a, struct str text, struct listing *marks, struct err *e)
{
	while (text.n > 0) {
		struct str line = str_trim(str_cut(&text, '\n')), rest = line;
		if (line.n == 0)
			continue;
		struct str first = take_field(&rest), mode = take_field(&rest);
		struct listed l = {.placeholder = DEFAULT_PLACEHOLDER};
		if (str_is(mode, "text") || str_is(mode, "binary")) {
			rest = str_trim(rest);
			bool quoted = rest.n > 1 && rest.p[0] == '"';
			l.path = quoted ? take_field(&rest) : rest;
			l.placeholder = arena_str(a, first);
			l.binary = str_is(mode, "binary");
		} else {
			l.path = line.p[0] == '"' ? first : line;
		}
		l.path = arena_str(a, l.path);
		if (!path_is_safe(l.path) || l.placeholder.n == 0 ||
			l.placeholder.n > MAX_PLACEHOLDER)
			return err_set(e, ERR_INTEGRITY, "bad line in info/has_prefix: '%.*s'",
				STR_ARG(line));
		*VEC_PUSH(a, marks) = l;
	}
	return 0;
}

static int read_legacy_files(
	struct arena *a, int files, struct listing *out, struct table *index, struct err *e)
{
	struct table seen = {.arena = a};
	struct str text;

	int rc = info_read(a, files, "files", MAX_LINES, &text, e);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(e, ERR_INTEGRITY, "it has neither info/paths.json nor info/files");
	while (text.n > 0) {
		struct listed l = {.path = str_trim(str_cut(&text, '\n'))};
		if (l.path.n == 0)
			continue;
		if (check_listed(&l, &seen, e) < 0)
			return -1;
		table_put(index, l.path)->num = out->n;
		*VEC_PUSH(a, out) = l;
	}
	return 0;
}

static int read_legacy(struct arena *a, int files, struct listing *out, struct err *e)
{
	struct table index = {.arena = a};
	struct listing marks = {0};
	struct str text;

	if (read_legacy_files(a, files, out, &index, e) < 0 ||
		info_read(a, files, "has_prefix", MAX_LINES, &text, e) < 0 ||
		has_prefix_parse(a, text, &marks, e) < 0)
		return -1;
	for (size_t i = 0; i < marks.n; i++) {
		union table_value *v = table_get(&index, marks.v[i].path);
		if (!v)
			continue;
		out->v[v->num].placeholder = marks.v[i].placeholder;
		out->v[v->num].binary = marks.v[i].binary;
	}
	if (info_read(a, files, "no_link", MAX_LINES, &text, e) < 0)
		return -1;
	while (text.n > 0) {
		union table_value *v = table_get(&index, str_trim(str_cut(&text, '\n')));
		if (v)
			out->v[v->num].no_link = true;
	}
	return 0;
}

int listing_read(struct arena *a, int files, struct listing *out, struct err *e)
{
	struct str text;

	*out = (struct listing){0};
	int rc = info_read(a, files, "paths.json", MAX_LISTING, &text, e);
	if (rc < 0)
		return -1;
	return rc ? parse_paths_json(a, text, out, e) : read_legacy(a, files, out, e);
}
