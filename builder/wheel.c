/* A wheel file: what is in it, and where pip puts it. */
#include "builder/dist.h"

#include "base/archive.h"
#include "base/table.h"

#include <stdlib.h>

struct reader {
	struct arena *a;
	const char *path;
	const struct python *py;
	struct wheel *out;
	struct zip_names members; /* as streamed */
	struct table paths;       /* in the prefix -> member's name */
	struct str metadata, wheel, record, entry_points;
	bool has_metadata, has_wheel, has_record;
	struct str dist_info; /* the folder's name */
	struct str headers;   /* include/python3.6m/NAME */
};

static int bad(const struct reader *r, struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int bad(const struct reader *r, struct err *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_vset(e, ERR_INTEGRITY, fmt, ap);
	va_end(ap);
	return err_wrap(e, "bad wheel '%s'", path_base(r->path));
}

/* --- where files go ------------------------------------------------------------------------- */

static struct str headers_folder(struct arena *a, const struct python *py, struct str name)
{
	/* CPython's own mark of a build with pymalloc, dropped with 3.8. */
	const char *flags = py->major == 3 && py->minor < 8 ? "m" : "";

	return arena_strf(
		a, "include/python%u.%u%s/%.*s", py->major, py->minor, flags, STR_ARG(name));
}

/* NAME.data/KIND/rest */
static int data_folder(const struct reader *r, struct str kind, struct str *folder)
{
	if (str_is(kind, "purelib") || str_is(kind, "platlib"))
		*folder = r->py->site_packages;
	else if (str_is(kind, "scripts"))
		*folder = STR("bin");
	else if (str_is(kind, "headers"))
		*folder = r->headers;
	else if (str_is(kind, "data"))
		*folder = STR("");
	else
		return -1;
	return 0;
}

static int destination(const struct reader *r, struct str member, struct str *out, struct err *e)
{
	struct str rest = member, first = str_cut(&rest, '/'), kind, folder = {0};

	if (!str_ends(first, STR(".data")) || !rest.p) {
		*out = arena_strf(
			r->a, "%.*s/%.*s", STR_ARG(r->py->site_packages), STR_ARG(member));
		return 0;
	}
	kind = str_cut(&rest, '/');
	if (!rest.n || data_folder(r, kind, &folder) < 0)
		return bad(r, e, "'%.*s' belongs to no folder that is known", STR_ARG(member));
	*out = folder.n ? arena_strf(r->a, "%.*s/%.*s", STR_ARG(folder), STR_ARG(rest)) : rest;
	return 0;
}

static int add_path(struct reader *r, struct str path, struct str member, struct err *e)
{
	union table_value *slot;

	if (!path_is_safe(path))
		return bad(r, e, "'%.*s' has no safe name", STR_ARG(member));
	if (str_starts(path, STR("conda-meta/")))
		return bad(r, e, "'%.*s' would lie among conda's own records", STR_ARG(member));
	slot = table_put(&r->paths, path);
	if (slot->ptr)
		return bad(r, e, "two of its files would become '%.*s'", STR_ARG(path));
	slot->ptr = r;
	return 0;
}

static void add_own(struct reader *r, const char *fmt, struct str name)
{
	struct str path = arena_strf(r->a, "%s/%.*s", fmt, STR_ARG(name));

	table_put(&r->paths, path)->ptr = r;
}

/* --- members -------------------------------------------------------------------------------- */

static int take_text(struct reader *r, struct tar_reader *zip, struct str member, struct err *e)
{
	struct str rest = member, folder = str_cut(&rest, '/');

	if (!str_ends(folder, STR(".dist-info")) || !rest.n || str_chr(rest, '/') >= 0)
		return 0;
	if (!r->dist_info.n)
		r->dist_info = arena_str(r->a, folder);
	if (!str_eq(r->dist_info, folder))
		return bad(r, e, "it has more than one .dist-info folder");
	if (str_is(rest, "METADATA")) {
		r->has_metadata = true;
		return tar_read_all(zip, r->a, DIST_TEXT_MAX, &r->metadata, e);
	}
	if (str_is(rest, "WHEEL")) {
		r->has_wheel = true;
		return tar_read_all(zip, r->a, DIST_TEXT_MAX, &r->wheel, e);
	}
	if (str_is(rest, "RECORD")) {
		r->has_record = true;
		return tar_read_all(zip, r->a, DIST_RECORD_MAX, &r->record, e);
	}
	if (str_is(rest, "entry_points.txt"))
		return tar_read_all(zip, r->a, DIST_TEXT_MAX, &r->entry_points, e);
	return 0;
}

static int take_member(
	struct reader *r, struct tar_reader *zip, const struct member *m, struct err *e)
{
	struct str name = arena_str(r->a, m->path), path = {0};

	if (m->type == MEMBER_DIR) {
		*VEC_PUSH(r->a, &r->members) = arena_strf(r->a, "%.*s/", STR_ARG(name));
		return path_is_safe(name) ? 0 : bad(r, e, "'%.*s' has no safe name", STR_ARG(name));
	}
	if (m->type != MEMBER_FILE)
		return bad(r, e, "'%.*s' is no regular file", STR_ARG(name));
	if (!path_is_safe(name))
		return bad(r, e, "'%.*s' has no safe name", STR_ARG(name));
	*VEC_PUSH(r->a, &r->members) = name;
	if (destination(r, name, &path, e) < 0 || add_path(r, path, name, e) < 0)
		return -1;
	return take_text(r, zip, name, e);
}

static int read_members(struct reader *r, struct err *e)
{
	struct tar_reader *zip = zip_open_path(r->path, e);
	struct member m;
	int rc = -1;

	if (!zip)
		return -1;
	while ((rc = tar_next(zip, &m, e)) > 0 && (rc = take_member(r, zip, &m, e)) == 0)
		;
	tar_close(zip);
	return rc;
}

/* Both lists sorted: is the one what the other is? */
static int compare_directory(struct reader *r, struct err *e)
{
	struct zip_names listed;

	if (zip_directory(r->a, r->path, &listed, e) < 0)
		return -1;
	if (r->members.n)
		qsort(r->members.v, r->members.n, sizeof *r->members.v, str_cmp_qsort);
	if (listed.n != r->members.n)
		return bad(r, e, "its directory names %zu members and it has %zu", listed.n,
			r->members.n);
	for (size_t i = 0; i < listed.n; i++)
		if (!str_eq(listed.v[i], r->members.v[i]))
			return bad(r, e, "its directory and its members differ at '%.*s'",
				STR_ARG(listed.v[i]));
	return 0;
}

/* --- what it says of itself ----------------------------------------------------------------- */

static bool same_version(struct arena *a, struct str x, struct str y)
{
	const struct pep440 *v, *w;

	if (str_eq(x, y))
		return true;
	return pep440_parse(a, x, &v, NULL) == 0 && pep440_parse(a, y, &w, NULL) == 0 &&
	       pep440_cmp(v, w) == 0;
}

/* A file's name has "_" for "-" in a local version. */
static struct str file_version(struct arena *a, struct str version)
{
	char *p = arena_cstr(a, version);

	for (size_t i = 0; i < version.n; i++)
		if (p[i] == '_')
			p[i] = '-';
	return str_n(p, version.n);
}

static int read_metadata(struct reader *r, struct err *e)
{
	struct wheel *w = r->out;

	if (!r->has_metadata || !r->has_wheel || !r->has_record)
		return bad(r, e, "%s is missing",
			!r->has_metadata ? "METADATA"
			: !r->has_wheel  ? "WHEEL"
					 : "RECORD");
	if (dist_parse_metadata(r->a, r->path, r->metadata, &w->dist, e) < 0)
		return -1;
	if (!str_eq(w->dist.name, w->file.name))
		return bad(r, e, "its METADATA is of '%.*s'", STR_ARG(w->dist.given_name));
	if (!same_version(r->a, w->dist.version, w->file.version) &&
		!same_version(r->a, w->dist.version, file_version(r->a, w->file.version)))
		return bad(r, e, "its METADATA is of version '%.*s'", STR_ARG(w->dist.version));
	return 0;
}

static void read_wheel_text(struct reader *r)
{
	struct str rest = r->wheel;

	while (rest.n) {
		struct str value = str_trim(str_cut(&rest, '\n')),
			   key = str_trim(str_cut(&value, ':'));

		if (key.n == 15 && strncasecmp(key.p, "Root-Is-Purelib", 15) == 0)
			r->out->root_is_purelib = strncasecmp(str_trim(value).p, "true", 4) == 0;
	}
}

/* pip copies the rows into the prefix: uninstalling would follow one that leads out. */
static int check_record(struct reader *r, struct err *e)
{
	struct str rest = r->record;

	while (rest.n) {
		struct str row = str_trim(str_cut(&rest, '\n')), path;

		if (!row.n)
			continue;
		path = record_row_path(r->a, row);
		if (!path_is_safe(path))
			return bad(r, e, "its RECORD names '%.*s'", STR_ARG(path));
	}
	return 0;
}

/* --- scripts -------------------------------------------------------------------------------- */

static bool version_digits(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!(s.p[i] >= '0' && s.p[i] <= '9') && s.p[i] != '.')
			return false;
	return true;
}

