/*
 * Versions and specifiers of Python, one a line: any bytes are read or refused as ERR_INPUT; a
 * version's normal form is the same version; the order is one; a set does not ask twice.
 */
#include "solver/pep440.h"

#include <stdlib.h>

enum { MAX_LINES = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct pep440 *parse(struct arena *a, struct str text)
{
	const struct pep440 *v = NULL, *again;
	struct err e = {0};

	if (pep440_parse(a, text, &v, &e) < 0) {
		if (e.code != ERR_INPUT)
			abort();
		err_release(&e);
		return NULL;
	}
	if (pep440_parse(a, pep440_text(v), &again, NULL) < 0 || pep440_cmp(v, again) != 0 ||
		!str_eq(pep440_text(v), pep440_text(again)))
		abort();
	return v;
}

static int sign(int c)
{
	return (c > 0) - (c < 0);
}

static void check_order(const struct pep440 **v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++) {
			int c = sign(pep440_cmp(v[i], v[j]));

			if (c != -sign(pep440_cmp(v[j], v[i])) || (i == j && c))
				abort();
			for (size_t k = 0; k < n; k++)
				if (c < 0 && pep440_cmp(v[j], v[k]) < 0 &&
					pep440_cmp(v[i], v[k]) >= 0)
					abort();
		}
}

static void check_set(struct arena *a, struct str text, const struct pep440 **v, size_t n)
{
	struct pep440_set set;
	struct err e = {0};

	if (pep440_set_parse(a, text, &set, &e) < 0) {
		if (e.code != ERR_INPUT)
			abort();
		err_release(&e);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (pep440_set_has(&set, v[i], PEP440_PRE_AUTO) &&
			!pep440_set_has(&set, v[i], PEP440_PRE_YES))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_n((const char *)data, size), lines[MAX_LINES];
	const struct pep440 *versions[MAX_LINES];
	struct arena a = {0};
	size_t n = 0, n_versions = 0;

	while (rest.n && n < MAX_LINES) {
		lines[n] = str_cut(&rest, '\n');
		versions[n_versions] = parse(&a, lines[n++]);
		n_versions += versions[n_versions] != NULL;
	}
	check_order(versions, n_versions);
	for (size_t i = 0; i < n; i++)
		check_set(&a, lines[i], versions, n_versions);
	arena_release(&a);
	return 0;
}
