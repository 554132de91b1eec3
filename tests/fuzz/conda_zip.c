/* A .conda over any bytes: the zip, and each .tar.zst within it. */
#include "base/archive.h"
#include "tests/memory.h"

#include <stdlib.h>

enum { MAX_MEMBERS = 100, MAX_BODY = 1 << 20 };

static void read_members(struct tar_reader *r, bool is_zip, struct err *e)
{
	struct member m;
	size_t n = 0;

	while (r && !e->text && n++ < MAX_MEMBERS && tar_next(r, &m, e) > 0) {
		struct arena a = {0};
		struct tar_reader *inner;
		struct str body;

		if (is_zip && str_ends(m.path, STR(".tar.zst"))) {
			inner = tar_open(tar_read, r, "inner", e);
			read_members(inner, false, e);
			tar_close(inner);
		} else {
			tar_read_all(r, &a, MAX_BODY, &body, e);
		}
		arena_release(&a);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory in = {.rest = str_n((const char *)data, size)};
	struct err e = {0};
	struct tar_reader *r = zip_open(read_memory, &in, "fuzz", &e);

	read_members(r, true, &e);
	tar_close(r);
	err_release(&e);
	return 0;
}
