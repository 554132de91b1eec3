/*
 * What an ELF file says about itself to the loader: names, what it needs, symbol versions, limits.
 *
 * Read through the program headers alone, as the loader does, so that a file without sections tells
 * the same.  Format: System V ABI (gABI 4.2, ELF64, little-endian) and the symbol versions of
 * "Linux Standard Base Core, Symbol Versioning".  The bytes may be anything: every offset, count and
 * string is checked against them, and a file has at most 65536 versions and needed names and 4 MiB of
 * such texts, 2097152 symbols and 64 MiB of their names.
 */
#ifndef IMAGES_ELF_H
#define IMAGES_ELF_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* `version` of the library `file` is needed: libc.so.6, GLIBC_2.17. */
struct elf_need {
	struct str file, version;
	bool weak; /* the loader only warns where it is missing */
};

/* PT_GNU_STACK; where nothing is said the loader of x86-64 makes the stack executable. */
enum elf_stack { STACK_UNSAID, STACK_PLAIN, STACK_EXECUTABLE };

/* Bits of isa_needed (x86-64 psABI, GNU_PROPERTY_X86_ISA_1_NEEDED). */
enum { ELF_ISA_BASELINE = 1, ELF_ISA_V2 = 2, ELF_ISA_V3 = 4, ELF_ISA_V4 = 8 };

/* Code of a GPU in .nv_fatbin: sm_90 is {90, false}, compute_90 (PTX, for newer ones too) {90, true}. */
struct elf_gpu {
	unsigned architecture;
	bool ptx;
};

/*
 * Texts are slices of the bytes that were read.  Only the first line is known of a file of another
 * class or byte order, of one that no loader takes (an object, a core), and of one that holds only
 * what debuggers read of another (objcopy --only-keep-debug).
 */
struct elf {
	unsigned type, machine, bits; /* ET_DYN, EM_X86_64, 64 */
	bool big_endian;
	struct str interpreter; /* PT_INTERP; empty: none */
	struct str soname, rpath, runpath;
	struct str *needed; /* in the order of the file */
	size_t n_needed;
	struct str *defines; /* versions it defines, in the order of the file, without the
					 * one that only names the file */
	size_t n_defines;
	struct elf_need *needs;
	size_t n_needs;
	bool dynamic;                 /* it has a dynamic section */
	bool has_kernel;              /* .note.ABI-tag names the oldest Linux it runs on */
	unsigned kernel[3];           /* 2, 6, 32 */
	unsigned isa_needed;          /* bits; 0: not said */
	uint64_t tls_size, tls_align; /* PT_TLS, bytes */
	bool static_tls;              /* DF_STATIC_TLS */
	bool text_relocations, bind_now, no_default_folders;
	enum elf_stack stack;
	struct str build_id; /* bytes */
	struct elf_gpu *gpu; /* rising, each once */
	size_t n_gpu;
};

/*
 * 1 with *out; 0: not an ELF file; -1 (ERR_INTEGRITY): one that is broken, which `name` stands for in
 * the message.  A program without a dynamic section has only its type and what segments say.
 */
int elf_read(struct arena *a, const char *name, struct str bytes, struct elf *out, struct err *e);
/* Is it of the kind of machine that this program was built for? */
bool elf_is_native(const struct elf *elf);

/* A dynamic symbol that other files may be asked for, or that others have to have. */
struct elf_symbol {
	struct str name;
	struct str version; /* empty: none */
	struct str file;    /* of one that is needed in a version: the library it is expected in */
	bool weak;
	/* Of one that is needed: all that names it is the table of functions to be called (DT_JMPREL),
	 * so that it is resolved when first called, unless bind_now.  Others are when it is loaded. */
	bool function;
	bool hidden; /* of one that is defined: only for who asks for this version */
};
struct elf_symbols {
	struct elf_symbol *undefined, *defined; /* in the order of the file */
	size_t n_undefined, n_defined;
};
/*
 * As elf_read, of a file of this machine; of others nothing.  Undefined are those that a relocation
 * names: the loader asks for no other.  A variable that a program has a copy of (R_*_COPY) is in both
 * lists, since the loader looks for it in all files but the program itself.  Defined are those that a
 * hash table leads to and the loader would take.
 */
int elf_symbols(struct arena *a, const char *name, struct str bytes, struct elf_symbols *out,
	struct err *e);

#endif
