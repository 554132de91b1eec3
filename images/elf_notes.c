/*
 * Notes: the oldest kernel, the level of x86-64, the build-id.  As the loader does, what makes no
 * sense ends the reading of a segment's notes and is no fault.
 *
 * Sources: LSB Core, .note.ABI-tag; x86-64 psABI and binutils include/elf/common.h for properties.
 */
#include "images/elf_reading.h"

/* The C library of the static probe does not name them. */
#ifndef PT_GNU_PROPERTY
#define PT_GNU_PROPERTY 0x6474e553
#endif
#ifndef GNU_PROPERTY_LOPROC
#define GNU_PROPERTY_LOPROC 0xc0000000
#endif
#ifndef NT_GNU_PROPERTY_TYPE_0
#define NT_GNU_PROPERTY_TYPE_0 5
#endif

enum { MAX_BUILD_ID = 64, NOTE_LINUX = 0 };

/* Properties of x86-64 by which a file says what it needs. */
enum {
	NEEDED = 0xc0008002u - 0xc0000000u,
	NEEDED_COMPAT = 0xc0000001u - 0xc0000000u,
	NEEDED_COMPAT_2 = 0xc0008000u - 0xc0000000u,
};

struct note {
	uint32_t type;
	struct str content;
};

static uint64_t align_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) & ~(to - 1);
}

/* Takes the next note of the GNU tools off *rest. */
static bool next_note(struct elf_reading *r, struct str *rest, uint64_t align, struct note *out)
{
	Elf64_Nhdr h;

	while (r->notes_left > 0 && elf_take(*rest, 0, &h, sizeof h)) {
		uint64_t at = align_up(sizeof h + (uint64_t)h.n_namesz, align);
		uint64_t end = at + h.n_descsz;
		struct str whole = *rest;

		r->notes_left--;
		if (end > whole.n)
			return false;
		*rest = str_sub(whole, (size_t)align_up(end, align), whole.n);
		if (h.n_namesz != sizeof ELF_NOTE_GNU ||
			memcmp(whole.p + sizeof h, ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) != 0)
			continue;
		*out = (struct note){h.n_type, str_sub(whole, (size_t)at, (size_t)end)};
		return true;
	}
	return false;
}

static void read_kernel(struct elf *out, struct str content)
{
	uint32_t w[4];

	if (out->has_kernel || !elf_take(content, 0, w, sizeof w) || w[0] != NOTE_LINUX)
		return;
	out->has_kernel = true;
	for (size_t i = 0; i < 3; i++)
		out->kernel[i] = w[i + 1];
}

/* --- the level of x86-64 ------------------------------------------------------------------ */

/* Bits of single extensions, as linkers wrote them before levels were agreed on, from the lowest:
 * how many belong to the baseline, to v2, to v3; what is above needs v4. */
static unsigned level_of(uint32_t bits, unsigned baseline, unsigned v2, unsigned v3)
{
	unsigned levels = 0;

	for (unsigned i = 0; i < 32; i++)
		if (bits >> i & 1)
			levels |= i < baseline             ? ELF_ISA_BASELINE
				  : i < baseline + v2      ? ELF_ISA_V2
				  : i < baseline + v2 + v3 ? ELF_ISA_V3
							   : ELF_ISA_V4;
	return levels;
}

static void read_property(struct elf *out, uint32_t type, uint32_t bits)
{
	uint32_t kind = type - GNU_PROPERTY_LOPROC;

	if (kind == NEEDED)
		out->isa_needed |= bits;
	else if (kind == NEEDED_COMPAT)
		/* 486 to SSE2; SSE3 to SSE4.2; AVX, AVX2; AVX512 */
		out->isa_needed |= level_of(bits, 5, 4, 2);
	else if (kind == NEEDED_COMPAT_2)
		/* CMOV, SSE, SSE2; SSE3 to SSE4.2; AVX, AVX2, FMA; AVX512 */
		out->isa_needed |= level_of(bits, 3, 4, 3);
}

static void read_properties(struct elf *out, struct str content)
{
	uint32_t head[2], bits;

	while (elf_take(content, 0, head, sizeof head)) {
		struct str rest = str_sub(content, sizeof head, content.n);

		if (head[1] > rest.n)
			return;
		if (head[1] == sizeof bits && elf_take(rest, 0, &bits, sizeof bits))
			read_property(out, head[0], bits);
		content = str_sub(rest, (size_t)align_up(head[1], 8), rest.n);
	}
}

void elf_read_notes(struct elf_reading *r, const Elf64_Phdr *p)
{
	uint64_t align = p->p_align == 8 ? 8 : 4;
	struct elf *out = r->out;
	struct str rest;
	struct note n;

	if (!elf_range(r, p->p_offset, p->p_filesz, &rest))
		return;
	while (next_note(r, &rest, align, &n))
		if (n.type == NT_GNU_ABI_TAG && p->p_align >= 4)
			read_kernel(out, n.content);
		else if (n.type == NT_GNU_BUILD_ID && out->build_id.n == 0 &&
			 n.content.n <= MAX_BUILD_ID)
			out->build_id = n.content;
		else if (n.type == NT_GNU_PROPERTY_TYPE_0 && align == 8 &&
			 out->machine == EM_X86_64)
			read_properties(out, n.content);
}
