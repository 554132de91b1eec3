/*
 * pip's part of a change.  What pip installed is compared with the wheels that are wanted by the
 * sums in their RECORD; where anything differs all of it is taken away and installed anew: the
 * wheels lie in the cache, and the result is what a new environment would have.
 */
#include "builder/change.h"

#include "base/archive.h"
#include "base/file.h"
#include "builder/dist_rows.h"
#include "builder/layer.h"

enum { MAX_RECORD = 256 << 20 };

/* --- what is there ------------------------------------------------------------------------ */

static struct table conda_paths(const struct change *c)
{
	struct table t = {.arena = c->arena};

	for (size_t i = 0; i < c->in.n; i++)
		for (size_t k = 0; k < c->in.v[i].n_paths; k++)
			table_put(&t, c->in.v[i].paths[k].path);
	return t;
}

static bool is_condas(struct change *c, const struct table *conda, const struct installed_dist *d)
{
	static const char *const FILES[] = {"METADATA", "PKG-INFO", "RECORD"};

	if (table_get(conda, d->path))
		return true;
	for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++)
		if (table_get(conda, arena_strf(c->arena, "%.*s/%s", STR_ARG(d->path), FILES[i])))
			return true;
	return false;
}

/* A pointer to a project's folder (egg-link) lists no files: it stays. */
static int find_dists(struct change *c, struct err *e)
{
	struct installed_dists all = {0};
	struct table conda = conda_paths(c);

	if (!c->old_python.major)
		return 0;
	if (dists_installed(c->arena, c->fd, c->old_python.site_packages, &all, e) < 0)
		return -1;
	for (size_t i = 0; i < all.n; i++)
		if (all.v[i].n_files && !is_condas(c, &conda, &all.v[i]))
			*VEC_PUSH(c->arena, &c->dists) = all.v[i];
	return 0;
}

/* --- is it what is wanted? ---------------------------------------------------------------- */

static const char *wheel_path(const struct change *c, const struct pypi_package *k)
{
	bool built = k->wheel.n > 0;

	return cache_find_wheel(c->arena, c->wanted->cache, built ? k->wheel_sha256 : k->sha256,
		built ? k->wheel : dist_file_of(c->arena, k->url));
}

/* The text of a wheel's dist-info/RECORD. */
static int read_wheel_record(struct arena *a, const char *path, struct str *out)
{
	struct tar_reader *zip = zip_open_path(path, NULL);
	struct member m;
	int rc = -1;

	while (zip && tar_next(zip, &m, NULL) > 0)
		if (str_ends(m.path, STR(".dist-info/RECORD"))) {
			rc = tar_read_all(zip, a, MAX_RECORD, out, NULL);
			break;
		}
	tar_close(zip);
	return rc;
}

static int read_installed_record(struct change *c, const struct installed_dist *d, struct str *out)
{
	return file_read_at(c->arena, c->fd,
		arena_printf(c->arena, "%.*s/RECORD", STR_ARG(d->path)), MAX_RECORD, out, NULL);
}

/* Are all files of the wheel that go to site-packages there with their sums? */
static bool same_files(struct change *c, const struct installed_dist *d, const char *wheel)
{
	struct table have = {.arena = c->arena};
	struct str text, none = {0};
	struct dist_row row;

	if (read_installed_record(c, d, &text) < 0)
		return false;
	while (dist_row_next(c->arena, &text, none, true, &row))
		if (row.path.n && row.has_sha256) {
			uint8_t *sum = arena_alloc(c->arena, SHA256_LEN);
			memcpy(sum, row.sha256, SHA256_LEN);
			table_put(&have, row.path)->ptr = sum;
		}
	if (read_wheel_record(c->arena, wheel, &text) < 0)
		return false;
	while (dist_row_next(c->arena, &text, none, true, &row)) {
		struct str rest = row.path;
		if (!row.has_sha256 || str_ends(str_cut(&rest, '/'), STR(".data")))
			continue;
		union table_value *v = table_get(&have, row.path);
		if (!v || memcmp(v->ptr, row.sha256, SHA256_LEN) != 0)
			return false;
	}
	return true;
}

