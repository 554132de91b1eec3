#include "images/elf_reading.h"

enum {
	MAX_SEGMENTS = 4096,
	MAX_PATH = 4096,     /* the kernel's limit for an interpreter */
	MAX_TEXTS = 4 << 20, /* bytes of all texts of a file together */
	MAX_NOTES = 1 << 16,
	PAGE = 4096,
	/* patchelf puts names into a segment of its own that runs on into the next. */
	MAX_JOINED = 16,
};

int elf_broken(const struct elf_reading *r, const char *what, struct err *e)
{
	return err_set(e, ERR_INTEGRITY, "'%s' is a broken ELF file: %s", r->name, what);
}

bool elf_take(struct str table, uint64_t at, void *to, size_t size)
{
	if (at > table.n || size > table.n - at)
		return false;
	memcpy(to, table.p + at, size);
	return true;
}

bool elf_range(const struct elf_reading *r, uint64_t at, uint64_t size, struct str *out)
{
	if (at > r->bytes.n || size > r->bytes.n - at)
		return false;
	*out = str_n(r->bytes.p + at, (size_t)size);
	return true;
}

bool elf_segment(const struct elf_reading *r, size_t i, Elf64_Phdr *p)
{
	return r->header.e_phoff <= r->bytes.n &&
	       elf_take(r->bytes, r->header.e_phoff + i * sizeof *p, p, sizeof *p);
}

/* A loaded segment that holds `address` in the file; where they overlap the later is over the earlier. */
static bool segment_at(const struct elf_reading *r, uint64_t address, Elf64_Phdr *out)
{
	bool found = false;

	for (size_t i = 0; i < r->header.e_phnum; i++) {
		Elf64_Phdr p;
		struct str whole;

		if (!elf_segment(r, i, &p) || p.p_type != PT_LOAD || address < p.p_vaddr ||
			address - p.p_vaddr >= p.p_filesz ||
			!elf_range(r, p.p_offset, p.p_filesz, &whole))
			continue;
		*out = p;
		found = true;
	}
	return found;
}

bool elf_at_address(const struct elf_reading *r, uint64_t address, struct str *out)
{
	Elf64_Phdr p, next;
	uint64_t begin, end;

	if (!segment_at(r, address, &p))
		return false;
	begin = p.p_offset + (address - p.p_vaddr);
	end = p.p_offset + p.p_filesz;
	for (int i = 0; i < MAX_JOINED && segment_at(r, p.p_vaddr + p.p_filesz, &next) &&
			next.p_vaddr == p.p_vaddr + p.p_filesz && next.p_offset == end;
		i++) {
		end += next.p_filesz;
		p = next;
	}
	return elf_range(r, begin, end - begin, out);
}

bool elf_text(const struct elf_reading *r, uint64_t at, size_t max, size_t *left, struct str *out)
{
	struct str rest;
	ptrdiff_t n;

	if (at >= r->strings.n)
		return false;
	if (max > *left)
		max = *left;
	rest = str_sub(r->strings, (size_t)at, r->strings.n);
	n = str_chr(str_sub(rest, 0, max + 1), 0);
	if (n < 0)
		return false;
	*left -= (size_t)n;
	*out = str_sub(rest, 0, (size_t)n);
	return true;
}

/* --- segments ----------------------------------------------------------------------------- */

/* The kernel runs no program whose interpreter is no path. */
static int read_interpreter(struct elf_reading *r, struct str content, struct err *e)
{
	ptrdiff_t n = str_chr(content, 0);

	if (content.n > MAX_PATH || n <= 0 || content.p[content.n - 1] != 0)
		return elf_broken(r, "the path of its interpreter is none", e);
	if (r->out->interpreter.n == 0)
		r->out->interpreter = str_sub(content, 0, (size_t)n);
	return 0;
}

static int read_segment(struct elf_reading *r, const Elf64_Phdr *p, struct err *e)
{
	struct elf *out = r->out;
	struct str content;

	if (p->p_type == PT_GNU_STACK) {
		out->stack = p->p_flags & PF_X ? STACK_EXECUTABLE : STACK_PLAIN;
	} else if (p->p_type == PT_TLS) {
		out->tls_size = p->p_memsz;
		out->tls_align = p->p_align;
	}
	if (p->p_type != PT_LOAD && p->p_type != PT_DYNAMIC && p->p_type != PT_INTERP &&
		p->p_type != PT_NOTE && p->p_type != PT_GNU_PROPERTY)
		return 0;
	if (!elf_range(r, p->p_offset, p->p_filesz, &content))
		return elf_broken(r, "a segment lies outside of it", e);
	if (p->p_type == PT_INTERP)
		return read_interpreter(r, content, e);
	if (p->p_type == PT_NOTE || p->p_type == PT_GNU_PROPERTY)
		elf_read_notes(r, p);
	if (p->p_type != PT_DYNAMIC)
		return 0;
	if (r->has_dynamic)
		return elf_broken(r, "it has two dynamic sections", e);
	r->has_dynamic = true;
	r->dynamic = p->p_vaddr;
	return 0;
}

