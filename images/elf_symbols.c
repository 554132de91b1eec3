/*
 * Dynamic symbols, as the loader meets them (glibc elf/dl-lookup.c, elf/dl-reloc.c,
 * sysdeps/x86_64/dl-machine.h).  It knows no number of them: those that a file defines are what a
 * hash table leads to, those that it needs are what a relocation names.
 */
#include "images/elf_reading.h"

enum {
	MAX_SYMBOLS = 1 << 21,
	MAX_NAME = 1 << 20,   /* names of templates are long */
	MAX_NAMES = 64 << 20, /* bytes of all names together */
	INDEX = 0x7fff,       /* bits of a version's number */
	HIDDEN = 0x8000,
};

/* What relocations want of a symbol. */
enum { AT_ONCE = 1, WHEN_CALLED = 2, OF_ANOTHER = 4 };

struct tables {
	struct elf_reading *r;
	struct str symbols, versions, rela, jmprel;
	uint64_t rela_at, jmprel_at;
	size_t first; /* that the hash table leads to */
	size_t n;
	uint8_t *wants;                   /* of each symbol */
	const struct elf_need **by_index; /* versions */
	size_t n_by_index;
	size_t names_left;
};

struct relocation {
	uint64_t symbol;
	unsigned wants;
};

/* --- how many ----------------------------------------------------------------------------- */

static int count_hash(struct tables *t, struct str table, struct err *e)
{
	uint32_t head[2]; /* buckets, chains; there is a chain for each symbol */

	if (!elf_take(table, 0, head, sizeof head))
		return elf_broken(t->r, "its hash table lies outside of it", e);
	t->n = head[1];
	return 0;
}

/* The chain of the last bucket ends with the last symbol. */
static int count_gnu_hash(struct tables *t, struct str table, struct err *e)
{
	uint32_t head[4], x; /* buckets, first symbol, words of the filter, its shift */
	uint64_t at = sizeof head, last = 0;

	if (!elf_take(table, 0, head, sizeof head))
		return elf_broken(t->r, "its hash table lies outside of it", e);
	at += (uint64_t)head[2] * 8;
	for (uint32_t i = 0; i < head[0]; i++, at += sizeof x) {
		if (!elf_take(table, at, &x, sizeof x))
			return elf_broken(t->r, "its hash table lies outside of it", e);
		last = x > last ? x : last;
	}
	t->first = head[1];
	if (last == 0) /* of a file that defines nothing */
		return 0;
	if (last < head[1])
		return elf_broken(t->r, "its hash table leads before its first symbol", e);
	at += (last - head[1]) * sizeof x;
	do {
		if (!elf_take(table, at, &x, sizeof x))
			return elf_broken(t->r, "its hash table lies outside of it", e);
		at += sizeof x;
		last++;
	} while ((x & 1) == 0);
	t->n = (size_t)last;
	return 0;
}

static int count_hashed(struct tables *t, struct err *e)
{
	const struct elf_reading *r = t->r;
	bool gnu = r->has_tag[TAG_GNU_HASH];
	struct str table;

	if (!gnu && !r->has_tag[TAG_HASH])
		return 0;
	if (!elf_at_address(r, r->tags[gnu ? TAG_GNU_HASH : TAG_HASH], &table))
		return elf_broken(r, "its hash table lies outside of it", e);
	return gnu ? count_gnu_hash(t, table, e) : count_hash(t, table, e);
}

/* --- relocations -------------------------------------------------------------------------- */

static bool is_jump_slot(unsigned machine, uint64_t type)
{
	return machine == EM_AARCH64 ? type == R_AARCH64_JUMP_SLOT : type == R_X86_64_JUMP_SLOT;
}

/* The copy of a variable is the program's own symbol, and its content that of a library's. */
static bool is_copy(unsigned machine, uint64_t type)
{
	return machine == EM_AARCH64 ? type == R_AARCH64_COPY : type == R_X86_64_COPY;
}

