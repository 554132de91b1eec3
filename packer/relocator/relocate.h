/*
 * Relocation: making the files of an unpacked environment name the place where it lies.
 *
 * This folder is plain C over libc alone and is compiled twice: into the static bin/conda-unpack
 * that travels in every archive, and into envbuild itself.  So it uses nothing of base/, and it
 * allocates no memory: files are mapped, the index is read where it lies.
 *
 * Every file of the index is known by its original, the bytes as packed, in which a placeholder
 * stands at given offsets.  A file "holds" a prefix when it is that original with the prefix in
 * the placeholder's place; a sum over all other bytes tells.  Every relocation is a step from one
 * held prefix to another, so any row of moves gives the same bytes as a fresh unpack would
 * (docs/design/relocation.md).
 */
#ifndef PACKER_RELOCATOR_RELOCATE_H
#define PACKER_RELOCATOR_RELOCATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of one prefix or path, without the NUL. */
enum { RELOCATE_PATH_MAX = 4095 };
/* A head holds at most this many placeholders in at most this many bytes. */
enum { RELOCATE_HEAD_MAX = 8192, RELOCATE_HEAD_OFFSETS = 8 };
/* A shebang line the kernel takes whole, "#!" included, its newline not (BINPRM_BUF_SIZE - 1). */
enum { RELOCATE_SHEBANG_MAX = 127 };

#define RELOCATE_INDEX "conda-meta/envbuild/relocation"
/* The version's digit and a newline follow. */
#define RELOCATE_MAGIC       "envbuild relocation "
#define RELOCATE_RECORD      "prefix" /* in conda-meta/envbuild: the prefix all files hold */
#define RELOCATE_RECORD_PATH "conda-meta/envbuild/" RELOCATE_RECORD
#define RELOCATE_PENDING     "prefix.pending" /* the same: prefixes files may hold, one a line */

/* The values are the exit statuses of conda-unpack. */
enum relocate_status { RELOCATE_OK = 0, RELOCATE_FAILED = 1, RELOCATE_DAMAGED = 5 };

