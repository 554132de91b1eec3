/*
 * Small random universes with conditions (CEP 43) and groups (CEP 44) against brute force: the same
 * satisfiability, every condition judged by what is in the answer, and nothing in it that nobody
 * asks for.
 */
#include "tests/unit/solver_dice.h"

enum { NAMES = 5, ROUNDS = 1500, ASKS = 3 };

/* "nNAME", "nNAME>=2" or "nNAME<3": the versions that it is true of, as bits. */
struct atom {
	unsigned name, allowed;
	const char *text;
};

enum join { JOIN_NONE, JOIN_ONE, JOIN_AND, JOIN_OR };

struct ask {
	unsigned name, allowed;
	bool limits; /* a constraint */
	bool group;  /* with extras=[g] */
	enum join when;
	struct atom atoms[2];
};

struct asks {
	struct ask v[ASKS];
	size_t n;
};

struct build {
	bool exists;
	struct asks needs, group;
};

struct world {
	struct build builds[NAMES][VERSIONS + 1]; /* version 0: not installed */
	struct asks wishes;
};

static struct atom random_atom(void)
{
	static const struct atom kinds[] = {{0, 2 | 4 | 8, ""}, {0, 4 | 8, ">=2"}, {0, 8, ">=3"},
		{0, 2, "<2"}, {0, 2 | 4, "<3"}};
	struct atom a = kinds[dice(5)];

	a.name = dice(NAMES);
	return a;
}

static struct asks random_asks(unsigned most, bool may_limit)
{
	struct asks asks = {.n = dice(most + 1)};

	for (size_t i = 0; i < asks.n; i++) {
		struct ask *a = &asks.v[i];

		*a = (struct ask){.name = dice(NAMES), .allowed = 2 + 2 * dice(7)};
		a->limits = may_limit && dice(4) == 0;
		a->group = !a->limits && dice(4) == 0;
		a->when = dice(2) ? JOIN_NONE : (enum join)(1 + dice(3));
		a->atoms[0] = random_atom();
		a->atoms[1] = random_atom();
	}
	return asks;
}

static void make_world(struct world *w)
{
	memset(w, 0, sizeof *w);
	for (unsigned n = 0; n < NAMES; n++)
		for (unsigned v = 1; v <= VERSIONS; v++)
			w->builds[n][v] = (struct build){.exists = dice(5) != 0,
				.needs = random_asks(ASKS, true),
				.group = random_asks(2, false)};
	do
		w->wishes = random_asks(ASKS, false);
	while (w->wishes.n == 0);
}

/* --- brute force ----------------------------------------------------------------------------- */

/* A choice of versions, and what of it the wishes lead to. */
struct pick {
	unsigned version[NAMES];
	bool reached[NAMES], grouped[NAMES];
	bool broken; /* something that was asked for is not there */
};

static bool is_true(const struct atom *a, const struct pick *p)
{
	return p->reached[a->name] && (a->allowed >> p->version[a->name] & 1);
}

static bool counts(const struct ask *a, const struct pick *p)
{
	bool x = is_true(&a->atoms[0], p), y = is_true(&a->atoms[1], p);

	switch (a->when) {
	case JOIN_NONE:
		return true;
	case JOIN_ONE:
		return x;
	case JOIN_AND:
		return x && y;
	case JOIN_OR:
		return x || y;
	}
	return false;
}

/* Follows what is asked for; true where that led to something new. */
static bool follow(const struct world *w, struct pick *p, const struct asks *asks)
{
	bool more = false;

	for (size_t i = 0; i < asks->n; i++) {
		const struct ask *a = &asks->v[i];
		unsigned v = p->version[a->name];

		if (a->limits || !counts(a, p))
			continue;
		if (v == NONE || !(a->allowed >> v & 1) || !w->builds[a->name][v].exists) {
			p->broken = true;
			continue;
		}
		more |= !p->reached[a->name] || (a->group && !p->grouped[a->name]);
		p->reached[a->name] = true;
		p->grouped[a->name] |= a->group;
	}
	return more;
}

/* More packages make no condition false, so that this comes to an end. */
static void reach_all(const struct world *w, struct pick *p)
{
	bool more = true;

	memset(p->reached, 0, sizeof p->reached);
	memset(p->grouped, 0, sizeof p->grouped);
	p->broken = false;
	while (more && !p->broken) {
		more = follow(w, p, &w->wishes);
		for (unsigned n = 0; n < NAMES; n++) {
			const struct build *b = &w->builds[n][p->version[n]];

			if (p->reached[n])
				more |= follow(w, p, &b->needs);
			if (p->reached[n] && p->grouped[n])
				more |= follow(w, p, &b->group);
		}
	}
}

static bool keeps_limits(const struct world *w, const struct pick *p)
{
	for (unsigned n = 0; n < NAMES; n++) {
		const struct asks *needs = &w->builds[n][p->version[n]].needs;

		for (size_t i = 0; p->reached[n] && i < needs->n; i++) {
			const struct ask *a = &needs->v[i];

			if (a->limits && a->name != n && p->reached[a->name] && counts(a, p) &&
				!(a->allowed >> p->version[a->name] & 1))
				return false;
		}
	}
	return true;
}

static bool next_pick(struct pick *p)
{
	for (unsigned n = 0; n < NAMES; n++) {
		if (++p->version[n] <= VERSIONS)
			return true;
		p->version[n] = NONE;
	}
	return false;
}

