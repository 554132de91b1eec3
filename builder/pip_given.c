/*
 * What is there before pip chooses, and whether it fits together (PEP 440, 508).  conda's
 * distributions are closed: what they require is conda's business, but for extras that pip's
 * requirements ask of them.
 */
#include "builder/pip.h"

#include <stdlib.h>

void pip_given_add(struct arena *a, struct pip_givens *all, const struct pip_given *g)
{
	all->by_name.arena = a;
	table_put(&all->by_name, g->name)->num = all->n;
	*VEC_PUSH(a, all) = *g;
}

struct pip_given *pip_given_find(const struct pip_givens *all, struct str name)
{
	union table_value *v = all->n ? table_get(&all->by_name, name) : NULL;

	return v && !all->v[v->num].replaced ? &all->v[v->num] : NULL;
}

bool pip_given_want(struct arena *a, struct pip_given *g, const struct str *extras, size_t n)
{
	bool added = false;

	for (size_t i = 0; i < n; i++) {
		bool there = false;

		for (size_t k = 0; k < g->n_extras; k++)
			there |= str_eq(g->extras[k], extras[i]);
		if (there)
			continue;
		if (g->n_extras == g->cap_extras)
			g->extras = arena_grow(
				a, g->extras, g->n_extras, &g->cap_extras, sizeof *g->extras);
		g->extras[g->n_extras++] = extras[i];
		added = true;
	}
	return added;
}

/* --- conda's ---------------------------------------------------------------------------------- */

static ptrdiff_t owner_of(const struct prefix *p, const struct table *paths, struct str path)
{
	union table_value *v = table_get(paths, path);

	return v ? (ptrdiff_t)p->v[v->num].package : -1;
}

/* The package whose file tells of the distribution; -1: none of conda's. */
static ptrdiff_t dist_owner(
	struct arena *a, const struct prefix *p, const struct table *paths, struct str dist)
{
	static const char *const NAMES[] = {"/METADATA", "/PKG-INFO", ""};
	ptrdiff_t owner = -1;

	for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES && owner < 0; i++)
		owner = owner_of(p, paths, arena_strf(a, "%.*s%s", STR_ARG(dist), NAMES[i]));
	return owner;
}

static bool all_clobberable(const struct prefix *p, size_t package)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].package == package && !clobber_allowed(p->request, p->v[i].path))
			return false;
	return p->request->n_allow_clobber > 0;
}

static void add_purl(struct arena *a, struct record *r, const struct dist *d)
{
	struct str purl =
		arena_strf(a, "pkg:pypi/%.*s@%.*s", STR_ARG(d->name), STR_ARG(d->version));

	for (size_t i = 0; i < r->n_purls; i++)
		if (str_eq(r->purls[i], purl))
			return;
	struct str *grown = arena_array(a, struct str, r->n_purls + 1);
	if (r->n_purls)
		memcpy(grown, r->purls, r->n_purls * sizeof *grown);
	grown[r->n_purls++] = purl;
	r->purls = grown;
	r->has_purls = true;
	qsort(r->purls, r->n_purls, sizeof *r->purls, str_cmp_qsort);
}

/* The records of the request, which go into the lock. */
static struct record *record_of(const struct prefix *p, ptrdiff_t package)
{
	for (size_t i = 0; i < p->request->n_records; i++)
		if (p->request->records[i] == p->packages[package].record)
			return p->request->records[i];
	return NULL;
}

int pip_given_conda(struct pip_work *w, struct pip_givens *out, struct err *e)
{
	struct arena *a = w->arena;
	const struct prefix *p = w->p;
	struct installed_dists dists;
	struct table paths = {.arena = a};

	if (dists_installed(a, w->host->fd, p->python.site_packages, &dists, e) < 0)
		return -1;
	for (size_t i = 0; i < p->n; i++)
		table_put(&paths, p->v[i].path)->num = i;
	for (size_t i = 0; i < dists.n; i++) {
		const struct installed_dist *d = &dists.v[i];
		ptrdiff_t owner = dist_owner(a, p, &paths, d->path);
		struct record *record = owner < 0 ? NULL : record_of(p, owner);

		if (!record)
			continue;
		add_purl(a, record, &d->dist);
		pip_given_add(a, out,
			&(struct pip_given){.kind = GIVEN_CONDA,
				.name = d->dist.name,
				.dist = d->dist,
				.record = record,
				.replaceable = all_clobberable(p, (size_t)owner)});
	}
	return 0;
}