static bool relocation(
	const struct tables *t, struct str table, size_t i, bool lazy, struct relocation *out)
{
	unsigned machine = t->r->out->machine;
	Elf64_Rela x;
	uint64_t type;

	if (!elf_take(table, i * sizeof x, &x, sizeof x))
		return false;
	type = ELF64_R_TYPE(x.r_info);
	out->symbol = ELF64_R_SYM(x.r_info);
	out->wants = lazy && is_jump_slot(machine, type) ? WHEN_CALLED : AT_ONCE;
	if (is_copy(machine, type))
		out->wants |= OF_ANOTHER;
	if (type == 0) /* R_X86_64_NONE, R_AARCH64_NONE */
		out->wants = 0;
	return true;
}

static bool find_relocations(
	const struct elf_reading *r, enum elf_tag place, enum elf_tag size, struct str *out)
{
	if (!r->has_tag[place] || r->tags[size] == 0)
		return true;
	if (!elf_at_address(r, r->tags[place], out) || r->tags[size] > out->n)
		return false;
	*out = str_sub(*out, 0, (size_t)r->tags[size]);
	return true;
}

/* Those of functions may be the end of the others, too; the loader then takes them once. */
static void part_tables(struct tables *t)
{
	const uint64_t *tags = t->r->tags;
	uint64_t from = tags[TAG_JMPREL] - tags[TAG_RELA];

	if (t->jmprel.n && tags[TAG_JMPREL] >= tags[TAG_RELA] && from < t->rela.n &&
		t->rela.n - from == t->jmprel.n)
		t->rela = str_sub(t->rela, 0, (size_t)from);
}

/* Raises *n to the number of symbols that relocations know of. */
static void count_named(const struct tables *t, struct str table, size_t *n)
{
	struct relocation x;

	for (size_t i = 0; relocation(t, table, i, false, &x); i++)
		if (x.wants && x.symbol >= *n)
			*n = (size_t)x.symbol + 1;
}

static void mark_named(struct tables *t, struct str table, bool lazy)
{
	struct relocation x;

	for (size_t i = 0; relocation(t, table, i, lazy, &x); i++)
		if (x.wants && x.symbol < t->n)
			t->wants[x.symbol] |= (uint8_t)x.wants;
}

/* --- versions ----------------------------------------------------------------------------- */

static void put_versions(struct tables *t, const struct elf_versions *list)
{
	for (size_t i = 0; i < list->n; i++)
		t->by_index[list->v[i].index] = &list->v[i].need;
}

static size_t above_all(const struct elf_versions *list, size_t n)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].index >= n)
			n = list->v[i].index + 1;
	return n;
}

static int find_versions(struct tables *t, struct err *e)
{
	struct elf_reading *r = t->r;

	if (!r->has_tag[TAG_VERSYM])
		return 0;
	if (!elf_at_address(r, r->tags[TAG_VERSYM], &t->versions) ||
		t->versions.n / sizeof(Elf64_Half) < t->n)
		return elf_broken(r, "the versions of its symbols lie outside of it", e);
	t->n_by_index = above_all(&r->needs, above_all(&r->defines, 0));
	t->by_index = arena_array(r->a, const struct elf_need *, t->n_by_index);
	/* The loader reads those that are needed first (elf/dl-version.c). */
	put_versions(t, &r->needs);
	put_versions(t, &r->defines);
	return 0;
}

/* A number that nothing bears is none, to the loader. */
static void set_version(const struct tables *t, size_t i, struct elf_symbol *out)
{
	Elf64_Half x = 0;

	if (!elf_take(t->versions, i * sizeof x, &x, sizeof x))
		return;
	out->hidden = (x & HIDDEN) != 0;
	x &= INDEX;
	if (x < t->n_by_index && t->by_index[x]) {
		out->version = t->by_index[x]->version;
		out->file = t->by_index[x]->file;
	}
}

/* --- symbols ------------------------------------------------------------------------------ */

enum { UNDEFINED = 1, DEFINED = 2 };

