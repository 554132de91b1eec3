#include "base/json_reader.h"
#include "base/json_scan.h"

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
	int32_t c = json_have(j, 5) ? hex4(j->p + 1) : -1, second;

	if (c < 0) {
		json_stop(j, "\\u needs four hexadecimal digits");
		return -1;
	}
	j->p += 5;
	if (is_high(c) && json_have(j, 6) && j->p[0] == '\\' && j->p[1] == 'u' &&
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

	if (!json_have(j, 1)) {
		json_stop(j, "the text ends within a string");
		return -1;
	}
	if (*j->p == 'u')
		return unescape_u(j);
	hit = *j->p ? strchr(from, *j->p) : NULL;
	if (!hit) {
		json_stop(j, "unknown escape");
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

	if (!json_have(j, 4) && j->state == AT_ERROR)
		return -1;
	n = utf8_sequence(str_n(j->p, (size_t)(j->end - j->p)));
	if (n == 0) {
		json_stop(j, "invalid UTF-8");
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
		json_stop(j, "string or number too long");
		return -1;
	}
	return rc;
}

int json_string(struct json *j)
{
	bool escapes = false;
	int rc = 0;

	buf_clear(&j->unescaped);
	j->keep = ++j->p;
	while (rc == 0) {
		j->p = json_scan_plain(j->p, j->end);
		if (j->p == j->end) {
			if (!json_fill(j)) {
				json_stop(j, "the text ends within a string");
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
			json_stop(j, "control character in a string");
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
			json_stop(j, "string or number too long");
			rc = -1;
		}
		j->p++;
	}
	j->keep = NULL;
	return rc;
}
