/*
 * MatchSpec: any text is read or refused with a place within it; what was read matches or does not,
 * and the quick reading of the name agrees.
 */
#include "solver/matchspec.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Some hold, some do not, of some it cannot be told. */
static int holds(const struct matchspec *spec, void *context)
{
	if (spec->when || !spec->text.n)
		abort();
	return (int)((spec->text.n + *(size_t *)context) % 3) - 1;
}

static void match(struct arena *a, const struct matchspec *m)
{
	struct record r = {.name = STR("numpy"),
		.version = STR("1.26.4"),
		.build = STR("py312h_0"),
		.subdir = STR("linux-64"),
		.channel = STR("https://conda.anaconda.org/conda-forge"),
		.fn = STR("numpy-1.26.4-py312h_0.conda"),
		.url = STR("https://conda.anaconda.org/conda-forge/linux-64/"
			   "numpy-1.26.4-py312h_0.conda"),
		.license = STR("BSD-3-Clause"),
		.track_features = STR("mkl debug"),
		.flags = STR("cuda blas:mkl"),
		.has_md5 = true};
	const struct version *v;

	if (version_parse(a, r.version, &v, NULL) < 0)
		abort();
	if (m->exact_name)
		r.name = m->name;
	matchspec_match(m, &r, v);
	matchspec_match(m, &r, NULL);
	for (size_t salt = 0; m->when && salt < 3; salt++) {
		int c = spec_condition_holds(m->when, holds, &salt);

		if (c < -1 || c > 1)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = {0};
	struct str text = arena_str(&a, str_n((const char *)data, size));
	struct matchspec m;
	struct err e = {0};

	if (matchspec_parse(&a, text, &m, &e) == 0) {
		match(&a, &m);
		if (m.exact_name && !str_same(matchspec_name(text), m.name))
			abort();
	} else {
		const char *at = strrchr(e.text, ' ');

		if (e.code != ERR_INPUT)
			abort();
		if (at && atol(at + 1) > (long)str_trim(text).n + 1 && strstr(e.text, " at "))
			abort();
		matchspec_name(text);
	}
	err_release(&e);
	arena_release(&a);
	return 0;
}
