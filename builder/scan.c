#include "builder/scan.h"

#include <endian.h>
#include <stdlib.h>

const struct str DEFAULT_PLACEHOLDER = STR_INIT("/opt/anaconda1anaconda2anaconda3");

/*
 * What shows a left-over placeholder: "_placehold_placehold" and conda's default one, in units of
 * 1, 2 and 4 bytes.  The NULs before the first and behind the last character depend on the order
 * of bytes and are left out, so that one pattern serves both.
 */
struct pattern {
	struct str text;
	size_t unit;
};

#define U1(c)        c
#define U2(c)        c "\0"
#define U4(c)        c "\0\0\0"
#define PLACEHOL(U)  U("p") U("l") U("a") U("c") U("e") U("h") U("o") U("l")
#define ANACONDA(U)  U("a") U("n") U("a") U("c") U("o") U("n") U("d") U("a")
#define BUILD_DIR(U) U("_") PLACEHOL(U) U("d") U("_") PLACEHOL(U) "d"
#define OLD_DIR(U) \
	U("/") U("o") U("p") U("t") U("/") ANACONDA(U) U("1") ANACONDA(U) U("2") ANACONDA(U) "3"

static const struct pattern PATTERNS[] = {
	{STR_INIT(BUILD_DIR(U1)), 1},
	{STR_INIT(OLD_DIR(U1)), 1},
	{STR_INIT(BUILD_DIR(U2)), 2},
	{STR_INIT(OLD_DIR(U2)), 2},
	{STR_INIT(BUILD_DIR(U4)), 4},
	{STR_INIT(OLD_DIR(U4)), 4},
};
enum { N_PATTERNS = sizeof PATTERNS / sizeof *PATTERNS };

/* A look of eight bytes every 32 sees each pattern of UTF-32. */
_Static_assert(sizeof BUILD_DIR(U4) - 1 >= 32 + 8, "no pattern is shorter than the step");
_Static_assert(sizeof OLD_DIR(U4) - 1 <= SCAN_CARRY + 1, "no pattern is longer than the carry");

/* As str_find, from an offset on; the offset is from the start of data. */
static ptrdiff_t find_from(struct str data, struct str needle, size_t from)
{
	const char *hit;

	if (from >= data.n || needle.n > data.n - from)
		return -1;
	hit = memmem(data.p + from, data.n - from, needle.p, needle.n);
	return hit ? hit - data.p : -1;
}

/*
 * What ASCII text has in common in both orders of bytes: its characters with unit - 1 NULs
 * between them, from the first one's byte to the last one's.
 */
static struct str wide_core(struct arena *a, struct str ascii, size_t unit)
{
	char *p = arena_alloc(a, ascii.n * unit);

	for (size_t i = 0; i < ascii.n; i++)
		p[i * unit] = ascii.p[i];
	return str_n(p, ascii.n ? (ascii.n - 1) * unit + 1 : 0);
}

/* --- declared placeholders ---------------------------------------------------------------- */

/* A place while they are gathered. */
struct place {
	uint64_t at;
	uint8_t encoding;
};

/*
 * A string of a binary with its places: what a replacement moves, up to the zero bytes where it
 * ends.  In text each place is one by itself.
 */
struct string {
	uint64_t from, to;
};

struct scan {
	struct arena *a, *scratch;
	struct str data, prefix;
	bool binary;
	size_t max;
	struct {
		uint64_t *v;
		size_t n, cap;
	} plain; /* the places in UTF-8 */
	struct {
		struct place *v;
		size_t n, cap;
	} wide; /* all places, once there is one in another encoding */
	struct {
		struct string *v;
		size_t n, cap;
	} strings;
	/* Those of encodings that were tried before: sorted, and never overlapping. */
	size_t old_places, old_strings;
};

static int too_many(const struct scan *s, struct err *e)
{
	return err_set(e, ERR_INTEGRITY,
		"the prefix of %zu bytes occurs over %zu times, which is more than can be meant",
		s->prefix.n, s->max);
}

static int scan_utf8(struct scan *s, struct err *e)
{
	size_t last_nul = s->data.n;

	if (s->binary) {
		const char *nul = s->data.n ? memrchr(s->data.p, '\0', s->data.n) : NULL;
		last_nul = nul ? (size_t)(nul - s->data.p) : 0;
	}
	for (size_t at = 0;;) {
		ptrdiff_t hit = find_from(s->data, s->prefix, at);
		if (hit < 0 || (s->binary && (size_t)hit >= last_nul))
			return 0;
		if (s->plain.n == s->max)
			return too_many(s, e);
		*VEC_PUSH(s->a, &s->plain) = (uint64_t)hit;
		at = (size_t)hit + s->prefix.n;
	}
}

