/*
 * Locks: any bytes are read or refused as ERR_INPUT; what was read is written, read again and
 * written the same.
 */
#include "solver/lock.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str rewrite(struct arena *a, struct str text, struct err *e)
{
	CLEANUP_BUF b = {0};
	struct lock lock;

	if (lock_parse(a, "fuzz.lock", text, &lock, e) < 0)
		return str_n(NULL, 0);
	lock_write(&lock, &b);
	return arena_str(a, buf_view(&b));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = {0};
	struct err e = {0};
	struct str once = rewrite(&a, str_n((const char *)data, size), &e), twice;

	if (!once.p && e.code != ERR_INPUT)
		abort();
	err_release(&e);
	if (once.p) {
		twice = rewrite(&a, once, &e);
		if (!str_eq(once, twice))
			abort();
	}
	err_release(&e);
	arena_release(&a);
	return 0;
}
