/* What readers found of an environment becomes one side of a comparison. */
#include "packer/diff_side.h"

#include "base/http.h"
#include "base/json.h"
#include "images/libc.h"
#include "packer/papers.h"
#include "solver/lock_form.h"
#include "solver/pep508.h"

#include <stdlib.h>

void side_begin(struct side_maker *m, struct arena *a, const char *operand, enum diff_kind kind,
	struct diff_side *out)
{
	*out = (struct diff_side){.kind = kind, .path = arena_str(a, str_of(operand))};
	*m = (struct side_maker){
		.arena = a, .side = out, .sums.arena = a, .rows.arena = a, .floor.arena = a};
}

/* --- packages -------------------------------------------------------------------------------- */

/* "https://conda.anaconda.org/conda-forge/linux-64" -> "conda-forge" */
static struct str channel_name(struct arena *a, const struct record *r)
{
	static const struct str hosts[] = {STR_INIT("://conda.anaconda.org/"),
		STR_INIT("://repo.anaconda.com/"), STR_INIT("://repo.continuum.io/")};
	struct str channel = r->url.n ? derive_from_url(r->url).channel : r->channel;
	ptrdiff_t slash = str_rchr(channel, '/');

	if (slash > 0 && subdir_is_known(str_sub(channel, (size_t)slash + 1, channel.n)))
		channel = str_sub(channel, 0, (size_t)slash);
	channel = str_of(http_redact(a, arena_cstr(a, channel)));
	while (channel.n && channel.p[channel.n - 1] == '/')
		channel.n--;
	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		ptrdiff_t at = str_find(channel, hosts[i]);

		if (at == 4 || at == 5)
			return str_sub(channel, (size_t)at + hosts[i].n, channel.n);
	}
	/* A folder of one machine means nothing elsewhere; archives call it by its name, too. */
	if (str_starts(channel, STR("file:")) || str_starts(channel, STR("/")))
		channel = str_base(channel);
	return channel;
}

/* "pkg:pypi/tables@3.9": conda may call a distribution otherwise. */
static struct str pypi_name(struct arena *a, const struct record *r)
{
	static const struct str scheme = STR_INIT("pkg:pypi/");
	struct str name = r->name;
	size_t n = 0;

	if (r->n_purls == 1 && str_starts(r->purls[0], scheme)) {
		name = str_sub(r->purls[0], scheme.n, r->purls[0].n);
		while (n < name.n && !strchr("@?#", name.p[n]))
			n++;
		name.n = n;
	}
	return pypi_normal_name(a, name);
}

void side_add_record(struct side_maker *m, const struct record *r, uint64_t unpacked)
{
	struct diff_package *p = VEC_PUSH(m->arena, &m->packages);

	*p = (struct diff_package){.name = r->name,
		.version = r->version,
		.build = r->build,
		.channel = channel_name(m->arena, r),
		.subdir = r->subdir,
		.license = str_trim(r->license),
		.key = pypi_normal_name(m->arena, r->name),
		.pypi = pypi_name(m->arena, r),
		.fn = r->fn,
		.has_sha256 = r->has_sha256,
		.size = r->size,
		.unpacked = unpacked};
	memcpy(p->sha256, r->sha256, SHA256_LEN);
}

struct diff_package *side_add_pip(struct side_maker *m, struct str name, struct str version)
{
	struct diff_package *p = VEC_PUSH(m->arena, &m->packages);

	*p = (struct diff_package){.name = name,
		.version = version,
		.pip = true,
		.key = pypi_normal_name(m->arena, name)};
	p->pypi = p->key;
	return p;
}

static int by_name(const void *a, const void *b)
{
	const struct diff_package *x = a, *y = b;
	int c;

	if (x->pip != y->pip)
		return x->pip ? 1 : -1;
	c = x->pip ? str_cmp(x->key, y->key) : str_cmp(x->name, y->name);
	return c ? c : str_cmp(x->version, y->version);
}

