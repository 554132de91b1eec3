/*
 * solve_request.locked on small random universes, against brute force: what is named is as new as can
 * be, nothing becomes older, nothing moves that could have stayed; and on real data nothing moves
 * where nothing has to.
 */
#include "tests/unit/solver_world.h"

enum { NAMES = 5, ROUNDS = 4000 };

static struct ask random_ask(bool may_constrain)
{
	struct ask a = {.name = dice(NAMES), .allowed = 2 + 2 * dice(7)};

	a.needed = !may_constrain || dice(3) != 0;
	return a;
}

static void make_world(struct world *w)
{
	*w = (struct world){.n_names = NAMES};
	for (unsigned n = 0; n < NAMES; n++)
		for (unsigned v = 1; v <= VERSIONS; v++) {
			struct build *b = &w->builds[n][v];

			b->exists = dice(5) != 0;
			b->n_asks = dice(4);
			for (size_t i = 0; i < b->n_asks; i++)
				b->asks[i] = random_ask(true);
		}
	w->n_wishes = 1 + dice(3);
	for (size_t i = 0; i < w->n_wishes; i++)
		w->wishes[i] = random_ask(false);
}

static bool is_solution(const struct world *w, const unsigned *pick)
{
	for (size_t i = 0; i < w->n_wishes; i++)
		if (!is_met(&w->wishes[i], pick, MOST_NAMES))
			return false;
	return goes_together(w, pick, 0);
}

static bool is_satisfiable(const struct world *w)
{
	unsigned pick[NAMES] = {0};

	do {
		if (is_solution(w, pick))
			return true;
	} while (next_pick(w, pick));
	return false;
}

/* Takes out what the wishes do not reach. */
static void keep_reached(const struct world *w, unsigned *pick)
{
	bool reached[NAMES] = {0}, again = true;

	for (size_t i = 0; i < w->n_wishes; i++)
		reached[w->wishes[i].name] = true;
	while (again) {
		again = false;
		for (unsigned n = 0; n < NAMES; n++) {
			const struct build *b = &w->builds[n][pick[n]];

			for (size_t i = 0; reached[n] && pick[n] && i < b->n_asks; i++) {
				bool *to = &reached[b->asks[i].name];

				again |= b->asks[i].needed && !*to;
				*to |= b->asks[i].needed;
			}
		}
	}
	for (unsigned n = 0; n < NAMES; n++)
		pick[n] = reached[n] ? pick[n] : NONE;
}

/* One of all solutions. */
static bool random_solution(const struct world *w, unsigned *pick)
{
	unsigned other[NAMES] = {0}, seen = 0;

	do {
		if (is_solution(w, other) && dice(++seen) == 0)
			memcpy(pick, other, sizeof other);
	} while (next_pick(w, other));
	if (seen)
		keep_reached(w, pick);
	return seen;
}

static struct record **locked_of(struct arena *a, const unsigned *pick, size_t *n)
{
	struct record **v = arena_array(a, struct record *, NAMES);

	*n = 0;
	for (unsigned i = 0; i < NAMES; i++) {
		struct record *r = arena_new(a, struct record);

		if (!pick[i])
			continue;
		r->fn = str_of(arena_printf(a, "n%u-%u-0.conda", i, pick[i]));
		record_split_fn(r->fn, &r->name, &r->version, &r->build);
		r->subdir = STR("linux-64");
		r->channel = channel.url;
		v[(*n)++] = r;
	}
	return v;
}

static bool is_wished(const struct world *w, unsigned name)
{
	for (size_t i = 0; i < w->n_wishes; i++)
		if (w->wishes[i].name == name)
			return true;
	return false;
}

/* But what is older in `but` already (NULL: nothing). */
static bool nothing_older(
	const unsigned *pick, const unsigned *locked, unsigned named, const unsigned *but)
{
	for (unsigned n = 0; n < NAMES; n++)
		if (n != named && pick[n] && pick[n] < locked[n] &&
			!(but && but[n] && but[n] < locked[n]))
			return false;
	return true;
}

/* Has it what `pick` has kept, and one more? */
static bool keeps_more(
	const unsigned *other, const unsigned *pick, const unsigned *locked, unsigned named)
{
	bool more = false;

	for (unsigned n = 0; n < NAMES; n++) {
		bool kept = !pick[n] || pick[n] == locked[n],
		     keeps = !other[n] || other[n] == locked[n];

		if (n == named ? other[n] != pick[n] : locked[n] && kept && !keeps)
			return false;
		more |= n != named && locked[n] && !kept && keeps;
	}
	return more;
}

static void check_update(const struct world *w, const unsigned *locked, unsigned named,
	const unsigned *pick, unsigned round)
{
	const bool was_right = is_solution(w, locked);
	unsigned other[NAMES] = {0};

	if (!is_solution(w, pick))
		fail_msg("round %u: no solution", round);
	if (was_right && !nothing_older(pick, locked, named, NULL))
		fail_msg("round %u: something became older", round);
	do {
		if (!is_solution(w, other) || !nothing_older(other, locked, named, pick))
			continue;
		if (was_right && is_wished(w, named) && other[named] > pick[named])
			fail_msg("round %u: n%u could be newer", round, named);
		if (keeps_more(other, pick, locked, named))
			fail_msg("round %u: something moved that could have stayed", round);
	} while (next_pick(w, other));
	for (unsigned n = 0; was_right && pick[named] == locked[named] && n < NAMES; n++)
		if (pick[n] && pick[n] != locked[n])
			fail_msg("round %u: something moved for nothing", round);
}

/* Locks some solution of the world, changes a line of the user now and then, and updates a name. */
static void run_round(unsigned round, const char *dir, void *ctx)
{
	struct arena a = {0};
	struct index *ix;
	struct solve_request r = {.updates = arena_new(&a, struct str), .n_updates = 1};
	unsigned locked[NAMES] = {0}, pick[NAMES] = {0}, named = 0;
	struct solution s = {0};
	struct world w;
	struct err e = {0};
	size_t *moved = ctx;

	make_world(&w);
	ix = index_of(&a, &w, dir);
	if (random_solution(&w, locked)) {
		do
			named = dice(NAMES);
		while (!locked[named]);
		r.locked = locked_of(&a, locked, &r.n_locked);
		if (dice(3) == 0)
			w.wishes[0] = random_ask(false);
		((struct str *)r.updates)[0] = str_of(arena_printf(&a, "n%u", named));
		if (solve_world(&a, &w, &r, ix, &s, &e) == 0) {
			for (size_t i = 0; i < s.n; i++)
				pick[name_of(s.records[i])] = version_of(s.records[i]);
			check_update(&w, locked, named, pick, round);
			*moved += memcmp(pick, locked, sizeof pick) != 0;
		} else if (is_satisfiable(&w)) {
			fail_msg("round %u: %s", round, e.text);
		}
	}
	err_release(&e);
	index_free(ix);
	arena_release(&a);
}

static void updates_agree_with_brute_force(void **state)
{
	size_t moved = 0;

	(void)state;
	run_rounds(ROUNDS, run_round, &moved);
	print_message("%zu of %d moved something\n", moved, (int)ROUNDS);
	assert_in_range(moved, ROUNDS / 10, ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(updates_agree_with_brute_force),
	};

	return cmocka_run_group_tests_name("solver update", tests, NULL, NULL);
}
