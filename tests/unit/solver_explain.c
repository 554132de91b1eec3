/*
 * What is said where there is no solution: small random universes against brute force, and real
 * requests for a real target.
 */
#include "tests/unit/solver_world.h"

enum { NAMES = MOST_NAMES, WISHES = MOST_WISHES, LEVELS = 4, ROUNDS = 2500 };

/* Two of three more often than one. */
static unsigned some_versions(void)
{
	const unsigned all = (1U << (VERSIONS + 1)) - 2;
	unsigned v = 2 + 2 * dice(7);

	if (dice(2))
		v |= 2U << dice(VERSIONS);
	return v == all ? any_version : v;
}

static void make_world(struct world *w)
{
	*w = (struct world){.n_names = NAMES};
	for (unsigned n = 0; n < NAMES; n++)
		for (unsigned v = 1; v <= VERSIONS; v++) {
			struct build *b = &w->builds[n][v];

			b->exists = dice(12) != 0;
			b->level = dice(8) == 0 ? 2 + dice(LEVELS - 1) : 0;
			b->n_asks = dice(3);
			for (size_t i = 0; i < b->n_asks; i++)
				b->asks[i] =
					(struct ask){dice(NAMES), some_versions(), dice(3) != 0};
		}
	w->n_wishes = 2 + dice(WISHES - 1);
	for (size_t i = 0; i < w->n_wishes; i++)
		w->wishes[i] =
			(struct ask){dice(NAMES), dice(3) ? some_versions() : any_version, true};
}

/* --- brute force ----------------------------------------------------------------------------- */

/*
 * Have the wishes of the mask a solution where the target has this level?  If so, the newest version
 * of `name` in any of them; else 0.  The wishes of `relaxed` ask for any version.
 */
static unsigned best_version(
	const struct world *w, unsigned mask, unsigned relaxed, unsigned level, unsigned name)
{
	unsigned pick[NAMES] = {0}, best = 0;

	do {
		bool ok = true;

		for (size_t i = 0; i < w->n_wishes && ok; i++) {
			struct ask a = w->wishes[i];

			if (relaxed >> i & 1)
				a.allowed = any_version;
			ok = !(mask >> i & 1) || is_met(&a, pick, NAMES);
		}
		if (ok && pick[name] > best && goes_together(w, pick, level))
			best = pick[name];
	} while (next_pick(w, pick));
	return best;
}

static bool is_solvable(const struct world *w, unsigned mask, unsigned level)
{
	for (unsigned i = 0; i < w->n_wishes; i++)
		if (mask >> i & 1)
			return best_version(w, mask, 0, level, w->wishes[i].name) != 0;
	return true;
}

static unsigned count_bits(unsigned mask)
{
	unsigned n = 0;

	for (; mask; mask &= mask - 1)
		n++;
	return n;
}

static unsigned all_of(const struct world *w)
{
	return (1U << w->n_wishes) - 1;
}

static unsigned smallest_contradiction(const struct world *w)
{
	unsigned best = WISHES + 1;

	for (unsigned mask = 1; mask <= all_of(w); mask++)
		if (count_bits(mask) < best && !is_solvable(w, mask, 1))
			best = count_bits(mask);
	return best;
}

/* --- what must hold --------------------------------------------------------------------------- */

struct tally {
	unsigned unsat, each, pairs, larger, fits, remedies, smallest;
};

static unsigned bit_of(const struct unsat_line *l)
{
	return 1U << (l->line - 1);
}

static void check_lines(
	const struct world *w, const struct unsat *u, unsigned round, struct tally *t)
{
	unsigned mask = 0;

	for (size_t i = 0; i < u->n_lines; i++) {
		mask |= bit_of(&u->lines[i]);
		if (u->each && is_solvable(w, bit_of(&u->lines[i]), 1))
			fail_msg("round %u: line %d alone is solvable", round, u->lines[i].line);
	}
	t->each += u->each;
	t->smallest += u->smallest;
	if (u->each)
		return;
	if (is_solvable(w, mask, 1))
		fail_msg("round %u: the lines have a solution", round);
	for (size_t i = 0; i < u->n_lines; i++)
		if (!is_solvable(w, mask & ~bit_of(&u->lines[i]), 1))
			fail_msg("round %u: line %d is not needed", round, u->lines[i].line);
	if (u->smallest && u->n_lines != smallest_contradiction(w))
		fail_msg("round %u: %zu lines where %u do", round, u->n_lines,
			smallest_contradiction(w));
	t->pairs += u->n_lines == 2;
	t->larger += u->n_lines > 2;
}

