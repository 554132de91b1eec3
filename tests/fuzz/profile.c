/*
 * Two profiles of any text, with a NUL between them: read, or refused with a place; written and read
 * again they are the same; their union is a profile, from which neither has drifted.
 */
#include "images/compare.h"
#include "images/probe.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool read_one(struct arena *a, struct str text, struct profile *out)
{
	struct err e = {0};

	if (profile_parse(a, "p.yml", text, out, &e) < 0) {
		if (e.code != ERR_INPUT || strncmp(e.text, "p.yml:", 6) != 0)
			abort();
		err_release(&e);
		return false;
	}
	return true;
}

static void read_again(struct arena *a, const struct profile *p, struct profile *out)
{
	struct buf once = {0}, twice = {0};

	profile_write(&once, p);
	if (!read_one(a, arena_str(a, buf_view(&once)), out))
		abort();
	profile_write(&twice, out);
	if (!str_eq(buf_view(&once), buf_view(&twice)))
		abort();
	buf_release(&once);
	buf_release(&twice);
}

static void unite(struct arena *a, const struct profile *x, const struct profile *y)
{
	const struct profile *const v[] = {x, y};
	struct drifts drifts = {0};
	struct profile out, again;
	struct err e = {0};

	if (profile_union(a, "u", v, 2, &out, &e) < 0) {
		if (e.code != ERR_USAGE)
			abort();
		err_release(&e);
		return;
	}
	/* glibc versions that are no numbers do not pass, so both have one */
	if (str_starts(x->subdir, STR("linux-")))
		read_again(a, &out, &again);
	profile_drift(a, &out, x, false, &drifts);
	profile_drift(a, &out, y, false, &drifts);
	if (drifts.lacking) {
		for (size_t i = 0; i < drifts.n; i++)
			fprintf(stderr, "%d %s: %s, %s\n", drifts.v[i].lacks, drifts.v[i].what,
				drifts.v[i].said, drifts.v[i].has);
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_n((const char *)data, size), first = str_cut(&rest, 0);
	struct profile x, y, again;
	struct arena a = {0};

	if (read_one(&a, first, &x)) {
		read_again(&a, &x, &again);
		if (rest.p && read_one(&a, rest, &y))
			unite(&a, &x, &y);
	}
	arena_release(&a);
	return 0;
}
