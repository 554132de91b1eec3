#include "images/elf.h"

#include <elf.h>

enum {
	MAX_SEGMENTS = 4096,
	MAX_DYNAMIC = 1 << 16,
	MAX_VERSIONS = 1 << 16,
	MAX_TEXT = 16 << 10,
};

struct reading {
	struct arena *a;
	const char *name;
	struct str bytes;
	Elf64_Ehdr header;
	struct str strings;
	bool dynamic; /* was read */
	struct elf *out;
	struct {
		struct str *v;
		size_t n, cap;
	} needed, defines;
	struct {
		struct elf_need *v;
		size_t n, cap;
	} needs;
};

static int broken(const struct reading *r, const char *what, struct err *e)
{
	return err_set(e, ERR_INTEGRITY, "'%s' is a broken ELF file: %s", r->name, what);
}

/* Copies size bytes at an offset of the file; false where they are not all there. */
static bool take(const struct reading *r, uint64_t at, void *to, size_t size)
{
	if (at > r->bytes.n || size > r->bytes.n - at)
		return false;
	memcpy(to, r->bytes.p + at, size);
	return true;
}

static bool segment(const struct reading *r, size_t i, Elf64_Phdr *p)
{
	return take(r, r->header.e_phoff + i * sizeof *p, p, sizeof *p);
}

/* What lies in memory at `address`, to the end of its segment in the file. */
static bool at_address(const struct reading *r, uint64_t address, struct str *out)
{
	for (size_t i = 0; i < r->header.e_phnum; i++) {
		Elf64_Phdr p;

		if (!segment(r, i, &p))
			return false;
		if (p.p_type != PT_LOAD || address < p.p_vaddr || address - p.p_vaddr >= p.p_filesz)
			continue;
		if (p.p_offset > r->bytes.n || p.p_filesz > r->bytes.n - p.p_offset)
			return false;
		*out = str_n(r->bytes.p + p.p_offset + (address - p.p_vaddr),
			(size_t)(p.p_filesz - (address - p.p_vaddr)));
		return true;
	}
	return false;
}

static bool text_at(const struct reading *r, uint64_t at, struct str *out)
{
	struct str rest = str_sub(r->strings, (size_t)at, (size_t)at + MAX_TEXT);
	ptrdiff_t n = str_chr(rest, 0);

	if (at >= r->strings.n || n < 0)
		return false;
	*out = str_sub(rest, 0, (size_t)n);
	return true;
}

/* --- symbol versions ---------------------------------------------------------------------- */

/* Copies an entry of a chain that begins at *at. */
static bool entry(struct str table, uint64_t at, void *to, size_t size)
{
	if (at > table.n || size > table.n - at)
		return false;
	memcpy(to, table.p + at, size);
	return true;
}

static int read_definitions(struct reading *r, struct str table, uint64_t count, struct err *e)
{
	uint64_t at = 0;

	if (count > MAX_VERSIONS)
		return broken(r, "too many version definitions", e);
	for (uint64_t i = 0; i < count; i++) {
		Elf64_Verdef d;
		Elf64_Verdaux aux;
		struct str name;

		if (!entry(table, at, &d, sizeof d) ||
			!entry(table, at + d.vd_aux, &aux, sizeof aux) ||
			!text_at(r, aux.vda_name, &name))
			return broken(r, "a version definition lies outside of it", e);
		if (!(d.vd_flags & VER_FLG_BASE))
			*VEC_PUSH(r->a, &r->defines) = name;
		if (d.vd_next == 0)
			break;
		at += d.vd_next;
	}
	return 0;
}

static int read_needs_of(
	struct reading *r, struct str table, uint64_t at, const Elf64_Verneed *need, struct err *e)
{
	struct str file, version;

	if (!text_at(r, need->vn_file, &file))
		return broken(r, "a version need names no file", e);
	at += need->vn_aux;
	for (unsigned i = 0; i < need->vn_cnt; i++) {
		Elf64_Vernaux aux;

		if (!entry(table, at, &aux, sizeof aux) || !text_at(r, aux.vna_name, &version) ||
			r->needs.n >= MAX_VERSIONS)
			return broken(r, "a version need lies outside of it", e);
		*VEC_PUSH(r->a, &r->needs) =
			(struct elf_need){file, version, (aux.vna_flags & VER_FLG_WEAK) != 0};
		if (aux.vna_next == 0)
			break;
		at += aux.vna_next;
	}
	return 0;
}

static int read_needs(struct reading *r, struct str table, uint64_t count, struct err *e)
{
	uint64_t at = 0;

	if (count > MAX_VERSIONS)
		return broken(r, "too many version needs", e);
	for (uint64_t i = 0; i < count; i++) {
		Elf64_Verneed need;

		if (!entry(table, at, &need, sizeof need))
			return broken(r, "a version need lies outside of it", e);
		if (read_needs_of(r, table, at, &need, e) < 0)
			return -1;
		if (need.vn_next == 0)
			break;
		at += need.vn_next;
	}
	return 0;
}

/* --- the dynamic section ------------------------------------------------------------------ */

/* The last value of each tag that stands once. */
struct dynamic {
	uint64_t strtab, strsz, verdef, verdefnum, verneed, verneednum;
	uint64_t soname, rpath, runpath;
	bool has_strtab, has_soname, has_rpath, has_runpath;
};

