#include "base/json.h"

#include <assert.h>
#include <stdio.h>

static void new_line(struct json_out *w)
{
	if (w->indent <= 0)
		return;
	buf_putc(w->to, '\n');
	for (int i = 0; i < w->indent * w->depth; i++)
		buf_putc(w->to, ' ');
}

/* Before a key, or before a value that has none. */
static void separate(struct json_out *w)
{
	if (w->after_key) {
		w->after_key = false;
		return;
	}
	if (w->need_comma)
		buf_putc(w->to, ',');
	if (w->depth > 0)
		new_line(w);
}

static void open_container(struct json_out *w, char bracket)
{
	separate(w);
	buf_putc(w->to, bracket);
	w->depth++;
	w->need_comma = false;
}

static void close_container(struct json_out *w, char bracket)
{
	assert(w->depth > 0 && !w->after_key);
	w->depth--;
	if (w->need_comma)
		new_line(w);
	buf_putc(w->to, bracket);
	w->need_comma = true;
}

static void word(struct json_out *w, const char *s)
{
	separate(w);
	buf_puts(w->to, s);
	w->need_comma = true;
}

static void escape(struct buf *to, unsigned char c)
{
	static const char from[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	const char *hit = c ? strchr(from, c) : NULL;

	if (hit)
		buf_printf(to, "\\%c", letters[hit - from]);
	else
		buf_printf(to, "\\u%04x", c);
}

static void quote(struct buf *to, struct str s)
{
	size_t from = 0, i = 0, n;

	buf_putc(to, '"');
	while (i < s.n) {
		unsigned char c = (unsigned char)s.p[i];

		n = utf8_sequence(str_sub(s, i, s.n));
		if (n && c >= ' ' && c != '"' && c != '\\') {
			i += n;
			continue;
		}
		buf_str(to, str_sub(s, from, i));
		if (n)
			escape(to, c);
		else
			buf_puts(to, "\xef\xbf\xbd");
		from = ++i;
	}
	buf_str(to, str_sub(s, from, s.n));
	buf_putc(to, '"');
}

void jw_object(struct json_out *w)
{
	open_container(w, '{');
}

void jw_object_end(struct json_out *w)
{
	close_container(w, '}');
}

void jw_array(struct json_out *w)
{
	open_container(w, '[');
}

void jw_array_end(struct json_out *w)
{
	close_container(w, ']');
}

void jw_key_str(struct json_out *w, struct str key)
{
	assert(w->depth > 0 && !w->after_key);
	separate(w);
	quote(w->to, key);
	buf_puts(w->to, w->indent > 0 ? ": " : ":");
	w->after_key = true;
}

void jw_key(struct json_out *w, const char *key)
{
	jw_key_str(w, str_of(key));
}

void jw_str(struct json_out *w, struct str s)
{
	separate(w);
	quote(w->to, s);
	w->need_comma = true;
}

void jw_cstr(struct json_out *w, const char *s)
{
	if (s)
		jw_str(w, str_of(s));
	else
		jw_null(w);
}

void jw_pair(struct json_out *w, const char *key, struct str s)
{
	jw_key(w, key);
	jw_str(w, s);
}

void jw_pair_or_null(struct json_out *w, const char *key, struct str s)
{
	jw_key(w, key);
	if (s.n)
		jw_str(w, s);
	else
		jw_null(w);
}

void jw_strs(struct json_out *w, const struct str *v, size_t n)
{
	jw_array(w);
	for (size_t i = 0; i < n; i++)
		jw_str(w, v[i]);
	jw_array_end(w);
}

void jw_pair_strs(struct json_out *w, const char *key, const struct str *v, size_t n)
{
	jw_key(w, key);
	jw_strs(w, v, n);
}

void jw_pair_int(struct json_out *w, const char *key, int64_t v)
{
	jw_key(w, key);
	jw_int(w, v);
}

void jw_int(struct json_out *w, int64_t v)
{
	char text[32];

	snprintf(text, sizeof text, "%jd", (intmax_t)v);
	word(w, text);
}

void jw_bool(struct json_out *w, bool v)
{
	word(w, v ? "true" : "false");
}

void jw_null(struct json_out *w)
{
	word(w, "null");
}

/* In whole thousandths, because printf's decimal point depends on the locale. */
void jw_double(struct json_out *w, double v)
{
	char text[48];
	int64_t thousandths;
	size_t n;

	if (!(v > -1e15 && v < 1e15)) {
		jw_null(w);
		return;
	}
	thousandths = (int64_t)(v < 0 ? v * 1000 - 0.5 : v * 1000 + 0.5);
	n = (size_t)snprintf(text, sizeof text, "%s%jd.%03jd", thousandths < 0 ? "-" : "",
		(intmax_t)(thousandths < 0 ? -thousandths : thousandths) / 1000,
		(intmax_t)(thousandths < 0 ? -thousandths : thousandths) % 1000);
	while (text[n - 1] == '0')
		n--;
	if (text[n - 1] == '.')
		n--;
	text[n] = '\0';
	word(w, text);
}
