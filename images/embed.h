/* Files that are carried inside the program. */
#ifndef IMAGES_EMBED_H
#define IMAGES_EMBED_H

/*
 * The assembler puts the file's bytes between two labels, SYMBOL_begin and SYMBOL_end; the path is
 * relative to the project's root, where the compiler runs.  images/module.mk tells make about the
 * dependency.
 */
#define EMBED_FILE(symbol, path)                                \
	__asm__(".pushsection .rodata\n"                        \
		".hidden " #symbol "_begin\n"                   \
		".hidden " #symbol "_end\n"                     \
		".global " #symbol "_begin\n"                   \
		".global " #symbol "_end\n" #symbol "_begin:\n" \
		".incbin \"" path "\"\n" #symbol "_end:\n"      \
		".byte 0\n"                                     \
		".popsection\n");                               \
	extern const char symbol##_begin[], symbol##_end[]

#endif
