/*
 * The wishes that contradict each other: as few as can be found.
 *
 * First the reasons that prune() has noted lead from a wish with nothing left to the wishes that
 * matter, of which then one after the other is left out.  That set cannot be made smaller, but
 * another one may be.  Every contradiction has a wish in common with what any solvable set of
 * wishes leaves unmet (Reiter 1987; for the smallest: Ignatiev et al. 2015, "Smallest MUS extraction
 * with minimal hitting set dualization").  So the fewest wishes that hit all such sets are tried:
 * either they contradict each other, and there is no smaller contradiction, or one more set is
 * known.
 */
#include "solver/explain.h"

enum { PORTION_MAX = 64, NODES_MAX = 5000 };
/* Candidates that may be looked at beyond twice those of the failed attempt. */
enum { WORK_MIN = 50000 };

/* --- following reasons ---------------------------------------------------------------------- */

struct blaming {
	struct universe *u;
	struct candidate_list candidates; /* those from done on are to be looked at */
	struct requirement_list requirements;
	struct package_list packages, *limits;
};

static void blame_candidates(
	struct blaming *b, const struct package *p, const struct requirement *r)
{
	for (size_t i = 0; i < p->candidates.n; i++) {
		struct candidate *c = p->candidates.v[i];

		if (c->seen || candidate_live(c) || (r && !requirement_matches(r, c)))
			continue;
		c->seen = true;
		*VEC_PUSH(&b->u->arena, &b->candidates) = c;
	}
}

static void blame_limit(struct blaming *b, struct package *p)
{
	for (size_t i = 0; i < b->limits->n; i++)
		if (b->limits->v[i] == p)
			return;
	*VEC_PUSH(&b->u->arena, b->limits) = p;
}

/* Nothing is left of it. */
static void blame_requirement(struct blaming *b, const struct requirement *of)
{
	struct requirement *r = (struct requirement *)of;

	if (r->seen)
		return;
	r->seen = true;
	*VEC_PUSH(&b->u->arena, &b->requirements) = r;
	if (r->package->is_virtual)
		blame_limit(b, r->package);
	else
		blame_candidates(b, r->package, r);
}

static void blame_wish(struct blaming *b, const struct package *p, const struct requirement *r)
{
	for (size_t i = 0; i < b->u->n_wishes; i++) {
		struct wish *w = &b->u->wishes[i];

		if (!w->off && (r ? w->requirement == r : w->requirement->package == p)) {
			b->u->lines[w->number]->blamed = true;
			return;
		}
	}
}

/* A solution must contain it: because a wish names it, or all that is left of another needs it. */
static void blame_required(struct blaming *b, const struct package *of)
{
	for (struct package *p = (struct package *)of; !p->seen;) {
		p->seen = true;
		*VEC_PUSH(&b->u->arena, &b->packages) = p;
		if (!p->required_by) {
			blame_wish(b, p, NULL);
			return;
		}
		p = (struct package *)p->required_by;
		blame_candidates(b, p, NULL);
	}
}

static void blame_drop(struct blaming *b, const struct drop *d)
{
	switch (d->kind) {
	case DROP_REQUEST:
		blame_wish(b, NULL, d->requirement);
		break;
	case DROP_NEEDS:
		blame_requirement(b, d->requirement);
		break;
	case DROP_CONFLICT:
		blame_requirement(b, d->requirement);
		if (!d->requirement->package->is_virtual)
			blame_required(b, d->requirement->package);
		break;
	case DROP_NARROWED:
		blame_required(b, d->package);
		blame_candidates(b, d->package, NULL);
		break;
	case DROP_NOT:
	case DROP_PRIORITY:
	case DROP_NEWER:
	case DROP_INVALID:
	case DROP_LEARNED:
	case DROP_WORSE:
		break;
	}
}

void blame(struct universe *u, const struct wish *w, struct package_list *limits)
{
	struct blaming b = {.u = u, .limits = limits};

	for (size_t i = 0; i < u->n_lines; i++)
		u->lines[i]->blamed = i == w->number;
	blame_requirement(&b, w->requirement);
	for (size_t i = 0; i < b.candidates.n; i++)
		blame_drop(&b, &b.candidates.v[i]->drop);
	for (size_t i = 0; i < b.candidates.n; i++)
		b.candidates.v[i]->seen = false;
	for (size_t i = 0; i < b.requirements.n; i++)
		b.requirements.v[i]->seen = false;
	for (size_t i = 0; i < b.packages.n; i++)
		b.packages.v[i]->seen = false;
}

