/* The writer of MessagePack: every value in the shortest of its formats. */
#include "base/msgpack.h"

#include <assert.h>

/* One byte that says the format, and n bytes of v, the highest first. */
static void put(struct buf *to, unsigned format, uint64_t v, unsigned n)
{
	char bytes[9];

	bytes[0] = (char)format;
	for (unsigned i = 0; i < n; i++)
		bytes[1 + i] = (char)(v >> 8 * (n - 1 - i));
	buf_add(to, bytes, 1 + n);
}

/* A length in one of the formats for 1, 2 and 4 bytes; 0: there is none of that width. */
static void put_length(struct buf *to, size_t n, unsigned one, unsigned two, unsigned four)
{
	assert(n <= UINT32_MAX);
	if (n <= UINT8_MAX && one)
		put(to, one, n, 1);
	else if (n <= UINT16_MAX)
		put(to, two, n, 2);
	else
		put(to, four, n, 4);
}

void mp_nil(struct buf *to)
{
	put(to, 0xc0, 0, 0);
}

void mp_bool(struct buf *to, bool v)
{
	put(to, v ? 0xc3 : 0xc2, 0, 0);
}

void mp_uint(struct buf *to, uint64_t v)
{
	if (v < 0x80)
		put(to, (unsigned)v, 0, 0);
	else if (v <= UINT8_MAX)
		put(to, 0xcc, v, 1);
	else if (v <= UINT16_MAX)
		put(to, 0xcd, v, 2);
	else if (v <= UINT32_MAX)
		put(to, 0xce, v, 4);
	else
		put(to, 0xcf, v, 8);
}

void mp_int(struct buf *to, int64_t v)
{
	if (v >= 0)
		mp_uint(to, (uint64_t)v);
	else if (v >= -32)
		put(to, (unsigned)(v & 0xff), 0, 0);
	else if (v >= INT8_MIN)
		put(to, 0xd0, (uint64_t)v, 1);
	else if (v >= INT16_MIN)
		put(to, 0xd1, (uint64_t)v, 2);
	else if (v >= INT32_MIN)
		put(to, 0xd2, (uint64_t)v, 4);
	else
		put(to, 0xd3, (uint64_t)v, 8);
}

void mp_double(struct buf *to, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof bits);
	put(to, 0xcb, bits, 8);
}

void mp_str(struct buf *to, struct str s)
{
	if (s.n < 32)
		put(to, 0xa0 | (unsigned)s.n, 0, 0);
	else
		put_length(to, s.n, 0xd9, 0xda, 0xdb);
	buf_str(to, s);
}

void mp_cstr(struct buf *to, const char *s)
{
	mp_str(to, str_of(s));
}

void mp_bin(struct buf *to, const void *p, size_t n)
{
	put_length(to, n, 0xc4, 0xc5, 0xc6);
	buf_add(to, p, n);
}

void mp_ext(struct buf *to, int8_t type, struct str data)
{
	switch (data.n) {
	case 1:
	case 2:
	case 4:
	case 8:
	case 16:
		put(to, 0xd4 + (unsigned)__builtin_ctzll(data.n), 0, 0);
		break;
	default: /* a number, no enum */
		put_length(to, data.n, 0xc7, 0xc8, 0xc9);
	}
	buf_putc(to, (char)type);
	buf_str(to, data);
}

void mp_array(struct buf *to, size_t n)
{
	if (n < 16)
		put(to, 0x90 | (unsigned)n, 0, 0);
	else
		put_length(to, n, 0, 0xdc, 0xdd);
}

void mp_map(struct buf *to, size_t n)
{
	if (n < 16)
		put(to, 0x80 | (unsigned)n, 0, 0);
	else
		put_length(to, n, 0, 0xde, 0xdf);
}
