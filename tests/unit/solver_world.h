/* Small random universes, and what is a solution of one. */
#ifndef TESTS_SOLVER_WORLD_H
#define TESTS_SOLVER_WORLD_H

#include "tests/unit/solver_helper.h"

enum { NAMES = 5, VERSIONS = 3, ROUNDS = 600, NONE = 0 };

/* What one build asks of another name: the versions 1..VERSIONS it allows, as bits. */
struct ask {
	unsigned name, allowed;
	bool needed;
};

struct build {
	bool exists;
	struct ask asks[3];
	size_t n_asks;
};

struct world {
	struct build builds[NAMES][VERSIONS + 1]; /* version 0: not installed */
	struct ask wishes[3];
	size_t n_wishes;
};

static uint64_t seed;

/* xorshift64*: the same rounds everywhere. */
static unsigned dice(unsigned n)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (unsigned)((seed * UINT64_C(2685821657736338717) >> 33) % n);
}

static struct ask random_ask(bool may_constrain)
{
	struct ask a = {.name = dice(NAMES), .allowed = 2 + 2 * dice(7)};

	a.needed = !may_constrain || dice(3) != 0;
	return a;
}

static void make_world(struct world *w)
{
	memset(w, 0, sizeof *w);
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

/* --- brute force ----------------------------------------------------------------------------- */

static bool is_met(const struct ask *a, const unsigned *pick, unsigned self)
{
	if (pick[a->name] == NONE)
		return !a->needed;
	if (!a->needed && a->name == self)
		return true; /* a package does not constrain itself */
	return a->allowed >> pick[a->name] & 1;
}

static bool is_solution(const struct world *w, const unsigned *pick)
{
	for (size_t i = 0; i < w->n_wishes; i++)
		if (!is_met(&w->wishes[i], pick, NAMES))
			return false;
	for (unsigned n = 0; n < NAMES; n++) {
		const struct build *b = &w->builds[n][pick[n]];

		if (pick[n] == NONE)
			continue;
		if (!b->exists)
			return false;
		for (size_t i = 0; i < b->n_asks; i++)
			if (!is_met(&b->asks[i], pick, n))
				return false;
	}
	return true;
}

static bool next_pick(unsigned *pick)
{
	for (unsigned n = 0; n < NAMES; n++) {
		if (++pick[n] <= VERSIONS)
			return true;
		pick[n] = NONE;
	}
	return false;
}

static bool is_satisfiable(const struct world *w)
{
	unsigned pick[NAMES] = {0};

	do {
		if (is_solution(w, pick))
			return true;
	} while (next_pick(pick));
	return false;
}

/* --- the same for the solver ------------------------------------------------------------------ */

static void spec_of(const struct ask *a, struct buf *to)
{
	bool first = true;

	buf_printf(to, "n%u ", a->name);
	for (unsigned v = 1; v <= VERSIONS; v++)
		if (a->allowed >> v & 1) {
			buf_printf(to, "%s%u.*", first ? "" : "|", v);
			first = false;
		}
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

static void write_world(struct arena *a, const struct world *world, struct buf *to)
{
	struct json_out w = {.to = to};

	jw_object(&w);
	jw_key(&w, "packages.conda");
	jw_object(&w);
	for (unsigned n = 0; n < NAMES; n++)
		for (unsigned v = 1; v <= VERSIONS; v++) {
			const struct build *b = &world->builds[n][v];

			if (!b->exists)
				continue;
			jw_key(&w, arena_printf(a, "n%u-%u-0.conda", n, v));
			jw_object(&w);
			jw_key(&w, "name");
			jw_cstr(&w, arena_printf(a, "n%u", n));
			jw_key(&w, "version");
			jw_cstr(&w, arena_printf(a, "%u", v));
			jw_key(&w, "build");
			jw_cstr(&w, "0");
			write_asks(&w, "depends", b, true);
			write_asks(&w, "constrains", b, false);
			jw_object_end(&w);
		}
	jw_object_end(&w);
	jw_object_end(&w);
}

/* `more` has what the request has besides. */
static int solve_world(struct arena *a, const struct world *world, const struct solve_request *more,
	const struct index *ix, const struct channel *channel, struct solution *out, struct err *e)
{
	struct solve_request r = *more;
	struct spec_line lines[3];

	for (size_t i = 0; i < world->n_wishes; i++) {
		CLEANUP_BUF spec = {0};

		spec_of(&world->wishes[i], &spec);
		lines[i] = (struct spec_line){arena_str(a, buf_view(&spec)), (int)i + 1, 1};
	}
	r.channels = channel;
	r.n_channels = 1;
	r.priority = PRIORITY_FLEXIBLE;
	r.subdir = STR("linux-64");
	r.specs = lines;
	r.n_specs = world->n_wishes;
	r.file = "environment.yml";
	r.target = "box";
	return solve_index(a, &r, ix, out, e);
}

/* The version of each name in an answer. */
static void picked(const struct solution *s, unsigned *pick)
{
	for (size_t i = 0; i < s->n; i++)
		pick[s->records[i]->name.p[1] - '0'] =
			(unsigned)(s->records[i]->version.p[0] - '0');
}

#endif
