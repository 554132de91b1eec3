/*
 * Reach: breadth first over the names that the wishes can lead to.
 *
 * Candidates are dropped as early as possible, so that what only they need is never loaded: the
 * wishes' own packages come first, and a candidate is followed only if each of its dependencies
 * that are known by then has something left.
 */
#include "solver/universe.h"

void candidate_drop(struct universe *u, struct candidate *c, struct drop why)
{
	if (!candidate_live(c))
		return;
	c->drop = why;
	package_touch(u, c->package);
	c->package->left--;
	c->package->changed = true;
	*VEC_PUSH(&u->arena, &u->dropped) = c;
	*VEC_PUSH(&u->arena, &u->drop_trail) = c;
}

static void drop_users(struct universe *u, const struct requirement *r)
{
	const struct drop needs = {.kind = DROP_NEEDS, .requirement = r};
	const struct drop conflict = {.kind = DROP_CONFLICT, .requirement = r};
	const struct package *p = r->package;

	for (size_t i = 0; i < r->users.n; i++)
		candidate_drop(u, r->users.v[i], needs);
	if (!p->required && !(p->is_virtual && p->candidates.n))
		return;
	for (size_t i = 0; i < r->holders.n; i++)
		candidate_drop(u, r->holders.v[i], conflict);
}

void drops_carry_on(struct universe *u)
{
	while (u->dropped.n) {
		const struct candidate *c = u->dropped.v[--u->dropped.n];
		const struct requirement_list *list = &c->package->requirements;

		for (size_t i = 0; i < list->n; i++)
			if (requirement_matches(list->v[i], c) && --list->v[i]->left == 0)
				drop_users(u, list->v[i]);
	}
}

void package_require(struct universe *u, struct package *p, const struct package *by)
{
	if (p->required || p->is_virtual)
		return;
	package_touch(u, p);
	p->required_by = by;
	p->required = p->changed = true;
	*VEC_PUSH(&u->arena, &u->require_trail) = p;
	for (size_t i = 0; i < p->requirements.n; i++)
		if (p->requirements.v[i]->left == 0)
			drop_users(u, p->requirements.v[i]);
	drops_carry_on(u);
}

struct mark trail_mark(const struct universe *u)
{
	return (struct mark){u->drop_trail.n, u->require_trail.n};
}

void trail_undo(struct universe *u, struct mark mark)
{
	while (u->drop_trail.n > mark.drops) {
		struct candidate *c = u->drop_trail.v[--u->drop_trail.n];
		const struct requirement_list *list = &c->package->requirements;

		c->drop.kind = DROP_NOT;
		c->package->left++;
		for (size_t i = 0; i < list->n; i++)
			list->v[i]->left += requirement_matches(list->v[i], c);
	}
	while (u->require_trail.n > mark.requires)
		u->require_trail.v[--u->require_trail.n]->required = false;
	for (size_t i = 0; i < u->visited.n; i++)
		u->visited.v[i]->changed = false;
}

/* The first requirement of a candidate for which nothing is left. */
static bool find_lack(const struct candidate *c, struct drop *why)
{
	for (size_t i = 0; i < c->n_depends; i++) {
		const struct requirement *r = c->depends[i];

		if (r->package->loaded && r->left == 0) {
			*why = (struct drop){.kind = DROP_NEEDS, .requirement = r};
			return true;
		}
	}
	for (size_t i = 0; i < c->n_constrains; i++) {
		const struct requirement *r = c->constrains[i];

		if (r->package->is_virtual && r->package->candidates.n && r->left == 0) {
			*why = (struct drop){.kind = DROP_CONFLICT, .requirement = r};
			return true;
		}
	}
	return false;
}

static void enqueue(struct universe *u, struct package_list *queue, struct package *p)
{
	if (p->queued || p->is_virtual)
		return;
	p->queued = true;
	*VEC_PUSH(&u->arena, queue) = p;
}

/* Is there still a candidate that depends on it? */
static bool is_wanted(const struct package *p)
{
	if (p->required)
		return true;
	for (size_t i = 0; i < p->requirements.n; i++) {
		const struct candidate_list *users = &p->requirements.v[i]->users;

		for (size_t k = 0; k < users->n; k++)
			if (candidate_live(users->v[k]) && users->v[k]->package->visited)
				return true;
	}
	return false;
}

static void drop_what_lacks(struct universe *u, const struct package *p)
{
	struct drop why;

	for (size_t i = 0; i < p->requirements.n; i++)
		if (p->requirements.v[i]->left == 0)
			drop_users(u, p->requirements.v[i]);
	for (size_t i = 0; i < p->candidates.n; i++)
		if (find_lack(p->candidates.v[i], &why))
			candidate_drop(u, p->candidates.v[i], why);
	drops_carry_on(u);
}

/*
 * Before p, the first of v, is loaded: where that has to be fetched, so does all that is wanted by
 * now of what is to be loaded after it, at the same time.
 */
