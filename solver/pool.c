#include "solver/pool.h"

#include "base/interrupt.h"

#include <solv/evr.h>
#include <solv/pool.h>
#include <solv/poolarch.h>
#include <solv/queue.h>
#include <solv/repo.h>
#include <solv/solver.h>

#include <stdio.h>

struct solving {
	struct universe *u;
	Pool *pool;
	Repo *repo;
	struct package *must;
	struct package_list active;      /* that the wishes can reach over what is left */
	struct candidate **of;           /* by solvable */
	struct requirement_list entered; /* that have an id or a conflict_id */
	size_t names;
};

/* A new name that no package has. */
static Id new_name(struct solving *s, struct requirement *r, const char *kind)
{
	char text[48];

	if (!r->id && !r->conflict_id)
		*VEC_PUSH(&s->u->arena, &s->entered) = r;
	snprintf(text, sizeof text, "%s %zu", kind, ++s->names);
	return pool_str2id(s->pool, text, 1);
}

static Id name_of_requirement(struct solving *s, struct requirement *r)
{
	if (!r->id)
		r->id = new_name(s, r, "needs");
	return r->id;
}

static Id name_of_conflict(struct solving *s, struct requirement *r)
{
	if (!r->conflict_id)
		r->conflict_id = new_name(s, r, "limits");
	return r->conflict_id;
}

static void add_dependencies(struct solving *s, const struct candidate *c, Solvable *to)
{
	for (size_t i = 0; i < c->n_depends; i++)
		if (!c->depends[i]->package->is_virtual)
	to->requires =
		repo_addid_dep(s->repo, to->requires, name_of_requirement(s, c->depends[i]), 0);
	for (size_t i = 0; i < c->n_constrains; i++) {
		struct requirement *r = c->constrains[i];

		/* What all match excludes nothing. */
		if (r->package->active && r->left < r->package->left)
			to->conflicts =
				repo_addid_dep(s->repo, to->conflicts, name_of_conflict(s, r), 0);
	}
}

/* The best of n candidates has the highest number. */
static void add_candidate(struct solving *s, struct candidate *c, size_t rank)
{
	Id id = repo_add_solvable(s->repo);
	Solvable *to = pool_id2solvable(s->pool, id);
	char text[32];

	c->solvable = id;
	to->name = pool_strn2id(s->pool, c->package->name.p, (unsigned)c->package->name.n, 1);
	snprintf(text, sizeof text, "%zu", rank);
	to->evr = pool_str2id(s->pool, text, 1);
	to->arch = ARCH_NOARCH;
	/*
	 * Its own name: else two builds of one name could be chosen together.  Without the version,
	 * because pool_set_whatprovides() goes over all relations of the pool.
	 */
	to->provides = repo_addid_dep(s->repo, to->provides, to->name, 0);
	add_dependencies(s, c, pool_id2solvable(s->pool, id));
}

static void add_package(struct solving *s, const struct package *p)
{
	for (size_t i = 0; i < p->candidates.n; i++)
		if (candidate_live(p->candidates.v[i]))
			add_candidate(s, p->candidates.v[i], p->candidates.n - i);
}

static void set_providers(struct solving *s, const struct requirement *r, Id id, bool matching)
{
	Queue q;

	queue_init(&q);
	for (size_t i = 0; i < r->package->candidates.n; i++) {
		const struct candidate *c = r->package->candidates.v[i];

		if (c->solvable && requirement_matches(r, c) == matching)
			queue_push(&q, c->solvable);
	}
	pool_set_whatprovides(s->pool, id, pool_queuetowhatprovides(s->pool, &q));
	queue_free(&q);
}

static void add_jobs(struct solving *s, Queue *jobs)
{
	if (s->must)
		queue_push2(jobs, SOLVER_INSTALL | SOLVER_SOLVABLE_NAME,
			pool_strn2id(s->pool, s->must->name.p, (unsigned)s->must->name.n, 1));
	for (size_t i = 0; i < s->u->n_wishes; i++) {
		const struct wish *w = &s->u->wishes[i];

		if (!w->off && !w->requirement->package->is_virtual)
			queue_push2(jobs, SOLVER_INSTALL | SOLVER_SOLVABLE_PROVIDES,
				name_of_requirement(s, w->requirement));
	}
}

static void activate(struct solving *s, struct package *p)
{
	if (p->active || p->is_virtual)
		return;
	p->active = true;
	*VEC_PUSH(&s->u->arena, &s->active) = p;
}

static void find_active(struct solving *s)
{
	struct universe *u = s->u;

	for (size_t i = 0; i < u->n_wishes; i++)
		if (!u->wishes[i].off)
			activate(s, u->wishes[i].requirement->package);
	if (s->must)
		activate(s, s->must);
	for (size_t i = 0; i < s->active.n; i++) {
		const struct package *p = s->active.v[i];

		for (size_t k = 0; k < p->candidates.n; k++) {
			const struct candidate *c = p->candidates.v[k];

			for (size_t d = 0; candidate_live(c) && d < c->n_depends; d++)
				activate(s, c->depends[d]->package);
		}
	}
}

