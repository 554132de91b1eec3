/* All builds of some names: what could be had, before anything is chosen. */
#include "solver/index.h"
#include "solver/solve.h"

struct builds {
	struct arena *a;
	const struct str *names;
	size_t n_names;
	struct {
		struct record **v;
		size_t n, cap;
	} found;
};

static void add_group(
	struct builds *b, const struct index_source *source, const struct index_group *g)
{
	for (size_t i = 0; i < g->n_builds; i++) {
		struct record r;

		if (g->builds[i].flags & GROUP_BAD)
			continue;
		group_record(g, i, &r);
		r.subdir = source->subdir;
		r.channel = source->channel->url;
		r.url = index_url(b->a, source, r.fn);
		*VEC_PUSH(b->a, &b->found) = record_copy(b->a, &r);
	}
}

static int find(void *ctx, const struct index *ix, struct err *e)
{
	struct builds *b = ctx;

	b->found.n = 0;
	if (index_fetch(ix, b->names, b->n_names, e) < 0)
		return -1;
	for (size_t i = 0; i < b->n_names; i++)
		for (size_t k = 0; k < ix->sources.n; k++) {
			struct index_group g;
			int rc = index_group(ix, k, b->names[i], &g, e);

			if (rc < 0)
				return -1;
			if (rc)
				add_group(b, ix->sources.v[k], &g);
		}
	return 0;
}

int solve_builds(struct arena *a, const struct solve_request *r, const struct str *names, size_t n,
	struct record ***out, size_t *n_out, struct err *e)
{
	struct builds b = {.a = a, .names = names, .n_names = n};

	if (solve_with(r, find, &b, e) < 0)
		return -1;
	*out = b.found.v;
	*n_out = b.found.n;
	return 0;
}
