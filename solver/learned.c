/*
 * What was found out about single builds (solve_request.learned), held against them as if their
 * records said so.
 *
 * Records of one name share their lists of dependencies, and what was learned is of one build: it is
 * added to candidates, never to the lists.
 */
#include "solver/universe.h"

struct learned_about {
	const struct learned **v;
	size_t n, cap;
};

static struct str sum_key(const uint8_t sha256[32])
{
	return str_n((const char *)sha256, 32);
}

void learned_init(struct universe *u)
{
	u->learned.arena = &u->arena;
	for (size_t i = 0; i < u->request->n_learned; i++) {
		const struct learned *l = &u->request->learned[i];
		union table_value *to =
			table_put(&u->learned, l->has_sha256 ? sum_key(l->sha256) : l->url);

		u->learned_by_url |= !l->has_sha256;
		if (!to->ptr)
			to->ptr = arena_new(&u->arena, struct learned_about);
		*VEC_PUSH(&u->arena, (struct learned_about *)to->ptr) = l;
	}
}

static const struct learned_about *find_learned(struct universe *u, const struct candidate *c)
{
	union table_value *v = NULL;

	if (c->group->builds[c->number].flags & GROUP_HAS_SHA256)
		v = table_get(&u->learned, sum_key(c->group->rests[c->number].sha256));
	if (!v && u->learned_by_url)
		v = table_get(&u->learned, index_url(&u->arena, c->source, c->fn));
	return v ? v->ptr : NULL;
}

static void depend(struct universe *u, struct candidate *c, const struct learned *l)
{
	struct requirement *r = requirement_of(u, l->depends, NULL);
	const struct requirement_list one = {&r, 1, 1};

	if (!r->valid)
		candidate_bar(c, DROP_LEARNED, NULL);
	else if (!r->idle)
		candidate_depend_too(u, c, &one);
}

void package_learn(struct universe *u, struct package *p)
{
	if (!u->request->n_learned)
		return;
	for (size_t i = 0; i < p->candidates.n; i++) {
		struct candidate *c = p->candidates.v[i];

		c->learned = find_learned(u, c);
		for (size_t k = 0; c->learned && k < c->learned->n; k++)
			if (c->learned->v[k]->depends.n)
				depend(u, c, c->learned->v[k]);
			else
				candidate_bar(c, DROP_LEARNED, NULL);
	}
}

const struct learned *candidate_learned(const struct candidate *c)
{
	const struct learned_about *list = c->learned;
	bool needs = c->drop.kind == DROP_NEEDS;

	if (!list || (!needs && c->drop.kind != DROP_LEARNED))
		return NULL;
	for (size_t i = 0; i < list->n; i++)
		if (!needs || str_eq(list->v[i]->depends, c->drop.requirement->text))
			return list->v[i];
	return NULL;
}
