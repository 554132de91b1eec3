/*
 * What the JSON reader looks for many bytes at a time: SSE2, which every x86_64 has, or plain C.
 * Private to base/json.c.
 */
#ifndef BASE_JSON_SCAN_H
#define BASE_JSON_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { JSON_BLOCK = 64 };

/* Where in a block of 64 bytes these stand; bit i is byte i. */
struct json_masks {
	uint64_t quotes, backslashes, brackets;
};

#ifdef __SSE2__
#include <emmintrin.h>

static inline __m128i json_load(const char *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline uint64_t json_equal(__m128i bytes, char c)
{
	return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(c)));
}

static inline struct json_masks json_masks_of(const char *p)
{
	struct json_masks m = {0, 0, 0};

	for (int i = 0; i < JSON_BLOCK; i += 16) {
		__m128i bytes = json_load(p + i);
		/* Bit 5 is what '[' and '{', ']' and '}' differ in. */
		__m128i lower = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
		__m128i either = _mm_or_si128(_mm_cmpeq_epi8(lower, _mm_set1_epi8('{')),
			_mm_cmpeq_epi8(lower, _mm_set1_epi8('}')));

		m.quotes |= json_equal(bytes, '"') << i;
		m.backslashes |= json_equal(bytes, '\\') << i;
		m.brackets |= (uint64_t)(uint32_t)_mm_movemask_epi8(either) << i;
	}
	return m;
}

/* The first byte in [p, end) that ends a run of plain string text: a quote, a backslash, a control
 * character or one that is not ASCII. */
static inline const char *json_scan_plain(const char *p, const char *end)
{
	for (; end - p >= 16; p += 16) {
		__m128i bytes = json_load(p);
		__m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
		uint64_t special = json_equal(bytes, '"') | json_equal(bytes, '\\') |
				   (uint32_t)_mm_movemask_epi8(low) |
				   (uint32_t)_mm_movemask_epi8(bytes);

		if (special)
			return p + __builtin_ctzll(special);
	}
	while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20 &&
		(unsigned char)*p < 0x80)
		p++;
	return p;
}

static inline const char *json_scan_space(const char *p, const char *end)
{
	for (; end - p >= 16; p += 16) {
		__m128i bytes = json_load(p);
		uint64_t space = json_equal(bytes, ' ') | json_equal(bytes, '\n') |
				 json_equal(bytes, '\r') | json_equal(bytes, '\t');

		if (space != 0xffff)
			return p + __builtin_ctzll(~space);
	}
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

static inline uint64_t json_count_lines(const char *p, const char *end)
{
	uint64_t lines = 0;

	for (; end - p >= JSON_BLOCK; p += JSON_BLOCK) {
		uint64_t found = 0;

		for (int i = 0; i < JSON_BLOCK; i += 16)
			found |= json_equal(json_load(p + i), '\n') << i;
		if (found)
			lines += (uint64_t)__builtin_popcountll(found);
	}
	for (; p < end; p++)
		lines += *p == '\n';
	return lines;
}

#else

static inline struct json_masks json_masks_of(const char *p)
{
	struct json_masks m = {0, 0, 0};

	for (int i = 0; i < JSON_BLOCK; i++) {
		char lower = (char)(p[i] | 0x20);

		m.quotes |= (uint64_t)(p[i] == '"') << i;
		m.backslashes |= (uint64_t)(p[i] == '\\') << i;
		m.brackets |= (uint64_t)(lower == '{' || lower == '}') << i;
	}
	return m;
}

static inline const char *json_scan_plain(const char *p, const char *end)
{
	while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20 &&
		(unsigned char)*p < 0x80)
		p++;
	return p;
}

static inline const char *json_scan_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

static inline uint64_t json_count_lines(const char *p, const char *end)
{
	uint64_t lines = 0;

	for (; p < end; p++)
		lines += *p == '\n';
	return lines;
}

#endif
#endif
