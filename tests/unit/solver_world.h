/*
 * Small random universes, and what is a solution of one.  Each test makes its own; up to MOST_NAMES
 * names, as its n_names tells.
 */
#ifndef TESTS_SOLVER_WORLD_H
#define TESTS_SOLVER_WORLD_H

#include "tests/unit/solver_dice.h"

enum { MOST_NAMES = 6, MOST_WISHES = 6 };

/* What one build or wish asks of another name: the versions 1..VERSIONS it allows, as bits. */
struct ask {
	unsigned name, allowed;
	bool needed;
};

static const unsigned any_version = ~0U; /* without a word on it */

struct build {
	bool exists;
	unsigned level; /* of __level that it needs; 0: none */
	struct ask asks[3];
	size_t n_asks;
};

struct world {
	unsigned n_names;
	struct build builds[MOST_NAMES][VERSIONS + 1]; /* version 0: not installed */
	struct ask wishes[MOST_WISHES];
	size_t n_wishes;
};

static const struct channel channel = {.name = STR_INIT("c"), .url = STR_INIT("https://h/c")};

/* --- brute force ----------------------------------------------------------------------------- */

/* self: the name that asks; MOST_NAMES: a wish. */
static bool is_met(const struct ask *a, const unsigned *pick, unsigned self)
{
	if (pick[a->name] == NONE)
		return !a->needed;
	if (!a->needed && a->name == self)
		return true; /* a package does not constrain itself */
	return a->allowed >> pick[a->name] & 1;
}

/* Whatever the wishes are. */
static bool goes_together(const struct world *w, const unsigned *pick, unsigned level)
{
	for (unsigned n = 0; n < w->n_names; n++) {
		const struct build *b = &w->builds[n][pick[n]];

		if (pick[n] == NONE)
			continue;
		if (!b->exists || b->level > level)
			return false;
		for (size_t i = 0; i < b->n_asks; i++)
			if (!is_met(&b->asks[i], pick, n))
				return false;
	}
	return true;
}

static bool next_pick(const struct world *w, unsigned *pick)
{
	for (unsigned n = 0; n < w->n_names; n++) {
		if (++pick[n] <= VERSIONS)
			return true;
		pick[n] = NONE;
	}
	return false;
}

/* --- the same for the solver ------------------------------------------------------------------ */

static struct str spec_of(struct arena *a, const struct ask *ask)
{
	CLEANUP_BUF to = {0};

	buf_printf(&to, "n%u", ask->name);
	if (ask->allowed != any_version) {
		buf_putc(&to, ' ');
		write_versions(ask->allowed, &to);
	}
	return arena_str(a, buf_view(&to));
}

static void write_asks(
	struct arena *a, struct json_out *w, const char *key, const struct build *b, bool needed)
{
	jw_key(w, key);
	jw_array(w);
	for (size_t i = 0; i < b->n_asks; i++)
		if (b->asks[i].needed == needed)
			jw_str(w, spec_of(a, &b->asks[i]));
	if (needed && b->level)
		jw_cstr(w, arena_printf(a, "__level >=%u,<9", b->level));
	jw_array_end(w);
}

static void write_world(struct arena *a, const struct world *world, struct buf *to)
{
	struct json_out w = {.to = to};

	jw_object(&w);
	jw_key(&w, "packages.conda");
	jw_object(&w);
	for (unsigned n = 0; n < world->n_names; n++)
		for (unsigned v = 1; v <= VERSIONS; v++) {
			const struct build *b = &world->builds[n][v];

			if (!b->exists)
				continue;
			begin_record(a, &w, n, v, "0", ".conda");
			write_asks(a, &w, "depends", b, true);
			write_asks(a, &w, "constrains", b, false);
			jw_object_end(&w);
		}
	jw_object_end(&w);
	jw_object_end(&w);
}

static struct index *index_of(struct arena *a, const struct world *world, const char *dir)
{
	struct index *ix = index_new();
	struct err e = {0};
	CLEANUP_BUF text = {0};

	write_world(a, world, &text);
	if (add_text(ix, dir, buf_view(&text), &channel, 0, "linux-64", &e) < 0)
		fail_msg("%s", e.text);
	return ix;
}

/* `more` has what the request has besides. */
static int solve_world(struct arena *a, const struct world *world, const struct solve_request *more,
	const struct index *ix, struct solution *out, struct err *e)
{
	struct solve_request r = *more;
	struct spec_line lines[MOST_WISHES];

	for (size_t i = 0; i < world->n_wishes; i++)
		lines[i] = (struct spec_line){spec_of(a, &world->wishes[i]), (int)i + 1, 1};
	r.channels = &channel;
	r.n_channels = 1;
	r.priority = PRIORITY_FLEXIBLE;
	r.subdir = STR("linux-64");
	r.specs = lines;
	r.n_specs = world->n_wishes;
	r.file = "environment.yml";
	r.target = "box";
	return solve_index(a, &r, ix, out, e);
}

#endif
