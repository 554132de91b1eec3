/*
 * What would help where there is no solution: versions that fit instead of those asked for, and the
 * smallest change of one virtual package of the target.  All of it is found by solving again.
 */
#include "solver/explain.h"

#include <ctype.h>
#include <stdlib.h>

enum { FITS_MAX = 6, FITS_OF_CONTRADICTION_MAX = 3, VALUES_MAX = 24, BETTER_MAX = 100 };

/* --- versions that fit ---------------------------------------------------------------------- */

static bool is_bare(const struct matchspec *m)
{
	return m->plain && !m->version && !m->build && !m->channel.n;
}

/* What a wish comes to when it asks for any version: its name, and the channel if it said one. */
static struct requirement *relaxed(struct universe *u, const struct wish *w)
{
	const struct matchspec *m = &w->requirement->spec;
	CLEANUP_BUF text = {0};

	if (is_bare(m) || w->requirement->package->standin)
		return NULL;
	if (m->channel.n)
		buf_printf(&text, "%.*s::", STR_ARG(m->channel));
	buf_str(&text, m->name);
	return universe_requirement(u, buf_view(&text), NULL);
}

static struct candidate *chosen_of(const struct candidate_list *chosen, const struct package *p)
{
	for (size_t i = 0; i < chosen->n; i++)
		if (chosen->v[i]->package == p)
			return chosen->v[i];
	return NULL;
}

static bool is_better(const struct candidate *a, const struct candidate *than, bool by_version)
{
	return by_version ? a->tier < than->tier : a->place < than->place;
}

/* A solution with a better candidate than c, found by leaving out all others of its name. */
static bool choose_better(
	struct universe *u, struct candidate *c, bool by_version, struct candidate_list *found)
{
	const struct drop why = {.kind = DROP_WORSE};
	struct mark mark = trail_mark(u);
	bool ok;

	for (size_t i = 0; i < c->package->candidates.n; i++)
		if (!is_better(c->package->candidates.v[i], c, by_version))
			candidate_drop(u, c->package->candidates.v[i], why);
	drops_carry_on(u);
	ok = c->package->left != 0;
	if (ok) {
		package_require(u, c->package, NULL);
		prune(u);
		ok = !wish_hopeless(u) && c->package->left &&
		     pool_choose(u, c->package, found, NULL) == 1;
	}
	trail_undo(u, mark);
	return ok;
}

/* The best candidate that any solution of the attempt has of the package: version, then build. */
static const struct candidate *best_of(
	struct universe *u, const struct package *p, const struct candidate_list *chosen)
{
	struct candidate *c = chosen_of(chosen, p);

	for (int by_version = 1; c && by_version >= 0; by_version--)
		for (int tries = 0; tries < BETTER_MAX; tries++) {
			struct candidate_list found = {0};

			if (!choose_better(u, c, by_version, &found))
				break;
			c = chosen_of(&found, p);
		}
	return c;
}

static void add_fit(struct universe *u, struct fit_list *out, const struct wish *w,
	const struct candidate *c, bool alone)
{
	*VEC_PUSH(&u->arena, out) = (struct fit){.w = w, .candidate = c, .alone = alone};
}

/* The wish for any version of its name, with those of the others that are `with`, else alone. */
static int fit_one(
	struct universe *u, struct wish *w, const bool *with, struct fit_list *out, struct err *e)
{
	struct requirement *asked = w->requirement, *any = relaxed(u, w);
	bool *in = arena_array(&u->arena, bool, u->n_lines);
	const struct candidate *c = NULL;
	int rc = 0, alone = 0;

	for (; any && rc == 0 && alone < 2; alone++) {
		struct candidate_list chosen = {0};

		for (size_t i = 0; i < u->n_lines; i++)
			in[i] = i == w->number || (!alone && with[i]);
		wishes_only(u, in);
		w->requirement = any;
		rc = attempt(u, &chosen, NULL, e);
		if (rc == 1)
			c = best_of(u, asked->package, &chosen);
		w->requirement = asked;
	}
	if (rc >= 0)
		add_fit(u, out, w, c, c && alone == 2);
	return rc < 0 ? -1 : 0;
}

