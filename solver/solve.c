#include "solver/explain.h"
#include "solver/pool.h"

#include "base/interrupt.h"

/* libsolv has a rule for each pair of builds of a name: some 250 MiB. */
#define MOST_RULES ((size_t)1 << 23)

static int check_rules(const struct universe *u, struct err *e)
{
	size_t rules = 0;

	for (size_t i = 0; i < u->visited.n; i++) {
		const struct package *p = u->visited.v[i];

		rules += p->left / 2 * p->left;
		if (rules <= MOST_RULES)
			continue;
		err_set(e, ERR_INTEGRITY, "'%.*s' has %zu builds to choose from: too many",
			STR_ARG(p->name), p->left);
		return err_advise(e, "say which version of '%.*s' you want", STR_ARG(p->name));
	}
	return 0;
}

int attempt_rank(struct universe *u, struct err *e)
{
	attempt_begin(u);
	if (interrupt_check(e) < 0)
		return -1;
	if (reach(u, e) < 0)
		return -1;
	prune(u);
	if (wish_hopeless(u))
		return 0;
	rank(u);
	return 1;
}

int attempt_reduce(struct universe *u, struct err *e)
{
	reduce(u);
	return check_rules(u, e);
}

int attempt(
	struct universe *u, struct candidate_list *chosen, struct conflict_list *why, struct err *e)
{
	int rc = attempt_rank(u, e);

	if (rc == 1 && attempt_reduce(u, e) < 0)
		return -1;
	return rc == 1 ? pool_choose(u, NULL, chosen, why) : rc;
}

/* --- the answer ---------------------------------------------------------------------------- */

/* Sees to it that nothing is handed out that does not hold: libsolv is trusted, our use checked. */
static int check_requirement(
	const struct requirement *r, const struct candidate *of, bool needed, struct err *e)
{
	const struct candidate *c = r->package->chosen;

	if (r->package->is_virtual)
		c = r->package->candidates.n ? r->package->candidates.v[0] : NULL;
	if (c ? requirement_matches(r, c) : !needed)
		return 0;
	return err_set(e, ERR_FAIL, "the solver's answer does not meet '%.*s' of '%.*s'",
		STR_ARG(r->text), STR_ARG(of ? of->fn : STR("the request")));
}

static int check_solution(
	const struct universe *u, const struct candidate_list *chosen, struct err *e)
{
	for (size_t i = 0; i < u->packages.n; i++)
		((struct package *)u->packages.entries[i].value.ptr)->chosen = NULL;
	for (size_t i = 0; i < chosen->n; i++)
		chosen->v[i]->package->chosen = chosen->v[i];
	for (size_t i = 0; i < u->n_wishes; i++)
		if (check_requirement(u->wishes[i].requirement, NULL, true, e) < 0)
			return -1;
	for (size_t i = 0; i < chosen->n; i++) {
		const struct candidate *c = chosen->v[i];

		if (c->package->chosen != c)
			return err_set(e, ERR_FAIL, "the solver's answer holds '%.*s' twice",
				STR_ARG(c->package->name));
		for (size_t k = 0; k < c->n_depends; k++)
			if (check_requirement(c->depends[k], c, true, e) < 0)
				return -1;
		for (size_t k = 0; k < c->n_constrains; k++)
			if (check_requirement(c->constrains[k], c, false, e) < 0)
				return -1;
	}
	return 0;
}

static struct record *finish_record(
	struct arena *a, struct universe *u, struct candidate *c, struct err *e)
{
	struct record *r = candidate_record(u, c, true, e);

	if (!r)
		return NULL;
	r = record_copy(a, r);
	r->url = index_url(a, c->source, r->fn);
	return r;
}

static int hand_out(struct arena *a, struct universe *u, const struct candidate_list *chosen,
	struct solution *out, struct err *e)
{
	out->n = 0;
	out->records = arena_array(a, struct record *, chosen->n);
	for (size_t i = 0; i < chosen->n; i++) {
		struct candidate *c = chosen->v[i];

		if (c->package->standin)
			continue;
		out->records[out->n] = finish_record(a, u, c, e);
		if (!out->records[out->n++])
			return -1;
	}
	records_topological(out->records, out->n);
	return 0;
}

static int solve_universe(struct arena *a, struct universe *u, struct solution *out, struct err *e)
{
	struct candidate_list chosen = {0};
	int rc = u->request->locked ? update(u, &chosen, e) : attempt(u, &chosen, NULL, e);

	if (rc < 0)
		return -1;
	if (rc == 0)
		return explain(a, u, &out->unsat, e);
	improve(u, &chosen);
	if (interrupt_check(e) < 0)
		return -1;
	if (check_solution(u, &chosen, e) < 0)
		return -1;
	return hand_out(a, u, &chosen, out, e);
}

int solve_index(struct arena *a, const struct solve_request *r, const struct index *ix,
	struct solution *out, struct err *e)
{
	struct universe u;
	int rc = universe_init(&u, r, ix, e);

	out->unsat = NULL;
	if (rc == 0)
		rc = solve_universe(a, &u, out, e);
	out->n_index_records = index_records(ix);
	universe_release(&u);
	return rc;
}
