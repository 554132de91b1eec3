/*
 * Locks of any kind: what is read is exported in each form or refused as ERR_INPUT; what was
 * exported is read again, and from then on exported the same (a channel's URL may be written in
 * several ways, and is written in one).
 */
#include "solver/lock_export.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str convert(struct arena *a, struct str text, enum lock_format format, struct err *e)
{
	CLEANUP_BUF b = {0};
	struct lock lock;
	const struct lock_target *first;

	if (lock_parse(a, "fuzz.lock", text, &lock, e) < 0)
		return str_n(NULL, 0);
	if (!lock.n_targets)
		return str_n(NULL, 0);
	first = &lock.targets[0];
	if (lock_export(&lock, &first, 1, format, &b, e) < 0)
		return str_n(NULL, 0);
	return arena_str(a, buf_view(&b));
}

static void one_form(struct arena *a, struct str text, enum lock_format format)
{
	struct err e = {0};
	struct str once = convert(a, text, format, &e), twice, thrice;

	if (!once.p && e.code && e.code != ERR_INPUT)
		abort();
	err_release(&e);
	if (!once.p || format == LOCK_AS_ENVIRONMENT) /* which is no lock */
		return;
	twice = convert(a, once, format, &e);
	if (!twice.p && e.code != ERR_INPUT)
		abort();
	err_release(&e);
	if (!twice.p)
		return;
	thrice = convert(a, twice, format, &e);
	if (!str_eq(twice, thrice))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_n((const char *)data, size);
	struct arena a = {0};

	lock_recognize(text);
	one_form(&a, text, LOCK_AS_EXPLICIT);
	one_form(&a, text, LOCK_AS_CONDA_LOCK);
	one_form(&a, text, LOCK_AS_ENVIRONMENT);
	arena_release(&a);
	return 0;
}
