/*
 * Slices of bytes: a pointer and a length, no terminating NUL assumed.
 *
 * A slice owns nothing: what it points at belongs to an arena, a buffer, a file mapping or a
 * literal, and must outlive it.  The empty slice is {NULL, 0} or any pointer with length 0.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *p;
	size_t n;
};

/* A slice of a string literal. */
#define STR(lit) ((struct str){"" lit, sizeof(lit) - 1})
/* As STR, for static initialisers. */
#define STR_INIT(lit)                   \
	{                               \
		"" lit, sizeof(lit) - 1 \
	}
/* printf("%.*s", STR_ARG(s)) */
#define STR_ARG(s) (int)(s).n, (s).p ? (s).p : ""

static inline struct str str_of(const char *c_string)
{
	return (struct str){c_string, c_string ? strlen(c_string) : 0};
}

static inline struct str str_n(const char *p, size_t n)
{
	return (struct str){p, n};
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Is the slice equal to a C string? */
static inline bool str_is(struct str a, const char *c_string)
{
	return str_eq(a, str_of(c_string));
}

/* The bytes [from, to) of s; both are cut to its length. */
static inline struct str str_sub(struct str s, size_t from, size_t to)
{
	if (to > s.n)
		to = s.n;
	if (from > to)
		from = to;
	return (struct str){s.p ? s.p + from : NULL, to - from};
}

/* Byte order, a proper prefix first: <0, 0, >0. */
int str_cmp(struct str a, struct str b);
/* str_cmp for qsort over an array of struct str. */
int str_cmp_qsort(const void *a, const void *b);
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
/* Index of the first (str_rchr: last) byte c, or -1. */
ptrdiff_t str_chr(struct str s, char c);
ptrdiff_t str_rchr(struct str s, char c);
/* What stands behind the last slash of a path or URL; all of it where there is none. */
struct str str_base(struct str path);
/* Index of the first occurrence of needle, or -1.  An empty needle is at 0. */
ptrdiff_t str_find(struct str s, struct str needle);
/* Without ASCII white space at both ends. */
struct str str_trim(struct str s);
/*
 * Cuts *rest at the first byte c: returns what stands before it and leaves in *rest what stands
 * after it.  Without c the whole is returned and *rest becomes {NULL, 0}; so a loop
 * `while (rest.p)` sees every field, empty ones included.
 */
struct str str_cut(struct str *rest, char c);
/*
 * A whole number of decimal digits, no sign, at most max.  0, or -1 where it is anything else
 * (*out is then untouched).
 */
int str_u64(struct str s, uint64_t max, uint64_t *out);
/* A size: "500M", "1.5G", "2Gi", "1000000" in bytes.  0, or -1 where it is none. */
int str_bytes(struct str s, uint64_t *out);
/* Bytes of the UTF-8 character that s begins with (RFC 3629: shortest form, no surrogate, at most
 * U+10FFFF), 0 where it begins with none. */
size_t utf8_sequence(struct str s);
/* Is all of it UTF-8? */
bool str_is_utf8(struct str s);
/* A 64-bit hash for tables, eight bytes at a time; not for hostile-collision resistance. */
uint64_t str_hash(struct str s);

#endif
