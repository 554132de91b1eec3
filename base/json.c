#include "base/json.h"

#include "base/json_scan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { WINDOW = 64 << 10 };

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

/* --- window ----------------------------------------------------------------------------- */

static struct json *reader_new(const char *name)
{
	struct json *j = xcalloc(1, sizeof *j);

	j->name = xstrdup(name);
	j->start_at = j->token_at = (struct position){1, 1};
	return j;
}

struct json *json_open_text(struct str text, const char *name)
{
	struct json *j = reader_new(name);

	j->start = j->p = text.n ? text.p : "";
	j->end = j->start + text.n;
	j->eof = true;
	return j;
}

struct json *json_open(json_read *read, void *ctx, const char *name)
{
	struct json *j = reader_new(name);

	j->read = read;
	j->ctx = ctx;
	j->cap = WINDOW;
	j->window = xmalloc(j->cap);
	j->start = j->p = j->end = j->window;
	return j;
}

void json_close(struct json *j)
{
	if (!j)
		return;
	err_release(&j->read_err);
	buf_release(&j->unescaped);
	free(j->window);
	free(j->name);
	free(j);
}

static struct position position_of(const struct json *j, const char *p)
{
	struct position at = j->start_at;
	const char *newline = memrchr(j->start, '\n', (size_t)(p - j->start));

	at.line += json_count_lines(j->start, p);
	if (newline)
		at.column = (uint64_t)(p - newline);
	else
		at.column += (uint64_t)(p - j->start);
	return at;
}

static enum json_type fail(struct json *j, const char *why)
{
	if (j->state != AT_ERROR) {
		j->state = AT_ERROR;
		j->why = why;
	}
	j->last = JSON_ERROR;
	return JSON_ERROR;
}

/* Gives up what stands before the kept bytes and makes room behind them. */
static void slide(struct json *j)
{
	const char *keep = j->keep ? j->keep : j->p;
	size_t kept = (size_t)(j->end - keep), at = (size_t)(j->p - keep);

	if (j->token)
		j->token_at = position_of(j, j->token);
	j->token = NULL;
	j->start_at = position_of(j, keep);
	j->start_offset += (size_t)(keep - j->start);
	memmove(j->window, keep, kept);
	if (kept > j->cap / 2) {
		j->cap *= 2;
		j->window = xrealloc(j->window, j->cap);
	}
	j->start = j->window;
	j->end = j->start + kept;
	j->p = j->start + at;
	if (j->keep)
		j->keep = j->start;
}

/* Reads on; false at the end of the text and on an error, which is then set. */
static bool fill(struct json *j)
{
	ptrdiff_t got;

	if (j->eof)
		return false;
	if (j->keep && j->end - j->keep > JSON_MAX_STRING) {
		fail(j, "string or number too long");
		return false;
	}
	slide(j);
	got = j->read(j->ctx, j->window + (j->end - j->start), j->cap - (size_t)(j->end - j->start),
		&j->read_err);
	if (got < 0)
		fail(j, NULL);
	if (got <= 0) {
		j->eof = true;
		return false;
	}
	j->end += got;
	return true;
}

/* Are n bytes (a handful) at p, reading on if need be? */
static bool have(struct json *j, ptrdiff_t n)
{
	while (j->end - j->p < n)
		if (!fill(j))
			return false;
	return true;
}

/* Passes over white space: the next byte, or -1 at the end of the text. */
static int next_byte(struct json *j)
{
	for (;;) {
		if (j->p < j->end && (unsigned char)*j->p > ' ')
			return (unsigned char)*j->p;
		j->p = json_scan_space(j->p, j->end);
		if (j->p < j->end)
			return (unsigned char)*j->p;
		if (!fill(j))
			return -1;
	}
}

/* --- strings ---------------------------------------------------------------------------- */

/* The value of four hex digits, or -1. */
static int32_t hex4(const char *p)
{
	int32_t v = 0;

	for (int i = 0; i < 4; i++) {
		char c = p[i];
		int digit;

		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			digit = (c | 0x20) - 'a' + 10;
		else
			return -1;
		v = v << 4 | digit;
	}
	return v;
}