/* Neither the kernel nor the loader maps a segment whose address and place in the file differ within a
 * page (elf/dl-load.c).  Tools that move segments have made such files. */
static int check_alignment(const struct elf_reading *r, struct err *e)
{
	Elf64_Phdr p;

	for (size_t i = 0; i < r->header.e_phnum && elf_segment(r, i, &p); i++)
		if (p.p_type == PT_LOAD && p.p_filesz && (p.p_vaddr - p.p_offset) % PAGE != 0)
			return elf_broken(r, "a segment is not aligned to a page", e);
	return 0;
}

static int read_segments(struct elf_reading *r, struct err *e)
{
	if (r->header.e_phnum > MAX_SEGMENTS)
		return elf_broken(r, "too many program headers", e);
	if (r->header.e_phnum && r->header.e_phentsize != sizeof(Elf64_Phdr))
		return elf_broken(r, "its program headers are of another size", e);
	for (size_t i = 0; i < r->header.e_phnum; i++) {
		Elf64_Phdr p;

		if (!elf_segment(r, i, &p))
			return elf_broken(r, "its program headers lie outside of it", e);
		if (read_segment(r, &p, e) < 0)
			return -1;
	}
	if (!r->has_dynamic)
		return 0;
	r->out->dynamic = true;
	return check_alignment(r, e) < 0 ? -1 : elf_read_dynamic(r, e);
}

/* --- the header --------------------------------------------------------------------------- */

static unsigned half(const unsigned char *p, bool big_endian)
{
	return big_endian ? (unsigned)(p[0] << 8 | p[1]) : (unsigned)(p[1] << 8 | p[0]);
}

static int read_header(struct elf_reading *r, struct err *e)
{
	const unsigned char *h = (const unsigned char *)r->bytes.p;
	struct elf *out = r->out;

	if (r->bytes.n < offsetof(Elf64_Ehdr, e_version))
		return elf_broken(r, "its header is cut off", e);
	if (h[EI_CLASS] != ELFCLASS32 && h[EI_CLASS] != ELFCLASS64)
		return elf_broken(r, "it has neither 32 nor 64 bits", e);
	if (h[EI_DATA] != ELFDATA2LSB && h[EI_DATA] != ELFDATA2MSB)
		return elf_broken(r, "it has no byte order", e);
	out->bits = h[EI_CLASS] == ELFCLASS64 ? 64 : 32;
	out->big_endian = h[EI_DATA] == ELFDATA2MSB;
	out->type = half(h + offsetof(Elf64_Ehdr, e_type), out->big_endian);
	out->machine = half(h + offsetof(Elf64_Ehdr, e_machine), out->big_endian);
	if (out->bits != 64 || out->big_endian)
		return 0;
	return elf_take(r->bytes, 0, &r->header, sizeof r->header)
		       ? 0
		       : elf_broken(r, "its header is cut off", e);
}

static bool is_loadable(const struct elf *elf)
{
	return elf->bits == 64 && !elf->big_endian && (elf->type == ET_EXEC || elf->type == ET_DYN);
}

/* What was read before something broke is told, too. */
static void hand_out(struct elf_reading *r)
{
	struct elf *out = r->out;

	out->needed = r->needed.v;
	out->n_needed = r->needed.n;
	out->defines = arena_array(r->a, struct str, r->defines.n);
	for (; out->n_defines < r->defines.n; out->n_defines++)
		out->defines[out->n_defines] = r->defines.v[out->n_defines].need.version;
	out->needs = arena_array(r->a, struct elf_need, r->needs.n);
	for (; out->n_needs < r->needs.n; out->n_needs++)
		out->needs[out->n_needs] = r->needs.v[out->n_needs].need;
}

int elf_read_loaded(struct elf_reading *r, struct err *e)
{
	struct err fault = {0};

	*r->out = (struct elf){0};
	r->text_left = MAX_TEXTS;
	r->notes_left = MAX_NOTES;
	if (!str_starts(r->bytes, str_n(ELFMAG, SELFMAG)))
		return 0;
	if (read_header(r, e) < 0)
		return -1;
	if (!is_loadable(r->out) || read_segments(r, &fault) == 0) {
		hand_out(r);
		return 1;
	}
	if (elf_is_for_debuggers(r)) {
		err_release(&fault);
		*r->out =
			(struct elf){.type = r->out->type, .machine = r->out->machine, .bits = 64};
		return 1;
	}
	hand_out(r);
	return err_move(e, &fault);
}

int elf_read(struct arena *a, const char *name, struct str bytes, struct elf *out, struct err *e)
{
	struct elf_reading r = {.a = a, .name = name, .bytes = bytes, .out = out};
	int found = elf_read_loaded(&r, e);

	if (found == 1 && is_loadable(out))
		elf_read_gpu(&r);
	return found;
}

bool elf_is_native(const struct elf *elf)
{
#if defined(__aarch64__)
	return elf->bits == 64 && !elf->big_endian && elf->machine == EM_AARCH64;
#else
	return elf->bits == 64 && !elf->big_endian && elf->machine == EM_X86_64;
#endif
}