static void check_fit(const struct world *w, const struct unsat *u, const struct unsat_fit *f,
	unsigned round, struct tally *t)
{
	unsigned bit = bit_of(&f->of), name = (unsigned)(f->name.p[1] - '0'), best;
	unsigned got = f->any ? (unsigned)(f->version.p[0] - '0') : 0;

	if (u->each && u->n_lines > 1)
		return; /* several give way at once */
	if (f->alone && best_version(w, all_of(w), bit, 1, name))
		fail_msg("round %u: '%.*s' would go with the others", round, STR_ARG(f->of.text));
	best = best_version(w, f->any && !f->alone ? all_of(w) : bit, bit, 1, name);
	if (got != best)
		fail_msg("round %u: %u is said to fit instead of '%.*s', it is %u", round, got,
			STR_ARG(f->of.text), best);
	t->fits += f->any;
}

static void check_remedy(
	const struct world *w, const struct unsat *u, unsigned round, struct tally *t)
{
	unsigned got = u->remedy.name.n ? (unsigned)(u->remedy.to.p[0] - '0') : 0;
	unsigned level = 2;

	while (level <= LEVELS && !is_solvable(w, all_of(w), level))
		level++;
	if (level > LEVELS)
		level = 0;
	if (got != level)
		fail_msg("round %u: __level %u is said to help, it is %u", round, got, level);
	t->remedies += level != 0;
}

static void check_unsat(
	const struct world *w, const struct unsat *u, unsigned round, struct tally *t)
{
	assert_non_null(u);
	t->unsat++;
	check_lines(w, u, round, t);
	for (size_t i = 0; i < u->n_fits; i++)
		check_fit(w, u, &u->fits[i], round, t);
	for (size_t i = 0; i < u->n_without; i++)
		if (!is_solvable(w, all_of(w) & ~bit_of(&u->without[i]), 1))
			fail_msg("round %u: there is no solution without line %d", round,
				u->without[i].line);
	check_remedy(w, u, round, t);
}

static void run_round(unsigned round, const char *dir, void *tally)
{
	const struct str level = STR("__level=1");
	const struct solve_request more = {.virtual_packages = &level, .n_virtual_packages = 1};
	struct arena a = {0};
	struct index *ix;
	struct solution s = {0};
	struct world w;
	struct err e = {0};
	int rc;

	make_world(&w);
	ix = index_of(&a, &w, dir);
	rc = solve_world(&a, &w, &more, ix, &s, &e);
	if ((rc == 0) != is_solvable(&w, all_of(&w), 1))
		fail_msg("round %u: %s", round, rc ? e.text : "solved what has no solution");
	if (rc < 0) {
		assert_int_equal(e.code, ERR_UNSAT);
		check_unsat(&w, s.unsat, round, tally);
	}
	err_release(&e);
	index_free(ix);
	arena_release(&a);
}

static void explanations_agree_with_brute_force(void **state)
{
	struct tally t = {0};

	(void)state;
	run_rounds(ROUNDS, run_round, &t);
	print_message("%u unsatisfiable: %u by single lines, %u by two, %u by more; %u fits, %u "
		      "remedies\n",
		t.unsat, t.each, t.pairs, t.larger, t.fits, t.remedies);
	assert_int_equal(t.smallest, t.unsat);
	assert_in_range(t.each, 30, ROUNDS);
	assert_in_range(t.pairs, 30, ROUNDS);
	assert_in_range(t.larger, 5, ROUNDS);
	assert_in_range(t.fits, 50, ROUNDS);
	assert_in_range(t.remedies, 30, ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(explanations_agree_with_brute_force),
	};

	return cmocka_run_group_tests_name("solver explain", tests, NULL, NULL);
}
