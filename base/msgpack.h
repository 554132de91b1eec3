/*
 * MessagePack (github.com/msgpack/msgpack, spec.md): a bounded pull reader and a writer.
 *
 *	struct msgpack m;
 *	struct msgpack_value v;
 *	msgpack_open(&m, bytes, "index");
 *	if (msgpack_next(&m, &v) == MSGPACK_MAP)
 *		for (uint64_t i = 0; i < v.n; i++) ... a key and a value: two values each
 *	if (msgpack_end(&m) < 0) return msgpack_error(&m, e);
 *
 * The reader works on bytes in memory and copies nothing: texts are slices of them.  A map or array
 * says how many entries follow, and they are the next values; a number of entries or bytes that
 * cannot fit in what is left is an error at once, so whoever allocates by it is bounded by the
 * input.  A str that is no UTF-8 is an error, too.  The first error stays: every later call yields
 * MSGPACK_ERROR, and msgpack_error() has the offset and the reason.  The struct may be copied, to
 * come back to a place.
 */
#ifndef BASE_MSGPACK_H
#define BASE_MSGPACK_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum { MSGPACK_MAX_DEPTH = 64 }; /* of what msgpack_skip() passes over */

enum msgpack_type {
	MSGPACK_ERROR,
	MSGPACK_NIL,
	MSGPACK_FALSE,
	MSGPACK_TRUE,
	MSGPACK_UINT, /* v.number; whole and not negative, whatever its format */
	MSGPACK_INT,  /* negative: v.number as int64_t */
	MSGPACK_FLOAT,
	MSGPACK_STR,
	MSGPACK_BIN,
	MSGPACK_EXT,
	MSGPACK_ARRAY,
	MSGPACK_MAP,
};

struct msgpack {
	const uint8_t *start, *p, *end;
	const uint8_t *value; /* where the last one began */
	const char *name;     /* for messages */
	const char *why;      /* NULL: no error */
};

struct msgpack_value {
	enum msgpack_type type;
	union {
		uint64_t number;
		double real;
		struct str text; /* STR, BIN, EXT */
		uint64_t n;      /* ARRAY: values; MAP: pairs of values */
	};
	int8_t ext; /* the EXT's type */
};

/* The bytes and the name must outlive the reader. */
void msgpack_open(struct msgpack *m, struct str bytes, const char *name);
enum msgpack_type msgpack_next(struct msgpack *m, struct msgpack_value *v);
/* Passes over the whole value that comes next; -1 on error. */
int msgpack_skip(struct msgpack *m);
/* Passes over the entries of a value that msgpack_next() has just given; -1 on error. */
int msgpack_skip_rest(struct msgpack *m, const struct msgpack_value *v);
/* Nothing may follow: -1 where something does, or there was an error. */
int msgpack_end(struct msgpack *m);
/* Sets e (ERR_INTEGRITY) to "NAME: byte OFFSET: reason"; -1. */
int msgpack_error(const struct msgpack *m, struct err *e);
/* The same with the caller's reason, at the last value; the reader's own where it has one. */
int msgpack_fail(struct msgpack *m, struct err *e, const char *why);

/* The writer: each value in its shortest form.  Lengths are below 4 Gi (asserted). */
void mp_nil(struct buf *to);
void mp_bool(struct buf *to, bool v);
void mp_uint(struct buf *to, uint64_t v);
void mp_int(struct buf *to, int64_t v);
void mp_double(struct buf *to, double v);
void mp_str(struct buf *to, struct str s);
void mp_cstr(struct buf *to, const char *s);
void mp_bin(struct buf *to, const void *p, size_t n);
void mp_ext(struct buf *to, int8_t type, struct str data);
void mp_array(struct buf *to, size_t n); /* n values follow */
void mp_map(struct buf *to, size_t n);   /* n keys, each with its value behind it, follow */

#endif
