/*
 * Small random universes against brute force: satisfiability, that what is asked for first gets the
 * best there is, that no answer can be bettered, and that the order of the records says nothing.
 */
#include "tests/unit/solver_dice.h"

enum {
	NAMES = 5,
	TARGET = NAMES, /* the virtual package, after the names */
	BUILDS = 5,
	CHANNELS = 2,
	ROUNDS = 3000
};

/* What one build asks of another name: the versions 1..VERSIONS it allows, as bits, or a build. */
struct ask {
	unsigned name, allowed, build;
	bool needed;
};

struct build {
	unsigned version, number, features, channel;
	bool noarch;
	struct ask asks[3];
	size_t n_asks;
};

struct world {
	struct build builds[NAMES][BUILDS + 1]; /* build 0: not installed */
	unsigned n_builds[NAMES];
	unsigned offered; /* version of the virtual package; NONE: the target has none */
	enum channel_priority priority;
	struct ask wishes[4];
	size_t n_wishes;
};

static struct ask random_ask(const struct world *w, bool may_constrain)
{
	struct ask a = {.name = dice(NAMES), .allowed = 2 + 2 * dice(7)};

	a.needed = !may_constrain || dice(3) != 0;
	if (dice(12) == 0)
		a.name = TARGET;
	else if (dice(8) == 0)
		a.build = 1 + dice(w->n_builds[a.name]);
	return a;
}

static void make_build(const struct world *w, struct build *b, unsigned channel)
{
	*b = (struct build){.version = 1 + dice(VERSIONS),
		.number = dice(2),
		.features = dice(5) == 0,
		.channel = channel,
		.noarch = dice(4) == 0,
		.n_asks = dice(4)};
	for (size_t i = 0; i < b->n_asks; i++)
		b->asks[i] = random_ask(w, true);
}

static void make_world(struct world *w)
{
	memset(w, 0, sizeof *w);
	w->offered = dice(VERSIONS + 1);
	w->priority = (enum channel_priority)dice(3);
	for (unsigned n = 0; n < NAMES; n++)
		w->n_builds[n] = 1 + dice(BUILDS);
	for (unsigned n = 0; n < NAMES; n++) {
		unsigned in_second = dice(3); /* else the whole name is in the first */

		for (unsigned k = 1; k <= w->n_builds[n]; k++)
			make_build(w, &w->builds[n][k], in_second ? 0 : dice(CHANNELS));
	}
	w->n_wishes = 1 + dice(4);
	for (size_t i = 0; i < w->n_wishes; i++)
		w->wishes[i] = random_ask(w, false);
}

/* --- brute force: solutions ------------------------------------------------------------------- */

/* pick[n] is the build of name n; pick[TARGET] the version that the target offers. */
static bool is_met(const struct world *w, const struct ask *a, const unsigned *pick, unsigned self)
{
	unsigned build = pick[a->name];

	if (build == NONE)
		return !a->needed;
	if (!a->needed && a->name == self)
		return true; /* a package does not constrain itself */
	if (a->name == TARGET)
		return a->allowed >> build & 1;
	return a->build ? a->build == build : a->allowed >> w->builds[a->name][build].version & 1;
}

/* With strict priority, only the first channel that has the name. */
static bool is_hidden(const struct world *w, unsigned name, unsigned build)
{
	for (unsigned k = 1; k <= w->n_builds[name]; k++)
		if (w->priority == PRIORITY_STRICT &&
			w->builds[name][k].channel < w->builds[name][build].channel)
			return true;
	return false;
}

static bool is_solution(const struct world *w, const unsigned *pick)
{
	for (size_t i = 0; i < w->n_wishes; i++)
		if (!is_met(w, &w->wishes[i], pick, NAMES))
			return false;
	for (unsigned n = 0; n < NAMES; n++) {
		const struct build *b = &w->builds[n][pick[n]];

		if (pick[n] == NONE)
			continue;
		if (is_hidden(w, n, pick[n]))
			return false;
		for (size_t i = 0; i < b->n_asks; i++)
			if (!is_met(w, &b->asks[i], pick, n))
				return false;
	}
	return true;
}

static bool next_pick(const struct world *w, unsigned *pick)
{
	for (unsigned n = 0; n < NAMES; n++) {
		if (++pick[n] <= w->n_builds[n])
			return true;
		pick[n] = NONE;
	}
	return false;
}

struct picks {
	unsigned (*v)[NAMES + 1];
	size_t n;
};

static struct picks all_solutions(struct arena *a, const struct world *w)
{
	unsigned pick[NAMES + 1] = {[TARGET] = w->offered};
	size_t most = 1;
	struct picks all = {0};

