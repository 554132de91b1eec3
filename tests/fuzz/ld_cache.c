/* A root's ld.so.cache of any bytes: read or not; what was read lies within it, and chains end. */
#include "images/ld_cache.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str whole;

static void look(struct str s)
{
	if (s.n && (s.p < whole.p || s.p + s.n > whole.p + whole.n))
		abort();
	if (str_chr(s, 0) >= 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = {0};
	struct ld_cache c;

	whole = str_n((const char *)data, size);
	if (ld_cache_read(&a, whole, &c) == 0 && c.n)
		abort();
	for (size_t i = 0; i < c.n; i++) {
		const struct ld_cache_entry *x = ld_cache_first(&c, c.v[i].name);
		size_t n = 0;

		look(c.v[i].name);
		look(c.v[i].path);
		look(c.v[i].subfolder);
		if (c.v[i].path.p[0] != '/')
			abort();
		for (; x && n <= c.n && n < 1000; n++) {
			if (!str_eq(x->name, c.v[i].name))
				abort();
			x = ld_cache_next(&c, x);
		}
		if (!n || n > c.n)
			abort();
	}
	arena_release(&a);
	return 0;
}
