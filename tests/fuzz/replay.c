/*
 * Runs a fuzz target over the files given as arguments, so that corpora are replayed by every
 * compiler in every test run.  Speaks TAP.
 */
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct arena a = {0};
		struct err e = {0};
		struct str text;
		uint8_t *exact;

		if (file_read(&a, argv[i], SIZE_MAX - 1, &text, &e) < 0) {
			printf("not ok %d - %s\n# %s\n", i, path_base(argv[i]), e.text);
			err_release(&e);
			arena_release(&a);
			return 1;
		}
		/* A block of exactly this size, so that ASan sees a read beyond it. */
		exact = malloc(text.n ? text.n : 1);
		if (!exact)
			abort();
		memcpy(exact, text.p, text.n);
		LLVMFuzzerTestOneInput(exact, text.n);
		free(exact);
		printf("ok %d - %s\n", i, path_base(argv[i]));
		arena_release(&a);
	}
	printf("1..%d\n", argc - 1);
	return 0;
}