static void remember(struct dynamic *d, const Elf64_Dyn *x)
{
	uint64_t v = x->d_un.d_val;

	if (x->d_tag == DT_STRTAB) {
		d->strtab = v;
		d->has_strtab = true;
	} else if (x->d_tag == DT_STRSZ) {
		d->strsz = v;
	} else if (x->d_tag == DT_SONAME) {
		d->soname = v;
		d->has_soname = true;
	} else if (x->d_tag == DT_RPATH) {
		d->rpath = v;
		d->has_rpath = true;
	} else if (x->d_tag == DT_RUNPATH) {
		d->runpath = v;
		d->has_runpath = true;
	} else if (x->d_tag == DT_VERDEF) {
		d->verdef = v;
	} else if (x->d_tag == DT_VERDEFNUM) {
		d->verdefnum = v;
	} else if (x->d_tag == DT_VERNEED) {
		d->verneed = v;
	} else if (x->d_tag == DT_VERNEEDNUM) {
		d->verneednum = v;
	}
}

/* The i-th entry of a dynamic section; false at its end. */
static bool dynamic_entry(struct str table, size_t i, Elf64_Dyn *x)
{
	return i < MAX_DYNAMIC && entry(table, i * sizeof *x, x, sizeof *x) && x->d_tag != DT_NULL;
}

static int read_names(struct reading *r, struct str table, const struct dynamic *d, struct err *e)
{
	Elf64_Dyn x;

	if ((d->has_soname && !text_at(r, d->soname, &r->out->soname)) ||
		(d->has_rpath && !text_at(r, d->rpath, &r->out->rpath)) ||
		(d->has_runpath && !text_at(r, d->runpath, &r->out->runpath)))
		return broken(r, "a name lies outside of its strings", e);
	for (size_t i = 0; dynamic_entry(table, i, &x); i++) {
		struct str name;

		if (x.d_tag != DT_NEEDED)
			continue;
		if (!text_at(r, x.d_un.d_val, &name))
			return broken(r, "a needed library has no name", e);
		*VEC_PUSH(r->a, &r->needed) = name;
	}
	return 0;
}

static int read_dynamic(struct reading *r, struct str table, struct err *e)
{
	struct str defines = {NULL, 0}, needs = {NULL, 0};
	struct dynamic d = {0};
	Elf64_Dyn x;

	for (size_t i = 0; dynamic_entry(table, i, &x); i++)
		remember(&d, &x);
	if (!d.has_strtab)
		return 0;
	if (!at_address(r, d.strtab, &r->strings))
		return broken(r, "its strings lie outside of it", e);
	r->strings = str_sub(r->strings, 0, (size_t)d.strsz);
	if (read_names(r, table, &d, e) < 0)
		return -1;
	if ((d.verdef && !at_address(r, d.verdef, &defines)) ||
		(d.verneed && !at_address(r, d.verneed, &needs)))
		return broken(r, "its symbol versions lie outside of it", e);
	if (read_definitions(r, defines, d.verdef ? d.verdefnum : 0, e) < 0)
		return -1;
	return read_needs(r, needs, d.verneed ? d.verneednum : 0, e);
}

static int read_segment(struct reading *r, size_t i, struct err *e)
{
	Elf64_Phdr p;
	struct str content;

	if (!segment(r, i, &p))
		return broken(r, "its program headers lie outside of it", e);
	if (p.p_type != PT_DYNAMIC && p.p_type != PT_INTERP)
		return 0;
	if (p.p_offset > r->bytes.n || p.p_filesz > r->bytes.n - p.p_offset)
		return broken(r, "a segment lies outside of it", e);
	content = str_n(r->bytes.p + p.p_offset, (size_t)p.p_filesz);
	if (p.p_type == PT_DYNAMIC && r->dynamic)
		return broken(r, "it has two dynamic sections", e);
	if (p.p_type == PT_DYNAMIC) {
		r->dynamic = true;
		return read_dynamic(r, content, e);
	}
	r->out->interpreter = str_cut(&content, 0);
	return 0;
}

int elf_read(struct arena *a, const char *name, struct str bytes, struct elf *out, struct err *e)
{
	struct reading r = {.a = a, .name = name, .bytes = bytes, .out = out};

	*out = (struct elf){0};
	if (!take(&r, 0, &r.header, sizeof r.header) ||
		memcmp(r.header.e_ident, ELFMAG, SELFMAG) != 0 ||
		r.header.e_ident[EI_CLASS] != ELFCLASS64 ||
		r.header.e_ident[EI_DATA] != ELFDATA2LSB)
		return 0;
	out->bits = 64;
	out->type = r.header.e_type;
	out->machine = r.header.e_machine;
	if (r.header.e_phnum > MAX_SEGMENTS)
		return broken(&r, "too many program headers", e);
	if (r.header.e_phnum && r.header.e_phentsize != sizeof(Elf64_Phdr))
		return broken(&r, "its program headers are of another size", e);
	for (size_t i = 0; i < r.header.e_phnum; i++)
		if (read_segment(&r, i, e) < 0)
			return -1;
	out->needed = r.needed.v;
	out->n_needed = r.needed.n;
	out->defines = r.defines.v;
	out->n_defines = r.defines.n;
	out->needs = r.needs.v;
	out->n_needs = r.needs.n;
	return 1;
}

bool elf_is_native(const struct elf *elf)
{
#if defined(__aarch64__)
	return elf->machine == EM_AARCH64;
#else
	return elf->machine == EM_X86_64;
#endif
}

int elf_symbols(
	struct arena *a, const char *name, struct str bytes, struct elf_symbols *out, struct err *e)
{
	struct elf elf;

	*out = (struct elf_symbols){0};
	return elf_read(a, name, bytes, &elf, e);
}