static void add_utf8(struct buf *b, uint32_t c)
{
	if (c < 0x80) {
		buf_putc(b, (char)c);
		return;
	}
	if (c < 0x800) {
		buf_putc(b, (char)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			buf_putc(b, (char)(0xe0 | c >> 12));
		} else {
			buf_putc(b, (char)(0xf0 | c >> 18));
			buf_putc(b, (char)(0x80 | (c >> 12 & 0x3f)));
		}
		buf_putc(b, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	buf_putc(b, (char)(0x80 | (c & 0x3f)));
}

static bool is_high(int32_t c)
{
	return c >= 0xd800 && c < 0xdc00;
}

static bool is_low(int32_t c)
{
	return c >= 0xdc00 && c < 0xe000;
}

/* p stands at the 'u' of \uXXXX; half a pair alone becomes U+FFFD, as Python's replacement. */
static int unescape_u(struct json *j)
{
	int32_t c = have(j, 5) ? hex4(j->p + 1) : -1, second;

	if (c < 0) {
		fail(j, "\\u needs four hexadecimal digits");
		return -1;
	}
	j->p += 5;
	if (is_high(c) && have(j, 6) && j->p[0] == '\\' && j->p[1] == 'u' &&
		is_low(second = hex4(j->p + 2))) {
		j->p += 6;
		c = 0x10000 + ((c - 0xd800) << 10) + (second - 0xdc00);
	}
	if (j->state == AT_ERROR)
		return -1;
	add_utf8(&j->unescaped, is_high(c) || is_low(c) ? 0xfffd : (uint32_t)c);
	return 0;
}

/* p stands behind the backslash. */
static int unescape(struct json *j)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *hit;

	if (!have(j, 1)) {
		fail(j, "the text ends within a string");
		return -1;
	}
	if (*j->p == 'u')
		return unescape_u(j);
	hit = *j->p ? strchr(from, *j->p) : NULL;
	if (!hit) {
		fail(j, "unknown escape");
		return -1;
	}
	buf_putc(&j->unescaped, to[hit - from]);
	j->p++;
	return 0;
}

/* Passes over one character that is not ASCII. */
static int pass_utf8(struct json *j)
{
	size_t n;

	if (!have(j, 4) && j->state == AT_ERROR)
		return -1;
	n = utf8_sequence(str_n(j->p, (size_t)(j->end - j->p)));
	if (n == 0) {
		fail(j, "invalid UTF-8");
		return -1;
	}
	j->p += n;
	return 0;
}

/* The run of bytes that was kept goes to the unescaped text, with its escape. */
static int take_escape(struct json *j)
{
	int rc;

	buf_add(&j->unescaped, j->keep, (size_t)(j->p - j->keep));
	j->keep = NULL;
	j->p++;
	rc = unescape(j);
	j->keep = j->p;
	if (rc == 0 && j->unescaped.n > JSON_MAX_STRING) {
		fail(j, "string or number too long");
		return -1;
	}
	return rc;
}

/* p stands at the opening quote.  Without escapes the text is a slice of the window. */
static int read_string(struct json *j)
{
	bool escapes = false;
	int rc = 0;

	buf_clear(&j->unescaped);
	j->keep = ++j->p;
	while (rc == 0) {
		j->p = json_scan_plain(j->p, j->end);
		if (j->p == j->end) {
			if (!fill(j)) {
				fail(j, "the text ends within a string");
				rc = -1;
			}
		} else if (*j->p == '"') {
			break;
		} else if (*j->p == '\\') {
			escapes = true;
			rc = take_escape(j);
		} else if ((unsigned char)*j->p >= 0x80) {
			rc = pass_utf8(j);
		} else {
			fail(j, "control character in a string");
			rc = -1;
		}
	}
	if (rc == 0) {
		j->text = str_n(j->keep, (size_t)(j->p - j->keep));
		if (escapes) {
			buf_str(&j->unescaped, j->text);
			j->text = buf_view(&j->unescaped);
		}
		if (j->text.n > JSON_MAX_STRING) {
			fail(j, "string or number too long");
			rc = -1;
		}
		j->p++;
	}
	j->keep = NULL;
	return rc;
}

/* --- numbers and words ------------------------------------------------------------------ */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t digits(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && is_digit(p[i]))
		i++;
	return i;
}