	for (unsigned n = 0; n < NAMES; n++)
		most *= w->n_builds[n] + 1;
	all.v = arena_calloc(a, most, sizeof *all.v);
	do {
		if (is_solution(w, pick))
			memcpy(all.v[all.n++], pick, sizeof pick);
	} while (next_pick(w, pick));
	return all;
}

/* --- brute force: which is better --------------------------------------------------------------- */

static int less(unsigned a, unsigned b)
{
	return (a > b) - (a < b);
}

/* <0: build x of the name is better than y; as conda has it, by version or with build number. */
static int compare(const struct world *w, unsigned name, unsigned x, unsigned y, bool numbers)
{
	const struct build *a = &w->builds[name][x], *b = &w->builds[name][y];
	int c = w->priority == PRIORITY_FLEXIBLE ? less(a->channel, b->channel) : 0;

	if (c == 0)
		c = less(a->features, b->features);
	if (c == 0)
		c = less(b->version, a->version);
	if (c == 0 && numbers)
		c = less(a->channel, b->channel);
	return c || !numbers ? c : less(b->number, a->number);
}

/* In the order of the wishes: first the versions of all of them, then the build numbers. */
static bool is_preferred(const struct world *w, const unsigned *other, const unsigned *pick)
{
	for (int numbers = 0; numbers < 2; numbers++)
		for (size_t i = 0; i < w->n_wishes; i++) {
			unsigned n = w->wishes[i].name;
			int c = n == TARGET ? 0 : compare(w, n, other[n], pick[n], numbers);

			if (c)
				return c < 0;
		}
	return false;
}

static bool is_wished(const struct world *w, unsigned name)
{
	for (size_t i = 0; i < w->n_wishes; i++)
		if (w->wishes[i].name == name)
			return true;
	return false;
}

/*
 * Has everything that `pick` has, what is asked for as it is, nothing worse, something better.  More
 * packages are welcome for a version, not for a build number.
 */
static bool is_better(
	const struct world *w, const unsigned *other, const unsigned *pick, bool numbers)
{
	bool better = false;

	for (unsigned n = 0; n < NAMES; n++) {
		int c;

		if (pick[n] == NONE && numbers && other[n])
			return false;
		if (pick[n] == NONE)
			continue;
		if (other[n] == NONE || (is_wished(w, n) && other[n] != pick[n]))
			return false;
		c = compare(w, n, other[n], pick[n], numbers);
		if (c > 0)
			return false;
		better |= c < 0;
	}
	return better;
}

static void mark_needed(const struct world *w, const unsigned *pick, unsigned n, bool *needed)
{
	const struct build *b;

	if (n == TARGET || needed[n])
		return;
	needed[n] = true;
	b = &w->builds[n][pick[n]];
	for (size_t i = 0; i < b->n_asks; i++)
		if (b->asks[i].needed)
			mark_needed(w, pick, b->asks[i].name, needed);
}

static bool has_unneeded(const struct world *w, const unsigned *pick)
{
	bool needed[NAMES] = {false};

	for (size_t i = 0; i < w->n_wishes; i++)
		mark_needed(w, pick, w->wishes[i].name, needed);
	for (unsigned n = 0; n < NAMES; n++)
		if (pick[n] && !needed[n])
			return true;
	return false;
}

/* --- the same for the solver ------------------------------------------------------------------ */

static void spec_of(const struct ask *a, struct buf *to)
{
	buf_printf(to, a->name == TARGET ? "__v " : "n%u ", a->name);
	if (a->build && a->name != TARGET)
		buf_printf(to, "* h%u_*", a->build);
	else
		write_versions(a->allowed, to);
}

static void write_asks(struct json_out *w, const char *key, const struct build *b, bool needed)
{
	jw_key(w, key);
	jw_array(w);
	for (size_t i = 0; i < b->n_asks; i++) {
		CLEANUP_BUF spec = {0};

		if (b->asks[i].needed != needed)
			continue;
		spec_of(&b->asks[i], &spec);
		jw_str(w, buf_view(&spec));
	}
	jw_array_end(w);
}

static void write_build(
	struct arena *a, struct json_out *w, const struct build *b, unsigned n, unsigned k)
{
	begin_record(a, w, n, b->version, arena_printf(a, "h%u_%u", k, b->number), ".conda");
	jw_key(w, "build_number");
	jw_int(w, b->number);
	if (b->features) {
		jw_key(w, "track_features");
		jw_cstr(w, "slow");
	}
	write_asks(w, "depends", b, true);
	write_asks(w, "constrains", b, false);
	jw_object_end(w);
}

