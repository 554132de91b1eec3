/*
 * What an ELF file says about itself to the loader: names, what it needs, symbol versions.
 *
 * Read through the program headers alone, as the loader does, so that a file without sections tells
 * the same.  Format: System V ABI (gABI 4.2, ELF64, little-endian) and the symbol versions of
 * "Linux Standard Base Core, Symbol Versioning".  The bytes may be anything: every offset, count and
 * string is checked against them.
 */
#ifndef IMAGES_ELF_H
#define IMAGES_ELF_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* `version` of the library `file` is needed: libc.so.6, GLIBC_2.17. */
struct elf_need {
	struct str file, version;
	bool weak; /* the loader only warns where it is missing */
};

/* Texts are slices of the bytes that were read. */
struct elf {
	unsigned type, machine; /* ET_DYN, EM_X86_64 */
	struct str interpreter; /* PT_INTERP; empty: none */
	struct str soname, rpath, runpath;
	struct str *needed; /* in the order of the file */
	size_t n_needed;
	struct str *defines; /* versions it defines, in the order of the file, without the
					 * one that only names the file */
	size_t n_defines;
	struct elf_need *needs;
	size_t n_needs;
};

/*
 * 1 with *out; 0: not a little-endian ELF64 file; -1 (ERR_INTEGRITY): one that is broken, which
 * `name` stands for in the message.  A program without a dynamic section has only its type.
 */
int elf_read(struct arena *a, const char *name, struct str bytes, struct elf *out, struct err *e);
/* Is it of the kind of machine that this program was built for? */
bool elf_is_native(const struct elf *elf);

#endif
