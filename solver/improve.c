/*
 * Improve: no package of a solution could be newer without another one being older.
 *
 * libsolv takes the best candidate for one package after the other and, where that leads into a
 * contradiction, gives way at a place that depends on the order of its rules: the answer can be
 * worse than need be.  So each package X of the solution that has a better candidate left is
 * tried again: X must be better, the others must not be worse.  Both are drops, so that most tries
 * end in the propagation, and the rest are small.
 *
 * First tiers are compared (versions), then, with versions as they are, whole ranks (builds); else
 * the build number of one package could hold back the versions of many.  What the user asked for
 * by name never gets a worse build.
 */
#include "solver/pool.h"

struct improving {
	struct universe *u;
	struct candidate_list *chosen;
	bool by_tier;
};

struct keeping {
	struct universe *u;
	struct candidate_list kept;
	struct package_list conditions; /* stand-ins whose condition does not hold so far */
};

static void keep(struct keeping *k, struct package *p)
{
	if (p->is_virtual || p->queued)
		return;
	p->queued = true;
	if (standin_is_condition(p))
		*VEC_PUSH(&k->u->arena, &k->conditions) = p;
	else
		*VEC_PUSH(&k->u->arena, &k->kept) = p->chosen;
}

/* Follows what is kept from `from` on. */
static void keep_depends(struct keeping *k, size_t from)
{
	for (size_t i = from; i < k->kept.n; i++)
		for (size_t d = 0; d < k->kept.v[i]->n_depends; d++)
			keep(k, k->kept.v[i]->depends[d]->package);
}

/*
 * What a condition asks for is kept only where it holds among the rest, so that nothing is there
 * for its own sake; more packages make no condition false.
 */
static void keep_conditions(struct keeping *k)
{
	struct package_list *list = &k->conditions;

	for (size_t i = 0; i < list->n; i++) {
		struct package *p = list->v[i];
		size_t from = k->kept.n;

		if (standin_escape(p))
			continue;
		*VEC_PUSH(&k->u->arena, &k->kept) = p->chosen;
		list->v[i] = list->v[--list->n];
		keep_depends(k, from);
		i = SIZE_MAX; /* from the start: others may hold now */
	}
	for (size_t i = 0; i < list->n; i++) {
		list->v[i]->chosen = standin_escape(list->v[i]);
		*VEC_PUSH(&k->u->arena, &k->kept) = list->v[i]->chosen;
	}
}

struct candidate_list keep_needed(struct universe *u, const struct candidate_list *chosen)
{
	struct keeping k = {.u = u};

	for (size_t i = 0; i < u->visited.n; i++)
		u->visited.v[i]->chosen = NULL;
	for (size_t i = 0; i < chosen->n; i++) {
		chosen->v[i]->package->queued = false;
		chosen->v[i]->package->chosen = chosen->v[i];
	}
	for (size_t i = 0; i < u->n_wishes; i++)
		keep(&k, u->wishes[i].requirement->package);
	keep_depends(&k, 0);
	keep_conditions(&k);
	for (size_t i = 0; i < chosen->n; i++)
		if (!chosen->v[i]->package->queued)
			chosen->v[i]->package->chosen = NULL;
	return k.kept;
}

static bool is_wished(const struct universe *u, const struct package *p)
{
	for (size_t i = 0; i < u->n_wishes; i++)
		if (u->wishes[i].requirement->package == p)
			return true;
	return false;
}

/* <0: a is better. */
static int compare(const struct candidate *a, const struct candidate *b, bool by_tier)
{
	if (by_tier)
		return (a->tier > b->tier) - (a->tier < b->tier);
	return (a->place > b->place) - (a->place < b->place);
}

/* Drops what is worse than the solution has. */
static void raise_floor(struct improving *m)
{
	const struct drop why = {.kind = DROP_WORSE};

	for (size_t i = 0; i < m->chosen->n; i++) {
		const struct candidate *c = m->chosen->v[i];
		const struct candidate_list *list = &c->package->candidates;
		bool by_tier = m->by_tier && !is_wished(m->u, c->package);

		for (size_t k = 0; k < list->n; k++)
			if (compare(list->v[k], c, by_tier) > 0)
				candidate_drop(m->u, list->v[k], why);
	}
	drops_carry_on(m->u);
	prune(m->u);
}

/* Drops what is better than c (side < 0), or what is not (side > 0). */
static size_t drop_side(struct improving *m, const struct candidate *c, int side)
{
	const struct drop why = {.kind = DROP_WORSE};
	const struct candidate_list *list = &c->package->candidates;
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++) {
		bool better = compare(list->v[i], c, m->by_tier) < 0;

		if (!candidate_live(list->v[i]) || better != (side < 0))
			continue;
		candidate_drop(m->u, list->v[i], why);
		n++;
	}
	drops_carry_on(m->u);
	return n;
}

static bool has_better(const struct improving *m, const struct candidate *c)
{
	const struct candidate_list *list = &c->package->candidates;

	for (size_t i = 0; i < list->n; i++)
		if (candidate_live(list->v[i]) && compare(list->v[i], c, m->by_tier) < 0)
			return true;
	return false;
}

/* A solution in which the package of c is better and nothing is worse. */
static bool try_better(struct improving *m, struct candidate *c, struct candidate_list *found)
{
	struct mark mark = trail_mark(m->u);
	bool ok;

	drop_side(m, c, 1);
	package_require(m->u, c->package, NULL);
	prune(m->u);
	ok = c->package->left && !wish_hopeless(m->u) &&
	     pool_choose(m->u, c->package, found, NULL) == 1;
	trail_undo(m->u, mark);
	return ok;
}

static void improve_package(struct improving *m, const struct package *p)
{
	while (p->chosen && has_better(m, p->chosen)) {
		struct candidate_list found = {0};

		if (!try_better(m, p->chosen, &found)) {
			/* Nor can it later, when the others have become better. */
			drop_side(m, p->chosen, -1);
			prune(m->u);
			return;
		}
		*m->chosen = keep_needed(m->u, &found);
		raise_floor(m);
	}
}

static void improve_pass(struct improving *m, bool by_tier)
{
	m->by_tier = by_tier;
	raise_floor(m);
	/* The solution changes below; who joins it late is looked at as well. */
	for (size_t i = 0; i < m->u->visited.n; i++)
		improve_package(m, m->u->visited.v[i]);
}

void improve(struct universe *u, struct candidate_list *chosen)
{
	struct improving m = {.u = u, .chosen = chosen};

	*chosen = keep_needed(u, chosen);
	improve_pass(&m, true);
	improve_pass(&m, false);
}
