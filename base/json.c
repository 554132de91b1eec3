#include "base/json_reader.h"
#include "base/json_scan.h"

/* Passes over white space: the next byte, or -1 at the end of the text. */
static int next_byte(struct json *j)
{
	for (;;) {
		if (j->p < j->end && (unsigned char)*j->p > ' ')
			return (unsigned char)*j->p;
		j->p = json_scan_space(j->p, j->end);
		if (j->p < j->end)
			return (unsigned char)*j->p;
		if (!json_fill(j))
			return -1;
	}
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
		if (j->p < j->end || !json_fill(j))
			break;
	}
	j->text = str_n(j->keep, (size_t)(j->p - j->keep));
	j->keep = NULL;
	if (j->state == AT_ERROR)
		return JSON_ERROR;
	if (is_number(j->text))
		return JSON_NUMBER;
	j->p = j->text.p;
	return json_stop(j, "not a number");
}

static enum json_type read_word(struct json *j, struct str word, enum json_type type)
{
	if (!json_have(j, (ptrdiff_t)word.n) || memcmp(j->p, word.p, word.n) != 0)
		return json_stop(j, "unexpected character");
	j->p += word.n;
	return type;
}

/* --- structure -------------------------------------------------------------------------- */

int json_push(struct json *j, bool object)
{
	uint64_t bit;

	if (j->depth == JSON_MAX_DEPTH) {
		json_stop(j, "nested too deep");
		return -1;
	}
	bit = UINT64_C(1) << j->depth++;
	j->objects = object ? j->objects | bit : j->objects & ~bit;
	return 0;
}

static enum json_type open_container(struct json *j, bool object)
{
	if (json_push(j, object) < 0)
		return JSON_ERROR;
	j->p++;
	j->state = AT_FIRST;
	return object ? JSON_OBJECT : JSON_ARRAY;
}

static enum json_type close_container(struct json *j)
{
	bool object = json_in_object(j);

	j->depth--;
	j->p++;
	j->state = AT_COMMA;
	return object ? JSON_OBJECT_END : JSON_ARRAY_END;
}

static enum json_type scalar(struct json *j, int c)
{
	if (c == '"')
		return json_string(j) < 0 ? JSON_ERROR : JSON_STRING;
	if (c == '-' || is_digit((char)c))
		return read_number(j);
	if (c == 't')
		return read_word(j, STR("true"), JSON_TRUE);
	if (c == 'f')
		return read_word(j, STR("false"), JSON_FALSE);
	if (c == 'n')
		return read_word(j, STR("null"), JSON_NULL);
	if (c < 0)
		return json_stop(j, "the text ends where a value should be");
	return json_stop(j, "unexpected character");
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
		return json_stop(
			j, c < 0 ? "the text ends where a key should be" : "expected a key");
	if (json_string(j) < 0)
		return JSON_ERROR;
	j->state = AT_COLON;
	return JSON_KEY;
}

static enum json_type member_or_item(struct json *j, int c)
{
	return json_in_object(j) ? key(j, c) : value(j, c);
}

static enum json_type after_value(struct json *j, int c)
{
	if (j->depth == 0) {
		if (c >= 0)
			return json_stop(j, "text after the end of the document");
		j->state = AT_END;
		return JSON_END;
	}
	if (c == (json_in_object(j) ? '}' : ']')) {
		j->token = j->p;
		return close_container(j);
	}
	if (c != ',')
		return json_stop(j, c < 0               ? "the text ends within an object or array"
				    : json_in_object(j) ? "expected ',' or '}'"
							: "expected ',' or ']'");
	j->p++;
	return member_or_item(j, next_byte(j));
}

static enum json_type after_colon(struct json *j, int c)
{
	if (c != ':')
		return json_stop(j, "expected ':'");
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
		if (c == (json_in_object(j) ? '}' : ']')) {
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
