/* Small ELF64 files for tests: a loader's view of a library, and nothing to run. */
#ifndef TESTS_ELF_MAKER_H
#define TESTS_ELF_MAKER_H

#include <elf.h>

#include "base/buf.h"

#ifdef __aarch64__
enum { NATIVE = EM_AARCH64 };
#else
enum { NATIVE = EM_X86_64 };
#endif

struct elf_plan {
	int machine;
	const char *soname;     /* NULL: none */
	const char *runpath;    /* NULL: none */
	const char *defines[8]; /* ended by NULL; the first is the base, as linkers write it */
	const char *needed;     /* a library; NULL: none */
	const char *needs[8];   /* versions of it */
	struct str tail;        /* bytes behind it all */
};

struct elf_making {
	struct buf strings, defs, needs, dynamic;
};

static uint32_t elf_string(struct elf_making *m, const char *s)
{
	uint32_t at = (uint32_t)m->strings.n;

	buf_add(&m->strings, s, strlen(s) + 1);
	return at;
}

static void elf_dynamic(struct elf_making *m, int64_t tag, uint64_t value)
{
	Elf64_Dyn d = {.d_tag = tag, .d_un = {.d_val = value}};

	buf_add(&m->dynamic, &d, sizeof d);
}

static void elf_definitions(struct elf_making *m, const struct elf_plan *p)
{
	for (unsigned i = 0; p->defines[i]; i++) {
		Elf64_Verdef d = {.vd_version = 1,
			.vd_flags = i ? 0 : VER_FLG_BASE,
			.vd_ndx = (Elf64_Half)(i + 1),
			.vd_cnt = 1,
			.vd_aux = sizeof d,
			.vd_next = p->defines[i + 1] ? sizeof d + sizeof(Elf64_Verdaux) : 0};
		Elf64_Verdaux aux = {.vda_name = elf_string(m, p->defines[i])};

		buf_add(&m->defs, &d, sizeof d);
		buf_add(&m->defs, &aux, sizeof aux);
	}
}

static void elf_needs(struct elf_making *m, const struct elf_plan *p)
{
	Elf64_Verneed n = {.vn_version = 1, .vn_aux = sizeof n};

	if (!p->needed || !p->needs[0])
		return;
	while (p->needs[n.vn_cnt])
		n.vn_cnt++;
	n.vn_file = elf_string(m, p->needed);
	buf_add(&m->needs, &n, sizeof n);
	for (unsigned i = 0; p->needs[i]; i++) {
		Elf64_Vernaux aux = {.vna_name = elf_string(m, p->needs[i]),
			.vna_next = p->needs[i + 1] ? sizeof aux : 0};

		buf_add(&m->needs, &aux, sizeof aux);
	}
}

/* Header, two segments, strings, versions, the dynamic section, the tail. */
static void elf_make(struct buf *out, const struct elf_plan *p)
{
	struct elf_making m = {0};
	Elf64_Ehdr h = {.e_type = ET_DYN,
		.e_machine = (Elf64_Half)p->machine,
		.e_phoff = sizeof h,
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2};
	Elf64_Phdr load = {.p_type = PT_LOAD}, dynamic = {.p_type = PT_DYNAMIC};
	uint64_t begin = sizeof h + 2 * sizeof load, defs, needs, versions = 0;

	memcpy(h.e_ident, ELFMAG, SELFMAG);
	h.e_ident[EI_CLASS] = ELFCLASS64;
	h.e_ident[EI_DATA] = ELFDATA2LSB;
	elf_string(&m, "");
	if (p->soname)
		elf_dynamic(&m, DT_SONAME, elf_string(&m, p->soname));
	if (p->runpath)
		elf_dynamic(&m, DT_RUNPATH, elf_string(&m, p->runpath));
	if (p->needed)
		elf_dynamic(&m, DT_NEEDED, elf_string(&m, p->needed));
	elf_definitions(&m, p);
	elf_needs(&m, p);
	while (m.strings.n % 8)
		buf_putc(&m.strings, 0);
	defs = begin + m.strings.n;
	needs = defs + m.defs.n;
	while (p->defines[versions])
		versions++;
	elf_dynamic(&m, DT_STRTAB, 0x10000 + begin);
	elf_dynamic(&m, DT_STRSZ, m.strings.n);
	if (versions) {
		elf_dynamic(&m, DT_VERDEF, 0x10000 + defs);
		elf_dynamic(&m, DT_VERDEFNUM, versions);
	}
	if (m.needs.n) {
		elf_dynamic(&m, DT_VERNEED, 0x10000 + needs);
		elf_dynamic(&m, DT_VERNEEDNUM, 1);
	}
	elf_dynamic(&m, DT_NULL, 0);
	dynamic.p_offset = needs + m.needs.n;
	dynamic.p_vaddr = 0x10000 + dynamic.p_offset;
	dynamic.p_filesz = m.dynamic.n;
	load.p_vaddr = 0x10000;
	load.p_filesz = dynamic.p_offset + m.dynamic.n;
	buf_add(out, &h, sizeof h);
	buf_add(out, &load, sizeof load);
	buf_add(out, &dynamic, sizeof dynamic);
	buf_str(out, buf_view(&m.strings));
	buf_str(out, buf_view(&m.defs));
	buf_str(out, buf_view(&m.needs));
	buf_str(out, buf_view(&m.dynamic));
	buf_str(out, p->tail);
	buf_release(&m.strings);
	buf_release(&m.defs);
	buf_release(&m.needs);
	buf_release(&m.dynamic);
}

#endif
