/* ELF files that lie: refused in words, or read no further, with little time and memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <time.h>

#include "images/elf.h"

/* Where things lie in the file that is made; in memory BASE further. */
enum {
	SEGMENTS = 0x40,
	DYNAMIC = 0x1000,
	STRINGS = 0x2000,
	LONG_TEXT = 0x100, /* in the strings */
	LONG = 16 << 10,
	TABLE = 0x10000,
	SYMBOLS = 0x80000,
	SIZE = 0x200000,
	BASE = 0x400000,
};

#ifdef __aarch64__
enum { NATIVE = EM_AARCH64, JUMP_SLOT = R_AARCH64_JUMP_SLOT };
#else
enum { NATIVE = EM_X86_64, JUMP_SLOT = R_X86_64_JUMP_SLOT };
#endif

static struct arena arena;
static char file[SIZE];
static Elf64_Ehdr *const header = (Elf64_Ehdr *)file;
static size_t n_dynamic;
static clock_t began;

static Elf64_Phdr *add_segment(uint32_t type, uint64_t at, uint64_t size)
{
	Elf64_Phdr *p = (Elf64_Phdr *)(file + SEGMENTS) + header->e_phnum++;

	*p = (Elf64_Phdr){.p_type = type,
		.p_offset = at,
		.p_vaddr = BASE + at,
		.p_filesz = size,
		.p_memsz = size,
		.p_align = type == PT_LOAD ? 0x1000 : 8};
	return p;
}

static void dynamic(int64_t tag, uint64_t value)
{
	Elf64_Dyn x = {.d_tag = tag, .d_un.d_val = value};

	memcpy(file + DYNAMIC + n_dynamic++ * sizeof x, &x, sizeof x);
}

static int begin(void **state)
{
	(void)state;
	memset(file, 0, sizeof file);
	*header = (Elf64_Ehdr){.e_ident = ELFMAG,
		.e_type = ET_DYN,
		.e_machine = NATIVE,
		.e_phoff = SEGMENTS,
		.e_phentsize = sizeof(Elf64_Phdr)};
	header->e_ident[EI_CLASS] = ELFCLASS64;
	header->e_ident[EI_DATA] = ELFDATA2LSB;
	n_dynamic = 0;
	add_segment(PT_LOAD, 0, SIZE);
	add_segment(PT_DYNAMIC, DYNAMIC, 0x1000);
	dynamic(DT_STRTAB, BASE + STRINGS);
	dynamic(DT_SYMTAB, BASE + SYMBOLS);
	memset(file + STRINGS + LONG_TEXT, 'x', LONG);
	memcpy(file + STRINGS + 1, "libx.so\0V_1", 11);
	began = clock();
	return 0;
}

static int end(void **state)
{
	(void)state;
	/* A tenth would do. */
	assert_true(clock() - began < 3 * CLOCKS_PER_SEC);
	assert_true(arena_used(&arena) < 64 << 20);
	arena_release(&arena);
	return 0;
}

static struct elf facts;
static struct elf_symbols symbols;

static void refused_by(int r, struct err *e, const char *words)
{
	assert_int_equal(r, -1);
	assert_int_equal(e->code, ERR_INTEGRITY);
	if (!strstr(e->text, words))
		fail_msg("'%s' instead of '%s'", e->text, words);
	err_release(e);
}

static void refuses(const char *words)
{
	struct err e = {0};

	refused_by(elf_read(&arena, "x", str_n(file, SIZE), &facts, &e), &e, words);
	refused_by(elf_symbols(&arena, "x", str_n(file, SIZE), &symbols, &e), &e, words);
}

static void reads(void)
{
	struct err e = {0};

	assert_int_equal(elf_read(&arena, "x", str_n(file, SIZE), &facts, &e), 1);
}

static void refuses_symbols(const char *words)
{
	struct err e = {0};

	reads();
	refused_by(elf_symbols(&arena, "x", str_n(file, SIZE), &symbols, &e), &e, words);
}

static void reads_symbols(size_t undefined, size_t defined)
{
	struct err e = {0};

	reads();
	assert_int_equal(elf_symbols(&arena, "x", str_n(file, SIZE), &symbols, &e), 1);
	assert_int_equal(symbols.n_undefined, undefined);
	assert_int_equal(symbols.n_defined, defined);
}

/* --- versions ----------------------------------------------------------------------------- */