/* RFC 8259, section 6: number = [ minus ] int [ frac ] [ exp ]. */
static bool is_number(struct str s)
{
	const char *p = s.p, *end = s.p + s.n;
	size_t n;

	if (p < end && *p == '-')
		p++;
	n = digits(p, (size_t)(end - p));
	if (n == 0 || (n > 1 && *p == '0'))
		return false;
	p += n;
	if (p < end && *p == '.') {
		n = digits(p + 1, (size_t)(end - p - 1));
		if (n == 0)
			return false;
		p += 1 + n;
	}
	if (p < end && (*p | 0x20) == 'e') {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		n = digits(p, (size_t)(end - p));
		if (n == 0)
			return false;
		p += n;
	}
	return p == end;
}

static enum json_type read_number(struct json *j)
{
	j->keep = j->p;
	for (;;) {
		while (j->p < j->end && (is_digit(*j->p) || *j->p == '-' || *j->p == '+' ||
						*j->p == '.' || (*j->p | 0x20) == 'e'))
			j->p++;
		if (j->p < j->end || !fill(j))
			break;
	}
	j->text = str_n(j->keep, (size_t)(j->p - j->keep));
	j->keep = NULL;
	if (j->state == AT_ERROR)
		return JSON_ERROR;
	if (is_number(j->text))
		return JSON_NUMBER;
	j->p = j->text.p;
	return fail(j, "not a number");
}

static enum json_type read_word(struct json *j, struct str word, enum json_type type)
{
	if (!have(j, (ptrdiff_t)word.n) || memcmp(j->p, word.p, word.n) != 0)
		return fail(j, "unexpected character");
	j->p += word.n;
	return type;
}

/* --- structure -------------------------------------------------------------------------- */

static bool in_object(const struct json *j)
{
	return j->depth > 0 && (j->objects >> (j->depth - 1) & 1);
}

static int push(struct json *j, bool object)
{
	uint64_t bit;

	if (j->depth == JSON_MAX_DEPTH) {
		fail(j, "nested too deep");
		return -1;
	}
	bit = UINT64_C(1) << j->depth++;
	j->objects = object ? j->objects | bit : j->objects & ~bit;
	return 0;
}

static enum json_type open_container(struct json *j, bool object)
{
	if (push(j, object) < 0)
		return JSON_ERROR;
	j->p++;
	j->state = AT_FIRST;
	return object ? JSON_OBJECT : JSON_ARRAY;
}

static enum json_type close_container(struct json *j)
{
	bool object = in_object(j);

	j->depth--;
	j->p++;
	j->state = AT_COMMA;
	return object ? JSON_OBJECT_END : JSON_ARRAY_END;
}

static enum json_type scalar(struct json *j, int c)
{
	if (c == '"')
		return read_string(j) < 0 ? JSON_ERROR : JSON_STRING;
	if (c == '-' || is_digit((char)c))
		return read_number(j);
	if (c == 't')
		return read_word(j, STR("true"), JSON_TRUE);
	if (c == 'f')
		return read_word(j, STR("false"), JSON_FALSE);
	if (c == 'n')
		return read_word(j, STR("null"), JSON_NULL);
	if (c < 0)
		return fail(j, "the text ends where a value should be");
	return fail(j, "unexpected character");
}

static enum json_type value(struct json *j, int c)
{
	enum json_type type;

	j->token = j->p;
	if (c == '{' || c == '[')
		return open_container(j, c == '{');
	type = scalar(j, c);
	if (type != JSON_ERROR)
		j->state = AT_COMMA;
	return type;
}

