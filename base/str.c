#include "base/str.h"

#include <stdlib.h>

int str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	if (c)
		return c;
	return (a.n > b.n) - (a.n < b.n);
}

int str_cmp_qsort(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

bool str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool str_ends(struct str s, struct str suffix)
{
	return s.n >= suffix.n &&
	       (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

ptrdiff_t str_chr(struct str s, char c)
{
	const char *hit = s.n ? memchr(s.p, c, s.n) : NULL;

	return hit ? hit - s.p : -1;
}

ptrdiff_t str_rchr(struct str s, char c)
{
	const char *hit = s.n ? memrchr(s.p, c, s.n) : NULL;

	return hit ? hit - s.p : -1;
}

struct str str_base(struct str path)
{
	return str_sub(path, (size_t)(str_rchr(path, '/') + 1), path.n);
}

ptrdiff_t str_find(struct str s, struct str needle)
{
	const char *hit;

	if (needle.n == 0)
		return 0;
	hit = s.n ? memmem(s.p, s.n, needle.p, needle.n) : NULL;
	return hit ? hit - s.p : -1;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s)
{
	while (s.n && is_space(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

struct str str_cut(struct str *rest, char c)
{
	struct str all = *rest;
	ptrdiff_t at = str_chr(all, c);

	if (at < 0) {
		*rest = (struct str){NULL, 0};
		return all;
	}
	*rest = str_n(all.p + at + 1, all.n - (size_t)at - 1);
	return str_n(all.p, (size_t)at);
}

int str_u64(struct str s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (s.n == 0)
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		unsigned d = (unsigned char)s.p[i] - '0';

		if (d > 9 || v > (UINT64_MAX - d) / 10)
			return -1;
		v = v * 10 + d;
	}
	if (v > max)
		return -1;
	*out = v;
	return 0;
}

size_t utf8_sequence(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t n;

	if (s.n == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || s.n < n)
		return 0;
	/* The second byte tells overlong forms, surrogates and what lies beyond U+10FFFF. */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
		(p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* Multiply and fold: each step spreads every bit of a word over the whole hash. */
static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0x9e3779b97f4a7c15u;
	return h ^ h >> 32;
}

uint64_t str_hash(struct str s)
{
	uint64_t h = s.n, word;

	for (; s.n >= sizeof word; s = str_n(s.p + sizeof word, s.n - sizeof word)) {
		memcpy(&word, s.p, sizeof word);
		h = mix(h, word);
	}
	word = 0;
	if (s.n)
		memcpy(&word, s.p, s.n);
	return mix(mix(h, word), 0);
}

int str_bytes(struct str s, uint64_t *out)
{
	static const char units[] = "kMGT";
	struct str whole;
	uint64_t step = 1000, unit = 1, n, tenths = 0;

	if (str_ends(s, STR("B")))
		s.n--;
	if (str_ends(s, STR("i"))) {
		step = 1024;
		s.n--;
	}
	const char *at = s.n ? strchr(units, s.p[s.n - 1] == 'K' ? 'k' : s.p[s.n - 1]) : NULL;
	if (at && *at)
		s.n--;
	else if (step == 1024)
		return -1;
	for (const char *p = units; at && *at && p <= at; p++)
		unit *= step;
	whole = str_cut(&s, '.');
	if (str_u64(whole, UINT64_MAX / unit - 1, &n) < 0 || (s.p && str_u64(s, 9, &tenths) < 0))
		return -1;
	*out = n * unit + tenths * unit / 10;
	return 0;
}

/* Mostly ASCII, and then a word at a time. */
bool str_is_utf8(struct str s)
{
	while (s.n) {
		uint64_t word;
		size_t n;

		if (s.n >= sizeof word) {
			memcpy(&word, s.p, sizeof word);
			if (!(word & UINT64_C(0x8080808080808080))) {
				s = str_n(s.p + sizeof word, s.n - sizeof word);
				continue;
			}
		}
		n = (unsigned char)*s.p < 0x80 ? 1 : utf8_sequence(s);
		if (n == 0)
			return false;
		s = str_n(s.p + n, s.n - n);
	}
	return true;
}
