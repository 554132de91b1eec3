/*
 * Reduce: leaves out what another candidate of the same name can always stand in for.
 *
 * A stands in for B if A ranks better, every requirement that matches B matches A, and whatever A
 * needs or limits, B needs or limits at least as strictly.  Then any solution with B is one with
 * A, a better one.  "One of a name" costs libsolv a rule for each pair of candidates, which was
 * most of the time of a solve; what is left here is a fraction of the pairs.
 */
#include "solver/universe.h"

struct reducing {
	struct universe *u;
	struct candidate_list live; /* of one package, the best first */
	struct requirement_list telling;
	uint64_t *rows; /* for each of live: which of telling match */
	size_t n_words;
	size_t work; /* done so far, in words compared */
};

/* About a second.  What is not looked at stays, which is right as well. */
#define MOST_WORK ((size_t)1 << 29)
/* 256 MiB */
#define MOST_ROWS ((size_t)1 << 25)

static void note_wishes(struct universe *u)
{
	for (size_t i = 0; i < u->n_wishes; i++)
		u->wishes[i].requirement->wished = false;
	for (size_t i = 0; i < u->n_wishes; i++)
		u->wishes[i].requirement->wished |= !u->wishes[i].off;
}

static bool any_live(const struct candidate_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (candidate_live(list->v[i]) && list->v[i]->package->visited)
			return true;
	return false;
}

/* Requirements that tell candidates apart and that somebody may still have. */
static void find_telling(struct reducing *d, const struct package *p)
{
	d->telling.n = 0;
	for (size_t i = 0; i < p->requirements.n; i++) {
		struct requirement *r = p->requirements.v[i];

		if (r->left == 0 || r->left == p->left)
			continue;
		if (any_live(&r->users) || any_live(&r->holders) || r->wished)
			*VEC_PUSH(&d->u->arena, &d->telling) = r;
	}
}

static void fill_rows(struct reducing *d)
{
	d->n_words = (d->telling.n + 63) / 64;
	d->rows = arena_array(&d->u->arena, uint64_t, d->live.n * d->n_words + 1);
	for (size_t i = 0; i < d->live.n; i++)
		for (size_t k = 0; k < d->telling.n; k++)
			if (requirement_matches(d->telling.v[k], d->live.v[i]))
				d->rows[i * d->n_words + k / 64] |= UINT64_C(1) << k % 64;
}

/* Is every candidate left that b matches matched by a? */
static bool is_within(struct reducing *d, const struct requirement *b, const struct requirement *a)
{
	const struct package *p = a->package;
	size_t n = (p->candidates.n + 63) / 64, w = 0;

	if (a == b)
		return true;
	while (w < n && !(b->bits[w] & ~a->bits[w] & p->live[w]))
		w++;
	d->work += w;
	return w == n;
}

static bool has_within(
	struct reducing *d, struct requirement *const *list, size_t n, const struct requirement *of)
{
	for (size_t i = 0; i < n; i++)
		if (list[i]->package == of->package && is_within(d, list[i], of))
			return true;
	d->work += n;
	return false;
}

static bool asks_no_more(struct reducing *d, const struct candidate *a, const struct candidate *b)
{
	for (size_t i = 0; i < a->n_depends; i++)
		if (!a->depends[i]->package->is_virtual &&
			!has_within(d, b->depends, b->n_depends, a->depends[i]))
			return false;
	for (size_t i = 0; i < a->n_constrains; i++) {
		const struct requirement *r = a->constrains[i];

		if (r->package->is_virtual || !r->package->visited || r->left == r->package->left)
			continue;
		if (!has_within(d, b->constrains, b->n_constrains, r) &&
			!has_within(d, b->depends, b->n_depends, r))
			return false;
	}
	return true;
}

static bool matches_no_less(const struct reducing *d, size_t a, size_t b)
{
	for (size_t w = 0; w < d->n_words; w++)
		if (d->rows[b * d->n_words + w] & ~d->rows[a * d->n_words + w])
			return false;
	return true;
}

static bool is_dispensable(struct reducing *d, size_t b)
{
	for (size_t a = 0; a < b && d->work < MOST_WORK; a++) {
		d->work += d->n_words + 1;
		if (candidate_live(d->live.v[a]) && matches_no_less(d, a, b) &&
			asks_no_more(d, d->live.v[a], d->live.v[b]))
			return true;
	}
	return false;
}

static void reduce_package(struct reducing *d, struct package *p)
{
	const struct drop why = {.kind = DROP_WORSE};

	d->live.n = 0;
	for (size_t i = 0; i < p->candidates.n; i++)
		if (candidate_live(p->candidates.v[i]))
			*VEC_PUSH(&d->u->arena, &d->live) = p->candidates.v[i];
	if (d->live.n < 2)
		return;
	find_telling(d, p);
	if (d->live.n * (d->telling.n / 64 + 1) > MOST_ROWS)
		return;
	fill_rows(d);
	for (size_t b = 1; b < d->live.n; b++) {
		struct candidate *c = d->live.v[b];

		if (!is_dispensable(d, b))
			continue;
		candidate_drop(d->u, c, why);
		p->live[c->at / 64] &= ~(UINT64_C(1) << c->at % 64);
	}
	drops_carry_on(d->u);
}

static void note_live(struct universe *u, struct package *p)
{
	p->live = arena_array(&u->arena, uint64_t, (p->candidates.n + 63) / 64 + 1);
	for (size_t i = 0; i < p->candidates.n; i++) {
		const struct candidate *c = p->candidates.v[i];

		if (candidate_live(c))
			p->live[c->at / 64] |= UINT64_C(1) << c->at % 64;
	}
}

void reduce(struct universe *u)
{
	struct reducing d = {.u = u};

	note_wishes(u);
	for (size_t i = 0; i < u->visited.n; i++)
		note_live(u, u->visited.v[i]);
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < u->visited.n; i++)
			reduce_package(&d, u->visited.v[i]);
}