/* Does the channel have the name at all?  Else there is nothing to choose from. */
static bool has_candidates(const struct wish *w)
{
	const struct package *p = w->requirement->package;

	return !p->is_virtual && !p->standin && p->candidates.n != 0;
}

struct swap {
	struct wish *w;
	struct requirement *asked;
};

/* Every impossible wish asks for any version, in one attempt. */
static int fit_together(
	struct universe *u, struct swap *swaps, size_t n, struct fit_list *out, struct err *e)
{
	struct candidate_list chosen = {0};
	int rc;

	for (size_t i = 0; i < u->n_wishes; i++)
		u->wishes[i].off = false;
	for (size_t i = 0; i < n; i++) {
		struct requirement *any = relaxed(u, swaps[i].w);

		if (any)
			swaps[i].w->requirement = any;
	}
	rc = attempt(u, &chosen, NULL, e);
	for (size_t i = 0; rc == 1 && i < n && i < FITS_MAX; i++)
		add_fit(u, out, swaps[i].w, best_of(u, swaps[i].asked->package, &chosen), false);
	for (size_t i = 0; i < n; i++)
		swaps[i].w->requirement = swaps[i].asked;
	return rc;
}

int fits_of_impossible(struct universe *u, const bool *in, struct fit_list *out, struct err *e)
{
	struct swap *swaps = arena_array(&u->arena, struct swap, u->n_lines);
	bool *others = arena_array(&u->arena, bool, u->n_lines);
	bool all = true;
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < u->n_lines; i++) {
		struct wish *w = u->lines[i];

		others[i] = !in[i];
		if (others[i])
			continue;
		if (has_candidates(w))
			swaps[n++] = (struct swap){w, w->requirement};
		all &= has_candidates(w) && !is_bare(&w->requirement->spec);
	}
	if (all)
		rc = fit_together(u, swaps, n, out, e);
	/* Of many, what fits instead of one is of little use. */
	for (size_t i = 0; rc == 0 && n <= FITS_MAX && i < n; i++)
		if (fit_one(u, swaps[i].w, others, out, e) < 0)
			rc = -1;
	return rc < 0 ? -1 : 0;
}

/* Then to ask for any version is to leave the line out. */
static bool shares_name(const struct universe *u, size_t of)
{
	for (size_t i = 0; i < u->n_lines; i++)
		if (i != of &&
			u->lines[i]->requirement->package == u->lines[of]->requirement->package)
			return true;
	return false;
}

/* All wishes, this one for any version or, where that is no other request, left out. */
static int fit_with_others(struct universe *u, size_t i, struct fit_list *out, struct err *e)
{
	struct wish *w = u->lines[i];
	struct requirement *asked = w->requirement;
	struct requirement *any = shares_name(u, i) ? NULL : relaxed(u, w);
	struct candidate_list chosen = {0};
	int rc;

	for (size_t k = 0; k < u->n_wishes; k++)
		u->wishes[k].off = u->wishes[k].number == i && !any;
	if (any)
		w->requirement = any;
	rc = attempt(u, &chosen, NULL, e);
	if (rc == 1 && any)
		add_fit(u, out, w, best_of(u, asked->package, &chosen), false);
	w->requirement = asked;
	if (rc == 1)
		w->rest = REST_SOLVABLE;
	else if (rc == 0 && !any)
		w->rest = REST_NOT;
	return rc < 0 ? -1 : 0;
}

int fits_of_contradiction(struct universe *u, const bool *in, struct fit_list *out, struct err *e)
{
	size_t n = 0;

	for (size_t i = 0; i < u->n_lines && n < FITS_OF_CONTRADICTION_MAX; i++) {
		if (!in[i] || u->lines[i]->requirement->package->is_virtual)
			continue;
		n++;
		if (fit_with_others(u, i, out, e) < 0)
			return -1;
	}
	return 0;
}

/* --- virtual packages ----------------------------------------------------------------------- */

struct values {
	struct value {
		struct str text; /* as virtual_package_parse() takes it */
		struct str shown;
		const struct version *version;
	} * v;
	size_t n, cap;
};

static bool is_archspec(const struct package *p)
{
	return str_is(p->name, "__archspec");
}