static void put_need(uint64_t at, uint32_t aux, uint32_t next)
{
	Elf64_Verneed x = {
		.vn_version = 1, .vn_cnt = 0xffff, .vn_file = 1, .vn_aux = aux, .vn_next = next};

	memcpy(file + TABLE + at, &x, sizeof x);
}

static void put_version(uint64_t at, uint32_t name, uint32_t next)
{
	Elf64_Vernaux x = {.vna_name = name, .vna_next = next, .vna_other = 2};

	memcpy(file + TABLE + at, &x, sizeof x);
}

static void counts_are_not_believed(void **state)
{
	(void)state;
	dynamic(DT_NEEDED, 1);
	dynamic(DT_VERNEED, BASE + TABLE);
	dynamic(DT_VERNEEDNUM, UINT64_MAX);
	put_need(0, 32, 0);
	put_version(32, 9, 0);
	reads();
	assert_int_equal(facts.n_needs, 1);
	assert_true(str_is(facts.needs[0].file, "libx.so"));
	assert_true(str_is(facts.needs[0].version, "V_1"));
}

static void chains_lead_forward(void **state)
{
	(void)state;
	dynamic(DT_NEEDED, 1);
	dynamic(DT_VERNEED, BASE + TABLE);
	put_need(0, 32, (uint32_t)-16); /* back, to who adds in 32 bits */
	put_version(32, 9, 0);
	refuses("a version need lies outside of it");
	/* What came before is known. */
	assert_int_equal(facts.n_needs, 1);
	assert_int_equal(facts.n_needed, 1);
}

static void chains_in_chains_end(void **state)
{
	(void)state;
	dynamic(DT_VERNEED, BASE + TABLE);
	/* Each of 10000 needs leads to the same 10000 versions. */
	for (unsigned i = 0; i < 10000; i++) {
		put_need(i * sizeof(Elf64_Verneed), 0x30000 - i * 16, 16);
		put_version(0x30000 + i * sizeof(Elf64_Vernaux), 9, i == 9999 ? 0 : 16);
	}
	refuses("too many versions");
}

static void definitions_end(void **state)
{
	Elf64_Verdef x = {.vd_version = 1, .vd_ndx = 2, .vd_aux = 20, .vd_next = 1};
	Elf64_Verdaux aux = {.vda_name = 9};

	(void)state;
	dynamic(DT_VERDEF, BASE + TABLE);
	dynamic(DT_VERDEFNUM, UINT32_MAX);
	memcpy(file + TABLE, &x, sizeof x);
	memcpy(file + TABLE + 20, &aux, sizeof aux);
	refuses("version definition");
	/* One after the other, to the end of the file. */
	x.vd_next = sizeof x;
	for (unsigned i = TABLE; i + sizeof x <= SIZE; i += sizeof x)
		memcpy(file + i, &x, sizeof x);
	refuses("too many versions");
}

/* --- names -------------------------------------------------------------------------------- */

static void one_text_is_not_taken_for_ever(void **state)
{
	(void)state;
	header->e_phnum--;
	add_segment(PT_DYNAMIC, DYNAMIC, 0);
	/* The dynamic section goes on behind its segment, as it does for the loader. */
	memmove(file + SYMBOLS, file + DYNAMIC, n_dynamic * sizeof(Elf64_Dyn));
	((Elf64_Phdr *)(file + SEGMENTS))[1].p_vaddr = BASE + SYMBOLS;
	for (size_t i = 0; i < 65000; i++) {
		Elf64_Dyn x = {.d_tag = DT_NEEDED, .d_un.d_val = LONG_TEXT};

		memcpy(file + SYMBOLS + (n_dynamic + i) * sizeof x, &x, sizeof x);
	}
	refuses("a needed library has no name");
	assert_int_equal(facts.n_needed, (4 << 20) / LONG);
}

static void texts_have_an_end(void **state)
{
	(void)state;
	file[STRINGS + LONG_TEXT + LONG] = 'y';
	dynamic(DT_SONAME, LONG_TEXT);
	refuses("a name lies outside of its strings");
	file[STRINGS + LONG_TEXT + LONG] = 0;
	reads();
	assert_int_equal(facts.soname.n, LONG);
	dynamic(DT_SONAME, UINT64_MAX);
	refuses("a name lies outside of its strings");
}

/* --- segments ----------------------------------------------------------------------------- */

