/*
 * The ELF files of one package: what an audit has to know of them, computed once.
 *
 * They are kept beside a package's facts in the cache, CACHE/pkgs/XX/SHA256/elf, and their dynamic
 * symbols, which are many and rarely asked for, in .../symbols.  Both are read as if they were
 * hostile.  Packages that were extracted before there were any get theirs when first asked for.
 */
#ifndef BUILDER_BINARIES_H
#define BUILDER_BINARIES_H

#include "base/buf.h"
#include "base/table.h"
#include "builder/package.h"
#include "images/elf.h"

/* One ELF file, of whatever machine. */
struct binary {
	struct str path; /* in the package */
	struct str
		fault;  /* why it is broken; empty: it is not.  elf then has what was read before */
	struct elf elf; /* its texts live in the arena */
	/* A path of the machine that built it, which nothing will replace; empty: none. */
	struct str leftover;
};

struct binaries {
	uint8_t sha256[32]; /* of the package file */
	struct binary *v;   /* rising by path */
	size_t n;
};

/*
 * A file of a few bytes can name much: the same text again and again, or each end of one.  Whoever
 * holds many files counts their names here; what real environments name is far below the limits.
 */
struct binary_names {
	size_t n, bytes;
};
#define BINARY_TOO_MANY_NAMES "too many names of libraries and symbol versions"
/* False where there are too many now. */
bool binary_names_add(struct binary_names *names, const struct binary *b);

/*
 * Reads one file: 1, 0 it is no ELF file, -1 (ERR_INTEGRITY): it names too much.  A broken one is 1,
 * with its fault.  The texts are copied into the arena.
 */
int binary_read(
	struct arena *a, const char *path, struct str bytes, struct binary *out, struct err *e);
/* The same of a newly opened regular file; it is mapped only if it begins as ELF files do.  path is kept. */
int binary_read_fd(struct arena *a, struct str path, int fd, struct binary *out, struct err *e);
/* The symbols of an open regular file, copied into the arena: 1, 0 it is no ELF file of this machine that
 * is whole, -1. */
int binary_read_symbols(
	struct arena *a, const char *name, int fd, struct elf_symbols *out, struct err *e);
/* Do they begin as ELF files do? */
bool binary_magic(struct str bytes);
/* The C library of a cross compiler is for what it makes, not for what runs in the environment. */
bool binary_is_of_sysroot(struct str path);
/* Can a file of that size be one that matters?  (Not in a sysroot.) */
bool binary_is_worth_a_look(enum path_type type, uint64_t size, struct str path);

/*
 * Stands in the texts of a package's facts for where the environment will lie, as its placeholder
 * stands in its files: in interpreter, names of libraries, rpath and runpath.
 */
extern const struct str BINARY_PREFIX;
/*
 * Puts a path in the place of another in those texts; changed ones live in the arena.  Nothing is done
 * where `to` is the longer one: texts never grow.
 */
void binary_replace(struct arena *a, struct binary *b, struct str from, struct str to);

/*
 * All of the package that lies extracted in p->dir; each file must have the sum that p says
 * (ERR_INTEGRITY, and where they name too much).
 */
int binaries_compute(struct arena *a, const struct package *p, struct binaries *out, struct err *e);
/*
 * Those of a package: out of the cache (made there if need be), or else as somebody handed them on
 * (known, may be NULL).  1; 0 where neither has them, and the package has to be fetched; -1.
 */
struct known_binaries;
int binaries_load(struct arena *a, const struct cache *c, const struct known_binaries *known,
	const struct record *r, struct binaries *out, struct err *e);
/* The dynamic symbols of the file at a path in a package of the cache: 1, 0 not known, -1. */
int binaries_symbols(struct arena *a, const struct cache *c, const struct record *r,
	struct str path, struct elf_symbols *out, struct err *e);

/* --- in an entry of the cache ------------------------------------------------------------------ */

/* Computes and writes both files of the new entry at dir, whose files are as x says. */
struct extraction;
int binaries_write(
	const char *dir, const struct extraction *x, const struct package *p, struct err *e);
/* "elf", "symbols" */
enum { BINARIES_FILES = 2 };
extern const char *const BINARIES_NAMES[BINARIES_FILES];
/* Is that file of the entry at dir whole, and this package's?  0 too where there is none. */
int binaries_check(const char *dir, const char *name, const uint8_t sha256[32], struct err *e);

/* --- handed on (envbuild audit --export-facts, --facts) -------------------------------------- */

/* What files of exported facts hold, by the package's sha256. */
struct known_binaries {
	struct arena *arena;
	struct table by_sum; /* 32 bytes -> struct binaries * */
};
/* Adds those of a file; later files win.  ERR_INPUT names file and place. */
int known_binaries_read(struct known_binaries *k, const char *path, struct err *e);
/* The same of a text, which `name` stands for in messages. */
int known_binaries_parse(
	struct known_binaries *k, const char *name, struct str text, struct err *e);
/*
 * The text of such a file, of these packages (records[i] may be NULL), sorted by their sums, each once:
 * the same bytes from the same facts.
 */
void binaries_export(struct arena *a, const struct binaries *const *v, size_t n,
	const struct record *const *records, struct buf *to);

#endif