static enum json_type key(struct json *j, int c)
{
	j->token = j->p;
	if (c != '"')
		return fail(j, c < 0 ? "the text ends where a key should be" : "expected a key");
	if (read_string(j) < 0)
		return JSON_ERROR;
	j->state = AT_COLON;
	return JSON_KEY;
}

static enum json_type member_or_item(struct json *j, int c)
{
	return in_object(j) ? key(j, c) : value(j, c);
}

static enum json_type after_value(struct json *j, int c)
{
	if (j->depth == 0) {
		if (c >= 0)
			return fail(j, "text after the end of the document");
		j->state = AT_END;
		return JSON_END;
	}
	if (c == (in_object(j) ? '}' : ']')) {
		j->token = j->p;
		return close_container(j);
	}
	if (c != ',')
		return fail(j, c < 0          ? "the text ends within an object or array"
			       : in_object(j) ? "expected ',' or '}'"
					      : "expected ',' or ']'");
	j->p++;
	return member_or_item(j, next_byte(j));
}

static enum json_type after_colon(struct json *j, int c)
{
	if (c != ':')
		return fail(j, "expected ':'");
	j->p++;
	return value(j, next_byte(j));
}

static enum json_type step(struct json *j)
{
	int c;

	if (j->state == AT_ERROR)
		return JSON_ERROR;
	if (j->state == AT_END)
		return JSON_END;
	c = next_byte(j);
	switch (j->state) {
	case AT_START:
		return value(j, c);
	case AT_FIRST:
		if (c == (in_object(j) ? '}' : ']')) {
			j->token = j->p;
			return close_container(j);
		}
		return member_or_item(j, c);
	case AT_COLON:
		return after_colon(j, c);
	case AT_COMMA:
		return after_value(j, c);
	case AT_END:
	case AT_ERROR:
		break;
	}
	return JSON_ERROR;
}

enum json_type json_next(struct json *j)
{
	j->last = step(j);
	return j->last;
}

struct str json_text(const struct json *j)
{
	return j->text;
}

int json_int(const struct json *j, int64_t *out)
{
	struct str s = j->text;
	bool negative = s.n && s.p[0] == '-';
	uint64_t v;

	if (j->last != JSON_NUMBER)
		return -1;
	if (negative)
		s = str_sub(s, 1, s.n);
	if (str_u64(s, (uint64_t)INT64_MAX + (negative ? 1 : 0), &v) < 0)
		return -1;
	*out = negative ? (int64_t)(0 - v) : (int64_t)v;
	return 0;
}

/* --- skipping --------------------------------------------------------------------------- */

struct skip {
	int until;          /* the depth to come back to */
	uint64_t in_string; /* all ones or none: does the next block begin within a string? */
	uint64_t escaped;   /* 1: the next block's first byte is escaped */
};

/*
 * Bytes behind a backslash that counts.  Backslashes are rare, so they are taken one at a time;
 * an escaped one escapes nothing.
 */
static uint64_t escaped_bytes(uint64_t backslashes, uint64_t *carry)
{
	uint64_t escaped = *carry;

	*carry = 0;
	backslashes &= ~escaped;
	while (backslashes) {
		uint64_t lowest = backslashes & -backslashes;

		if (lowest >> 63)
			*carry = 1;
		escaped |= lowest << 1;
		backslashes &= ~lowest & ~(lowest << 1);
	}
	return escaped;
}

/* Bit i is the parity of bits 0..i: from quotes to what they enclose (opening quote included). */
static uint64_t parity_from_below(uint64_t m)
{
	for (int shift = 1; shift < 64; shift *= 2)
		m ^= m << shift;
	return m;
}

/* Follows one bracket outside strings: 1 when the value ends with it, -1 on an error. */
static int follow(struct json *j, const struct skip *s, char c)
{
	if (c == '{' || c == '[')
		return push(j, c == '{');
	if (c == '\\') {
		fail(j, "unexpected character");
		return -1;
	}
	if (c != (in_object(j) ? '}' : ']')) {
		fail(j, "brackets do not match");
		return -1;
	}
	return --j->depth == s->until;
}