static void write_world(struct arena *a, const struct world *world, unsigned channel, bool noarch,
	bool backwards, struct buf *to)
{
	struct json_out w = {.to = to};

	jw_object(&w);
	jw_key(&w, "packages.conda");
	jw_object(&w);
	for (unsigned i = 0; i < NAMES * BUILDS; i++) {
		unsigned at = backwards ? NAMES * BUILDS - 1 - i : i;
		unsigned n = at / BUILDS, k = 1 + at % BUILDS;
		const struct build *b = &world->builds[n][k];

		if (k <= world->n_builds[n] && b->channel == channel && b->noarch == noarch)
			write_build(a, &w, b, n, k);
	}
	jw_object_end(&w);
	jw_object_end(&w);
}

static struct index *index_of(struct arena *a, const struct world *w, const char *dir,
	const struct channel *channels, bool backwards)
{
	struct index *ix = index_new();
	struct err e = {0};

	for (unsigned i = 0; i < CHANNELS * 2; i++) {
		unsigned file = backwards ? CHANNELS * 2 - 1 - i : i;
		bool noarch = file % 2;
		CLEANUP_BUF text = {0};

		write_world(a, w, file / 2, noarch, backwards, &text);
		if (add_text(ix, dir, buf_view(&text), &channels[file / 2], file / 2,
			    noarch ? "noarch" : "linux-64", &e) < 0)
			fail_msg("%s", e.text);
	}
	return ix;
}

static int solve_world(struct arena *a, const struct world *world, const char *dir, bool backwards,
	struct solution *out, struct err *e)
{
	const struct channel channels[CHANNELS] = {
		{.name = STR("a"), .url = STR("https://h/a")},
		{.name = STR("b"), .url = STR("https://h/b")},
	};
	struct index *ix = index_of(a, world, dir, channels, backwards);
	struct str offer = arena_strf(a, "__v=%u", world->offered);
	struct spec_line lines[4];
	int rc;

	for (size_t i = 0; i < world->n_wishes; i++) {
		CLEANUP_BUF spec = {0};

		spec_of(&world->wishes[i], &spec);
		lines[i] = (struct spec_line){arena_str(a, buf_view(&spec)), (int)i + 1, 1};
	}
	rc = solve_index(a,
		&(struct solve_request){.channels = channels,
			.n_channels = CHANNELS,
			.priority = world->priority,
			.subdir = STR("linux-64"),
			.virtual_packages = &offer,
			.n_virtual_packages = world->offered > 0,
			.specs = lines,
			.n_specs = world->n_wishes,
			.file = "environment.yml",
			.target = "box"},
		ix, out, e);
	index_free(ix);
	return rc;
}

/* --- rounds ------------------------------------------------------------------------------------ */

static void check_answer(
	const struct world *w, const struct picks *all, const struct solution *s, unsigned round)
{
	unsigned pick[NAMES + 1] = {[TARGET] = w->offered};

	for (size_t i = 0; i < s->n; i++)
		pick[name_of(s->records[i])] = (unsigned)(s->records[i]->build.p[1] - '0');
	if (!is_solution(w, pick))
		fail_msg("round %u: the answer is no solution", round);
	if (has_unneeded(w, pick))
		fail_msg("round %u: the answer has what nothing needs", round);
	for (size_t i = 0; i < all->n; i++) {
		if (is_preferred(w, all->v[i], pick))
			fail_msg("round %u: what is asked for could be better", round);
		if (has_unneeded(w, all->v[i]))
			continue;
		for (int numbers = 0; numbers < 2; numbers++)
			if (is_better(w, all->v[i], pick, numbers))
				fail_msg("round %u: the answer could be better", round);
	}
}

static void check_same_answer(const struct solution *s, const struct solution *t, unsigned round)
{
	bool same = s->n == t->n;

	for (size_t i = 0; same && i < s->n; i++)
		same = str_eq(s->records[i]->url, t->records[i]->url);
	if (!same)
		fail_msg("round %u: other records first, another answer", round);
}

static void run_round(unsigned round, const char *dir, void *solved)
{
	struct arena a = {0};
	struct solution s = {0}, t = {0};
	struct world w;
	struct picks all;
	struct err e = {0}, f = {0};
	int rc;

	make_world(&w);
	all = all_solutions(&a, &w);
	rc = solve_world(&a, &w, dir, false, &s, &e);
	if ((rc == 0) != (all.n > 0))
		fail_msg("round %u: %s", round, rc ? e.text : "solved what has no solution");
	assert_int_equal(solve_world(&a, &w, dir, true, &t, &f), rc);
	if (rc == 0) {
		check_answer(&w, &all, &s, round);
		check_same_answer(&s, &t, round);
		++*(size_t *)solved;
	} else {
		assert_int_equal(e.code, ERR_UNSAT);
		assert_non_null(strstr(e.text, "environment.yml:"));
	}
	err_release(&e);
	err_release(&f);
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

	return cmocka_run_group_tests_name("solver random", tests, NULL, NULL);
}
