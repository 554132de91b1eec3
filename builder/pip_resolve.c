/*
 * From the lines of a pip section to packages: what is named by URL or path is built first; where
 * that and conda's packages leave something open, pip chooses the rest.
 */
#include "builder/pip.h"

#include "base/file.h"

#include <stdlib.h>

struct line_list {
	const struct requirement **v;
	size_t n, cap;
};

const struct pypi_package *pip_kept(struct pip_work *w, struct str name)
{
	const struct install_request *r = w->request;

	for (size_t i = 0; i < r->n_unkept; i++)
		if (str_eq(pypi_normal_name(w->arena, r->unkept[i]), name))
			return NULL;
	for (size_t i = 0; r->keep && i < r->keep->n; i++)
		if (str_eq(r->keep->v[i].name, name))
			return &r->keep->v[i];
	return NULL;
}

static int by_name(const void *a, const void *b)
{
	return str_cmp(
		((const struct pypi_package *)a)->name, ((const struct pypi_package *)b)->name);
}

/* A source in the place of a distribution of conda's. */
static int replace_conda(struct pip_givens *all, const struct pip_source *s, struct err *e)
{
	struct pip_given *g = pip_given_find(all, s->package.name);

	if (!g)
		return 0;
	if (g->replaceable) {
		g->replaced = true;
		return 0;
	}
	err_set(e, ERR_UNSAT,
		"%.*s: conda's package '%.*s' brings '%.*s' already, and pip may add to conda's "
		"packages but not replace them",
		STR_ARG(s->requirement.where), STR_ARG(g->record->fn), STR_ARG(g->name));
	return err_advise(e,
		"take it out of one of the two, or let pip replace it with --allow-clobber PATTERN "
		"for all of its files");
}

static int give_sources(struct pip_work *w, struct pip_givens *all,
	const struct pip_sources *sources, struct err *e)
{
	for (size_t i = 0; i < sources->n; i++) {
		const struct pip_source *s = &sources->v[i];

		if (replace_conda(all, s, e) < 0)
			return -1;
		pip_given_add(w->arena, all,
			&(struct pip_given){.kind = GIVEN_SOURCE,
				.name = s->package.name,
				.dist = s->dist,
				.extras = s->extras,
				.n_extras = s->n_extras,
				.cap_extras = s->n_extras});
	}
	return 0;
}

static void find_lines(struct pip_work *w, struct line_list *out)
{
	const struct requirements *all = &w->requirements;

	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].kind == REQUIREMENT_INDEX &&
			marker_holds(all->v[i].spec.marker, &w->markers, NULL, 0))
			*VEC_PUSH(w->arena, out) = &all->v[i];
}

/* Constraints hold for what is given too; pip hears of the others. */
static int check_constraints(struct pip_work *w, const struct pip_givens *all, struct err *e)
{
	const struct requirements *r = &w->requirements;
	struct line_list given = {0};

	for (size_t i = 0; i < r->n_constraints; i++)
		if (pip_given_find(all, r->constraints[i].spec.name) &&
			marker_holds(r->constraints[i].spec.marker, &w->markers, NULL, 0))
			*VEC_PUSH(w->arena, &given) = &r->constraints[i];
	struct pip_givens copy = *all;
	return pip_given_check(w, &copy, given.v, given.n, e) < 0 ? -1 : 0;
}

/* What pip is still to find: lines whose name nothing has yet. */
static void still_open(struct pip_work *w, const struct pip_givens *all,
	const struct line_list *lines, struct line_list *out)
{
	for (size_t i = 0; i < lines->n; i++)
		if (!pip_given_find(all, lines->v[i]->spec.name))
			*VEC_PUSH(w->arena, out) = lines->v[i];
}

static void give_chosen(
	struct pip_work *w, struct pip_givens *all, const struct pypi_package *package)
{
	pip_given_add(w->arena, all,
		&(struct pip_given){.kind = GIVEN_CHOSEN,
			.name = package->name,
			.dist = {.name = package->name,
				.given_name = package->name,
				.version = package->version,
				.requires_python = package->requires_python,
				.requires_dist = package->requires_dist,
				.n_requires_dist = package->n_requires_dist}});
}

/* The whole set, of its own: a try that fails leaves nothing in it. */
static struct pip_givens copy_of(struct arena *a, const struct pip_givens *all)
{
	struct pip_givens copy = {0};

	for (size_t i = 0; i < all->n; i++)
		pip_given_add(a, &copy, &all->v[i]);
	return copy;
}

/* pip chose among all there is; that it all fits is looked at here, as old pips do not. */
static int choose_once(struct pip_work *w, const struct pip_givens *given,
	const struct line_list *lines, bool keep, struct package_list *out, struct err *e)
{
	struct pip_givens all = copy_of(w->arena, given);
	struct line_list open = {0};
	int rc;

	still_open(w, &all, lines, &open);
	if (pip_download(w, &all, open.v, open.n, keep, out, e) < 0)
		return -1;
	for (size_t i = 0; i < out->n; i++)
		give_chosen(w, &all, &out->v[i]);
	rc = pip_given_check(w, &all, lines->v, lines->n, e);
	if (rc == 0)
		return err_set(e, ERR_UNSAT, "pip left something out of what is required");
	return rc < 0 ? -1 : 0;
}

/* As locked if that goes; else all is chosen anew: pip does not say what would have to give way. */
static int choose(struct pip_work *w, const struct pip_givens *all, const struct line_list *lines,
	struct package_list *out, struct err *e)
{
	struct err why = {0};

	if (!w->request->keep)
		return choose_once(w, all, lines, false, out, e);
	if (choose_once(w, all, lines, true, out, &why) == 0)
		return 0;
	if (why.code != ERR_UNSAT)
		return err_move(e, &why);
	log_note("pip finds nothing that keeps the locked versions: its packages are chosen anew");
	log_debug("%s", why.text);
	err_release(&why);
	*out = (struct package_list){0};
	return choose_once(w, all, lines, false, out, e);
}

static void settle(struct pip_work *w, const struct pip_sources *sources,
	const struct package_list *chosen, struct pypi_set *out)
{
	size_t n = sources->n + chosen->n;

	*out = (struct pypi_set){
		.v = arena_array(w->arena, struct pypi_package, n), .n = n, .settled = true};
	for (size_t i = 0; i < sources->n; i++)
		out->v[i] = sources->v[i].package;
	for (size_t i = 0; i < chosen->n; i++)
		out->v[sources->n + i] = chosen->v[i];
	if (n)
		qsort(out->v, n, sizeof *out->v, by_name);
}

int pip_resolve(struct pip_work *w, struct pypi_set *out, struct err *e)
{
	const struct install_request *r = w->request;
	struct pip_sources sources = {0};
	struct pip_givens given = {0};
	struct line_list lines = {0};
	struct package_list chosen = {0};
	int met;

	if (requirements_read(w->arena, r->pip, r->n_pip, r->pip_file, r->project_dir,
		    &w->requirements, e) < 0 ||
		pip_host(w, e) < 0 || pip_given_conda(w, &given, e) < 0 ||
		pip_sources(w, &sources, e) < 0 || give_sources(w, &given, &sources, e) < 0)
		return -1;
	find_lines(w, &lines);
	met = pip_given_check(w, &given, lines.v, lines.n, e);
	if (met < 0 || check_constraints(w, &given, e) < 0 ||
		(met == 0 && choose(w, &given, &lines, &chosen, e) < 0))
		return -1;
	settle(w, &sources, &chosen, out);
	return 0;
}
