/* The tar reader over any bytes: it ends, and never gives a member that breaks its promises. */
#include "base/archive.h"
#include "tests/memory.h"

#include <stdlib.h>

enum { MAX_MEMBERS = 1000, MAX_BODY = 1 << 20 };

static void check(const struct member *m)
{
	if (!m->path.p || memchr(m->path.p, '\0', m->path.n))
		abort();
	if (m->type == MEMBER_SYMLINK && !m->link.p)
		abort();
	if (m->mode & ~07777u)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory in = {.rest = str_n((const char *)data, size), .step = 1000};
	struct err e = {0};
	struct tar_reader *r = tar_open(read_memory, &in, "fuzz", &e);
	struct member m;
	size_t n = 0;

	while (r && n++ < MAX_MEMBERS && tar_next(r, &m, &e) > 0) {
		struct arena a = {0};
		struct str body;

		check(&m);
		if (n % 2 && tar_read_all(r, &a, MAX_BODY, &body, &e) < 0) {
			arena_release(&a);
			break;
		}
		arena_release(&a);
	}
	tar_close(r);
	err_release(&e);
	return 0;
}