static void index_solvables(struct solving *s)
{
	s->of = arena_array(&s->u->arena, struct candidate *, (size_t)s->pool->nsolvables);
	for (size_t i = 0; i < s->active.n; i++) {
		const struct candidate_list *list = &s->active.v[i]->candidates;

		for (size_t k = 0; k < list->n; k++)
			s->of[list->v[k]->solvable] = list->v[k];
	}
	s->of[0] = NULL;
}

static void fill_pool(struct solving *s, Queue *jobs)
{
	pool_setdisttype(s->pool, DISTTYPE_RPM);
	s->repo = repo_create(s->pool, "channels");
	find_active(s);
	for (size_t i = 0; i < s->active.n; i++)
		add_package(s, s->active.v[i]);
	add_jobs(s, jobs);
	index_solvables(s);
	/* This computes the providers from the names, so ours come after it. */
	pool_createwhatprovides(s->pool);
	for (size_t i = 0; i < s->entered.n; i++) {
		const struct requirement *r = s->entered.v[i];

		if (r->id)
			set_providers(s, r, r->id, true);
		if (r->conflict_id)
			set_providers(s, r, r->conflict_id, false);
	}
}

static void take_solution(struct solving *s, Solver *solver, struct candidate_list *chosen)
{
	Queue q;

	queue_init(&q);
	solver_get_decisionqueue(solver, &q);
	for (int i = 0; i < q.count; i++) {
		Id id = q.elements[i];

		if (id > 0 && id < s->pool->nsolvables && s->of[id])
			*VEC_PUSH(&s->u->arena, chosen) = s->of[id];
	}
	queue_free(&q);
}

static const struct requirement *requirement_by_id(const struct solving *s, Id id)
{
	for (size_t i = 0; id && i < s->entered.n; i++)
		if (s->entered.v[i]->id == id || s->entered.v[i]->conflict_id == id)
			return s->entered.v[i];
	return NULL;
}

static const struct candidate *candidate_by_id(const struct solving *s, Id id)
{
	return id > 0 && id < s->pool->nsolvables ? s->of[id] : NULL;
}

static void take_rule(struct solving *s, Solver *solver, Id rule, struct conflict_list *why)
{
	Id source, target, dep;
	SolverRuleinfo type = solver_ruleinfo(solver, rule, &source, &target, &dep);
	struct conflict c = {.candidate = candidate_by_id(s, source),
		.other = candidate_by_id(s, target),
		.requirement = requirement_by_id(s, dep)};

	if (type == SOLVER_RULE_PKG_REQUIRES || type == SOLVER_RULE_PKG_NOTHING_PROVIDES_DEP)
		c.kind = CONFLICT_NEEDS;
	else if (type == SOLVER_RULE_PKG_CONFLICTS)
		c.kind = CONFLICT_LIMITS;
	else if (type == SOLVER_RULE_PKG_SAME_NAME)
		c.kind = CONFLICT_SAME;
	else
		return;
	if (c.candidate)
		*VEC_PUSH(&s->u->arena, why) = c;
}

static void take_conflict(struct solving *s, Solver *solver, struct conflict_list *why)
{
	Queue rules;

	queue_init(&rules);
	for (Id problem = 1; problem <= (Id)solver_problem_count(solver); problem++) {
		queue_empty(&rules);
		solver_findallproblemrules(solver, problem, &rules);
		for (int i = 0; i < rules.count; i++)
			take_rule(s, solver, rules.elements[i], why);
	}
	queue_free(&rules);
}

/* Takes libsolv's numbers out of the universe. */
static void forget_ids(struct solving *s)
{
	for (size_t i = 0; i < s->active.n; i++) {
		const struct candidate_list *list = &s->active.v[i]->candidates;

		s->active.v[i]->active = false;
		for (size_t k = 0; k < list->n; k++)
			list->v[k]->solvable = 0;
	}
	for (size_t i = 0; i < s->entered.n; i++)
		s->entered.v[i]->id = s->entered.v[i]->conflict_id = 0;
}

int pool_choose(struct universe *u, struct package *must, struct candidate_list *chosen,
	struct conflict_list *why)
{
	struct solving s = {.u = u, .pool = pool_create(), .must = must};
	Solver *solver;
	Queue jobs;
	int problems;

	queue_init(&jobs);
	fill_pool(&s, &jobs);
	solver = solver_create(s.pool);
	solver_set_flag(solver, SOLVER_FLAG_IGNORE_RECOMMENDED, 1);
	/* A hard request can take for ever, and libsolv does not ask. */
	interrupt_at_once_begin();
	problems = solver_solve(solver, &jobs);
	interrupt_at_once_end();
	if (problems == 0)
		take_solution(&s, solver, chosen);
	else if (why)
		take_conflict(&s, solver, why);
	solver_free(solver);
	queue_free(&jobs);
	pool_free(s.pool);
	forget_ids(&s);
	return problems == 0;
}
