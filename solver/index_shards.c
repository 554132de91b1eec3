/* An index some of whose sources are in shards: what is fetched together. */
#include "solver/index.h"
#include "solver/shards.h"

bool index_lacks(const struct index *ix, struct str name)
{
	for (size_t i = 0; i < ix->sources.n; i++)
		if (ix->sources.v[i]->shards && shards_lack(ix->sources.v[i]->shards, name))
			return true;
	return false;
}

int index_fetch(const struct index *ix, const struct str *names, size_t n, struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	struct shards **v = arena_array(&scratch, struct shards *, ix->sources.n);
	size_t n_shards = 0;

	for (size_t i = 0; i < ix->sources.n; i++)
		if (ix->sources.v[i]->shards)
			v[n_shards++] = ix->sources.v[i]->shards;
	return n_shards ? shards_fetch(v, n_shards, names, n, e) : 0;
}

size_t index_records(const struct index *ix)
{
	size_t n = ix->n_records;

	for (size_t i = 0; i < ix->sources.n; i++)
		if (ix->sources.v[i]->shards)
			n += shards_records(ix->sources.v[i]->shards);
	return n;
}
