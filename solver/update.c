/*
 * Update: some packages as new as can be, all others as they are locked.
 *
 * What is wanted, the first before the next:
 *
 *	1. python keeps its minor version (all that is built for it would have to move)
 *	2. no package becomes older
 *	3. what is named is as new as can be: version, then build number, in the order of naming
 *	4. each package is the locked file
 *	5. what moves nevertheless, or is new, is the best there is
 *
 * The request itself comes before all of them.  Of 1, 2 and 4 as many are kept as go together, what
 * the user asks for first: all are tried at once, then, as long as that does not go, each half by
 * itself.  What is held is never let go later, so nothing that moved could have stayed.
 *
 * A locked file is put in front of its name's candidates before reduce(), which could drop it
 * otherwise, and before libsolv, which takes it then where it can; so most is settled at once.
 */
#include "solver/pool.h"

enum hold_kind {
	HOLD_FILE, /* the locked file */
	HOLD_AGE,  /* nothing older */
	HOLD_LINE, /* python's minor version */
};

/* One package of the lock that the wishes reach. */
struct kept {
	struct package *package;
	const struct record *record;
	const struct version *version; /* NULL: not readable */
	struct candidate *candidate;   /* the same file, if the channels have it still */
	bool named;
};

struct kept_list {
	struct kept **v;
	size_t n, cap;
};

struct updating {
	struct universe *u;
	struct arena *a;
	struct kept_list all; /* what is asked for first */
};

/* --- what is locked ------------------------------------------------------------------------- */

static bool is_named(const struct universe *u, struct str name)
{
	for (size_t i = 0; i < u->request->n_updates; i++)
		if (str_eq(u->request->updates[i], name))
			return true;
	return false;
}

/* The same file: by its sum, or, where one of them has none, by the channel it lies in. */
static bool is_same_file(struct universe *u, struct candidate *c, const struct record *r)
{
	const struct record *of;

	if (!str_eq(c->fn, r->fn) || !str_eq(c->source->subdir, r->subdir))
		return false;
	of = candidate_record(u, c, false, NULL);
	if (of->has_sha256 && r->has_sha256)
		return memcmp(of->sha256, r->sha256, sizeof r->sha256) == 0;
	return str_eq(c->source->channel->url, r->channel);
}

static struct candidate *find_candidate(
	struct universe *u, const struct package *p, const struct record *r)
{
	for (size_t i = 0; i < p->candidates.n; i++)
		if (is_same_file(u, p->candidates.v[i], r))
			return p->candidates.v[i];
	return NULL;
}

static struct package *visited_package(const struct universe *u, struct str name)
{
	union table_value *v = table_get(&u->packages, name);
	struct package *p = v ? v->ptr : NULL;

	return p && p->visited && !p->is_virtual && !p->standin ? p : NULL;
}

static bool is_wished(const struct universe *u, const struct package *p)
{
	for (size_t i = 0; i < u->n_wishes; i++)
		if (u->wishes[i].requirement->package == p)
			return true;
	return false;
}

static void add_kept(struct updating *m, struct package *p, const struct record *r)
{
	struct kept *k = arena_new(m->a, struct kept);

	k->package = p;
	k->record = r;
	k->candidate = find_candidate(m->u, p, r);
	k->named = is_named(m->u, r->name);
	if (version_parse(m->a, r->version, &k->version, NULL) < 0)
		k->version = NULL;
	*VEC_PUSH(m->a, &m->all) = k;
}

static void find_kept(struct updating *m)
{
	const struct solve_request *r = m->u->request;

	for (int wished = 1; wished >= 0; wished--)
		for (size_t i = 0; i < r->n_locked; i++) {
			struct package *p = visited_package(m->u, r->locked[i]->name);

			if (p && is_wished(m->u, p) == wished)
				add_kept(m, p, r->locked[i]);
		}
}

/* The locked file first; of a named package only among builds that are as new. */
static void put_first(const struct kept *k)
{
	struct candidate **v = k->package->candidates.v, *c = k->candidate;
	size_t to = c->place;

	while (to && (!k->named || v[to - 1]->grade == c->grade))
		to--;
	memmove(v + to + 1, v + to, (c->place - to) * sizeof *v);
	v[to] = c;
	for (size_t i = 0; i < k->package->candidates.n; i++) {
		v[i]->place = (uint32_t)i;
		v[i]->tier += !k->named && v[i] != c;
		v[i]->grade += !k->named && v[i] != c;
	}
	if (!k->named)
		c->tier = c->grade = 0;
}

static void favour(struct updating *m)
{
	for (size_t i = 0; i < m->all.n; i++) {
		const struct kept *k = m->all.v[i];

		if (k->candidate && candidate_live(k->candidate))
			put_first(k);
	}
}

/* --- holding -------------------------------------------------------------------------------- */

static bool is_minor_of(const struct candidate *c, const struct kept *k)
{
	struct str rest = k->record->version, major = str_cut(&rest, '.');
	struct str minor = str_cut(&rest, '.'), of = c->version_text, of_major = str_cut(&of, '.');

	return str_eq(major, of_major) && str_eq(minor, str_cut(&of, '.'));
}