static int by_start(const void *a, const void *b)
{
	const struct string *x = a, *y = b;

	return (x->from > y->from) - (x->from < y->from);
}

static int by_offset(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

/* What one encoding gave counts for those after it. */
static void end_encoding(struct scan *s)
{
	if (s->wide.n)
		qsort(s->wide.v, s->wide.n, sizeof *s->wide.v, by_offset);
	if (s->strings.n)
		qsort(s->strings.v, s->strings.n, sizeof *s->strings.v, by_start);
	s->old_places = s->wide.n;
	s->old_strings = s->strings.n;
}

static int add_place(struct scan *s, size_t at, enum text_encoding encoding, struct err *e)
{
	if (s->wide.n == s->max)
		return too_many(s, e);
	*VEC_PUSH(s->scratch, &s->wide) = (struct place){at, (uint8_t)encoding};
	return 0;
}

static void add_string(struct scan *s, size_t from, size_t to)
{
	*VEC_PUSH(s->scratch, &s->strings) = (struct string){from, to};
}

/* The places in UTF-8 join the others, with their strings. */
static int take_utf8(struct scan *s, struct err *e)
{
	size_t past = 0;

	for (size_t i = 0; i < s->plain.n; i++) {
		size_t at = (size_t)s->plain.v[i], to = at + s->prefix.n;
		if (add_place(s, at, TEXT_UTF8, e) < 0)
			return -1;
		if (at < past)
			continue;
		if (s->binary) {
			const char *nul = memchr(s->data.p + at, '\0', s->data.n - at);
			to = nul ? (size_t)(nul - s->data.p) : s->data.n;
		}
		add_string(s, at, to);
		past = to;
	}
	end_encoding(s);
	return 0;
}

/* The first string of an earlier encoding that ends behind `at`; NULL: none. */
static struct string *string_behind(const struct scan *s, size_t at)
{
	size_t low = 0, high = s->old_strings;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (s->strings.v[middle].to <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low < s->old_strings ? &s->strings.v[low] : NULL;
}

/* Does a place of an earlier encoding have bytes in [from, to)? */
static bool is_taken(const struct scan *s, size_t from, size_t to)
{
	size_t low = 0, high = s->old_places;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct place *p = &s->wide.v[middle];
		size_t n = s->prefix.n * text_unit((enum text_encoding)p->encoding);
		if (p->at + n <= from)
			low = middle + 1;
		else
			high = middle;
	}
	return low < s->old_places && s->wide.v[low].at < to;
}

/* All places of a string whose terminator is at `end`.  Its first bytes may be the last of a place:
 * the high byte of an ASCII character is zero. */
static int take_string(struct scan *s, struct str needle, size_t first, size_t end,
	enum text_encoding encoding, struct err *e)
{
	struct str string = str_sub(s->data, 0, end + text_unit(encoding));
	size_t at = first;

	for (ptrdiff_t hit = (ptrdiff_t)at; hit >= 0; hit = find_from(string, needle, at)) {
		if (add_place(s, (size_t)hit, encoding, e) < 0)
			return -1;
		at = (size_t)hit + needle.n;
	}
	add_string(s, first, at > end ? at : end);
	return 0;
}

/*
 * A place whose string runs into one of an earlier encoding.  Where that was replaced it ends with
 * more zero bytes than before, so that this one ends there too: it becomes a place of that string.
 * 1, 0 where it cannot be, -1.
 */
static int join(struct scan *s, struct string *string, size_t hit, size_t past,
	enum text_encoding encoding, struct err *e)
{
	if (past > string->to || is_taken(s, hit, past))
		return 0;
	if (hit < string->from)
		string->from = hit;
	return add_place(s, hit, encoding, e) < 0 ? -1 : 1;
}

static int scan_wide_binary(
	struct scan *s, struct str needle, enum text_encoding encoding, struct err *e)
{
	static const char ZEROS[TEXT_UNIT_MAX];
	struct str terminator = str_n(ZEROS, text_unit(encoding));
	ptrdiff_t hit, end = -1;

	for (size_t at = 0; (hit = find_from(s->data, needle, at)) >= 0;) {
		size_t from = (size_t)hit, past = from + needle.n;
		/* Several may share an end: it is looked for once. */
		if (end < (ptrdiff_t)past)
			end = find_from(s->data, terminator, past);
		if (end < 0)
			break;
		struct string *other = string_behind(s, from);
		if (other && other->from < (uint64_t)end) {
			int joined = join(s, other, from, past, encoding, e);
			if (joined < 0)
				return -1;
			at = joined ? past : from + 1;
			continue;
		}
		if (take_string(s, needle, from, (size_t)end, encoding, e) < 0)
			return -1;
		at = (size_t)end + terminator.n;
	}
	return 0;
}

static int scan_wide_text(
	struct scan *s, struct str needle, enum text_encoding encoding, struct err *e)
{
	ptrdiff_t hit;

	for (size_t at = 0; (hit = find_from(s->data, needle, at)) >= 0;) {
		size_t from = (size_t)hit, past = from + needle.n;
		at = from + 1;
		if (is_taken(s, from, past))
			continue;
		if (add_place(s, from, encoding, e) < 0)
			return -1;
		at = past;
	}
	return 0;
}

/* Does the prefix stand somewhere in units of this size?  Most files are done with this look. */
static bool has_wide(const struct scan *s, size_t unit)
{
	struct str start = str_sub(s->prefix, 0, 16);

	return find_from(s->data, wide_core(s->scratch, start, unit), 0) >= 0;
}

static int scan_wide(struct scan *s, struct err *e)
{
	bool units[TEXT_UNIT_MAX + 1] = {[2] = has_wide(s, 2), [4] = has_wide(s, 4)};

	if (!units[2] && !units[4])
		return 0;
	if (take_utf8(s, e) < 0)
		return -1;
	for (int i = TEXT_UTF16LE; i < TEXT_ENCODINGS; i++) {
		enum text_encoding encoding = (enum text_encoding)i;
		CLEANUP_BUF needle = {0};
		if (!units[text_unit(encoding)])
			continue;
		text_encode(s->prefix, encoding, &needle);
		if ((s->binary ? scan_wide_binary : scan_wide_text)(
			    s, buf_view(&needle), encoding, e) < 0)
			return -1;
		end_encoding(s);
	}
	return 0;
}

/* The last place of each string has its end. */
static void give_ends(const struct scan *s, struct places *out)
{
	size_t i = 0;

	for (size_t k = 0; k < s->strings.n; k++) {
		while (i + 1 < out->n && out->offsets[i + 1] < s->strings.v[k].to)
			i++;
		out->forms[i++].end = s->strings.v[k].to;
	}
}

static void give(struct scan *s, struct places *out)
{
	if (s->wide.n == s->plain.n || s->wide.n == 0) {
		*out = (struct places){.offsets = s->plain.v, .n = s->plain.n};
		return;
	}
	out->n = s->wide.n;
	out->offsets = arena_array(s->a, uint64_t, out->n);
	out->forms = arena_array(s->a, struct prefix_form, out->n);
	for (size_t i = 0; i < out->n; i++) {
		out->offsets[i] = s->wide.v[i].at;
		out->forms[i].encoding = s->wide.v[i].encoding;
	}
	if (s->binary)
		give_ends(s, out);
}

int scan_prefix(struct arena *a, struct str data, struct str prefix, bool binary, size_t max,
	struct places *out, struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	struct scan s = {.a = a,
		.scratch = &scratch,
		.data = data,
		.prefix = prefix,
		.binary = binary,
		.max = max};

	*out = (struct places){0};
	if (prefix.n == 0 || prefix.n > data.n)
		return 0;
	if (scan_utf8(&s, e) < 0)
		return -1;
	if (text_is_ascii(prefix) && scan_wide(&s, e) < 0)
		return -1;
	give(&s, out);
	return 0;
}

/* --- left-over ones ----------------------------------------------------------------------- */

/*
 * Could these eight bytes be two letters of UTF-32?  Two bytes four apart, of letters, digits or
 * "_", "/", and nothing else.
 */
static bool is_like_utf32(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	v = le64toh(v);
	if (v == 0)
		return false;
	for (unsigned i = 0; i < 32; i += 8) {
		const uint64_t both = 0xff000000ffu;
		if (v & ~(both << i))
			continue;
		return (v >> i & 0xff) >= '/' && (v >> (i + 32)) >= '/';
	}
	return false;
}

/*
 * memmem() is slow on patterns of zero bytes: most of what programs are made of is passed over by
 * a look every 32 bytes, which no pattern fits between.
 */
static bool has_utf32_pattern(struct str data)
{
	enum { STEP = 32, LOOK = sizeof(uint64_t) };

	for (size_t at = 0; at + LOOK <= data.n; at += STEP) {
		if (!is_like_utf32(data.p + at))
			continue;
		size_t from = at > SCAN_CARRY ? at - SCAN_CARRY : 0;
		struct str near = str_sub(data, from, at + LOOK + SCAN_CARRY);
		for (size_t i = 0; i < N_PATTERNS; i++)
			if (PATTERNS[i].unit == 4 && find_from(near, PATTERNS[i].text, 0) >= 0)
				return true;
	}
	return false;
}

bool scan_suspect(struct str data)
{
	for (size_t i = 0; i < N_PATTERNS; i++)
		if (PATTERNS[i].unit < 4 && find_from(data, PATTERNS[i].text, 0) >= 0)
			return true;
	return has_utf32_pattern(data);
}

/* Walks along the places while what is asked for rises. */
struct covering {
	const struct places *places;
	size_t length, i; /* units of the prefix */
};

/* Where the place that holds the byte at `at` ends; 0: none does. */
static size_t covered_to(struct covering *c, size_t at)
{
	const struct places *p = c->places;

	for (; c->i < p->n; c->i++) {
		size_t unit = p->forms ? text_unit((enum text_encoding)p->forms[c->i].encoding) : 1;
		size_t from = (size_t)p->offsets[c->i], to = from + c->length * unit;
		if (to > at)
			return from <= at ? to : 0;
	}
	return 0;
}

/* The first hit from `at` on that no place covers; -1: none. */
static ptrdiff_t find_uncovered(struct str data, struct str needle, struct covering *c)
{
	ptrdiff_t hit;
	size_t at = 0;

	while ((hit = find_from(data, needle, at)) >= 0) {
		size_t to = covered_to(c, (size_t)hit);
		if (to == 0)
			return hit;
		at = to;
	}
	return -1;
}

static bool is_component_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("._-+@~", c));
}