void side_finish(struct side_maker *m)
{
	struct diff_side *side = m->side;
	bool all = m->packages.n > 0;

	if (m->packages.n)
		qsort(m->packages.v, m->packages.n, sizeof *m->packages.v, by_name);
	side->packages = m->packages.v;
	side->n_packages = m->packages.n;
	for (size_t i = 0; i < side->n_packages; i++) {
		if (side->packages[i].pip)
			continue;
		all = all && side->packages[i].size;
		side->download += side->packages[i].size;
	}
	if (!all)
		side->download = 0;
}

void side_raise_floor(struct diff_side *side, struct str number)
{
	if (number.n && (side->floor.n == 0 || glibc_cmp(number, side->floor) > 0))
		side->floor = number;
}

/* --- files ------------------------------------------------------------------------------------ */

int side_add_file(struct side_maker *m, const struct diff_file *file, struct err *e)
{
	struct diff_file *kept;

	if (m->files.n == SIDE_FILES_MAX)
		return err_set(e, ERR_INTEGRITY, "more than %d files in '%.*s'",
			(int)SIDE_FILES_MAX, STR_ARG(m->side->path));
	if (file->has_size)
		m->side->unpacked += file->size;
	if (str_starts(file->path, STR("conda-meta/")) || papers_own(file->path))
		return 0;
	kept = VEC_PUSH(m->arena, &m->files);
	*kept = *file;
	kept->path = arena_str(m->arena, file->path);
	kept->link = arena_str(m->arena, file->link);
	return 0;
}

static int by_path(const void *a, const void *b)
{
	return str_cmp(((const struct diff_file *)a)->path, ((const struct diff_file *)b)->path);
}

static struct diff_file *find_file(struct side_maker *m, struct str path)
{
	struct diff_file key = {.path = path};

	if (!m->files.n)
		return NULL;
	return bsearch(&key, m->files.v, m->files.n, sizeof *m->files.v, by_path);
}

/*
 * Bytes that depend on the place or the moment of installing: with no sum that goes back to the
 * package, only that they are there can be compared.
 */
static bool is_made(const struct installed_path *owned, struct str path)
{
	if (str_ends(path, STR(".pyc")) || str_ends(path, STR(".dist-info/RECORD")))
		return true;
	return owned ? owned->entry_point || owned->placeholder.n
		     : str_starts(path, STR("bin/")) || str_starts(path, STR("sbin/"));
}

/* Bytecode that Python itself wrote while it ran. */
static bool is_left_by_python(
	const struct side_maker *m, const struct table *owned, const struct diff_file *f)
{
	return m->side->kind == DIFF_PREFIX && str_ends(f->path, STR(".pyc")) &&
	       !table_get(owned, f->path) && !table_get(&m->sums, f->path) &&
	       !table_get(&m->rows, f->path);
}

static void settle_file(struct side_maker *m, const struct table *owned, struct diff_file *f)
{
	union table_value *sum = table_get(&m->sums, f->path);
	union table_value *row = table_get(&m->rows, f->path);
	union table_value *path = table_get(owned, f->path);
	const struct installed_path *p = path ? path->ptr : NULL;
	const uint8_t *sha256 = sum ? sum->ptr : NULL;

	if (f->is_link)
		return;
	if (!sha256 && p && p->has_sha256)
		sha256 = p->sha256;
	if (!sha256 && !p && row)
		sha256 = row->ptr;
	f->has_sha256 = sha256 != NULL;
	if (sha256)
		memcpy(f->sha256, sha256, SHA256_LEN);
	else if (is_made(p, f->path))
		f->has_size = false;
}

static void own_paths(struct side_maker *m, struct table *owned)
{
	owned->arena = m->arena;
	for (size_t i = 0; i < m->installed.n; i++)
		for (size_t k = 0; k < m->installed.v[i].n_paths; k++)
			table_put(owned, m->installed.v[i].paths[k].path)->ptr =
				&m->installed.v[i].paths[k];
}

static uint64_t unpacked_bytes(const struct installed_record *r)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < r->n_paths; i++)
		sum += r->paths[i].size;
	return sum;
}

static bool is_anchor(struct str path)
{
	return str_ends(path, STR(".dist-info/METADATA")) ||
	       str_ends(path, STR(".egg-info/PKG-INFO")) || str_ends(path, STR(".egg-info"));
}