/* pip names its own scripts after the Python that they are for, whatever the wheel lists. */
static bool versioned_script(struct reader *r, struct str name)
{
	struct str pip = STR("pip"), easy = STR("easy_install");

	if (str_eq(name, pip)) {
		add_own(r, "bin", pip);
		add_own(r, "bin", arena_strf(r->a, "pip%u", r->py->major));
		add_own(r, "bin", arena_strf(r->a, "pip%u.%u", r->py->major, r->py->minor));
		return true;
	}
	if (str_eq(name, easy)) {
		add_own(r, "bin", easy);
		add_own(r, "bin",
			arena_strf(r->a, "easy_install-%u.%u", r->py->major, r->py->minor));
		return true;
	}
	if (str_starts(name, pip) && version_digits(str_sub(name, 3, name.n)))
		return true;
	return str_starts(name, STR("easy_install-")) && version_digits(str_sub(name, 13, name.n));
}

static int read_scripts(struct reader *r, struct err *e)
{
	struct str rest = r->entry_points;
	bool scripts = false;

	while (rest.n) {
		struct str line = str_trim(str_cut(&rest, '\n')), name;

		if (!line.n || line.p[0] == '#' || line.p[0] == ';')
			continue;
		if (line.p[0] == '[') {
			scripts =
				str_is(line, "[console_scripts]") || str_is(line, "[gui_scripts]");
			continue;
		}
		name = str_trim(str_cut(&line, '='));
		if (!scripts || !line.p)
			continue;
		if (!path_is_safe(name) || str_chr(name, '/') >= 0)
			return bad(r, e, "its script '%.*s' has no safe name", STR_ARG(name));
		if (!versioned_script(r, name))
			add_own(r, "bin", name);
	}
	return 0;
}