struct relocate_error {
	enum relocate_status status;
	char text[2 * RELOCATE_PATH_MAX + 512];
};
/* Returns -1. */
int relocate_fail(struct relocate_error *e, enum relocate_status status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* --- encodings --------------------------------------------------------------------------- */

/* How a placeholder stands in a file; the numbers are those of the index. */
enum relocate_encoding {
	RELOCATE_UTF8,
	RELOCATE_UTF16LE,
	RELOCATE_UTF16BE,
	RELOCATE_UTF32LE,
	RELOCATE_UTF32BE,
};
enum { RELOCATE_ENCODINGS = 5 };

/* Bytes of one unit: 1, 2 or 4. */
size_t relocate_unit(enum relocate_encoding encoding);
/* Units that a prefix takes; SIZE_MAX where it is not UTF-8, which RELOCATE_UTF8 does not ask. */
size_t relocate_units(const char *prefix, enum relocate_encoding encoding);
/* The next character's bytes: how many, 0 at the end or where the text is not UTF-8. */
size_t relocate_encode_next(const char **text, enum relocate_encoding encoding, char to[4]);
/* "UTF-16" and the like. */
const char *relocate_encoding_name(enum relocate_encoding encoding);

/* --- the index --------------------------------------------------------------------------- */

struct relocation {
	const unsigned char *p; /* the index's bytes, the caller's */
	size_t n;
	unsigned version;
	size_t table, table_end; /* of the placeholders */
	size_t first;            /* where the first file stands */
	uint64_t n_files;
};

struct relocate_entry {
	const char *path; /* safe, relative */
	bool binary;      /* strings, padded with NUL to their old length */
	bool forms;       /* some placeholder is not in UTF-8; then it is ASCII */
	const char *placeholder;
	size_t placeholder_len;
	uint64_t size;    /* of the original, bytes */
	uint64_t hash;    /* of the original's bytes outside head and placeholders */
	const char *head; /* the original shebang line, without its newline, where it holds one */
	size_t head_len;  /* 0: no head */
	uint64_t n_offsets;
	const unsigned char *gaps, *gaps_end;
};

/* Where the placeholder stands in the original, one after another. */
struct relocate_offsets {
	const struct relocate_entry *entry;
	const unsigned char *at;
	uint64_t left, past; /* past: end of the placeholder before */
};
struct relocate_place {
	uint64_t at, past; /* the bytes of the placeholder */
	enum relocate_encoding encoding;
	/*
	 * In a binary with forms: where its string ends in the original, at zero bytes; 0 where
	 * another place of the same string follows.  Else 0: a string ends with the next NUL.
	 */
	uint64_t end;
};

/* Reads and checks the whole index; p stays in use.  RELOCATE_DAMAGED says what is wrong. */
int relocation_open(struct relocation *r, const void *p, size_t n, struct relocate_error *e);
/* *cursor begins as r->first; false after the last file. */
bool relocation_next(const struct relocation *r, size_t *cursor, struct relocate_entry *out);
struct relocate_offsets relocate_offsets_of(const struct relocate_entry *entry);
bool relocate_offset_next(struct relocate_offsets *it, struct relocate_place *out);
/* May the path be used below a prefix?  As path_is_safe() of base/file.h. */
bool relocate_path_is_safe(const char *path, size_t n);
/* May it be a prefix: absolute, at most RELOCATE_PATH_MAX bytes, no newline, no slash at its end? */
bool relocate_prefix_is_good(const char *prefix);

/* A 64-bit sum, eight bytes a step; it finds accidents, not forgers. */
struct relocate_hash {
	uint64_t h, word, total;
	unsigned fill;
};
void relocate_hash_init(struct relocate_hash *s);
void relocate_hash_add(struct relocate_hash *s, const void *p, size_t n);
uint64_t relocate_hash_end(struct relocate_hash *s);

/*
 * May the file hold the prefix?  Text: whatever its encodings can write; a binary: nothing with
 * more units than the placeholder.  Else false, the encoding that refuses, and the units it would
 * take (SIZE_MAX: the prefix is not UTF-8).
 */
bool relocate_fits(const struct relocate_entry *entry, const char *prefix,
	enum relocate_encoding *encoding, size_t *units);

/* --- one file ---------------------------------------------------------------------------- */

/*
 * The sum of the data if it stands as the entry says with `prefix` at the offsets; the entry's
 * own hash is not looked at.  0, or -1 where something else stands there.
 */
int relocate_measure(const struct relocate_entry *entry, const char *data, uint64_t size,
	const char *prefix, uint64_t *hash);
/* Is this the file with `prefix` in it? */
bool relocate_holds(
	const struct relocate_entry *entry, const char *data, uint64_t size, const char *prefix);
/* Passes on the bytes of a file that holds `from` as they are with `to`.  A non-zero answer of
 * emit ends it and is returned. */
typedef int relocate_emit(void *ctx, const char *p, size_t n);
int relocate_convert(const struct relocate_entry *entry, const char *data, uint64_t size,
	const char *from, const char *to, relocate_emit *emit, void *ctx);

/*
 * Can every file hold the prefix?  Those that are not there do not count (there == NULL: all are).
 * Else RELOCATE_FAILED names the file with the least room.
 */
int relocate_check_length(const struct relocation *index, const char *prefix,
	bool (*there)(void *ctx, const char *path), void *ctx, struct relocate_error *e);

/* --- a tree ------------------------------------------------------------------------------ */

struct relocate_request {
	int root;           /* descriptor of the environment's folder */
	const char *prefix; /* the path its files shall name */
	bool check;         /* look, and change nothing */
	bool strict;        /* a file that is not as packed is an error: for a fresh unpack */
	/* Called with a sentence for each file that was changed or removed by somebody. */
	void (*note)(void *ctx, const char *text);
	void *ctx;
};

struct relocate_counts {
	uint64_t files, rewritten, changed, missing;
};

/*
 * Makes every file hold request->prefix.  Each file is replaced atomically with its time, mode
 * and, for root, owner kept; the prefix is recorded last; killed at any moment it completes when
 * it is run again.  Files that somebody changed or removed are counted, noted and left alone
 * (with `check` or `strict`: RELOCATE_DAMAGED).  A prefix too long for a binary is an error before
 * anything is written.  A tree that cannot be written but holds the prefix already is no error.
 */
int relocate_tree(const struct relocate_request *request, struct relocate_counts *counts,
	struct relocate_error *e);
/*
 * What conda-meta/envbuild/prefix records: 1 and the prefix, 0 where it was never relocated or a
 * relocation did not complete, -1 on errors.
 */
int relocate_recorded(int root, char prefix[RELOCATE_PATH_MAX + 1], struct relocate_error *e);
/* The prefix of such a record's text; false: it is not one line with a prefix. */
bool relocate_record_parse(const char *text, size_t n, char prefix[RELOCATE_PATH_MAX + 1]);

#endif