/* Did pip put a distribution of the same name in the place of the one this package brought? */
static bool is_replaced(struct side_maker *m, const struct installed_record *r, struct table *pips)
{
	bool brought = false;

	if (!table_get(pips, pypi_normal_name(m->arena, r->record.name)))
		return false;
	for (size_t i = 0; i < r->n_paths; i++) {
		if (!is_anchor(r->paths[i].path))
			continue;
		brought = true;
		if (find_file(m, r->paths[i].path))
			return false;
	}
	return brought;
}

static void add_packages(struct side_maker *m, const struct table *owned)
{
	struct table pips = {.arena = m->arena};

	for (size_t i = 0; i < m->dists.n; i++) {
		const struct side_dist *d = &m->dists.v[i];
		struct diff_package *p;

		if (table_get(owned, d->anchor))
			continue;
		p = side_add_pip(m, d->name, d->version);
		p->license = d->license;
		p->build = d->commit;
		table_put(&pips, p->key)->num = 1;
	}
	for (size_t i = 0; i < m->installed.n; i++) {
		const struct installed_record *r = &m->installed.v[i];

		if (!is_replaced(m, r, &pips))
			side_add_record(m, &r->record, unpacked_bytes(r));
	}
}

int side_finish_files(struct side_maker *m, struct err *e)
{
	struct table owned = {0};
	struct diff_file *v = m->files.v;
	size_t n = 0;

	own_paths(m, &owned);
	if (m->files.n)
		qsort(v, m->files.n, sizeof *v, by_path);
	for (size_t i = 1; i < m->files.n; i++)
		if (str_eq(v[i].path, v[i - 1].path))
			return err_set(e, ERR_INTEGRITY, "'%.*s' occurs twice in '%.*s'",
				STR_ARG(v[i].path), STR_ARG(m->side->path));
	for (size_t i = 0; i < m->files.n; i++)
		if (!is_left_by_python(m, &owned, &v[i])) {
			settle_file(m, &owned, &v[i]);
			v[n++] = v[i];
		}
	m->files.n = n;
	add_packages(m, &owned);
	m->side->has_files = true;
	m->side->files = v;
	m->side->n_files = m->files.n;
	side_raise_floor(m->side, floor_newest(&m->floor));
	return 0;
}

/* --- Python's papers -------------------------------------------------------------------------- */

struct str side_metadata_license(struct str text)
{
	struct str license = {0};

	while (text.n) {
		struct str line = str_cut(&text, '\n'), key;

		if (str_trim(line).n == 0)
			break;
		key = str_cut(&line, ':');
		if (str_is(key, "License-Expression"))
			return str_trim(line);
		/* Some put the whole text there: its lines go on, indented. */
		if (str_is(key, "License") && !(text.n && (*text.p == ' ' || *text.p == '\t')))
			license = str_trim(line);
	}
	return license.n <= 80 ? license : (struct str){0};
}

static struct str text_in(struct arena *a, struct json *j, const char *key)
{
	struct str text = {0};

	while (json_next(j) == JSON_KEY) {
		bool it = str_is(json_text(j), key);
		enum json_type t = json_next(j);

		if (it && t == JSON_STRING)
			text = arena_str(a, json_text(j));
		if (json_skip_rest(j, t) < 0)
			break;
	}
	return text;
}

/* The text at OUTER.INNER of a JSON map; empty where there is none, or no JSON. */
static struct str nested_text(
	struct arena *a, struct str text, const char *outer, const char *inner)
{
	struct json *j = json_open_text(text, outer);
	struct str found = {0};

	if (json_next(j) == JSON_OBJECT)
		while (json_next(j) == JSON_KEY) {
			bool it = str_is(json_text(j), outer);
			enum json_type t = json_next(j);

			if (it && t == JSON_OBJECT)
				found = text_in(a, j, inner);
			else if (json_skip_rest(j, t) < 0)
				break;
		}
	json_close(j);
	return found;
}

struct str side_direct_commit(struct arena *a, struct str text)
{
	return nested_text(a, text, "vcs_info", "commit_id");
}

struct str side_audit_floor(struct arena *a, struct str text)
{
	struct str version = nested_text(a, text, "needs_glibc", "version");

	return version_is_numeric(version) ? version : (struct str){0};
}