static void tables_lie_within(void **state)
{
	(void)state;
	header->e_phnum = 0xffff;
	refuses("too many program headers");
	header->e_phnum = 2;
	header->e_phoff = UINT64_MAX - 8;
	refuses("program headers lie outside");
	header->e_phoff = SEGMENTS;
	header->e_phentsize = 32;
	refuses("of another size");
	header->e_phentsize = sizeof(Elf64_Phdr);
	/* Nobody needs sections to load a file. */
	header->e_shoff = UINT64_MAX - 8;
	header->e_shnum = 0xffff;
	header->e_shentsize = sizeof(Elf64_Shdr);
	reads();
	header->e_shoff = TABLE;
	header->e_shstrndx = SHN_XINDEX;
	((Elf64_Shdr *)(file + TABLE))->sh_link = UINT32_MAX;
	header->e_shnum = 0;
	((Elf64_Shdr *)(file + TABLE))->sh_size = UINT64_MAX;
	reads();
	add_segment(PT_NOTE, 0, UINT64_MAX);
	refuses("a segment lies outside of it");
}

static void two_dynamic_sections_are_refused(void **state)
{
	(void)state;
	add_segment(PT_DYNAMIC, DYNAMIC, 16);
	refuses("two dynamic sections");
}

static void an_interpreter_is_a_path(void **state)
{
	(void)state;
	add_segment(PT_INTERP, STRINGS + 1, 8);
	reads();
	assert_true(str_is(facts.interpreter, "libx.so"));
	add_segment(PT_INTERP, STRINGS + 1, 7);
	refuses("interpreter");
	header->e_phnum--;
	add_segment(PT_INTERP, STRINGS, 1);
	refuses("interpreter");
	header->e_phnum--;
	add_segment(PT_INTERP, STRINGS + LONG_TEXT, LONG + 1);
	refuses("interpreter");
}

/* What the kernel and the loader cannot map. */
static void segments_lie_on_pages(void **state)
{
	Elf64_Phdr *p;

	(void)state;
	p = add_segment(PT_LOAD, TABLE, 16);
	p->p_vaddr = BASE + SIZE + TABLE;
	p->p_align = 0x200000;
	reads();
	p->p_vaddr += 8;
	refuses("not aligned to a page");
}

static void notes_end(void **state)
{
	Elf64_Nhdr n = {.n_namesz = 4, .n_descsz = 0, .n_type = NT_GNU_BUILD_ID};

	(void)state;
	for (unsigned i = 0; i < 60; i++)
		add_segment(PT_NOTE, TABLE, SIZE - TABLE);
	for (unsigned i = TABLE; i + 16 < SIZE; i += 16) {
		memcpy(file + i, &n, sizeof n);
		memcpy(file + i + sizeof n, "GNU", 4);
	}
	reads();
	assert_int_equal(facts.build_id.n, 0);
	/* One that says to be longer than all ends the list. */
	n.n_descsz = UINT32_MAX;
	memcpy(file + TABLE, &n, sizeof n);
	n.n_namesz = UINT32_MAX;
	memcpy(file + TABLE, &n, sizeof n);
	reads();
}

/* --- symbols ------------------------------------------------------------------------------ */

static void put_words(uint64_t at, const uint32_t *v, size_t n)
{
	memcpy(file + TABLE + at, v, n * sizeof *v);
}

static void put_symbol(size_t i, uint32_t name, unsigned section, uint64_t value)
{
	Elf64_Sym s = {.st_name = name,
		.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
		.st_shndx = (Elf64_Half)section,
		.st_value = value};

	memcpy(file + SYMBOLS + i * sizeof s, &s, sizeof s);
}

static void put_relocation(size_t i, uint64_t symbol, uint64_t type)
{
	Elf64_Rela x = {.r_info = ELF64_R_INFO(symbol, type)};

	memcpy(file + TABLE + 0x8000 + i * sizeof x, &x, sizeof x);
}