static int fetch_level(struct universe *u, struct package *const *v, size_t n, struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	struct str *names;
	size_t n_names = 0;

	if (v[0]->loaded || !index_lacks(u->index, v[0]->name))
		return 0;
	names = arena_array(&scratch, struct str, n);
	for (size_t i = 0; i < n; i++)
		if (!v[i]->loaded && is_wanted(v[i]))
			names[n_names++] = v[i]->name;
	return index_fetch(u->index, names, n_names, e);
}

/* The same of the wishes' own packages, all of which are loaded. */
static int fetch_wishes(struct universe *u, struct err *e)
{
	struct str *names = arena_array(&u->arena, struct str, u->n_wishes);
	size_t n = 0;

	for (size_t i = 0; i < u->n_wishes; i++) {
		const struct package *p = u->wishes[i].requirement->package;

		if (!u->wishes[i].off && !p->loaded && index_lacks(u->index, p->name))
			names[n++] = p->name;
	}
	return n ? index_fetch(u->index, names, n, e) : 0;
}

static int visit(struct universe *u, struct package *p, struct err *e)
{
	if (universe_load(u, p, e) < 0)
		return -1;
	package_touch(u, p);
	p->visited = true;
	*VEC_PUSH(&u->arena, &u->visited) = p;
	drop_what_lacks(u, p);
	return 0;
}

static void follow(struct universe *u, struct package_list *queue, const struct package *p)
{
	for (size_t i = 0; i < p->candidates.n; i++) {
		const struct candidate *c = p->candidates.v[i];

		if (!candidate_live(c))
			continue;
		for (size_t k = 0; k < c->n_depends; k++)
			enqueue(u, queue, c->depends[k]->package);
	}
}

/* A wish binds its package before anything else is looked at. */
static int visit_wish(struct universe *u, const struct wish *w, struct err *e)
{
	struct requirement *r = w->requirement;
	struct package *p = r->package;
	const struct drop why = {.kind = DROP_REQUEST, .requirement = r};

	if (w->off || p->is_virtual)
		return 0;
	if (!p->visited && visit(u, p, e) < 0)
		return -1;
	for (size_t i = 0; i < p->candidates.n; i++)
		if (!requirement_matches(r, p->candidates.v[i]))
			candidate_drop(u, p->candidates.v[i], why);
	drops_carry_on(u);
	package_require(u, p, NULL);
	return 0;
}

static bool any_wish_matches(const struct universe *u, const struct candidate *c)
{
	for (size_t i = 0; i < u->n_wishes; i++) {
		const struct wish *w = &u->wishes[i];

		if (!w->off && w->requirement->package == c->package &&
			requirement_matches(w->requirement, c))
			return true;
	}
	return false;
}

static int visit_wish_apart(struct universe *u, const struct wish *w, struct err *e)
{
	struct package *p = w->requirement->package;
	const struct drop why = {.kind = DROP_REQUEST, .requirement = w->requirement};

	if (w->off || p->is_virtual || p->visited)
		return 0;
	if (visit(u, p, e) < 0)
		return -1;
	for (size_t i = 0; i < p->candidates.n; i++)
		if (!any_wish_matches(u, p->candidates.v[i]))
			candidate_drop(u, p->candidates.v[i], why);
	drops_carry_on(u);
	return 0;
}

/* The wishes' packages are visited; what is left of them leads to the others. */
static int visit_rest(struct universe *u, struct err *e)
{
	struct package_list queue = {0};

	for (size_t i = 0; i < u->visited.n; i++)
		u->visited.v[i]->queued = true;
	for (size_t i = 0, n = u->visited.n; i < n; i++)
		follow(u, &queue, u->visited.v[i]);
	for (size_t i = 0; i < queue.n; i++) {
		struct package *p = queue.v[i];

		if (!is_wanted(p)) {
			p->queued = false;
			continue;
		}
		if (fetch_level(u, queue.v + i, queue.n - i, e) < 0 || visit(u, p, e) < 0)
			return -1;
		follow(u, &queue, p);
	}
	return 0;
}

int reach(struct universe *u, struct err *e)
{
	if (fetch_wishes(u, e) < 0)
		return -1;
	for (size_t i = 0; i < u->n_wishes; i++)
		if (visit_wish(u, &u->wishes[i], e) < 0)
			return -1;
	return visit_rest(u, e);
}

int reach_apart(struct universe *u, struct err *e)
{
	if (fetch_wishes(u, e) < 0)
		return -1;
	for (size_t i = 0; i < u->n_wishes; i++)
		if (visit_wish_apart(u, &u->wishes[i], e) < 0)
			return -1;
	return visit_rest(u, e);
}

struct wish *wish_hopeless(const struct universe *u)
{
	for (size_t i = 0; i < u->n_wishes; i++)
		if (!u->wishes[i].off && u->wishes[i].requirement->left == 0)
			return &u->wishes[i];
	return NULL;
}