/* What the loader may take a symbol for (elf/dl-lookup.c, check_match). */
static unsigned kind_of(const struct tables *t, size_t i, const Elf64_Sym *s)
{
	unsigned bind = ELF64_ST_BIND(s->st_info), type = ELF64_ST_TYPE(s->st_info), kind = 0;

	if (bind != STB_GLOBAL && bind != STB_WEAK && bind != STB_GNU_UNIQUE)
		return 0;
	if (t->wants[i] && (s->st_shndx == SHN_UNDEF || (t->wants[i] & OF_ANOTHER)))
		kind |= UNDEFINED;
	if (s->st_shndx == SHN_UNDEF || i < t->first)
		return kind;
	if (type > STT_FUNC && type != STT_COMMON && type != STT_TLS && type != STT_GNU_IFUNC)
		return kind;
	if (s->st_value != 0 || s->st_shndx == SHN_ABS || type == STT_TLS)
		kind |= DEFINED;
	return kind;
}

static int read_symbol(struct tables *t, size_t i, const Elf64_Sym *s, unsigned kind,
	struct elf_symbols *out, struct err *e)
{
	struct elf_symbol x = {.weak = ELF64_ST_BIND(s->st_info) == STB_WEAK};

	if (!elf_text(t->r, s->st_name, MAX_NAME, &t->names_left, &x.name))
		return elf_broken(t->r, "a symbol has no name, or all have too long ones", e);
	set_version(t, i, &x);
	if (kind & UNDEFINED) {
		out->undefined[out->n_undefined] = x;
		out->undefined[out->n_undefined].function = t->wants[i] == WHEN_CALLED;
		out->undefined[out->n_undefined++].hidden = false;
	}
	if (kind & DEFINED) {
		out->defined[out->n_defined] = x;
		out->defined[out->n_defined++].file = (struct str){NULL, 0};
	}
	return 0;
}

static int read_symbols(struct tables *t, struct elf_symbols *out, struct err *e)
{
	size_t n_undefined = 0, n_defined = 0;
	Elf64_Sym s;

	for (size_t i = 1; i < t->n && elf_take(t->symbols, i * sizeof s, &s, sizeof s); i++) {
		unsigned kind = kind_of(t, i, &s);

		n_undefined += (kind & UNDEFINED) != 0;
		n_defined += (kind & DEFINED) != 0;
	}
	out->undefined = arena_array(t->r->a, struct elf_symbol, n_undefined);
	out->defined = arena_array(t->r->a, struct elf_symbol, n_defined);
	for (size_t i = 1; i < t->n && elf_take(t->symbols, i * sizeof s, &s, sizeof s); i++) {
		unsigned kind = kind_of(t, i, &s);

		if (kind && read_symbol(t, i, &s, kind, out, e) < 0)
			return -1;
	}
	return 0;
}

static int find_symbols(struct tables *t, struct err *e)
{
	struct elf_reading *r = t->r;

	if (count_hashed(t, e) < 0)
		return -1;
	if (!find_relocations(r, TAG_RELA, TAG_RELASZ, &t->rela) ||
		!find_relocations(r, TAG_JMPREL, TAG_PLTRELSZ, &t->jmprel))
		return elf_broken(r, "its relocations lie outside of it", e);
	part_tables(t);
	count_named(t, t->rela, &t->n);
	count_named(t, t->jmprel, &t->n);
	if (t->n > MAX_SYMBOLS)
		return elf_broken(r, "too many symbols", e);
	if (t->n &&
		(!r->has_tag[TAG_SYMTAB] || !elf_at_address(r, r->tags[TAG_SYMTAB], &t->symbols) ||
			t->symbols.n / sizeof(Elf64_Sym) < t->n))
		return elf_broken(r, "its symbols lie outside of it", e);
	return find_versions(t, e);
}

int elf_symbols(
	struct arena *a, const char *name, struct str bytes, struct elf_symbols *out, struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	struct elf elf = {0};
	struct elf_reading r = {.a = &scratch, .name = name, .bytes = bytes, .out = &elf};
	struct tables t = {.r = &r, .names_left = MAX_NAMES};
	int found = elf_read_loaded(&r, e);

	*out = (struct elf_symbols){0};
	if (found != 1 || !elf.dynamic || !elf_is_native(&elf))
		return found;
	if (find_symbols(&t, e) < 0)
		return -1;
	t.wants = arena_array(&scratch, uint8_t, t.n);
	mark_named(&t, t.rela, false);
	mark_named(&t, t.jmprel, true);
	r.a = a;
	return read_symbols(&t, out, e) < 0 ? -1 : 1;
}