static void hash_tables_are_checked(void **state)
{
	(void)state;
	dynamic(DT_HASH, BASE + TABLE);
	put_words(0, (uint32_t[]){1, UINT32_MAX}, 2);
	refuses_symbols("too many symbols");
	put_words(0, (uint32_t[]){1, 1 << 20}, 2);
	refuses_symbols("its symbols lie outside of it");
	put_words(0, (uint32_t[]){1, 3}, 2);
	put_symbol(1, 2, 7, 0x100);
	put_symbol(2, 2, 7, 0x100);
	reads_symbols(0, 2);
	/* The other table goes first. */
	dynamic(DT_GNU_HASH, BASE + TABLE);
	put_words(0, (uint32_t[]){UINT32_MAX, 1, 1, 0}, 4);
	refuses_symbols("hash table lies outside");
	put_words(0, (uint32_t[]){1, 1, UINT32_MAX, 0}, 4);
	refuses_symbols("hash table lies outside");
	put_words(0, (uint32_t[]){1, 2, 1, 0, 0, 0, 1}, 7);
	refuses_symbols("before its first symbol");
	put_words(0, (uint32_t[]){1, 2, 1, 0, 0, 0, UINT32_MAX}, 7);
	refuses_symbols("hash table lies outside");
	/* A chain without end. */
	put_words(0, (uint32_t[]){1, 2, 1, 0, 0, 0, 2, 0}, 8);
	refuses_symbols("hash table lies outside");
	put_words(0, (uint32_t[]){1, 2, 1, 0, 0, 0, 2, 1}, 8);
	reads_symbols(0, 1);
	put_words(0, (uint32_t[]){0, 0, 0, 0}, 4);
	reads_symbols(0, 0);
}

static void relocations_are_checked(void **state)
{
	(void)state;
	dynamic(DT_JMPREL, BASE + TABLE + 0x8000);
	dynamic(DT_PLTRELSZ, 2 * sizeof(Elf64_Rela));
	put_symbol(1, 1, SHN_UNDEF, 0);
	put_relocation(0, 1, JUMP_SLOT);
	reads_symbols(1, 0);
	assert_true(str_is(symbols.undefined[0].name, "libx.so"));
	assert_true(symbols.undefined[0].function);
	put_relocation(1, UINT32_MAX, JUMP_SLOT);
	refuses_symbols("too many symbols");
	put_relocation(1, 1 << 20, JUMP_SLOT);
	refuses_symbols("its symbols lie outside of it");
	put_relocation(1, 0, 0);
	/* The same symbol in the other table: at once.  Where the tables are one, it is taken once. */
	dynamic(DT_RELA, BASE + TABLE + 0x8000);
	dynamic(DT_RELASZ, 2 * sizeof(Elf64_Rela));
	reads_symbols(1, 0);
	assert_true(symbols.undefined[0].function);
	dynamic(DT_RELASZ, sizeof(Elf64_Rela));
	reads_symbols(1, 0);
	assert_false(symbols.undefined[0].function);
	dynamic(DT_PLTRELSZ, UINT64_MAX);
	refuses_symbols("relocations lie outside");
	dynamic(DT_PLTRELSZ, 0);
	dynamic(DT_RELA, UINT64_MAX);
	refuses_symbols("relocations lie outside");
}

static void versions_of_symbols_are_checked(void **state)
{
	Elf64_Half index = 0x8000 | 2;

	(void)state;
	dynamic(DT_HASH, BASE + TABLE);
	dynamic(DT_VERSYM, BASE + SIZE - 2);
	put_words(0, (uint32_t[]){1, 2}, 2);
	put_symbol(1, 1, 7, 0x100);
	refuses_symbols("versions of its symbols lie outside");
	dynamic(DT_VERSYM, BASE + TABLE + 0x100);
	memcpy(file + TABLE + 0x102, &index, sizeof index);
	/* A number that nothing bears. */
	reads_symbols(0, 1);
	assert_int_equal(symbols.defined[0].version.n, 0);
	assert_true(symbols.defined[0].hidden);
}

static void names_of_symbols_have_a_limit(void **state)
{
	(void)state;
	dynamic(DT_HASH, BASE + TABLE);
	put_words(0, (uint32_t[]){1, 50000}, 2);
	for (size_t i = 1; i < 50000; i++)
		put_symbol(i, LONG_TEXT, 7, 0x100);
	refuses_symbols("too long");
	assert_true(symbols.n_defined <= (64 << 20) / LONG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(counts_are_not_believed),
		TEST(chains_lead_forward),
		TEST(chains_in_chains_end),
		TEST(definitions_end),
		TEST(one_text_is_not_taken_for_ever),
		TEST(texts_have_an_end),
		TEST(tables_lie_within),
		TEST(two_dynamic_sections_are_refused),
		TEST(an_interpreter_is_a_path),
		TEST(segments_lie_on_pages),
		TEST(notes_end),
		TEST(hash_tables_are_checked),
		TEST(relocations_are_checked),
		TEST(versions_of_symbols_are_checked),
		TEST(names_of_symbols_have_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