/* Does the character at `at` follow one a unit before it, with NULs between them? */
static bool follows(struct str data, size_t at, size_t unit)
{
	for (size_t i = 1; i < unit; i++)
		if (data.p[at - i])
			return false;
	return true;
}

/*
 * The path around a hit of n bytes: from the first slash of its run to the end of the hit's
 * component.
 */
static struct str path_around(struct arena *a, struct str data, size_t hit, size_t n, size_t unit)
{
	enum { MAX = 4096 };
	size_t from = hit, last = hit + n - 1, count;
	char *path;

	while (from >= unit && hit - from < MAX * unit && follows(data, from, unit) &&
		(is_component_char(data.p[from - unit]) || data.p[from - unit] == '/'))
		from -= unit;
	while (from < hit && data.p[from] != '/')
		from += unit;
	while (last + unit < data.n && last - hit < MAX * unit &&
		follows(data, last + unit, unit) && is_component_char(data.p[last + unit]))
		last += unit;
	count = (last - from) / unit + 1;
	path = arena_alloc(a, count + 1);
	for (size_t i = 0; i < count; i++)
		path[i] = data.p[from + i * unit];
	return str_n(path, count);
}

struct str scan_undeclared(
	struct arena *a, struct str data, const struct places *declared, size_t length)
{
	const struct pattern *first = NULL;
	ptrdiff_t at = 0;