static void add_pips_own(struct reader *r)
{
	static const char *const names[] = {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json"};
	const char *folder = arena_printf(
		r->a, "%.*s/%.*s", STR_ARG(r->py->site_packages), STR_ARG(r->dist_info));

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		add_own(r, folder, str_of(names[i]));
}

static void list_paths(struct reader *r)
{
	struct wheel *w = r->out;

	w->paths = arena_array(r->a, struct str, r->paths.n);
	for (size_t i = 0; i < r->paths.n; i++)
		w->paths[w->n_paths++] = r->paths.entries[i].key;
	if (w->n_paths)
		qsort(w->paths, w->n_paths, sizeof *w->paths, str_cmp_qsort);
}

/* --- the whole ------------------------------------------------------------------------------ */

/* A folder where another path has a file cannot be made. */
static int check_folders(const struct reader *r, struct err *e)
{
	for (size_t i = 0; i < r->paths.n; i++) {
		struct str path = r->paths.entries[i].key;
		ptrdiff_t slash;

		while ((slash = str_rchr(path, '/')) > 0) {
			path.n = (size_t)slash;
			if (table_get(&r->paths, path))
				return bad(r, e, "'%.*s' is a file and a folder", STR_ARG(path));
		}
	}
	return 0;
}

/* "-" in a name is "_" in the file's name; headers lie below the name with "-". */
static struct str headers_name(struct arena *a, struct str file)
{
	struct str name = str_cut(&file, '-');
	char *p = arena_cstr(a, name);

	for (size_t i = 0; i < name.n; i++)
		if (p[i] == '_')
			p[i] = '-';
	return str_n(p, name.n);
}

int wheel_read(struct arena *a, const char *path, const char *file, const struct python *py,
	struct wheel *out, struct err *e)
{
	struct reader r = {.a = a, .path = path, .py = py, .out = out, .paths.arena = a};
	struct str name = str_of(file ? file : path_base(path));

	*out = (struct wheel){0};
	if (dist_name_parse(a, arena_str(a, name), &out->file) < 0 || out->file.kind != DIST_WHEEL)
		return err_set(
			e, ERR_INTEGRITY, "'%.*s' is not the name of a wheel", STR_ARG(name));
	r.headers = headers_folder(a, py, headers_name(a, name));
	if (read_members(&r, e) < 0 || compare_directory(&r, e) < 0 || read_metadata(&r, e) < 0 ||
		check_record(&r, e) < 0 || read_scripts(&r, e) < 0)
		return -1;
	read_wheel_text(&r);
	out->dist_info = r.dist_info;
	add_pips_own(&r);
	if (check_folders(&r, e) < 0)
		return -1;
	list_paths(&r);
	return 0;
}