static bool is_satisfiable(const struct world *w)
{
	struct pick p = {0};

	do {
		reach_all(w, &p);
		if (!p.broken && keeps_limits(w, &p))
			return true;
	} while (next_pick(&p));
	return false;
}

/* --- the same for the solver ------------------------------------------------------------------ */

static void write_atom(const struct atom *a, struct buf *to)
{
	buf_printf(to, "n%u%s", a->name, a->text);
}

static void write_when(const struct ask *a, struct buf *to)
{
	buf_puts(to, ",when=\"");
	write_atom(&a->atoms[0], to);
	if (a->when != JOIN_ONE) {
		buf_puts(to, a->when == JOIN_AND ? " and " : " or ");
		write_atom(&a->atoms[1], to);
	}
	buf_putc(to, '"');
}

static void write_ask(const struct ask *a, struct buf *to)
{
	buf_printf(to, "n%u[version=\"", a->name);
	write_versions(a->allowed, to);
	buf_putc(to, '"');
	if (a->group)
		buf_puts(to, ",extras=[g]");
	if (a->when != JOIN_NONE)
		write_when(a, to);
	buf_putc(to, ']');
}

static void write_asks(struct json_out *w, const char *key, const struct asks *asks, bool limits)
{
	jw_key(w, key);
	jw_array(w);
	for (size_t i = 0; i < asks->n; i++) {
		CLEANUP_BUF spec = {0};

		if (asks->v[i].limits != limits)
			continue;
		write_ask(&asks->v[i], &spec);
		jw_str(w, buf_view(&spec));
	}
	jw_array_end(w);
}

static void write_build(
	struct arena *a, struct json_out *w, const struct build *b, unsigned n, unsigned v)
{
	begin_record(a, w, n, v, "0", "");
	write_asks(w, "depends", &b->needs, false);
	write_asks(w, "constrains", &b->needs, true);
	jw_key(w, "extra_depends");
	jw_object(w);
	write_asks(w, "g", &b->group, false);
	jw_object_end(w);
	jw_object_end(w);
}

static void write_world(struct arena *a, const struct world *world, struct buf *to)
{
	struct json_out w = {.to = to};

	jw_object(&w);
	jw_key(&w, "v3");
	jw_object(&w);
	jw_key(&w, "conda");
	jw_object(&w);
	for (unsigned n = 0; n < NAMES; n++)
		for (unsigned v = 1; v <= VERSIONS; v++)
			if (world->builds[n][v].exists)
				write_build(a, &w, &world->builds[n][v], n, v);
	jw_object_end(&w);
	jw_object_end(&w);
	jw_object_end(&w);
}

static int solve_world(struct arena *a, const struct world *world, const struct index *ix,
	const struct channel *channel, struct solution *out, struct err *e)
{
	struct spec_line lines[ASKS];

	for (size_t i = 0; i < world->wishes.n; i++) {
		CLEANUP_BUF spec = {0};

		write_ask(&world->wishes.v[i], &spec);
		lines[i] = (struct spec_line){arena_str(a, buf_view(&spec)), (int)i + 1, 1};
	}
	return solve_index(a,
		&(struct solve_request){.channels = channel,
			.n_channels = 1,
			.subdir = STR("linux-64"),
			.specs = lines,
			.n_specs = world->wishes.n,
			.file = "environment.yml",
			.target = "box"},
		ix, out, e);
}

static void check_answer(const struct world *w, const struct solution *s, unsigned round)
{
	struct pick p = {0};

	for (size_t i = 0; i < s->n; i++)
		p.version[name_of(s->records[i])] = version_of(s->records[i]);
	reach_all(w, &p);
	if (p.broken)
		fail_msg("round %u: the answer lacks something", round);
	if (!keeps_limits(w, &p))
		fail_msg("round %u: the answer breaks a constraint", round);
	for (unsigned n = 0; n < NAMES; n++)
		if (p.version[n] && !p.reached[n])
			fail_msg("round %u: nobody asks for n%u", round, n);
}

static void run_round(unsigned round, const char *dir, void *solved)
{
	struct arena a = {0};
	struct channel channel = {.name = STR("c"), .url = STR("https://h/c")};
	struct index *ix = index_new();
	struct solution s = {0};
	struct world w;
	struct err e = {0};
	CLEANUP_BUF text = {0};
	int rc;

	make_world(&w);
	write_world(&a, &w, &text);
	assert_int_equal(add_text(ix, dir, buf_view(&text), &channel, 0, "linux-64", &e), 0);
	rc = solve_world(&a, &w, ix, &channel, &s, &e);
	if ((rc == 0) != is_satisfiable(&w))
		fail_msg("round %u: %s\n%.*s", round, rc ? e.text : "solved what has no solution",
			STR_ARG(buf_view(&text)));
	if (rc == 0) {
		check_answer(&w, &s, round);
		++*(size_t *)solved;
	} else {
		assert_int_equal(e.code, ERR_UNSAT);
	}
	err_release(&e);
	index_free(ix);
	arena_release(&a);
}

static void answers_agree_with_brute_force(void **state)
{
	size_t solved = 0;

	(void)state;
	run_rounds(ROUNDS, run_round, &solved);
	print_message("%zu of %d have a solution\n", solved, (int)ROUNDS);
	assert_in_range(solved, ROUNDS / 5, ROUNDS - ROUNDS / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_agree_with_brute_force),
	};

	return cmocka_run_group_tests_name("solver conditions", tests, NULL, NULL);
}