static bool is_outside(enum hold_kind kind, const struct kept *k, const struct candidate *c)
{
	switch (kind) {
	case HOLD_FILE:
		return c != k->candidate;
	case HOLD_AGE:
		return c->version && k->version && version_cmp(c->version, k->version) < 0;
	case HOLD_LINE:
		return !is_minor_of(c, k);
	}
	return false;
}

static void drop_outside(struct updating *m, enum hold_kind kind, const struct kept *k)
{
	const struct drop why = {.kind = DROP_WORSE};
	const struct candidate_list *list = &k->package->candidates;

	for (size_t i = 0; i < list->n; i++)
		if (is_outside(kind, k, list->v[i]))
			candidate_drop(m->u, list->v[i], why);
}

/* Is there a solution left?  With `must` in it, unless that is NULL. */
static bool can_be(struct updating *m, struct package *must, struct candidate_list *found)
{
	drops_carry_on(m->u);
	if (must)
		package_require(m->u, must, NULL);
	prune(m->u);
	return (!must || must->left) && !wish_hopeless(m->u) &&
	       pool_choose(m->u, must, found, NULL) == 1;
}

static bool try_hold(struct updating *m, enum hold_kind kind, struct kept **v, size_t n)
{
	struct mark mark = trail_mark(m->u);
	struct candidate_list found = {0};

	for (size_t i = 0; i < n; i++)
		drop_outside(m, kind, v[i]);
	if (can_be(m, NULL, &found))
		return true;
	trail_undo(m->u, mark);
	return false;
}

static void hold(struct updating *m, enum hold_kind kind, struct kept **v, size_t n)
{
	if (n == 0 || try_hold(m, kind, v, n) || n == 1)
		return;
	hold(m, kind, v, n / 2);
	hold(m, kind, v + n / 2, n - n / 2);
}

static void hold_line(struct updating *m)
{
	for (size_t i = 0; i < m->all.n; i++)
		if (str_is(m->all.v[i]->record->name, "python") && !m->all.v[i]->named)
			hold(m, HOLD_LINE, &m->all.v[i], 1);
}

static void hold_age(struct updating *m)
{
	struct kept_list list = {0};

	for (size_t i = 0; i < m->all.n; i++)
		if (!m->all.v[i]->named)
			*VEC_PUSH(m->a, &list) = m->all.v[i];
	hold(m, HOLD_AGE, list.v, list.n);
}

/* A file that is not there any more, or that a named package has left behind, cannot be held. */
static void hold_files(struct updating *m)
{
	struct kept_list list = {0};

	for (size_t i = 0; i < m->all.n; i++)
		if (m->all.v[i]->candidate && candidate_live(m->all.v[i]->candidate))
			*VEC_PUSH(m->a, &list) = m->all.v[i];
	hold(m, HOLD_FILE, list.v, list.n);
}

/* --- what is named -------------------------------------------------------------------------- */

/* Only what is one grade; false where no solution that needs the package has it. */
static bool try_grade(struct updating *m, struct package *p, uint32_t grade)
{
	const struct drop why = {.kind = DROP_WORSE};
	struct mark mark = trail_mark(m->u);
	struct candidate_list found = {0};
	bool any = false;

	for (size_t i = 0; i < p->candidates.n; i++)
		any |= candidate_live(p->candidates.v[i]) && p->candidates.v[i]->grade == grade;
	if (!any)
		return false;
	for (size_t i = 0; i < p->candidates.n; i++)
		if (p->candidates.v[i]->grade != grade)
			candidate_drop(m->u, p->candidates.v[i], why);
	if (can_be(m, p, &found)) {
		keep_needed(m->u, &found);
		if (p->chosen)
			return true;
	}
	trail_undo(m->u, mark);
	return false;
}

/* Candidates stand in the order of rank, so that their grades rise. */
static void raise_package(struct updating *m, struct package *p)
{
	for (size_t i = 0; i < p->candidates.n; i++) {
		const struct candidate *c = p->candidates.v[i];

		if (i && p->candidates.v[i - 1]->grade == c->grade)
			continue;
		if (try_grade(m, p, c->grade))
			return;
	}
}

/* What no solution needs as it is now is not brought in. */
static int raise_named(struct updating *m)
{
	for (size_t i = 0; i < m->u->request->n_updates; i++) {
		struct package *p = visited_package(m->u, m->u->request->updates[i]);
		struct candidate_list found = {0};

		if (!p)
			continue;
		if (!can_be(m, NULL, &found))
			return 0;
		keep_needed(m->u, &found);
		if (p->chosen)
			raise_package(m, p);
	}
	return 1;
}

int update(struct universe *u, struct candidate_list *chosen, struct err *e)
{
	struct updating m = {.u = u, .a = &u->arena};
	int rc = attempt_rank(u, e);

	if (rc != 1)
		return rc;
	find_kept(&m);
	favour(&m);
	if (attempt_reduce(u, e) < 0)
		return -1;
	rc = can_be(&m, NULL, chosen);
	if (rc != 1)
		return rc;
	hold_line(&m);
	hold_age(&m);
	rc = raise_named(&m);
	if (rc == 1)
		hold_files(&m);
	chosen->n = 0;
	return rc == 1 ? can_be(&m, NULL, chosen) : rc;
}
