/*
 * pip chooses: `pip download` of the lines that are still open, beside a stub for everything that
 * will be there anyway.  A stub is a wheel of metadata alone, named by its path, so that pip neither
 * downloads nor replaces what it stands for, and so that no build can find it on an index.
 */
#include "builder/pip.h"

#include "base/archive.h"
#include "base/file.h"
#include "base/hash.h"
#include "builder/layer.h"
#include "builder/wheels.h"
#include "solver/dist_name.h"

#include <dirent.h>
#include <stdlib.h>

struct download {
	struct pip_work *w;
	const struct pip_givens *given;
	struct pip_place dir, stubs, files;
	struct table stub_names;
	struct buf lines;
	bool hashes;
};

/* --- stubs ------------------------------------------------------------------------------------ */

/* "x @ URL" is "x": what the URL leads to is among the stubs. */
static void add_requires(struct arena *a, const struct pip_given *g, struct buf *to)
{
	for (size_t i = 0; i < g->dist.n_requires_dist; i++) {
		struct pep508 spec;
		bool extra;

		if (pep508_parse(a, g->dist.requires_dist[i], &spec, NULL) < 0)
			continue;
		extra = str_find(spec.marker_text, STR("extra")) >= 0;
		if (g->kind == GIVEN_CONDA && !extra)
			continue;
		if (spec.url.n == 0) {
			buf_printf(to, "Requires-Dist: %.*s\n", STR_ARG(spec.text));
			continue;
		}
		buf_printf(to, "Requires-Dist: %.*s", STR_ARG(spec.name));
		for (size_t k = 0; k < spec.n_extras; k++)
			buf_printf(to, "%s%.*s", k ? "," : "[", STR_ARG(spec.extras[k]));
		buf_printf(to, "%s%s%.*s\n", spec.n_extras ? "]" : "", spec.marker ? "; " : "",
			STR_ARG(spec.marker_text));
	}
	for (size_t i = 0; i < g->dist.n_extras; i++)
		buf_printf(to, "Provides-Extra: %.*s\n", STR_ARG(g->dist.extras[i]));
}

static struct str underscored(struct arena *a, struct str name)
{
	char *copy = arena_cstr(a, name);

	for (char *p = copy; *p; p++)
		if (*p == '-' || *p == '.')
			*p = '_';
	return str_of(copy);
}

static int make_stub(struct download *d, const struct pip_given *g, struct str version,
	struct str *file, uint8_t sha256[SHA256_LEN], struct err *e)
{
	static const struct str WHEEL =
		STR_INIT("Wheel-Version: 1.0\nGenerator: envbuild\nRoot-Is-Purelib: true\n"
			 "Tag: py2-none-any\nTag: py3-none-any\n");
	struct arena *a = d->w->arena;
	struct str stem =
		arena_strf(a, "%.*s-%.*s", STR_ARG(underscored(a, g->name)), STR_ARG(version));
	CLEANUP_BUF metadata = {0}, zip = {0};

	buf_printf(&metadata, "Metadata-Version: 2.1\nName: %.*s\nVersion: %.*s\n",
		STR_ARG(g->name), STR_ARG(version));
	add_requires(a, g, &metadata);
	const struct zip_part parts[] = {
		{arena_strf(a, "%.*s.dist-info/METADATA", STR_ARG(stem)), buf_view(&metadata)},
		{arena_strf(a, "%.*s.dist-info/WHEEL", STR_ARG(stem)), WHEEL},
		{arena_strf(a, "%.*s.dist-info/RECORD", STR_ARG(stem)), STR("")},
	};
	*file = arena_strf(a, "%.*s-py2.py3-none-any.whl", STR_ARG(stem));
	if (zip_store(parts, sizeof parts / sizeof *parts, &zip, e) < 0)
		return -1;
	sha256_of(zip.p, zip.n, sha256);
	return file_write(pip_place_below(d->w, &d->stubs, *file).path, buf_view(&zip), 0644, e);
}

