/*
 * Growable text or bytes with a maximum.
 *
 *	struct buf b = {0};
 *	buf_printf(&b, "%s=%d", name, n);
 *	... b.p[0 .. b.n), always followed by a NUL once anything was added ...
 *	buf_release(&b);
 *
 * A zeroed struct is an empty buffer without a maximum.  Adding beyond `max` adds nothing, sets
 * `overflow` and returns -1, so that a long row of additions is checked once at its end.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/str.h"

#include <stdarg.h>

struct buf {
	char *p;
	size_t n, cap;
	size_t max; /* 0: none */
	bool overflow;
};

void buf_release(struct buf *b);
/* Empties it and keeps its memory. */
void buf_clear(struct buf *b);
int buf_add(struct buf *b, const void *p, size_t n);
int buf_str(struct buf *b, struct str s);
int buf_puts(struct buf *b, const char *c_string);
int buf_putc(struct buf *b, char c);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
/* Room for n more bytes at b->p + b->n; the caller then raises b->n.  NULL beyond the maximum. */
char *buf_room(struct buf *b, size_t n);

static inline struct str buf_view(const struct buf *b)
{
	return str_n(b->p, b->n);
}

#define CLEANUP_BUF __attribute__((cleanup(buf_release))) struct buf

#endif