/* That a target is another operating system is no small change. */
static bool may_be_added(const struct package *p)
{
	static const char *const systems[] = {"__win", "__osx", "__linux", "__unix"};

	for (size_t i = 0; i < sizeof systems / sizeof *systems; i++)
		if (str_is(p->name, systems[i]))
			return false;
	return true;
}

static const struct record *record_of(const struct package *p)
{
	return p->candidates.n ? p->candidates.v[0]->record : NULL;
}

static void add_value(struct universe *u, const struct package *p, struct values *list,
	struct str version, struct str build)
{
	const struct record *has = record_of(p);
	const struct version *v;
	size_t at = list->n;

	if (version_parse(&u->arena, version, &v, NULL) < 0)
		return;
	if (!is_archspec(p) && has && version_cmp(v, p->candidates.v[0]->version) <= 0)
		return;
	while (at && version_cmp(list->v[at - 1].version, v) > 0)
		at--;
	if (at && !is_archspec(p) && version_cmp(list->v[at - 1].version, v) == 0)
		return;
	VEC_PUSH(&u->arena, list);
	memmove(list->v + at + 1, list->v + at, (list->n - 1 - at) * sizeof *list->v);
	list->v[at] = (struct value){.text = arena_strf(&u->arena, "%.*s=%.*s=%.*s",
					     STR_ARG(p->name), STR_ARG(version), STR_ARG(build)),
		.shown = is_archspec(p) ? build : version,
		.version = v};
}

static bool is_version_char(char c)
{
	return isalnum((unsigned char)c) || c == '.' || c == '_' || c == '!' || c == '+';
}

/* "2.17" and "3.0.a0" of ">=2.17,<3.0.a0". */
static void add_versions_of(
	struct universe *u, const struct package *p, struct values *list, struct str text)
{
	const struct record *has = record_of(p);
	const struct str build = has ? has->build : STR("0");

	for (size_t i = 0, from; i < text.n; i++) {
		struct str word;

		for (from = i; i < text.n && is_version_char(text.p[i]);)
			i++;
		word = str_sub(text, from, i);
		if (str_ends(word, STR(".")))
			word.n--;
		if (word.n)
			add_value(u, p, list, word, build);
	}
}

/* The levels of x86-64 above the one that the target has, each of which includes those below. */
static void add_levels(struct universe *u, const struct package *p, struct values *list)
{
	static const char *const levels[] = {"x86_64", "x86_64_v2", "x86_64_v3", "x86_64_v4"};
	const struct record *has = record_of(p);
	size_t n = sizeof levels / sizeof *levels, at = n;

	for (size_t i = 0; has && i < n; i++)
		if (str_is(has->build, levels[i]))
			at = i;
	if (has && at == n)
		return; /* a processor by its own name */
	for (size_t i = has ? at + 1 : 0; i < n; i++)
		add_value(u, p, list, STR("1"), str_of(levels[i]));
}

static struct values values_of(struct universe *u, const struct package *p)
{
	struct values list = {0};

	if (!p->candidates.n && !may_be_added(p))
		return list;
	if (is_archspec(p)) {
		add_levels(u, p, &list);
		return list;
	}
	if (!p->candidates.n)
		add_value(u, p, &list, STR("0"), STR("0"));
	for (size_t i = 0; i < p->requirements.n; i++)
		if (p->requirements.v[i]->base == 0)
			add_versions_of(u, p, &list, p->requirements.v[i]->spec.version_text);
	return list;
}

/* How many requirements on it are not met. */
static size_t count_unmet(const struct package *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->requirements.n; i++)
		n += p->requirements.v[i]->base == 0;
	return n;
}

/* What somebody asks of a virtual package in the other universe: there lie the next values. */
static void learn_requirements(struct universe *u, const struct universe *other, struct str name)
{
	union table_value *v = table_get(&other->packages, name);
	const struct package *p = v ? v->ptr : NULL;

	for (size_t i = 0; p && i < p->requirements.n; i++)
		universe_requirement(u, p->requirements.v[i]->text, NULL);
}