/* --- the check -------------------------------------------------------------------------------- */

struct check {
	struct pip_work *w;
	struct pip_givens *all;
	bool missing, again;
};

static bool version_does(struct arena *a, const struct pip_given *g, const struct pep508 *spec)
{
	const struct pep440 *version;

	if (spec->versions.n == 0)
		return true;
	if (pep440_parse(a, g->dist.version, &version, NULL) < 0)
		return true; /* from before PEP 440: nothing can be said */
	return pep440_set_has(&spec->versions, version, PEP440_PRE_YES);
}

static int misfit(
	const struct pip_given *g, const struct pep508 *spec, struct str who, struct err *e)
{
	struct str name = g->dist.given_name.n ? g->dist.given_name : g->name;

	switch (g->kind) {
	case GIVEN_CONDA:
		err_set(e, ERR_UNSAT,
			"%.*s: '%.*s' is not met by %.*s %.*s, which conda's package '%.*s' "
			"brings, and pip may add to conda's packages but not replace them",
			STR_ARG(who), STR_ARG(spec->text), STR_ARG(name), STR_ARG(g->dist.version),
			STR_ARG(g->record->fn));
		return err_advise(e,
			"ask for another version of '%.*s' in conda's dependencies, or let pip "
			"replace it with --allow-clobber PATTERN for all of its files",
			STR_ARG(g->record->name));
	case GIVEN_SOURCE:
		err_set(e, ERR_UNSAT,
			"%.*s: '%.*s' is not met by %.*s %.*s, which is named by URL or path",
			STR_ARG(who), STR_ARG(spec->text), STR_ARG(name), STR_ARG(g->dist.version));
		return err_advise(e, "name another revision of it");
	case GIVEN_CHOSEN:
		err_set(e, ERR_UNSAT, "%.*s: '%.*s' is not met by %.*s %.*s, which pip chose",
			STR_ARG(who), STR_ARG(spec->text), STR_ARG(name), STR_ARG(g->dist.version));
		return err_advise(e,
			"old versions of pip do not look back: add '%.*s' to the pip section",
			STR_ARG(spec->text));
	}
	return -1;
}

static int check_edge(struct check *c, const struct pep508 *spec, struct str who, struct err *e)
{
	struct arena *a = c->w->arena;
	struct pip_given *g = pip_given_find(c->all, spec->name);

	if (g && !version_does(a, g, spec)) {
		if (!g->replaceable)
			return misfit(g, spec, who, e);
		g->replaced = true;
		g = NULL;
	}
	if (!g) {
		c->missing = true;
		return 0;
	}
	c->again |= pip_given_want(a, g, spec->extras, spec->n_extras);
	return 0;
}

static int check_given(struct check *c, size_t i, struct err *e)
{
	struct arena *a = c->w->arena;
	struct pip_given *g = &c->all->v[i];
	const struct marker_env *env = &c->w->markers;
	struct str who = arena_strf(a, "%.*s %.*s", STR_ARG(g->name), STR_ARG(g->dist.version));

	for (size_t k = 0; k < g->dist.n_requires_dist; k++) {
		struct pep508 spec;

		if (pep508_parse(a, g->dist.requires_dist[k], &spec, NULL) < 0 ||
			!marker_holds(spec.marker, env, g->extras, g->n_extras))
			continue;
		if (g->kind == GIVEN_CONDA && marker_holds(spec.marker, env, NULL, 0))
			continue;
		if (check_edge(c, &spec, who, e) < 0)
			return -1;
	}
	return 0;
}

int pip_given_check(struct pip_work *w, struct pip_givens *all,
	const struct requirement *const *lines, size_t n_lines, struct err *e)
{
	struct check c = {.w = w, .all = all};

	for (size_t i = 0; i < n_lines; i++)
		if (check_edge(&c, &lines[i]->spec, lines[i]->where, e) < 0)
			return -1;
	do {
		c.again = false;
		for (size_t i = 0; i < all->n; i++)
			if (!all->v[i].replaced && check_given(&c, i, e) < 0)
				return -1;
	} while (c.again);
	return c.missing ? 0 : 1;
}
