#include "builder/packed.h"

#include <endian.h>

void packed_put_u8(struct buf *to, uint8_t v)
{
	buf_putc(to, (char)v);
}

void packed_put_u32(struct buf *to, uint64_t v)
{
	uint32_t le = htole32((uint32_t)v);

	buf_add(to, &le, sizeof le);
}

void packed_put_u64(struct buf *to, uint64_t v)
{
	uint64_t le = htole64(v);

	buf_add(to, &le, sizeof le);
}

void packed_put_text(struct buf *to, struct str s)
{
	packed_put_u32(to, s.n);
	buf_str(to, s);
}

const char *packed_take(struct packed *c, size_t n)
{
	if (c->bad || c->rest.n < n) {
		c->bad = true;
		return NULL;
	}
	const char *p = c->rest.p;
	c->rest = str_sub(c->rest, n, c->rest.n);
	return p;
}

uint8_t packed_u8(struct packed *c)
{
	const char *p = packed_take(c, 1);

	return p ? (uint8_t)*p : 0;
}

uint32_t packed_u32(struct packed *c)
{
	const char *p = packed_take(c, sizeof(uint32_t));
	uint32_t le = 0;

	if (p)
		memcpy(&le, p, sizeof le);
	return le32toh(le);
}

uint64_t packed_u64(struct packed *c)
{
	const char *p = packed_take(c, sizeof(uint64_t));
	uint64_t le = 0;

	if (p)
		memcpy(&le, p, sizeof le);
	return le64toh(le);
}

struct str packed_text(struct packed *c)
{
	uint32_t n = packed_u32(c);
	const char *p = packed_take(c, n);

	return p ? str_n(p, n) : (struct str){0};
}

size_t packed_count(struct packed *c, size_t each)
{
	size_t n = packed_u32(c);

	if (n > c->rest.n / each)
		c->bad = true;
	return c->bad ? 0 : n;
}

void packed_put_number(struct buf *to, struct packed_texts *texts, struct str s)
{
	union table_value *v;

	if (s.n == 0) {
		packed_put_u32(to, 0);
		return;
	}
	v = table_put(&texts->index, s);
	if (v->num == 0)
		v->num = texts->index.n;
	packed_put_u32(to, v->num);
}

void packed_put_texts(struct buf *to, const struct packed_texts *texts)
{
	packed_put_u32(to, texts->index.n);
	for (size_t i = 0; i < texts->index.n; i++)
		packed_put_text(to, texts->index.entries[i].key);
}

struct packed_list packed_read_texts(struct arena *a, struct packed *c)
{
	struct packed_list list = {.n = packed_count(c, sizeof(uint32_t))};

	list.v = arena_array(a, struct str, list.n);
	for (size_t i = 0; i < list.n; i++) {
		list.v[i] = packed_text(c);
		if (str_chr(list.v[i], 0) >= 0)
			c->bad = true;
	}
	return list;
}

struct str packed_number(struct packed *c, const struct packed_list *texts)
{
	uint32_t number = packed_u32(c);

	if (number > texts->n)
		c->bad = true;
	return number && !c->bad ? texts->v[number - 1] : (struct str){0};
}
