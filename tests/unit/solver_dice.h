/*
 * For tests with many small random worlds: dice that fall the same everywhere, rounds, and the
 * records of packages n0, n1, ... with versions 1 to VERSIONS.
 */
#ifndef TESTS_SOLVER_DICE_H
#define TESTS_SOLVER_DICE_H

#include "tests/unit/solver_helper.h"

enum { VERSIONS = 3, NONE = 0 };

static uint64_t seed;

/* 0 to n - 1: xorshift64*. */
static unsigned dice(unsigned n)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (unsigned)((seed * UINT64_C(2685821657736338717) >> 33) % n);
}

/* Rounds 1 to n, each with the seed of its number and a folder for files. */
static void run_rounds(
	unsigned n, void (*run_round)(unsigned round, const char *dir, void *ctx), void *ctx)
{
	struct arena a = {0};
	char *dir = fresh_dir(&a);

	setenv("ENVBUILD_NO_FSYNC", "1", 1);
	for (unsigned round = 1; round <= n; round++) {
		seed = round * UINT64_C(0x9e3779b97f4a7c15);
		run_round(round, dir, ctx);
	}
	dir_remove(dir, NULL);
	arena_release(&a);
}

/* Versions as bits: "1.*|3.*". */
static void write_versions(unsigned allowed, struct buf *to)
{
	bool first = true;

	for (unsigned v = 1; v <= VERSIONS; v++)
		if (allowed >> v & 1) {
			buf_printf(to, "%s%u.*", first ? "" : "|", v);
			first = false;
		}
}

/* Begins a record of nNAME; the caller goes on, and ends the object. */
static void begin_record(struct arena *a, struct json_out *w, unsigned name, unsigned version,
	const char *build, const char *ending)
{
	char *fn = arena_printf(a, "n%u-%u-%s", name, version, build);

	jw_key(w, arena_printf(a, "%s%s", fn, ending));
	jw_object(w);
	jw_key(w, "name");
	jw_cstr(w, arena_printf(a, "n%u", name));
	jw_key(w, "version");
	jw_cstr(w, arena_printf(a, "%u", version));
	jw_key(w, "build");
	jw_cstr(w, build);
}

/* Of a record in an answer: N of its name nN, and its version. */
UNUSED static unsigned name_of(const struct record *r)
{
	return (unsigned)(r->name.p[1] - '0');
}

UNUSED static unsigned version_of(const struct record *r)
{
	return (unsigned)(r->version.p[0] - '0');
}

#endif
