/*
 * JSON (RFC 8259): a bounded pull reader and a writer.
 *
 *	struct json *j = json_open_text(text, "index.json");
 *	while ((t = json_next(j)) != JSON_END) ...
 *	json_close(j);
 *
 * The reader takes its bytes from memory or from a callback, so that an index of any size is read
 * in constant memory.  Text that is not JSON, deeper than JSON_MAX_DEPTH or with a string over
 * JSON_MAX_STRING yields JSON_ERROR, and so does every later call; json_error() then has
 * line:column (in bytes, from 1) and the reason.  Invalid UTF-8 is an error, half a surrogate pair
 * becomes U+FFFD, and a string with \u0000 holds a NUL byte.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum { JSON_MAX_DEPTH = 64, JSON_MAX_STRING = 64 << 20 };

enum json_type {
	JSON_ERROR,
	JSON_END, /* the one top value is over and nothing but white space followed */
	JSON_OBJECT,
	JSON_OBJECT_END,
	JSON_ARRAY,
	JSON_ARRAY_END,
	JSON_KEY, /* text; the value comes next */
	JSON_STRING,
	JSON_NUMBER, /* text as written */
	JSON_TRUE,
	JSON_FALSE,
	JSON_NULL,
};

struct json;

/* The text must outlive the reader.  name stands in error texts. */
struct json *json_open_text(struct str text, const char *name);
/* read: up to n bytes into p, 0 at the end, -1 with *e set. */
typedef ptrdiff_t json_read(void *ctx, void *p, size_t n, struct err *e);
struct json *json_open(json_read *read, void *ctx, const char *name);
void json_close(struct json *j); /* NULL is allowed */

enum json_type json_next(struct json *j);
/* Of the last key, string (unescaped, UTF-8) or number; valid until the next call. */
struct str json_text(const struct json *j);
/* The last number as an integer: -1 if it has a fraction, exponent or does not fit. */
int json_int(const struct json *j, int64_t *out);
/*
 * Skips the value that comes next (after JSON_KEY or within an array); when the last token was
 * JSON_OBJECT or JSON_ARRAY, the rest of that value.  -1 on error.  What lies inside a skipped
 * object or array is looked at for its strings and for the nesting of its brackets only.
 */
int json_skip(struct json *j);
/* Passes over the rest of the value whose first token was `type`. */
int json_skip_rest(struct json *j, enum json_type type);
/* How many objects and arrays enclose what comes next. */
int json_depth(const struct json *j);
/* Passes over all that is left of those that are deeper than that; -1 on error. */
int json_leave(struct json *j, int depth);
/* How many bytes of the text have been read up to and including the last token or skip. */
size_t json_offset(const struct json *j);
/* Sets e (ERR_INTEGRITY) to "NAME:LINE:COLUMN: reason", or to the read error; -1. */
int json_error(const struct json *j, struct err *e);
/* As json_error with the caller's reason, at the last token. */
int json_fail(const struct json *j, struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The token `type` is not what was expected ("a text"), which the reason says; or the reader's error. */
int json_unexpected(const struct json *j, enum json_type type, const char *what, struct err *e);
/* A string comes next: copied into the arena. */
int json_read_text(struct json *j, struct arena *a, struct str *out, struct err *e);

/*
 * The writer puts commas, indents and escapes; the caller keeps the nesting right (asserted).
 * indent 0: one line without spaces, as conda's "separators=(',', ':')".
 */
struct json_out {
	struct buf *to;
	int indent;
	int depth;
	bool need_comma, after_key;
};
void jw_object(struct json_out *w);
void jw_object_end(struct json_out *w);
void jw_array(struct json_out *w);
void jw_array_end(struct json_out *w);
void jw_key(struct json_out *w, const char *key);
void jw_key_str(struct json_out *w, struct str key);
void jw_str(struct json_out *w, struct str s);                   /* invalid UTF-8 becomes U+FFFD */
void jw_cstr(struct json_out *w, const char *s);                 /* NULL writes null */
void jw_strs(struct json_out *w, const struct str *v, size_t n); /* an array of them */
/* A key and its value. */
void jw_pair(struct json_out *w, const char *key, struct str s);
void jw_pair_or_null(struct json_out *w, const char *key, struct str s); /* an empty text is null */
void jw_pair_strs(struct json_out *w, const char *key, const struct str *v, size_t n);
void jw_pair_int(struct json_out *w, const char *key, int64_t v);
void jw_int(struct json_out *w, int64_t v);
void jw_bool(struct json_out *w, bool v);
void jw_null(struct json_out *w);
/* Seconds and the like: at most 3 decimals. */
void jw_double(struct json_out *w, double v);

#endif
