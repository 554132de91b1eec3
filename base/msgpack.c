#include "base/msgpack.h"

/* --- reading ------------------------------------------------------------------------------ */

void msgpack_open(struct msgpack *m, struct str bytes, const char *name)
{
	const uint8_t *p = (const uint8_t *)(bytes.n ? bytes.p : "");

	*m = (struct msgpack){.start = p, .p = p, .value = p, .end = p + bytes.n, .name = name};
}

static enum msgpack_type stop(struct msgpack *m, const char *why)
{
	if (!m->why)
		m->why = why;
	m->p = m->end;
	return MSGPACK_ERROR;
}

/* The next n (1, 2, 4 or 8) bytes as a number, the highest first. */
static bool take_number(struct msgpack *m, unsigned n, uint64_t *out)
{
	uint64_t v = 0;

	if ((size_t)(m->end - m->p) < n) {
		stop(m, "the text ends within a number");
		return false;
	}
	for (unsigned i = 0; i < n; i++)
		v = v << 8 | *m->p++;
	*out = v;
	return true;
}

static enum msgpack_type number(
	struct msgpack *m, unsigned n, bool is_signed, struct msgpack_value *v)
{
	unsigned shift = 64 - 8 * n;

	if (!take_number(m, n, &v->number))
		return MSGPACK_ERROR;
	if (!is_signed || v->number >> (8 * n - 1) == 0)
		return MSGPACK_UINT;
	v->number = (uint64_t)((int64_t)(v->number << shift) >> shift);
	return MSGPACK_INT;
}

static enum msgpack_type real(struct msgpack *m, unsigned n, struct msgpack_value *v)
{
	uint64_t bits;
	uint32_t half;
	float f;

	if (!take_number(m, n, &bits))
		return MSGPACK_ERROR;
	if (n == 8) {
		memcpy(&v->real, &bits, sizeof v->real);
		return MSGPACK_FLOAT;
	}
	half = (uint32_t)bits;
	memcpy(&f, &half, sizeof f);
	v->real = (double)f;
	return MSGPACK_FLOAT;
}

static enum msgpack_type bytes(
	struct msgpack *m, enum msgpack_type type, uint64_t n, struct msgpack_value *v)
{
	if (n > (uint64_t)(m->end - m->p))
		return stop(m, "it is longer than the text");
	v->text = str_n((const char *)m->p, (size_t)n);
	m->p += n;
	if (type == MSGPACK_STR && !str_is_utf8(v->text))
		return stop(m, "a text that is no UTF-8");
	return type;
}

/* Each value takes a byte at least. */
static enum msgpack_type entries(
	struct msgpack *m, enum msgpack_type type, uint64_t n, struct msgpack_value *v)
{
	if (n > (uint64_t)(m->end - m->p) / (type == MSGPACK_MAP ? 2 : 1))
		return stop(m, "it has more entries than the text has bytes");
	v->n = n;
	return type;
}

static enum msgpack_type ext(struct msgpack *m, uint64_t n, struct msgpack_value *v)
{
	uint64_t type;

	if (!take_number(m, 1, &type))
		return MSGPACK_ERROR;
	v->ext = (int8_t)(uint8_t)type;
	return bytes(m, MSGPACK_EXT, n, v);
}

/* A length of `width` bytes, then what it is the length of. */
static enum msgpack_type sized(
	struct msgpack *m, enum msgpack_type type, unsigned width, struct msgpack_value *v)
{
	uint64_t n;

	if (!take_number(m, width, &n))
		return MSGPACK_ERROR;
	if (type == MSGPACK_EXT)
		return ext(m, n, v);
	if (type == MSGPACK_ARRAY || type == MSGPACK_MAP)
		return entries(m, type, n, v);
	return bytes(m, type, n, v);
}

