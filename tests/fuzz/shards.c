/*
 * Indexes in shards: any bytes as a list of shards and as a shard of 'x', as they are and unpacked,
 * are an error or records that can be made a group, inside their bounds.
 */
#include "base/archive.h"
#include "solver/shard_read.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_TEXT = 1 << 20 };
static volatile uint8_t seen; /* a sum is read to its end */

static void check(int rc, struct err *e)
{
	if ((rc < 0) != (e->code != ERR_NONE) || (rc < 0 && e->code != ERR_INTEGRITY))
		abort();
	err_release(e);
}

static void try_list(struct str bytes)
{
	CLEANUP_ARENA a = {0};
	struct shard_list list;
	struct err e = {0};
	int rc = shard_list_parse(&a, bytes, "fuzz", &list, &e);

	check(rc, &e);
	for (size_t i = 0; rc == 0 && i < list.n; i++) {
		if (shard_list_find(&list, list.v[i].name) != &list.v[i])
			abort();
		seen = list.v[i].sha256[31];
	}
}

/* What the group says again must be what was read. */
static void try_group(struct arena *a, struct group_record *v, size_t n)
{
	struct spec_set specs = {.arena = a, .numbers = {.arena = a}};
	struct index_group g;
	CLEANUP_BUF bytes = {0};

	if (group_write(a, &specs, STR("x"), v, n, &bytes, NULL) < 0 ||
		group_open(buf_view(&bytes), specs.numbers.n, &g) < 0 || g.n_builds > n)
		abort();
	for (size_t i = 0; i < g.n_builds; i++) {
		struct record r;

		group_record(&g, i, &r);
		if (!str_eq(r.fn, v[i].record.fn))
			abort();
	}
}

static void try_shard(struct str bytes)
{
	CLEANUP_ARENA a = {0};
	struct group_record *v;
	struct err e = {0};
	size_t n;
	int rc = shard_parse(&a, bytes, STR("x"), "fuzz", &v, &n, &e);

	check(rc, &e);
	if (rc == 0)
		try_group(&a, v, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct zstd_reader *z = zstd_reader_new();
	struct str bytes = str_n((const char *)data, size);
	CLEANUP_BUF text = {0};
	struct err e = {0};
	int rc = zstd_unpack(z, bytes, MAX_TEXT, "fuzz", &text, &e);

	check(rc, &e);
	zstd_reader_free(z);
	try_list(bytes);
	try_shard(bytes);
	if (rc == 0) {
		try_list(buf_view(&text));
		try_shard(buf_view(&text));
	}
	return 0;
}
