/* ELF files of any bytes: read or refused; what was read lies within them, and within the limits. */
#include "images/elf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_VERSIONS = 1 << 16, MAX_TEXTS = 4 << 20, MAX_SYMBOLS = 1 << 21, MAX_NAMES = 64 << 20 };

static struct str whole;
static size_t texts;

static void must(bool good)
{
	if (!good)
		abort();
}

static void look_at_bytes(struct str s)
{
	must(s.n == 0 || (s.p >= whole.p && s.p + s.n <= whole.p + whole.n));
}

/* Every byte of a text is touched, and is one of the file's. */
static void look(struct str s)
{
	look_at_bytes(s);
	must(str_chr(s, 0) < 0);
	texts += s.n;
}

static void look_at_facts(const struct elf *elf)
{
	texts = 0;
	look(elf->soname);
	look(elf->runpath);
	look(elf->rpath);
	for (size_t i = 0; i < elf->n_needed; i++)
		look(elf->needed[i]);
	for (size_t i = 0; i < elf->n_defines; i++)
		look(elf->defines[i]);
	for (size_t i = 0; i < elf->n_needs; i++) {
		if (i == 0 || elf->needs[i].file.p != elf->needs[i - 1].file.p)
			look(elf->needs[i].file);
		look(elf->needs[i].version);
	}
	must(texts <= MAX_TEXTS);
	must(elf->n_needed <= MAX_VERSIONS && elf->n_defines + elf->n_needs <= MAX_VERSIONS);
	look(elf->interpreter);
	look_at_bytes(elf->build_id);
	for (size_t i = 1; i < elf->n_gpu; i++)
		must(elf->gpu[i - 1].architecture < elf->gpu[i].architecture ||
			(elf->gpu[i - 1].architecture == elf->gpu[i].architecture &&
				!elf->gpu[i - 1].ptx && elf->gpu[i].ptx));
	must(elf->bits == 32 || elf->bits == 64 || elf->bits == 0);
	must((unsigned)elf->stack <= STACK_EXECUTABLE);
}

static void look_at_symbols(const struct elf_symbol *v, size_t n, bool defined)
{
	must(n <= MAX_SYMBOLS);
	texts = 0;
	for (size_t i = 0; i < n; i++) {
		look(v[i].name);
		must(!defined || (v[i].file.n == 0 && !v[i].function));
		must(defined || !v[i].hidden);
	}
	must(texts <= MAX_NAMES);
	for (size_t i = 0; i < n; i++) {
		look(v[i].version);
		look(v[i].file);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = {0};
	struct err e = {0};
	struct elf_symbols symbols;
	struct elf elf;
	int r, s;

	whole = str_n((const char *)data, size);
	r = elf_read(&a, "f", whole, &elf, &e);
	must((r < 0) == (e.code == ERR_INTEGRITY));
	/* of a broken one, too: what was read before */
	look_at_facts(&elf);
	err_release(&e);
	s = elf_symbols(&a, "f", whole, &symbols, &e);
	must((s < 0) == (e.code == ERR_INTEGRITY));
	/* what cannot be read has no symbols */
	must(r == 1 || r == s);
	look_at_symbols(symbols.undefined, symbols.n_undefined, false);
	look_at_symbols(symbols.defined, symbols.n_defined, true);
	must(s == 1 || symbols.n_undefined + symbols.n_defined == 0 || r == 1);
	err_release(&e);
	arena_release(&a);
	return 0;
}
