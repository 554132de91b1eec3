/*
 * Improve: no package of a solution could be newer without another one being older, and what the
 * user names comes first, in the order in which it is named.
 *
 * libsolv takes the best candidate for one package after the other and, where that leads into a
 * contradiction, gives way at a place that depends on the order of its rules: the answer can be
 * worse than need be.  So each package X of the solution that has a better candidate left is
 * tried again.  Both "X must be better" and "these must not be worse" are drops, so that most
 * tries end in the propagation, and the rest are small.
 *
 * A wish is given the best that the wishes before it leave, whatever that costs others.  Then any
 * package is made better where no other one gets worse.  Versions are compared first, then build
 * numbers, then whole ranks; else the build of one package could hold back the versions of many.
 */
#include "solver/pool.h"

#include "base/interrupt.h"

enum level {
	BY_TIER,
	BY_GRADE,
	BY_PLACE,
};

struct improving {
	struct universe *u;
	struct candidate_list *chosen;
	enum level level;
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

static uint32_t rank_at(const struct candidate *c, enum level level)
{
	switch (level) {
	case BY_TIER:
		return c->tier;
	case BY_GRADE:
		return c->grade;
	case BY_PLACE:
		break;
	}
	return c->place;
}

static bool is_better(
	const struct improving *m, const struct candidate *a, const struct candidate *b)
{
	return rank_at(a, m->level) < rank_at(b, m->level);
}

static void drop_worse(struct improving *m, const struct candidate *than)
{
	const struct drop why = {.kind = DROP_WORSE};
	const struct candidate_list *list = &than->package->candidates;

	for (size_t i = 0; i < list->n; i++)
		if (is_better(m, than, list->v[i]))
			candidate_drop(m->u, list->v[i], why);
	drops_carry_on(m->u);
}

/* Drops what is worse than the solution has. */
static void raise_floor(struct improving *m)
{
	for (size_t i = 0; i < m->chosen->n; i++)
		drop_worse(m, m->chosen->v[i]);
	prune(m->u);
}

/* Drops what is better than c, or what is not. */
static void drop_side(struct improving *m, const struct candidate *c, bool better)
{
	const struct drop why = {.kind = DROP_WORSE};
	const struct candidate_list *list = &c->package->candidates;

	for (size_t i = 0; i < list->n; i++)
		if (is_better(m, list->v[i], c) == better)
			candidate_drop(m->u, list->v[i], why);
	drops_carry_on(m->u);
}

static bool has_better(const struct improving *m, const struct candidate *c)
{
	const struct candidate_list *list = &c->package->candidates;

	for (size_t i = 0; i < list->n; i++)
		if (candidate_live(list->v[i]) && is_better(m, list->v[i], c))
			return true;
	return false;
}

/*
 * A solution in which the package of p->chosen is better.  Where there is none, nor can there be
 * one later, when others have become better: what is better is out.
 */
static bool try_better(struct improving *m, struct package *p)
{
	struct mark mark = trail_mark(m->u);
	struct candidate_list found = {0};
	bool ok;

	drop_side(m, p->chosen, false);
	package_require(m->u, p, NULL);
	prune(m->u);
	ok = p->left && !wish_hopeless(m->u) && pool_choose(m->u, p, &found, NULL) == 1;
	trail_undo(m->u, mark);
	if (ok) {
		*m->chosen = keep_needed(m->u, &found);
		return true;
	}
	drop_side(m, p->chosen, true);
	prune(m->u);
	return false;
}

/* The best for each wish in turn; what is found for one is the floor for those after it. */
static void improve_wishes(struct improving *m, enum level level)
{
	m->level = level;
	for (size_t i = 0; i < m->u->n_wishes; i++) {
		struct package *p = m->u->wishes[i].requirement->package;
		size_t dropped;

		if (p->is_virtual)
			continue;
		while (!interrupted() && has_better(m, p->chosen) && try_better(m, p))
			;
		dropped = m->u->drop_trail.n;
		drop_worse(m, p->chosen);
		if (m->u->drop_trail.n > dropped)
			prune(m->u);
	}
}

/* Until nobody has anything better left: who joins the solution late has not been tried. */
static void improve_all(struct improving *m, enum level level)
{
	bool again = true;

	m->level = level;
	raise_floor(m);
	while (again) {
		again = false;
		for (size_t i = 0; i < m->u->visited.n; i++) {
			struct package *p = m->u->visited.v[i];

			while (!interrupted() && p->chosen && has_better(m, p->chosen) &&
				try_better(m, p)) {
				raise_floor(m);
				again = true;
			}
		}
	}
}

/* For the sake of a build nobody joins the solution: it could be with an older version. */
static void close_set(struct improving *m)
{
	const struct drop why = {.kind = DROP_WORSE};

	for (size_t i = 0; i < m->u->visited.n; i++) {
		const struct package *p = m->u->visited.v[i];

		for (size_t k = 0; !p->chosen && k < p->candidates.n; k++)
			candidate_drop(m->u, p->candidates.v[k], why);
	}
	drops_carry_on(m->u);
}

void improve(struct universe *u, struct candidate_list *chosen)
{
	struct improving m = {.u = u, .chosen = chosen};

	*chosen = keep_needed(u, chosen);
	improve_wishes(&m, BY_TIER);
	improve_wishes(&m, BY_GRADE);
	improve_wishes(&m, BY_PLACE);
	improve_all(&m, BY_TIER);
	close_set(&m);
	improve_all(&m, BY_GRADE);
	improve_all(&m, BY_PLACE);
}