	for (size_t i = 0; i < N_PATTERNS; i++) {
		struct covering c = {declared, length, 0};
		ptrdiff_t hit = find_uncovered(data, PATTERNS[i].text, &c);
		if (hit < 0 || (first && hit >= at))
			continue;
		first = &PATTERNS[i];
		at = hit;
	}
	if (!first)
		return (struct str){0};
	return path_around(a, data, (size_t)at, first->text.n, first->unit);
}

struct str scan_build_path(
	struct arena *a, struct str data, const struct places *declared, size_t length)
{
	static const struct str tools = STR_INIT("/_build_env/");
	struct covering c = {declared, length, 0};
	struct str path = {0};
	ptrdiff_t hit;

	/* Most files hold neither, and a look for all patterns at once is cheaper. */
	if (scan_suspect(data))
		path = scan_undeclared(a, data, declared, length);
	if (path.n)
		return path;
	hit = find_uncovered(data, tools, &c);
	return hit < 0 ? path : path_around(a, data, (size_t)hit, tools.n - 1, 1);
}

bool scan_left(struct str data, struct str prefix, const struct places *declared)
{
	CLEANUP_ARENA scratch = {0};

	for (size_t unit = 1; unit <= TEXT_UNIT_MAX; unit *= 2) {
		struct covering c = {declared, prefix.n, 0};
		if (unit > 1 && !text_is_ascii(prefix))
			break;
		if (find_uncovered(data, wide_core(&scratch, prefix, unit), &c) >= 0)
			return true;
	}
	return false;
}