/* --- trying sets ---------------------------------------------------------------------------- */

void wishes_only(struct universe *u, const bool *in)
{
	for (size_t i = 0; i < u->n_wishes; i++)
		u->wishes[i].off = !in[u->wishes[i].number];
}

static uint64_t work_of(const struct universe *u)
{
	uint64_t n = 0;

	for (size_t i = 0; i < u->visited.n; i++)
		n += u->visited.v[i]->candidates.n;
	return n;
}

static bool is_met(const struct wish *w)
{
	const struct requirement *r = w->requirement;

	if (r->package->is_virtual)
		return r->left != 0;
	return r->package->chosen && requirement_matches(r, r->package->chosen);
}

/* What the solution does not meet of all wishes, among them those that were off. */
static void note_unmet(
	struct universe *u, struct contradiction *c, const struct candidate_list *chosen)
{
	bool *unmet = arena_array(&u->arena, bool, u->n_lines);

	for (size_t i = 0; i < u->n_wishes; i++)
		u->wishes[i].requirement->package->chosen = NULL;
	for (size_t i = 0; i < chosen->n; i++)
		chosen->v[i]->package->chosen = chosen->v[i];
	for (size_t i = 0; i < u->n_wishes; i++)
		unmet[u->wishes[i].number] |= !is_met(&u->wishes[i]);
	*VEC_PUSH(&u->arena, &c->unmet) = unmet;
}

/* 1: they contradict each other, 0: they have a solution, -1. */
static int try_set(struct universe *u, struct contradiction *c, const bool *in, struct err *e)
{
	struct candidate_list chosen = {0};
	int rc;

	wishes_only(u, in);
	rc = attempt(u, &chosen, NULL, e);
	c->work += work_of(u);
	if (rc == 1)
		note_unmet(u, c, &chosen);
	return rc < 0 ? -1 : rc == 0;
}

/* --- a set of which no wish can be left out ------------------------------------------------- */

/* Wishes without a version first: what the user pinned is more likely what he can change. */
static size_t *order_to_leave_out(struct universe *u)
{
	size_t *order = arena_array(&u->arena, size_t, u->n_lines), n = 0;

	for (int pinned = 0; pinned < 2; pinned++)
		for (size_t i = 0; i < u->n_lines; i++) {
			const struct matchspec *m = &u->lines[i]->requirement->spec;

			if ((m->version || m->build) == pinned)
				order[n++] = i;
		}
	return order;
}

/* Leaves list[0..n) out if the rest still contradicts itself. */
static int leave_out(
	struct universe *u, struct contradiction *c, const size_t *list, size_t n, struct err *e)
{
	bool any = false, was_in[PORTION_MAX];
	int rc;

	for (size_t i = 0; i < n; i++) {
		was_in[i] = c->in[list[i]];
		any |= was_in[i];
		c->in[list[i]] = false;
	}
	rc = any ? try_set(u, c, c->in, e) : 1;
	for (size_t i = 0; rc == 0 && i < n; i++)
		c->in[list[i]] = was_in[i];
	return rc < 0 ? -1 : 0;
}

static size_t count(const bool *in, size_t n)
{
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += in[i];
	return sum;
}

/* Leaves wishes out in ever smaller portions, at last one by one. */
static int leave_out_all(struct universe *u, struct contradiction *c, struct err *e)
{
	size_t *order = order_to_leave_out(u), n = 0, size = PORTION_MAX;

	for (size_t i = 0; i < u->n_lines; i++)
		if (c->in[order[i]])
			order[n++] = order[i];
	while (size > 1 && 2 * size > n)
		size /= 2;
	for (; size; size /= 2)
		for (size_t from = 0; from < n; from += size)
			if (leave_out(u, c, order + from, n - from < size ? n - from : size, e) < 0)
				return -1;
	c->n = count(c->in, u->n_lines);
	return 0;
}