static int add_stub(struct download *d, const struct pip_given *g, struct err *e)
{
	struct arena *a = d->w->arena;
	const struct pep440 *version;
	uint8_t sha256[SHA256_LEN];
	char hex[SHA256_HEX + 1];
	struct str file;

	if (g->replaced || pep440_parse(a, g->dist.version, &version, NULL) < 0)
		return 0;
	if (make_stub(d, g, pep440_text(version), &file, sha256, e) < 0)
		return -1;
	table_put(&d->stub_names, file);
	buf_puts(&d->lines, pip_place_below(d->w, &d->stubs, file).inside);
	for (size_t i = 0; i < g->n_extras; i++)
		buf_printf(&d->lines, "%s%.*s", i ? "," : "[", STR_ARG(g->extras[i]));
	if (g->n_extras)
		buf_putc(&d->lines, ']');
	hex_encode(sha256, SHA256_LEN, hex);
	if (d->hashes)
		buf_printf(&d->lines, " --hash=sha256:%s", hex);
	buf_putc(&d->lines, '\n');
	return 0;
}

/* --- the run ---------------------------------------------------------------------------------- */

static int write_lines(struct download *d, const struct requirement *const *lines, size_t n_lines,
	struct bind_list *binds, struct err *e)
{
	struct pip_work *w = d->w;
	struct pip_options options;

	d->hashes = w->requirements.options.require_hashes;
	for (size_t i = 0; i < n_lines; i++)
		d->hashes |= lines[i]->n_hashes > 0;
	if (pip_options_inside(w, &w->requirements.options, &options, binds, e) < 0)
		return -1;
	requirements_write_options(&options, &d->lines);
	for (size_t i = 0; i < d->given->n; i++)
		if (add_stub(d, &d->given->v[i], e) < 0)
			return -1;
	for (size_t i = 0; i < n_lines; i++)
		requirement_write(lines[i], &d->lines);
	return file_write(pip_place_below(w, &d->dir, STR("requirements.txt")).path,
		buf_view(&d->lines), 0600, e);
}

static bool is_allowed(struct arena *a, const struct pypi_package *p,
	const struct requirement *const *lines, size_t n_lines)
{
	const struct pep440 *version;

	if (p->version.n == 0 || pep440_parse(a, p->version, &version, NULL) < 0)
		return false;
	for (size_t i = 0; i < n_lines; i++)
		if (lines[i]->spec.versions.n && str_eq(lines[i]->spec.name, p->name) &&
			!pep440_set_has(&lines[i]->spec.versions, version, PEP440_PRE_YES))
			return false;
	return true;
}

/* What comes of git or a folder is no matter of versions, and given already. */
static void write_kept(
	struct download *d, const struct requirement *const *lines, size_t n_lines, struct buf *to)
{
	const struct pypi_set *keep = d->w->request->keep;

	for (size_t i = 0; keep && i < keep->n; i++) {
		const struct pypi_package *p = &keep->v[i];

		if (pip_kept(d->w, p->name) && !pip_given_find(d->given, p->name) &&
			str_find(p->url, STR("://")) > 0 && !str_starts(p->url, STR("git+")) &&
			is_allowed(d->w->arena, p, lines, n_lines))
			buf_printf(to, "%.*s==%.*s\n", STR_ARG(p->name), STR_ARG(p->version));
	}
}

/* Those of what is given were looked at already, and old pips refuse them beside a path. */
static int write_constraints(struct download *d, const struct requirement *const *lines,
	size_t n_lines, bool keep, struct err *e)
{
	const struct requirements *r = &d->w->requirements;
	CLEANUP_BUF text = {0};

	if (keep)
		write_kept(d, lines, n_lines, &text);

	for (size_t i = 0; i < r->n_constraints; i++)
		if (!pip_given_find(d->given, r->constraints[i].spec.name))
			requirement_write(&r->constraints[i], &text);
	return file_write(pip_place_below(d->w, &d->dir, STR("constraints.txt")).path,
		buf_view(&text), 0600, e);
}

