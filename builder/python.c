#include "builder/python.h"

#include "base/file.h"
#include "base/json.h"
#include "builder/prefix_text.h"

/* The python package's own word, where the index has none (CEP 17). */
static struct str site_packages_of(struct arena *a, const struct package *p)
{
	struct str found = {0};
	enum json_type t;

	if (p->record->python_site_packages_path.n > 0)
		return p->record->python_site_packages_path;
	struct json *j = json_open_text(p->index_json, "info/index.json");
	if (json_next(j) == JSON_OBJECT)
		while (json_next(j) == JSON_KEY) {
			bool it = str_is(json_text(j), "python_site_packages_path");
			t = json_next(j);
			if (it && t == JSON_STRING)
				found = arena_str(a, json_text(j));
			if (json_skip_rest(j, t) < 0)
				break;
		}
	json_close(j);
	return found;
}

/* The folder of os.py, by which Python itself finds it; free-threading builds add a "t". */
static struct str stdlib_of(struct arena *a, const struct package *p, const struct python *py)
{
	struct str usual = arena_strf(a, "lib/python%u.%u", py->major, py->minor);

	for (size_t i = 0; i < p->n_files; i++) {
		struct str path = p->files[i].path;
		if (!str_starts(path, usual) || !str_ends(path, STR("/os.py")))
			continue;
		path.n -= sizeof "/os.py" - 1;
		if (path.n <= usual.n + 1)
			return path;
	}
	return usual;
}

static int read_version(struct str version, struct python *out)
{
	struct str rest = version, major = str_cut(&rest, '.'), minor = str_cut(&rest, '.');
	uint64_t a, b;

	if (str_u64(major, 99, &a) < 0 || str_u64(minor, 999, &b) < 0 || a < 2)
		return -1;
	out->major = (unsigned)a;
	out->minor = (unsigned)b;
	return 0;
}

int python_find(struct arena *a, const struct package *packages, size_t n, struct python *out,
	struct err *e)
{
	*out = (struct python){0};
	for (size_t i = 0; i < n; i++) {
		const struct record *r = packages[i].record;
		if (!str_is(r->name, "python"))
			continue;
		if (read_version(r->version, out) < 0)
			return err_set(e, ERR_INTEGRITY, "python has the odd version '%.*s'",
				STR_ARG(r->version));
		out->package = i;
		out->program = arena_strf(a, "bin/python%u.%u", out->major, out->minor);
		out->stdlib = stdlib_of(a, &packages[i], out);
		out->site_packages = site_packages_of(a, &packages[i]);
		if (out->site_packages.n == 0)
			out->site_packages = arena_strf(
				a, "lib/python%u.%u/site-packages", out->major, out->minor);
		if (!path_is_safe(out->site_packages))
			return err_set(e, ERR_INTEGRITY,
				"python_site_packages_path leaves the prefix: '%.*s'",
				STR_ARG(out->site_packages));
	}
	return 0;
}

struct str python_map_path(struct arena *a, const struct python *py, struct str path)
{
	static const struct str SITE = STR_INIT("site-packages/"),
				SCRIPTS = STR_INIT("python-scripts/");

	if (str_starts(path, SITE))
		return arena_strf(a, "%.*s/%.*s", STR_ARG(py->site_packages),
			STR_ARG(str_sub(path, SITE.n, path.n)));
	if (str_starts(path, SCRIPTS))
		return arena_strf(a, "bin/%.*s", STR_ARG(str_sub(path, SCRIPTS.n, path.n)));
	return path;
}

bool python_is_source(struct str path)
{
	return str_starts(path, STR("site-packages/")) && str_ends(path, STR(".py")) &&
	       path.n > sizeof "site-packages/.py" - 1;
}

struct str python_bytecode_path(struct arena *a, const struct python *py, struct str source)
{
	ptrdiff_t slash = str_rchr(source, '/');
	struct str dir = str_sub(source, 0, (size_t)(slash + 1));
	struct str stem = str_sub(source, (size_t)(slash + 1), source.n - 3);

	if (py->major < 3)
		return arena_strf(a, "%.*sc", STR_ARG(source));
	return arena_strf(a, "%.*s__pycache__/%.*s.cpython-%u%u.pyc", STR_ARG(dir), STR_ARG(stem),
		py->major, py->minor);
}

struct str python_externally_managed(struct arena *a, const struct python *py)
{
	return arena_strf(a, "%.*s/EXTERNALLY-MANAGED", STR_ARG(py->stdlib));
}

void python_entry_point(const struct python *py, const char *prefix_inside,
	const struct entry_point *p, struct buf *to)
{
	struct arena a = {0};
	struct str rest = p->function, import = str_cut(&rest, '.');

	if (prefix_inside)
		entry_point_shebang(
			arena_strf(&a, "%s/%.*s", prefix_inside, STR_ARG(py->program)), to);
	else
		entry_point_self_locating(py->program, to);
	buf_printf(to,
		"# -*- coding: utf-8 -*-\n"
		"import re\n"
		"import sys\n"
		"\n"
		"from %.*s import %.*s\n"
		"\n"
		"if __name__ == '__main__':\n"
		"    sys.argv[0] = re.sub(r'(-script\\.pyw?|\\.exe)?$', '', sys.argv[0])\n"
		"    sys.exit(%.*s())\n",
		STR_ARG(p->module), STR_ARG(import), STR_ARG(p->function));
	arena_release(&a);
}
