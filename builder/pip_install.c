/*
 * Exactly the wheels of a set into the prefix, by the environment's pip without network.  What they
 * would overwrite or remove of conda's, or of each other, is known before.
 */
#include "builder/pip.h"

#include "base/file.h"

#include <stdlib.h>

struct item {
	const struct pypi_package *package;
	struct wheel wheel;
	const char *path;   /* on this machine */
	const char *inside; /* in the engine */
};

struct install {
	struct pip_work *w;
	struct item *v;
	size_t n;
	struct table conda; /* path -> index into prefix.v */
};

/* --- what would be overwritten or removed ----------------------------------------------------- */

static int clobbers(const struct install *in, const struct item *item, struct str path,
	const char *would, struct err *e)
{
	const struct prefix *p = in->w->p;
	union table_value *v = table_get(&in->conda, path);

	if (!v || clobber_allowed(p->request, path))
		return 0;
	err_set(e, ERR_INTEGRITY, "pip's '%.*s' would %s '%.*s' of conda's package '%.*s'",
		STR_ARG(item->package->name), would, STR_ARG(path),
		STR_ARG(p->packages[p->v[v->num].package].record->fn));
	return err_advise(
		e, "take one of them out, or allow it: --allow-clobber '%.*s'", STR_ARG(path));
}

static int check_paths(struct install *in, struct err *e)
{
	struct table pips = {.arena = in->w->arena};

	for (size_t i = 0; i < in->n; i++) {
		const struct item *item = &in->v[i];

		for (size_t k = 0; k < item->wheel.n_paths; k++) {
			struct str path = item->wheel.paths[k];
			union table_value *v = table_put(&pips, path);

			if (clobbers(in, item, path, "overwrite", e) < 0)
				return -1;
			if (v->num && !clobber_allowed(in->w->request, path)) {
				err_set(e, ERR_INTEGRITY,
					"pip's '%.*s' and '%.*s' both bring '%.*s'",
					STR_ARG(in->v[v->num - 1].package->name),
					STR_ARG(item->package->name), STR_ARG(path));
				return err_advise(e,
					"take one of them out, or allow it: --allow-clobber '%.*s'",
					STR_ARG(path));
			}
			v->num = i + 1;
		}
	}
	return 0;
}

/* pip takes a distribution of the same name away before it puts its own there. */
static int check_removed(struct install *in, struct err *e)
{
	struct prefix *p = in->w->p;
	struct installed_dists dists;

	if (dists_installed(in->w->arena, p->fd, p->python.site_packages, &dists, e) < 0)
		return -1;
	for (size_t i = 0; i < dists.n; i++)
		for (size_t k = 0; k < in->n; k++) {
			const struct installed_dist *d = &dists.v[i];

			if (!str_eq(d->dist.name, in->v[k].package->name))
				continue;
			for (size_t m = 0; m < d->n_files; m++)
				if (clobbers(in, &in->v[k], d->files[m], "remove", e) < 0)
					return -1;
			if (clobbers(in, &in->v[k], d->path, "remove", e) < 0)
				return -1;
		}
	return 0;
}

/* --- the wheels as pip gets them -------------------------------------------------------------- */

static int load(struct install *in, const struct pypi_set *set, struct err *e)
{
	struct pip_work *w = in->w;
	struct prefix *p = w->p;

	in->conda.arena = w->arena;
	for (size_t i = 0; i < p->n; i++)
		table_put(&in->conda, p->v[i].path)->num = i;
	in->n = set->n;
	in->v = arena_array(w->arena, struct item, set->n);
	for (size_t i = 0; i < set->n; i++) {
		struct item *item = &in->v[i];
		struct str name;

		item->package = &set->v[i];
		item->path = pip_wheel_path(w, item->package, &name);
		if (!item->path)
			return err_set(e, ERR_SYSTEM, "the wheel '%.*s' went from the cache",
				STR_ARG(name));
		if (wheel_read(w->arena, item->path, NULL, &p->python, &item->wheel, e) < 0)
			return -1;
		if (!str_eq(item->wheel.dist.name, item->package->name) ||
			!str_eq(item->wheel.dist.version, item->package->version))
			return err_set(e, ERR_INTEGRITY, "wheel '%.*s' is %.*s %.*s, not %.*s %.*s",
				STR_ARG(name), STR_ARG(item->wheel.dist.name),
				STR_ARG(item->wheel.dist.version), STR_ARG(item->package->name),
				STR_ARG(item->package->version));
	}
	return 0;
}

