/*
 * Prune: what every solution must contain restricts the rest.
 *
 * A package is required if a wish names it, or if every candidate left of a required package
 * depends on it.  Let M be required.  Whatever candidate of M a solution takes, a candidate of N
 * beside it must be allowed by that one's requirements on N; so candidates of N that no candidate
 * left of M allows are dropped.  This goes on until nothing changes.  It is sound (no solution is
 * lost) and leaves to libsolv only what takes a real choice.
 */
#include "solver/universe.h"

static void note(struct universe *u, struct package_list *named, struct requirement *r,
	const struct candidate *c, bool needed)
{
	struct package *n = r->package;

	if (n->is_virtual || !n->visited)
		return;
	if (n->narrow.named_by != c) {
		if (n->narrow.named == 0)
			*VEC_PUSH(&u->arena, named) = n;
		n->narrow.named_by = c;
		n->narrow.named++;
	}
	if (needed && n->narrow.needed_by != c) {
		n->narrow.needed_by = c;
		n->narrow.needed++;
	}
}

/* Counts, for each other package, the live candidates of m that depend on or constrain it. */
static void count_named(struct universe *u, const struct package *m, struct package_list *named)
{
	named->n = 0;
	for (size_t i = 0; i < m->candidates.n; i++) {
		const struct candidate *c = m->candidates.v[i];

		if (!candidate_live(c))
			continue;
		for (size_t k = 0; k < c->n_depends; k++)
			note(u, named, c->depends[k], c, true);
		for (size_t k = 0; k < c->n_constrains; k++)
			note(u, named, c->constrains[k], c, false);
	}
}

static void and_bits(uint64_t *one, size_t n_words, struct requirement *const *list, size_t n,
	const struct package *of)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i]->package != of)
			continue;
		for (size_t w = 0; w < n_words; w++)
			one[w] &= list[i]->bits[w];
	}
}

/* The union over m's live candidates of what each allows of n, in n->narrow.bits. */
static void allow(struct universe *u, const struct package *m, struct package *n)
{
	size_t n_words = (n->candidates.n + 63) / 64;
	uint64_t *one;

	if (!n->narrow.bits)
		n->narrow.bits = arena_array(&u->arena, uint64_t, 2 * n_words + 1);
	memset(n->narrow.bits, 0, n_words * sizeof *one);
	one = n->narrow.bits + n_words;
	for (size_t i = 0; i < m->candidates.n; i++) {
		const struct candidate *c = m->candidates.v[i];

		if (!candidate_live(c))
			continue;
		memset(one, 0xff, n_words * sizeof *one);
		and_bits(one, n_words, c->depends, c->n_depends, n);
		and_bits(one, n_words, c->constrains, c->n_constrains, n);
		for (size_t w = 0; w < n_words; w++)
			n->narrow.bits[w] |= one[w];
	}
}

static void narrow_by(struct universe *u, const struct package *m, struct package *n)
{
	const struct drop why = {.kind = DROP_NARROWED, .package = m};

	allow(u, m, n);
	for (size_t i = 0; i < n->candidates.n; i++) {
		struct candidate *c = n->candidates.v[i];

		if (!(n->narrow.bits[c->at / 64] >> c->at % 64 & 1))
			candidate_drop(u, c, why);
	}
}

/* The work list of candidate_drop() is carried on only between packages. */
static void restrict_others(struct universe *u, struct package *m, struct package_list *named)
{
	count_named(u, m, named);
	for (size_t i = 0; i < named->n; i++) {
		struct package *n = named->v[i];
		bool all_name = n->narrow.named == m->left, all_need = n->narrow.needed == m->left;

		n->narrow.named = n->narrow.needed = 0;
		n->narrow.named_by = n->narrow.needed_by = NULL;
		n->narrow.must = false;
		if (m->left == 0 || n == m)
			continue;
		if (all_name)
			narrow_by(u, m, n);
		n->narrow.must = all_need;
	}
	drops_carry_on(u);
	for (size_t i = 0; i < named->n; i++)
		if (named->v[i]->narrow.must)
			package_require(u, named->v[i], m);
}

void prune(struct universe *u)
{
	struct package_list named = {0};
	bool again = true;

	while (again && !wish_hopeless(u)) {
		again = false;
		for (size_t i = 0; i < u->visited.n; i++) {
			struct package *m = u->visited.v[i];

			if (!m->required || !m->changed)
				continue;
			m->changed = false;
			restrict_others(u, m, &named);
			again = true;
		}
	}
}
