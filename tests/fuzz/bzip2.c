/* bzip2 over any bytes: block after block, and several at a time, with the same answer. */
#include "base/bzip2.h"
#include "tests/memory.h"

#include <stdlib.h>

enum { MAX_OUT = 8 << 20 };

/* Whether it was whole; its bytes, as far as MAX_OUT. */
static int unpack(struct bunzip_crew *crew, const uint8_t *p, size_t n, struct buf *out)
{
	struct memory in = {.rest = str_n((const char *)p, n)};
	struct err e = {0};
	struct bunzip *b = bunzip_open(crew, read_memory, &in, "input");
	static char piece[100000];
	ptrdiff_t got = 0;

	while (out->n < MAX_OUT && (got = bunzip_read(b, piece, sizeof piece, &e)) > 0)
		buf_add(out, piece, (size_t)got);
	bunzip_close(b);
	err_release(&e);
	return got < 0 ? -1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct bunzip_crew *crew;
	struct buf one = {0}, several = {0};

	if (!crew)
		crew = bunzip_crew_new(2);
	int rc = unpack(NULL, data, size, &one);
	if (rc != unpack(crew, data, size, &several) ||
		(rc == 0 && !str_eq(buf_view(&one), buf_view(&several))))
		abort();
	buf_release(&one);
	buf_release(&several);
	return 0;
}