/* Each at a path inside: the folders of the cache and its layers are bound, once each. */
static void bind_wheels(struct install *in, struct bind_list *binds)
{
	struct pip_work *w = in->w;
	struct arena *a = w->arena;
	bool direct = engine_is_direct(w->request->engine);

	for (size_t i = 0; i < in->n; i++) {
		struct item *item = &in->v[i];
		const char *dir = path_dir(a, item->path), *base = path_base(item->path);
		char *to = arena_printf(a, "/tmp/envbuild-wheels/%zu", i);

		item->inside = direct ? item->path : path_join(a, to, base);
		if (!direct)
			*VEC_PUSH(a, binds) = (struct bind){dir, to, BIND_READ_ONLY, NULL, 0};
	}
}

/* What was built holds the prefix it was built in. */
static int rewrite(struct install *in, const struct bind_list *binds, struct err *e)
{
	struct pip_work *w = in->w;
	struct arena *a = w->arena;
	const char *prefix = w->request->prefix_inside;
	struct pip_rewrite *list = arena_array(a, struct pip_rewrite, in->n);
	struct pip_place *places = arena_array(a, struct pip_place, in->n);
	struct item **items = arena_array(a, struct item *, in->n);
	size_t n = 0;

	for (size_t i = 0; i < in->n && strcmp(prefix, BUILD_PREFIX) != 0; i++) {
		struct item *item = &in->v[i];

		if (!item->package->wheel.n)
			continue;
		places[n] = pip_place(w, "moved", item->package->wheel);
		if (dir_make(path_dir(a, places[n].path), e) < 0)
			return -1;
		list[n] = (struct pip_rewrite){item->inside, places[n].inside, 0};
		items[n++] = item;
	}
	if (n && pip_rewrite(w, list, n, BUILD_PREFIX, prefix, binds, true, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (path_exists(places[i].path))
			items[i]->inside = places[i].inside;
	return 0;
}

static int run(struct install *in, const struct bind_list *binds, struct err *e)
{
	struct pip_work *w = in->w;
	struct pip_place lines = pip_place(w, "install", STR("requirements.txt"));
	const char *const args[] = {"install", "--no-deps", "--no-index", "--no-compile",
		"--requirement", lines.inside, NULL};
	struct pip_command c = {
		.args = args, .binds = binds->v, .n_binds = binds->n, .install = true};
	CLEANUP_BUF text = {0};

	for (size_t i = 0; i < in->n; i++)
		buf_printf(&text, "%s\n", in->v[i].inside);
	if (dir_make(path_dir(w->arena, lines.path), e) < 0 ||
		file_write(lines.path, buf_view(&text), 0644, e) < 0)
		return -1;
	return pip_run_pip(w, &c, "pip, which installs wheels,", e);
}

int pip_check_paths(struct pip_work *w, const struct pypi_set *set, struct err *e)
{
	struct install in = {.w = w};

	return load(&in, set, e) < 0 || check_paths(&in, e) < 0 ? -1 : 0;
}

int pip_install(struct pip_work *w, const struct pypi_set *set, struct err *e)
{
	struct install in = {.w = w};
	struct bind_list binds = {0};
	struct step step;
	int rc;

	if (set->n == 0)
		return 0;
	if (load(&in, set, e) < 0 || check_paths(&in, e) < 0 || check_removed(&in, e) < 0)
		return -1;
	bind_wheels(&in, &binds);
	step_begin(&step, "pip install", set->n, 0);
	rc = rewrite(&in, &binds, e);
	if (rc == 0)
		rc = run(&in, &binds, e);
	for (size_t i = 0; i < in.n && rc == 0; i++)
		rc = pip_tidy(w, in.v[i].package, in.v[i].wheel.dist_info, e);
	if (rc < 0)
		step_fail(&step);
	else
		step_end(&step, "%zu packages", set->n);
	return rc;
}
