/*
 * repodata.json: any text is refused in words or gives an index whose records can be parsed and
 * solved for, without reading out of bounds.
 */
#include "solver/universe.h"
#include "tests/memory.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORDS_MAX = 200, SOLVES_MAX = 3, LARGEST = 1 << 16 };

static void solve_for(const struct index *ix, const struct channel *channel, struct str name)
{
	const struct str offered[] = {STR_INIT("__glibc=2.17"), STR_INIT("__unix=0")};
	const struct spec_line line = {.text = name, .line = 1, .column = 1};
	const struct solve_request request = {.channels = channel,
		.n_channels = 1,
		.priority = PRIORITY_STRICT,
		.subdir = STR("linux-64"),
		.virtual_packages = offered,
		.n_virtual_packages = 2,
		.specs = &line,
		.n_specs = 1,
		.file = "f",
		.target = "t"};
	struct arena a = {0};
	struct solution s = {0};
	struct err e = {0};

	if (solve_index(&a, &request, ix, &s, &e) == 0)
		assert(s.n > 0);
	else
		assert(e.code == ERR_UNSAT || e.code == ERR_INPUT || e.code == ERR_INTEGRITY);
	err_release(&e);
	arena_release(&a);
}

struct names {
	const struct index *ix;
	struct str v[SOLVES_MAX];
	size_t n;
};

/* Each record is one, or an error in words. */
static void use_name(void *ctx, struct str name)
{
	struct names *names = ctx;
	struct index_group g;
	struct arena a = {0};

	if (names->n < SOLVES_MAX)
		names->v[names->n++] = name;
	if (index_group(names->ix, 0, name, &g, NULL) == 1)
		for (size_t i = 0; i < g.n_builds && i < RECORDS_MAX; i++) {
			struct record r;

			group_record(&g, i, &r);
			record_copy(&a, &r);
			if (g.builds[i].flags & GROUP_BAD)
				assert(r.track_features.n);
		}
	arena_release(&a);
}

static void use(struct groups *groups)
{
	const struct channel channel = {.name = STR("c"), .url = STR("https://h/c")};
	struct names names = {.ix = index_new()};
	struct index *ix = (struct index *)names.ix;

	index_add_groups(ix, groups, &channel, 0, STR("linux-64"), NULL);
	index_each_name(ix, use_name, &names);
	for (size_t i = 0; i < names.n; i++)
		solve_for(ix, &channel, names.v[i]);
	index_free(ix);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory from = {.rest = str_n((const char *)data, size), .step = 1 + size % 61};
	struct groups *groups;
	struct err e = {0};

	if (size > LARGEST)
		return 0;
	groups = groups_read(read_memory, &from, "repodata.json", &e);
	if (groups)
		use(groups);
	else
		assert(e.code == ERR_INTEGRITY);
	err_release(&e);
	return 0;
}