/* The formats whose first byte says all of the type, 0xc0 to 0xdf. */
static enum msgpack_type by_format(struct msgpack *m, uint8_t c, struct msgpack_value *v)
{
	switch (c) {
	case 0xc0:
		return MSGPACK_NIL;
	case 0xc2:
		return MSGPACK_FALSE;
	case 0xc3:
		return MSGPACK_TRUE;
	case 0xc4:
	case 0xc5:
	case 0xc6:
		return sized(m, MSGPACK_BIN, 1U << (c - 0xc4), v);
	case 0xc7:
	case 0xc8:
	case 0xc9:
		return sized(m, MSGPACK_EXT, 1U << (c - 0xc7), v);
	case 0xca:
	case 0xcb:
		return real(m, 4U << (c - 0xca), v);
	case 0xcc:
	case 0xcd:
	case 0xce:
	case 0xcf:
		return number(m, 1U << (c - 0xcc), false, v);
	case 0xd0:
	case 0xd1:
	case 0xd2:
	case 0xd3:
		return number(m, 1U << (c - 0xd0), true, v);
	case 0xd4:
	case 0xd5:
	case 0xd6:
	case 0xd7:
	case 0xd8:
		return ext(m, UINT64_C(1) << (c - 0xd4), v);
	case 0xd9:
	case 0xda:
	case 0xdb:
		return sized(m, MSGPACK_STR, 1U << (c - 0xd9), v);
	case 0xdc:
	case 0xdd:
		return sized(m, MSGPACK_ARRAY, 2U << (c - 0xdc), v);
	case 0xde:
	case 0xdf:
		return sized(m, MSGPACK_MAP, 2U << (c - 0xde), v);
	default: /* a byte, no enum */
		return stop(m, "0xc1 begins no value");
	}
}

static enum msgpack_type read_value(struct msgpack *m, struct msgpack_value *v)
{
	uint8_t c;

	if (m->why)
		return MSGPACK_ERROR;
	m->value = m->p;
	if (m->p == m->end)
		return stop(m, "the text ends where a value should be");
	c = *m->p++;
	if (c >= 0xe0) {
		v->number = (uint64_t)(int64_t)(int8_t)c;
		return MSGPACK_INT;
	}
	if (c >= 0xc0)
		return by_format(m, c, v);
	if (c >= 0xa0)
		return bytes(m, MSGPACK_STR, c & 0x1f, v);
	if (c >= 0x90)
		return entries(m, MSGPACK_ARRAY, c & 0x0f, v);
	if (c >= 0x80)
		return entries(m, MSGPACK_MAP, c & 0x0f, v);
	v->number = c;
	return MSGPACK_UINT;
}

enum msgpack_type msgpack_next(struct msgpack *m, struct msgpack_value *v)
{
	return v->type = read_value(m, v);
}

static uint64_t entries_of(const struct msgpack_value *v)
{
	return v->type == MSGPACK_MAP ? 2 * v->n : v->type == MSGPACK_ARRAY ? v->n : 0;
}

int msgpack_skip_rest(struct msgpack *m, const struct msgpack_value *v)
{
	uint64_t left[MSGPACK_MAX_DEPTH];
	struct msgpack_value inner;
	size_t depth = 0;

	if (v->type == MSGPACK_ERROR)
		return -1;
	left[0] = entries_of(v);
	for (;;) {
		if (left[depth] == 0) {
			if (depth == 0)
				return 0;
			depth--;
			continue;
		}
		left[depth]--;
		if (msgpack_next(m, &inner) == MSGPACK_ERROR)
			return -1;
		if (entries_of(&inner) == 0)
			continue;
		if (++depth == MSGPACK_MAX_DEPTH) {
			stop(m, "nested too deep");
			return -1;
		}
		left[depth] = entries_of(&inner);
	}
}

int msgpack_skip(struct msgpack *m)
{
	struct msgpack_value v;

	if (msgpack_next(m, &v) == MSGPACK_ERROR)
		return -1;
	return msgpack_skip_rest(m, &v);
}

int msgpack_end(struct msgpack *m)
{
	if (m->why)
		return -1;
	if (m->p == m->end)
		return 0;
	m->value = m->p;
	stop(m, "something follows the end");
	return -1;
}

int msgpack_error(const struct msgpack *m, struct err *e)
{
	return err_set(e, ERR_INTEGRITY, "%s: byte %zu: %s", m->name, (size_t)(m->value - m->start),
		m->why ? m->why : "no error");
}

int msgpack_fail(struct msgpack *m, struct err *e, const char *why)
{
	stop(m, why);
	return msgpack_error(m, e);
}
