#include "base/json_reader.h"
#include "base/json_scan.h"

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
		return json_push(j, c == '{');
	if (c == '\\') {
		json_stop(j, "unexpected character");
		return -1;
	}
	if (c != (json_in_object(j) ? '}' : ']')) {
		json_stop(j, "brackets do not match");
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

	while (rc == 0 && (j->end - j->p >= JSON_BLOCK || json_fill(j))) {
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
			json_stop(j, "the text ends within an object or array");
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
		json_stop(j, "there is no value to pass over");
	return json_skip_rest(j, type);
}

int json_depth(const struct json *j)
{
	return j->depth;
}

int json_leave(struct json *j, int depth)
{
	if (j->state == AT_ERROR)
		return -1;
	if (j->depth <= depth)
		return 0;
	return skip_to_depth(j, depth);
}