/*
 * Looks at 64 bytes, as in Langdale and Lemire, "Parsing Gigabytes of JSON per Second" (2019):
 * quotes give the strings, and only what stands outside them is looked at singly.  The number of
 * bytes up to and with the bracket that ends the value, 0 if it goes on, -1 on an error.
 */
static int skip_block(struct json *j, struct skip *s, const char *block)
{
	struct json_masks m = json_masks_of(block);
	uint64_t inside, found;

	if (m.backslashes | s->escaped)
		m.quotes &= ~escaped_bytes(m.backslashes, &s->escaped);
	inside = parity_from_below(m.quotes) ^ s->in_string;
	s->in_string = inside >> 63 ? ~UINT64_C(0) : 0;
	for (found = (m.brackets | m.backslashes) & ~inside; found; found &= found - 1) {
		int i = __builtin_ctzll(found), rc = follow(j, s, block[i]);

		if (rc < 0)
			j->p += i;
		if (rc != 0)
			return rc < 0 ? -1 : i + 1;
	}
	return 0;
}

/* From anywhere within a container of depth `until` + 1 to behind its end. */
static int skip_to_depth(struct json *j, int until)
{
	struct skip s = {.until = until};
	char last[JSON_BLOCK];
	int rc = 0;

	while (rc == 0 && (j->end - j->p >= JSON_BLOCK || fill(j))) {
		if (j->end - j->p < JSON_BLOCK)
			continue;
		rc = skip_block(j, &s, j->p);
		if (rc == 0)
			j->p += JSON_BLOCK;
	}
	if (rc == 0 && j->state != AT_ERROR) {
		memset(last, ' ', sizeof last);
		memcpy(last, j->p, (size_t)(j->end - j->p));
		rc = skip_block(j, &s, last);
		if (rc == 0) {
			j->p = j->end;
			fail(j, "the text ends within an object or array");
		}
	}
	if (j->state == AT_ERROR)
		return -1;
	j->p += rc;
	j->state = AT_COMMA;
	return 0;
}

int json_skip_rest(struct json *j, enum json_type type)
{
	if (type == JSON_ERROR || j->state == AT_ERROR)
		return -1;
	if (type != JSON_OBJECT && type != JSON_ARRAY)
		return 0;
	if (skip_to_depth(j, j->depth - 1) < 0) {
		j->last = JSON_ERROR;
		return -1;
	}
	j->last = type == JSON_OBJECT ? JSON_OBJECT_END : JSON_ARRAY_END;
	return 0;
}

int json_skip(struct json *j)
{
	enum json_type type = j->last;

	if (type != JSON_OBJECT && type != JSON_ARRAY)
		type = json_next(j);
	if (type == JSON_OBJECT_END || type == JSON_ARRAY_END || type == JSON_END)
		fail(j, "there is no value to pass over");
	return json_skip_rest(j, type);
}

size_t json_offset(const struct json *j)
{
	return j->start_offset + (size_t)(j->p - j->start);
}

/* --- errors ----------------------------------------------------------------------------- */

int json_error(const struct json *j, struct err *e)
{
	struct position at = position_of(j, j->p);

	if (j->state == AT_ERROR && !j->why) {
		err_set(e, j->read_err.code, "%s",
			j->read_err.text ? j->read_err.text : "cannot read");
		if (j->read_err.advice)
			err_advise(e, "%s", j->read_err.advice);
		return -1;
	}
	return err_set(e, ERR_INTEGRITY, "%s:%ju:%ju: %s", j->name, (uintmax_t)at.line,
		(uintmax_t)at.column, j->state == AT_ERROR ? j->why : "unexpected value");
}

int json_fail(const struct json *j, struct err *e, const char *fmt, ...)
{
	struct position at = j->token ? position_of(j, j->token) : j->token_at;
	va_list ap;

	va_start(ap, fmt);
	err_vset(e, ERR_INTEGRITY, fmt, ap);
	va_end(ap);
	return err_wrap(e, "%s:%ju:%ju", j->name, (uintmax_t)at.line, (uintmax_t)at.column);
}
