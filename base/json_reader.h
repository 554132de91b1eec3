/*
 * The JSON reader's inside, private to base/json*.c: json_window.c moves the text past it,
 * json_string.c reads strings, json.c tokens, json_skip.c passes over values.
 */
#ifndef BASE_JSON_READER_H
#define BASE_JSON_READER_H

#include "base/json.h"

/* What may come next. */
enum state {
	AT_START, /* the top value */
	AT_FIRST, /* the first member or item, or the end of an empty one */
	AT_COLON, /* after a key */
	AT_COMMA, /* after a value: a comma, the end of the container or, on top, of the text */
	AT_END,
	AT_ERROR,
};

struct position {
	uint64_t line, column; /* from 1; the column counts bytes */
};

/*
 * The reader sees a window [start, end) of the text and stands at p.  With a callback the window
 * moves on: bytes before `keep` (p, where it is NULL) are given up when more are wanted.
 */
struct json {
	const char *start, *end, *p;
	const char *keep;  /* the part of a token in work that must stay in the window */
	const char *token; /* where the last token began; NULL: token_at has it already */
	struct position start_at, token_at;
	size_t start_offset; /* bytes of the text before the window */
	char *name;
	json_read *read; /* NULL: the window is the whole text */
	void *ctx;
	char *window;
	size_t cap;
	bool eof;

	enum state state;
	enum json_type last;
	int depth;
	uint64_t objects; /* bit d: the container at depth d + 1 is an object */
	struct str text;
	struct buf unescaped;
	const char *why; /* in AT_ERROR; NULL: read_err */
	struct err read_err;
};

/* Enters AT_ERROR; only the first reason counts, NULL stands for read_err. Returns JSON_ERROR. */
enum json_type json_stop(struct json *j, const char *why);
/* Reads on; false at the end of the text and on an error, which is then set. */
bool json_fill(struct json *j);
/* Are n bytes (a handful) at p, reading on if need be? */
bool json_have(struct json *j, ptrdiff_t n);
/*
 * Reads a string into j->text; p stands at the opening quote.  Without escapes the text is a slice
 * of the window.
 */
int json_string(struct json *j);
/* Enters an object or array; -1 where that is too deep. */
int json_push(struct json *j, bool object);

static inline bool json_in_object(const struct json *j)
{
	return j->depth > 0 && (j->objects >> (j->depth - 1) & 1);
}

#endif