static bool is_there(struct change *c, const struct pypi_package *k)
{
	const char *wheel = wheel_path(c, k);

	for (size_t i = 0; i < c->dists.n; i++) {
		const struct installed_dist *d = &c->dists.v[i];
		if (str_eq(d->dist.name, k->name))
			return str_eq(d->dist.version, k->version) && wheel &&
			       same_files(c, d, wheel);
	}
	return false;
}

static bool differs(struct change *c)
{
	const struct pypi_set *set = c->pip_request.pypi;

	if (set->n != c->dists.n)
		return true;
	for (size_t i = 0; i < set->n; i++)
		if (!is_there(c, &set->v[i]))
			return true;
	return false;
}

/* --- the plan ----------------------------------------------------------------------------- */

int change_pip_plan(struct change *c, struct err *e)
{
	c->pip_request = *c->wanted;
	c->pip_request.counts = NULL;
	if (!c->pip_request.pypi)
		c->pip_request.pypi = &c->own_pypi;
	if (find_dists(c, e) < 0)
		return -1;
	c->pip_wanted =
		c->wanted->n_pip > 0 || (c->pip_request.pypi->settled && c->pip_request.pypi->n);
	c->pip = c->python_moved                                  ? c->dists.n > 0 || c->pip_wanted
		 : c->pip_wanted && !c->pip_request.pypi->settled ? true
								  : differs(c);
	return 0;
}

/* All of the wanted environment: pip must know what conda brings. */
static int plan_whole(struct change *c, struct err *e)
{
	c->whole_bytecode.arena = c->arena;
	c->whole = (struct prefix){.arena = c->arena,
		.request = &c->pip_request,
		.fd = c->fd,
		.ran_code = true,
		.bytecode = &c->whole_bytecode};
	return prefix_plan(&c->whole, e) < 0 ? -1 : prefix_check_pip(&c->whole, e);
}

int change_pip_settle(struct change *c, struct err *e)
{
	bool was_settled = c->pip_request.pypi->settled;

	if (!c->pip || !c->pip_wanted)
		return 0;
	if (plan_whole(c, e) < 0 || prefix_settle_pip(&c->whole, e) < 0)
		return -1;
	if (!was_settled && !c->python_moved)
		c->pip = differs(c);
	return 0;
}

/* Nobody may be surprised that what was installed by hand goes. */
static void tell_going(const struct change *c)
{
	const struct pypi_set *set = c->pip_request.pypi;

	for (size_t i = 0; i < c->dists.n; i++) {
		const struct dist *d = &c->dists.v[i].dist;
		bool comes = false;
		for (size_t k = 0; k < set->n && !comes; k++)
			comes = str_eq(set->v[k].name, d->name);
		if (!comes)
			log_warn("'%.*s' %.*s, which pip installed, is not wanted: it goes",
				STR_ARG(d->name), STR_ARG(d->version));
	}
}

static int add_wheel(struct change *c, const struct pypi_package *k, struct err *e)
{
	const struct python *py = &c->whole.python;
	const char *path = wheel_path(c, k);
	struct wheel wheel;

	if (!path)
		return err_set(
			e, ERR_SYSTEM, "the wheel of '%.*s' went from the cache", STR_ARG(k->name));
	if (wheel_read(c->arena, path, NULL, py, &wheel, e) < 0)
		return -1;
	for (size_t i = 0; i < wheel.n_paths; i++) {
		struct str file = wheel.paths[i];
		if (change_add(c, file, k->name, e) < 0)
			return -1;
		if (str_ends(file, STR(".py")) &&
			change_add(c, python_bytecode_path(c->arena, py, file), k->name, e) < 0)
			return -1;
	}
	return 0;
}

int change_pip_paths(struct change *c, struct err *e)
{
	const struct pypi_set *set = c->pip_request.pypi;

	if (c->pip)
		tell_going(c);
	for (size_t i = 0; c->pip && c->pip_wanted && i < set->n; i++)
		if (add_wheel(c, &set->v[i], e) < 0)
			return -1;
	return 0;
}

int change_pip_install(struct change *c, struct err *e)
{
	return c->pip && c->pip_wanted ? prefix_pip(&c->whole, e) : 0;
}
