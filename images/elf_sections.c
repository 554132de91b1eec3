/*
 * What only sections tell; where there is no table of them, or it lies, nothing is known.
 *
 * GPU code: .nv_fatbin is a row of containers, each a row of entries, one per architecture.  NVIDIA
 * describes the format nowhere; this is what nvcc and fatbinary of CUDA 8 to 13 write.
 */
#include "images/elf_reading.h"

#include <stdlib.h>

enum {
	MAX_SECTIONS = 1 << 16,
	MAX_ENTRIES = 1 << 20,
	MAX_ARCHITECTURES = 128,
	FATBIN_MAGIC = (int)0xba55ed50,
	FATBIN_PTX = 1,
	FATBIN_ELF = 2,
};

struct fatbin {
	uint32_t magic;
	uint16_t version, header_size;
	uint64_t size; /* of what follows the header */
};

struct fatbin_entry {
	uint16_t kind, version;
	uint32_t header_size;
	uint64_t size; /* of what follows the header */
	uint32_t compressed_size, unused;
	uint16_t minor, major;
	uint32_t architecture;
};

struct sections {
	struct str table, names;
	size_t n;
};

static bool section(const struct sections *s, size_t i, Elf64_Shdr *out)
{
	return i < s->n && elf_take(s->table, i * sizeof *out, out, sizeof *out);
}

static struct sections find_sections(const struct elf_reading *r)
{
	const Elf64_Ehdr *h = &r->header;
	struct sections s = {.n = h->e_shnum};
	uint64_t names = h->e_shstrndx;
	Elf64_Shdr x;

	if (h->e_shoff == 0 || h->e_shoff > r->bytes.n || h->e_shentsize != sizeof x)
		return (struct sections){.n = 0};
	s.table = str_sub(r->bytes, (size_t)h->e_shoff, r->bytes.n);
	/* Numbers that do not fit into the header stand in the first section. */
	if (elf_take(s.table, 0, &x, sizeof x)) {
		s.n = s.n ? s.n : (size_t)x.sh_size;
		names = names == SHN_XINDEX ? x.sh_link : names;
	}
	s.n = s.n > MAX_SECTIONS ? MAX_SECTIONS : s.n;
	if (section(&s, (size_t)names, &x))
		(void)elf_range(r, x.sh_offset, x.sh_size, &s.names);
	return s;
}

bool elf_is_for_debuggers(const struct elf_reading *r)
{
	struct sections s = find_sections(r);
	Elf64_Shdr x;

	for (size_t i = 0; section(&s, i, &x); i++)
		if (x.sh_type == SHT_NOBITS && (x.sh_flags & SHF_EXECINSTR))
			return true;
	return false;
}

/* --- GPU code ----------------------------------------------------------------------------- */

static void add(struct elf_reading *r, struct elf_gpu gpu)
{
	struct elf *out = r->out;

	for (size_t i = 0; i < out->n_gpu; i++)
		if (out->gpu[i].architecture == gpu.architecture && out->gpu[i].ptx == gpu.ptx)
			return;
	if (!out->gpu)
		out->gpu = arena_array(r->a, struct elf_gpu, MAX_ARCHITECTURES);
	if (out->n_gpu < MAX_ARCHITECTURES)
		out->gpu[out->n_gpu++] = gpu;
}

static void read_container(struct elf_reading *r, struct str rest, size_t *left)
{
	struct fatbin_entry x;

	while (*left > 0 && elf_take(rest, 0, &x, sizeof x) && x.header_size >= sizeof x &&
		x.header_size <= rest.n) {
		--*left;
		if (x.kind == FATBIN_PTX || x.kind == FATBIN_ELF)
			add(r, (struct elf_gpu){x.architecture, x.kind == FATBIN_PTX});
		rest = str_sub(rest, x.header_size, rest.n);
		if (x.size > rest.n)
			return;
		rest = str_sub(rest, (size_t)x.size, rest.n);
	}
}

/* Between containers there are zeros, to a multiple of eight bytes and more. */
static void read_fatbin(struct elf_reading *r, struct str rest, size_t *left)
{
	struct fatbin x;

	while (*left > 0 && elf_take(rest, 0, &x, sizeof x)) {
		--*left;
		if (x.magic != (uint32_t)FATBIN_MAGIC || x.header_size < sizeof x ||
			x.header_size > rest.n) {
			rest = str_sub(rest, 8, rest.n);
			continue;
		}
		rest = str_sub(rest, x.header_size, rest.n);
		if (x.size > rest.n)
			x.size = rest.n;
		read_container(r, str_sub(rest, 0, (size_t)x.size), left);
		rest = str_sub(rest, (size_t)x.size, rest.n);
	}
}

static int by_architecture(const void *a, const void *b)
{
	const struct elf_gpu *x = a, *y = b;

	if (x->architecture != y->architecture)
		return x->architecture < y->architecture ? -1 : 1;
	return x->ptx - y->ptx;
}

static bool is_called(const struct sections *s, const Elf64_Shdr *x, struct str name)
{
	struct str rest = str_sub(s->names, x->sh_name, s->names.n);

	return str_starts(rest, name) && rest.n > name.n && rest.p[name.n] == 0;
}

void elf_read_gpu(struct elf_reading *r)
{
	struct sections s = find_sections(r);
	size_t left = MAX_ENTRIES;
	struct str content;
	Elf64_Shdr x;

	for (size_t i = 0; section(&s, i, &x); i++)
		if (x.sh_type == SHT_PROGBITS &&
			(is_called(&s, &x, STR(".nv_fatbin")) ||
				is_called(&s, &x, STR("__nv_relfatbin"))) &&
			elf_range(r, x.sh_offset, x.sh_size, &content))
			read_fatbin(r, content, &left);
	if (r->out->n_gpu)
		qsort(r->out->gpu, r->out->n_gpu, sizeof *r->out->gpu, by_architecture);
}
