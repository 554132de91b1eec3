#include "base/json_reader.h"
#include "base/json_scan.h"

#include <stdarg.h>
#include <stdlib.h>

enum { WINDOW = 64 << 10 };

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

enum json_type json_stop(struct json *j, const char *why)
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

bool json_fill(struct json *j)
{
	ptrdiff_t got;

	if (j->eof)
		return false;
	if (j->keep && j->end - j->keep > JSON_MAX_STRING) {
		json_stop(j, "string or number too long");
		return false;
	}
	slide(j);
	got = j->read(j->ctx, j->window + (j->end - j->start), j->cap - (size_t)(j->end - j->start),
		&j->read_err);
	if (got < 0)
		json_stop(j, NULL);
	if (got <= 0) {
		j->eof = true;
		return false;
	}
	j->end += got;
	return true;
}

bool json_have(struct json *j, ptrdiff_t n)
{
	while (j->end - j->p < n)
		if (!json_fill(j))
			return false;
	return true;
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

int json_unexpected(const struct json *j, enum json_type type, const char *what, struct err *e)
{
	return type == JSON_ERROR ? json_error(j, e) : json_fail(j, e, "%s was expected", what);
}

int json_read_text(struct json *j, struct arena *a, struct str *out, struct err *e)
{
	enum json_type type = json_next(j);

	if (type != JSON_STRING)
		return json_unexpected(j, type, "a text", e);
	*out = arena_str(a, json_text(j));
	return 0;
}
