/*
 * What the parts of the ELF reader share (elf.h): the bytes, and checked ways into them.
 *
 *	elf.c            header, segments           elf_notes.c     notes
 *	elf_dynamic.c    dynamic section, versions  elf_sections.c  what only sections tell
 *	elf_symbols.c    dynamic symbols
 *
 * Counts that a file states are not believed where the loader does not read them; chains only lead
 * forward, and each list and all texts together have a limit, so that the work and the memory for a
 * file are bounded however often its parts overlap.
 */
#ifndef IMAGES_ELF_READING_H
#define IMAGES_ELF_READING_H

#include "images/elf.h"

#include <elf.h>

/* Tags of a dynamic section that are kept; the last of each counts, as in the loader. */
enum elf_tag {
	TAG_STRTAB,
	TAG_SYMTAB,
	TAG_HASH,
	TAG_GNU_HASH,
	TAG_VERSYM,
	TAG_VERDEF,
	TAG_VERNEED,
	TAG_RELA,
	TAG_RELASZ,
	TAG_JMPREL,
	TAG_PLTRELSZ,
	TAG_SONAME,
	TAG_RPATH,
	TAG_RUNPATH,
	TAG_FLAGS,
	TAG_FLAGS_1,
	TAG_TEXTREL,
	TAG_BIND_NOW,
	N_TAGS
};

/* A version that symbols name by its index; one that is defined has no file. */
struct elf_version {
	unsigned index;
	struct elf_need need;
};
struct elf_versions {
	struct elf_version *v;
	size_t n, cap;
};

struct elf_reading {
	struct arena *a;
	const char *name;
	struct str bytes;
	Elf64_Ehdr header;
	bool has_dynamic;
	uint64_t dynamic; /* its address */
	uint64_t tags[N_TAGS];
	bool has_tag[N_TAGS];
	struct str strings;
	size_t text_left; /* bytes of texts that may still be taken */
	size_t notes_left;
	struct {
		struct str *v;
		size_t n, cap;
	} needed;
	struct elf_versions defines, needs;
	struct elf *out;
};

/* Reads all but what sections tell; as elf_read.  r has a, name, bytes and out. */
int elf_read_loaded(struct elf_reading *r, struct err *e);
int elf_broken(const struct elf_reading *r, const char *what, struct err *e);
/* Copies size bytes at an offset of a table; false where they are not all there. */
bool elf_take(struct str table, uint64_t at, void *to, size_t size);
/* The bytes of the file from an offset on; false where they are not all there. */
bool elf_range(const struct elf_reading *r, uint64_t at, uint64_t size, struct str *out);
bool elf_segment(const struct elf_reading *r, size_t i, Elf64_Phdr *p);
/*
 * What lies in memory at `address`, to the end of its segment in the file, or of those that follow it
 * without a gap both in memory and in the file.
 */
bool elf_at_address(const struct elf_reading *r, uint64_t address, struct str *out);
/* The text at an offset of the dynamic strings; *left limits its length, and is lowered by it. */
bool elf_text(const struct elf_reading *r, uint64_t at, size_t max, size_t *left, struct str *out);

int elf_read_dynamic(struct elf_reading *r, struct err *e);
/* The notes of a segment, as far as they make sense. */
void elf_read_notes(struct elf_reading *r, const Elf64_Phdr *p);
void elf_read_gpu(struct elf_reading *r);
/* Does it hold only what a debugger reads of another file (objcopy --only-keep-debug)? */
bool elf_is_for_debuggers(const struct elf_reading *r);

#endif