static int run(struct download *d, const struct bind_list *binds, struct err *e)
{
	struct pip_work *w = d->w;
	const char *const args[] = {"download", "--dest", d->files.inside, "--requirement",
		pip_place_below(w, &d->dir, STR("requirements.txt")).inside, "--constraint",
		pip_place_below(w, &d->dir, STR("constraints.txt")).inside, NULL};
	struct pip_command c = {.args = args,
		.binds = binds->v,
		.n_binds = binds->n,
		.network = w->request->network};

	if (pip_run_pip(w, &c, "pip, which resolves the pip section,", e) == 0)
		return 0;
	if (e && e->code == ERR_UNSAT)
		err_advise(e,
			"what conda brings is fixed (pip calls it a path with 'stubs'): pip may "
			"add to it, not replace it; another version is for conda's dependencies");
	return -1;
}

/* --- what came -------------------------------------------------------------------------------- */

static int take_file(struct download *d, struct str file, struct package_list *out, struct err *e)
{
	struct pip_work *w = d->w;
	struct arena *a = w->arena;
	struct pypi_package package = {.has_sha256 = true};
	const char *path = pip_place_below(w, &d->files, file).path, *wheel = NULL;
	struct dist_name name;

	if (dist_name_parse(a, file, &name) < 0)
		return err_set(e, ERR_INTEGRITY, "pip downloaded '%.*s', which is no distribution",
			STR_ARG(file));
	if (file_hash(path, package.sha256, NULL, e) < 0)
		return -1;
	if (name.kind == DIST_SOURCE) {
		if (pip_build_archive(w, path, file, NULL, &package, &wheel, e) < 0)
			return -1;
	} else {
		uint8_t sum[SHA256_LEN];

		if (wheel_put(a, w->request->cache, path, file, sum, e) < 0)
			return -1;
		wheel = cache_find_wheel(a, w->request->cache, sum, file);
	}
	if (!wheel)
		return err_set(e, ERR_SYSTEM, "the cache has lost '%.*s'", STR_ARG(file));
	if (pip_describe(w, wheel, &package, NULL, e) < 0 ||
		pip_locate(w, package.name, file, package.sha256, &package.url, e) < 0)
		return -1;
	*VEC_PUSH(a, out) = package;
	return 0;
}

static int take_files(struct download *d, struct package_list *out, struct err *e)
{
	struct arena *a = d->w->arena;
	DIR *dir = opendir(d->files.path);
	struct dirent *entry;
	struct {
		struct str *v;
		size_t n, cap;
	} names = {0};

	if (!dir)
		return err_sys(e, "cannot open '%s'", d->files.path);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && !table_get(&d->stub_names, str_of(entry->d_name)))
			*VEC_PUSH(a, &names) = str_of(arena_strdup(a, entry->d_name));
	closedir(dir);
	if (names.n)
		qsort(names.v, names.n, sizeof *names.v, str_cmp_qsort);
	for (size_t i = 0; i < names.n; i++)
		if (take_file(d, names.v[i], out, e) < 0)
			return -1;
	return 0;
}

int pip_download(struct pip_work *w, const struct pip_givens *given,
	const struct requirement *const *lines, size_t n_lines, bool keep, struct package_list *out,
	struct err *e)
{
	struct download d = {.w = w, .given = given, .stub_names.arena = w->arena};
	struct bind_list binds = {0};
	struct step step;
	int rc;

	d.dir = pip_place(w, "resolve", (struct str){0});
	d.stubs = pip_place_below(w, &d.dir, STR("stubs"));
	d.files = pip_place_below(w, &d.dir, STR("files"));
	step_begin(&step, "pip resolve", 0, 0);
	rc = dir_make(d.stubs.path, e);
	if (rc == 0)
		rc = dir_make(d.files.path, e);
	if (rc == 0)
		rc = write_lines(&d, lines, n_lines, &binds, e);
	if (rc == 0)
		rc = write_constraints(&d, lines, keep ? n_lines : 0, keep, e);
	if (rc == 0)
		rc = run(&d, &binds, e);
	buf_release(&d.lines);
	if (rc < 0) {
		step_fail(&step);
		return -1;
	}
	step_end(&step, "%zu requirements", w->requirements.n);
	rc = take_files(&d, out, e);
	dir_remove(d.dir.path, NULL);
	return rc;
}
