/*
 * What the ELF facts and symbols of packages cost beside extracting these, for tests/bench:
 *
 *	facts_cost CACHE PACKAGE...
 *
 * Each package is extracted as the cache does it, on one thread; then the part that makes the two files
 * runs once more on what came out.  CACHE is left empty.  Prints, over all packages: their number, that
 * of ELF files, processor seconds of extracting without that part, of that part, bytes of the packages'
 * files, of `elf` and of `symbols`.
 */
#include "base/file.h"
#include "base/hash.h"
#include "builder/binaries.h"
#include "builder/entry.h"
#include "builder/facts.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

struct total {
	size_t packages, binaries;
	double extracting, facts;
	uint64_t bytes, elf, symbols;
};

static double now(void)
{
	struct timespec t;

	/* Of the processor: what else the machine does is not part of it, nor is waiting for the disk. */
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int record_of(const char *path, struct record *r, struct err *e)
{
	*r = (struct record){.fn = str_of(path_base(path)), .has_sha256 = true};
	record_split_fn(r->fn, &r->name, &r->version, &r->build);
	return file_hash(path, r->sha256, NULL, e);
}

/* How the files begin, as extraction has seen it. */
static int remember(struct arena *a, const struct package *p, struct extraction *x, struct err *e)
{
	*x = (struct extraction){.arena = a, .by_path.arena = a};
	for (size_t i = 0; i < p->n_files; i++) {
		const struct package_file *f = &p->files[i];
		struct extracted *to;
		struct str bytes;

		if (f->type != PATH_FILE)
			continue;
		table_put(&x->by_path, f->path)->num = x->n;
		to = VEC_PUSH(a, x);
		*to = (struct extracted){.path = f->path};
		if (file_map(path_join(a, p->dir, arena_cstr(a, f->path)), &bytes, e) < 0)
			return -1;
		to->may_be_elf = binary_magic(bytes);
		file_unmap(bytes);
	}
	return 0;
}

static uint64_t size_of(struct arena *a, const char *dir, const char *name)
{
	struct stat st;

	return stat(path_join(a, dir, name), &st) == 0 ? (uint64_t)st.st_size : 0;
}

static int time_facts(
	struct arena *a, const char *dir, double whole, struct total *sum, struct err *e)
{
	struct extraction x;
	struct package p = {0};
	struct binaries b;
	double started, part;

	if (facts_load(a, dir, true, &p, e) < 0 || remember(a, &p, &x, e) < 0)
		return -1;
	started = now();
	if (binaries_write(dir, &x, &p, e) < 0)
		return -1;
	part = now() - started;
	sum->facts += part;
	sum->extracting += whole - part;
	if (binaries_compute(a, &p, &b, e) < 0)
		return -1;
	sum->packages++;
	sum->binaries += b.n;
	for (size_t i = 0; i < BINARIES_FILES; i++)
		*(i == 0 ? &sum->elf : &sum->symbols) += size_of(a, dir, BINARIES_NAMES[i]);
	return 0;
}

static int measure(const struct cache *c, const char *path, struct total *sum, struct err *e)
{
	CLEANUP_ARENA a = {0};
	struct entry_draft draft;
	struct record r;
	double started;
	int rc;

	if (record_of(path, &r, e) < 0)
		return -1;
	started = now();
	if (entry_make(&a, c, &r, path, NULL, &draft, e) < 0)
		return -1;
	sum->bytes += draft.bytes;
	rc = time_facts(&a, draft.dir, now() - started, sum, e);
	dir_remove(draft.dir, NULL);
	return rc;
}

int main(int argc, char **argv)
{
	struct arena a = {0};
	struct total sum = {0};
	struct err e = {0};
	struct cache c;
	int rc = argc > 2 ? cache_open(&a, argv[1], &c, &e) : err_set(&e, ERR_USAGE, "no packages");

	for (int i = 2; i < argc && rc == 0; i++)
		rc = measure(&c, argv[i], &sum, &e);
	if (rc == 0)
		printf("%zu %zu %.4f %.4f %llu %llu %llu\n", sum.packages, sum.binaries,
			sum.extracting, sum.facts, (unsigned long long)sum.bytes,
			(unsigned long long)sum.elf, (unsigned long long)sum.symbols);
	else
		fprintf(stderr, "facts_cost: %s\n", e.text);
	err_release(&e);
	arena_release(&a);
	return rc == 0 ? 0 : 1;
}
