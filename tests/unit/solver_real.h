/*
 * For tests on real indexes: unpacked once for all tests of a program, skipped where the shared data
 * is not there.
 */
#ifndef TESTS_SOLVER_REAL_H
#define TESTS_SOLVER_REAL_H

#include "tests/unit/solver_helper.h"

struct real {
	struct arena arena;
	char *dir; /* for unpacked indexes; NULL: the data is not there */
	/* conda-forge, after real_setup() */
	struct channel channel;
	struct index *index;
};

/* Is `rel` there?  Then files can be unpacked. */
static bool real_open(struct real *d, const char *rel)
{
	if (shared_path(&d->arena, rel))
		d->dir = fresh_dir(&d->arena);
	return d->dir;
}

/* The unpacked index, as `name` in d->dir. */
static char *real_unpack(struct real *d, const char *rel, const char *name)
{
	return unpack_index(&d->arena, shared_path(&d->arena, rel), d->dir, name);
}

/* Of a group of tests: the state is a struct real with conda-forge. */
UNUSED static int real_setup(void **state)
{
	static const char *const subdirs[] = {"linux-64", "noarch"};
	struct real *d = xcalloc(1, sizeof *d);
	struct err e = {0};

	*state = d;
	d->channel =
		(struct channel){.name = STR("conda-forge"), .url = STR("https://h/conda-forge")};
	if (!real_open(d, "repodata/conda-forge"))
		return 0;
	d->index = index_new();
	for (size_t i = 0; i < 2; i++) {
		char *rel = arena_printf(
			&d->arena, "repodata/conda-forge/%s/repodata.json.zst", subdirs[i]);

		if (index_add_file(d->index, real_unpack(d, rel, subdirs[i]), &d->channel, 0,
			    str_of(subdirs[i]), &e) < 0)
			fail_msg("%s", e.text);
	}
	return 0;
}

/* The state begins with a struct real. */
static int real_teardown(void **state)
{
	struct real *d = *state;

	index_free(d->index);
	if (d->dir)
		dir_remove(d->dir, NULL);
	arena_release(&d->arena);
	free(d);
	return 0;
}

/* The state; skips where the data is not there. */
static void *need_real(void **state)
{
	const struct real *d = *state;

	if (!d->dir) {
		print_message("the shared data is not there (ENVBUILD_SHARED_DATA)\n");
		skip();
	}
	return *state;
}

/* The record of this name in an answer; NULL: there is none. */
UNUSED static const struct record *find(const struct solution *s, struct str name)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->records[i]->name, name))
			return s->records[i];
	return NULL;
}

#endif