/* What conditions (CEP 43) took out must be read anew. */
static int solvable_anew(
	struct universe *u, const struct package *p, struct str text, struct err *e)
{
	struct solve_request request = *u->request;
	struct str *all = arena_array(&u->arena, struct str, request.n_virtual_packages + 1);
	struct candidate_list chosen = {0};
	struct universe other;
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < request.n_virtual_packages; i++) {
		struct str rest = request.virtual_packages[i];

		if (!str_eq(str_trim(str_cut(&rest, '=')), p->name))
			all[n++] = request.virtual_packages[i];
	}
	all[n++] = text;
	request.virtual_packages = all;
	request.n_virtual_packages = n;
	rc = universe_init(&other, &request, u->index, e);
	if (rc == 0)
		rc = attempt(&other, &chosen, NULL, e);
	if (rc == 0)
		learn_requirements(u, &other, p->name);
	universe_release(&other);
	return rc;
}

/* With the target as it is now: first those wishes that had no solution, then all. */
static int solvable_now(struct universe *u, const bool *in, struct err *e)
{
	struct candidate_list some = {0}, all = {0};
	int rc;

	wishes_only(u, in);
	rc = attempt(u, &some, NULL, e);
	if (rc != 1)
		return rc;
	for (size_t i = 0; i < u->n_wishes; i++)
		u->wishes[i].off = false;
	return attempt(u, &all, NULL, e);
}

static int try_value(
	struct universe *u, struct package *p, const struct value *v, const bool *in, struct err *e)
{
	size_t unmet = count_unmet(p);

	if (universe_set_virtual(u, p, v->text, e) < 0)
		return -1;
	if (count_unmet(p) == unmet)
		return 0; /* it changes nothing that is asked for */
	return u->conditional ? solvable_anew(u, p, v->text, e) : solvable_now(u, in, e);
}

/* Ever higher values.  Each attempt may lead to requirements that were not known before. */
static int raise_package(struct arena *a, struct universe *u, struct package *p, const bool *in,
	struct virtual_remedy *out, struct err *e)
{
	for (size_t i = 0; i < VALUES_MAX; i++) {
		struct values list = values_of(u, p);
		int rc;

		if (list.n == 0)
			return 0;
		rc = try_value(u, p, &list.v[0], in, e);
		if (rc == 1)
			*out = (struct virtual_remedy){
				.package = p, .to = arena_str(a, list.v[0].shown)};
		if (rc)
			return rc;
	}
	return 0;
}

static int try_package(struct arena *a, struct universe *u, struct package *p, const bool *in,
	struct virtual_remedy *out, struct err *e)
{
	const struct record *had = record_of(p);
	struct str text = {0};
	int rc;

	if (had)
		text = arena_strf(&u->arena, "%.*s=%.*s=%.*s", STR_ARG(p->name),
			STR_ARG(had->version), STR_ARG(had->build));
	rc = raise_package(a, u, p, in, out, e);
	if (rc == 1 && had)
		out->from = arena_str(a, is_archspec(p) ? had->build : had->version);
	/* The universe is as it was: what is told of it afterwards is of the target as declared. */
	return universe_set_virtual(u, p, text, e) < 0 ? -1 : rc;
}

static int cmp_limit(const void *va, const void *vb)
{
	const struct package *a = *(struct package *const *)va;
	const struct package *b = *(struct package *const *)vb;

	if ((a->candidates.n == 0) != (b->candidates.n == 0))
		return a->candidates.n == 0 ? 1 : -1;
	return str_cmp(a->name, b->name);
}

int remedy_find(struct arena *a, struct universe *u, const struct package_list *limits,
	const bool *in, struct virtual_remedy *out, struct err *e)
{
	struct package_list list = {0};
	int rc = 0;

	*out = (struct virtual_remedy){0};
	for (size_t i = 0; i < limits->n; i++)
		*VEC_PUSH(&u->arena, &list) = limits->v[i];
	/* To raise what is there before adding what is not. */
	if (list.n)
		qsort(list.v, list.n, sizeof *list.v, cmp_limit);
	for (size_t i = 0; rc == 0 && i < list.n; i++)
		rc = try_package(a, u, list.v[i], in, out, e);
	return rc < 0 ? -1 : 0;
}