void contradiction_begin(struct universe *u, struct contradiction *c)
{
	const struct wish *w = wish_hopeless(u);
	struct package_list limits = {0};

	*c = (struct contradiction){.in = arena_array(&u->arena, bool, u->n_lines)};
	c->work_max = 2 * work_of(u) + WORK_MIN;
	if (w)
		blame(u, w, &limits);
	for (size_t i = 0; i < u->n_lines; i++)
		c->in[i] = !w || u->lines[i]->blamed;
}

int contradiction_find(struct universe *u, struct contradiction *c, struct err *e)
{
	int rc = 1;

	if (count(c->in, u->n_lines) < u->n_lines)
		rc = try_set(u, c, c->in, e);
	if (rc < 0)
		return -1;
	for (size_t i = 0; rc == 0 && i < u->n_lines; i++)
		c->in[i] = true;
	return leave_out_all(u, c, e);
}

/* --- the smallest --------------------------------------------------------------------------- */

struct hitting {
	const struct contradiction *c;
	size_t n_lines, nodes;
	bool *in;
};

static const bool *first_not_hit(const struct hitting *h)
{
	for (size_t i = 0; i < h->c->unmet.n; i++) {
		const bool *set = h->c->unmet.v[i];
		bool hit = false;

		for (size_t k = 0; k < h->n_lines && !hit; k++)
			hit = set[k] && h->in[k];
		if (!hit)
			return set;
	}
	return NULL;
}

/* Adds up to `more` wishes so that every set is hit. */
static bool hit_all(struct hitting *h, size_t more)
{
	const bool *set = first_not_hit(h);

	if (!set)
		return true;
	if (more == 0 || ++h->nodes > NODES_MAX)
		return false;
	for (size_t i = 0; i < h->n_lines; i++) {
		if (!set[i])
			continue;
		h->in[i] = true;
		if (hit_all(h, more - 1))
			return true;
		h->in[i] = false;
	}
	return false;
}

/* The fewest wishes that hit all sets, if they are less than n: 1; 0 there are none; -1 who knows. */
static int hit_with_less(struct hitting *h, size_t n)
{
	for (size_t size = 1; size < n; size++) {
		memset(h->in, 0, h->n_lines * sizeof *h->in);
		if (hit_all(h, size))
			return 1;
		if (h->nodes > NODES_MAX)
			return -1;
	}
	return 0;
}

/* Do all the others have a solution without this one?  Such a set tells the most. */
static int try_without(struct universe *u, struct contradiction *c, size_t i, struct err *e)
{
	bool *in = arena_array(&u->arena, bool, u->n_lines);
	struct wish *w = u->lines[i];

	if (w->rest == REST_UNKNOWN) {
		memset(in, true, u->n_lines * sizeof *in);
		in[i] = false;
		int rc = try_set(u, c, in, e);

		if (rc < 0)
			return -1;
		w->rest = rc ? REST_NOT : REST_SOLVABLE;
	}
	if (w->rest == REST_SOLVABLE) {
		memset(in, false, u->n_lines * sizeof *in);
		in[i] = true;
		*VEC_PUSH(&u->arena, &c->unmet) = in;
	}
	return 0;
}

int contradiction_shrink(struct universe *u, struct contradiction *c, struct err *e)
{
	struct hitting h = {.c = c, .n_lines = u->n_lines};
	int found, rc = 0;

	c->smallest = c->n == 1;
	for (size_t i = 0; i < u->n_lines && !c->smallest && c->work < c->work_max; i++)
		if (c->in[i] && try_without(u, c, i, e) < 0)
			return -1;
	h.in = arena_array(&u->arena, bool, u->n_lines);
	while (!c->smallest && c->work < c->work_max) {
		found = hit_with_less(&h, c->n);
		if (found < 0)
			return 0;
		if (found)
			rc = try_set(u, c, h.in, e);
		if (rc < 0)
			return -1;
		if (found && rc) {
			memcpy(c->in, h.in, u->n_lines * sizeof *h.in);
			c->n = count(c->in, u->n_lines);
		}
		c->smallest = !found || rc;
	}
	return 0;
}
