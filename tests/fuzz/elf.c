/* ELF files of any bytes: read or refused; what was read lies within them. */
#include "images/elf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str whole;

/* Every byte of a text is touched, and is one of the file's. */
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
	struct err e = {0};
	struct elf elf;
	int r;

	whole = str_n((const char *)data, size);
	r = elf_read(&a, "f", whole, &elf, &e);
	if ((r < 0) != (e.code == ERR_INTEGRITY))
		abort();
	if (r == 1) {
		look(elf.soname);
		look(elf.runpath);
		look(elf.rpath);
		look(elf.interpreter);
		for (size_t i = 0; i < elf.n_needed; i++)
			look(elf.needed[i]);
		for (size_t i = 0; i < elf.n_defines; i++)
			look(elf.defines[i]);
		for (size_t i = 0; i < elf.n_needs; i++) {
			look(elf.needs[i].file);
			look(elf.needs[i].version);
		}
	}
	err_release(&e);
	arena_release(&a);
	return 0;
}
