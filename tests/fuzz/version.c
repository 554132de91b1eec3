/*
 * Versions: the order of the keys is that of CEP 33, read here in the plainest way, and "x.*" takes
 * what begins with x by conda's rule.  Input: lines; every two of them are compared, and each is
 * read as a version spec too.
 */
#include "solver/version.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_LINES = 6, MAX_SEGMENTS = 300, MAX_ATOMS = 300 };

enum kind { NUMBER, WORD, INFINITE };

struct atom {
	enum kind kind;
	struct str text; /* a number without leading zeros */
};

struct segment {
	struct atom *atoms;
	size_t n;
};

struct list {
	struct segment *segments;
	size_t n;
};

struct plain {
	struct list main, local;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static struct atom read_number(struct str *s)
{
	struct atom a = {.kind = NUMBER};
	size_t n = 0;

	while (n < s->n && is_digit(s->p[n]))
		n++;
	a.text = str_sub(*s, 0, n);
	*s = str_sub(*s, n, s->n);
	while (a.text.n && a.text.p[0] == '0')
		a.text = str_sub(a.text, 1, a.text.n);
	return a;
}

static struct atom read_word(struct str *s)
{
	struct atom a = {.kind = WORD};
	size_t n = 0;

	while (n < s->n && !is_digit(s->p[n]))
		n++;
	a.text = str_sub(*s, 0, n);
	*s = str_sub(*s, n, s->n);
	if (str_is(a.text, "post"))
		a.kind = INFINITE;
	if (str_is(a.text, "dev"))
		a.text = STR("DEV");
	return a;
}

static struct segment read_segment(struct arena *arena, struct str s)
{
	struct segment out = {.atoms = arena_array(arena, struct atom, MAX_ATOMS)};

	if (s.n && !is_digit(s.p[0]))
		out.atoms[out.n++] = (struct atom){.kind = NUMBER};
	while (s.n && out.n < MAX_ATOMS)
		out.atoms[out.n++] = is_digit(s.p[0]) ? read_number(&s) : read_word(&s);
	return out;
}

static struct list read_list(struct arena *arena, struct list first, struct str s, bool glue)
{
	struct list out = first;
	bool tail = glue && s.n && s.p[s.n - 1] == '_';
	struct str rest = tail ? str_sub(s, 0, s.n - 1) : s;

	while (rest.p && out.n < MAX_SEGMENTS) {
		struct str one;
		size_t n = 0;

		while (n < rest.n && rest.p[n] != '.' && rest.p[n] != '_')
			n++;
		/* The underscore of the end stands right behind the last segment. */
		one = str_n(rest.p, n + (tail && n == rest.n));
		rest = n < rest.n ? str_sub(rest, n + 1, rest.n) : str_n(NULL, 0);
		out.segments[out.n++] = read_segment(arena, one);
	}
	return out;
}

static struct plain read_plain(struct arena *arena, struct str text)
{
	char *lower = arena_cstr(arena, text);
	struct list none = {.segments = arena_array(arena, struct segment, MAX_SEGMENTS)};
	struct list epoch = {.segments = arena_array(arena, struct segment, MAX_SEGMENTS)};
	struct str rest = str_n(lower, text.n), mark = STR("0"), main_part;
	ptrdiff_t bang;

	for (size_t i = 0; i < text.n; i++) {
		if (lower[i] >= 'A' && lower[i] <= 'Z')
			lower[i] = (char)(lower[i] - 'A' + 'a');
		if (lower[i] == '-')
			lower[i] = '_';
	}
	bang = str_chr(rest, '!');
	if (bang >= 0)
		mark = str_cut(&rest, '!');
	epoch.segments[epoch.n++] = read_segment(arena, mark);
	main_part = str_cut(&rest, '+');
	return (struct plain){
		read_list(arena, epoch, main_part, true),
		rest.p ? read_list(arena, none, rest, false) : none,
	};
}

static struct atom atom_at(const struct list *l, size_t i, size_t j)
{
	if (i < l->n && j < l->segments[i].n)
		return l->segments[i].atoms[j];
	return (struct atom){.kind = NUMBER};
}

static int cmp_atom(struct atom a, struct atom b)
{
	if (a.kind == WORD || b.kind == WORD)
		return a.kind != WORD ? 1 : b.kind != WORD ? -1 : str_cmp(a.text, b.text);
	if (a.kind == INFINITE || b.kind == INFINITE)
		return (a.kind == INFINITE) - (b.kind == INFINITE);
	if (a.text.n != b.text.n)
		return a.text.n > b.text.n ? 1 : -1;
	return str_cmp(a.text, b.text);
}

static size_t width(const struct list *a, const struct list *b, size_t i)
{
	size_t n = i < a->n ? a->segments[i].n : 0, m = i < b->n ? b->segments[i].n : 0;

	return n > m ? n : m;
}

static int cmp_list(const struct list *a, const struct list *b)
{
	for (size_t i = 0; i < a->n || i < b->n; i++)
		for (size_t j = 0; j < width(a, b, i); j++) {
			int c = cmp_atom(atom_at(a, i, j), atom_at(b, i, j));

			if (c)
				return c > 0 ? 1 : -1;
		}
	return 0;
}

static int cmp_plain(const struct plain *a, const struct plain *b)
{
	int c = cmp_list(&a->main, &b->main);

	return c ? c : cmp_list(&a->local, &b->local);
}

/* conda's VersionOrder.startswith. */
static bool list_starts(const struct list *v, const struct list *with)
{
	size_t last = with->n - 1, end = with->segments[last].n - 1;
	struct atom mine = atom_at(v, last, end), other = with->segments[last].atoms[end];
	struct list head = {v->segments, v->n < last ? v->n : last}, front = {with->segments, last};

	if (cmp_list(&head, &front) != 0)
		return false;
	for (size_t j = 0; j < end; j++)
		if (cmp_atom(atom_at(v, last, j), atom_at(with, last, j)) != 0)
			return false;
	if (other.kind == WORD)
		return mine.kind == WORD && str_starts(mine.text, other.text);
	return cmp_atom(mine, other) == 0;
}

static bool plain_starts(const struct plain *v, const struct plain *with)
{
	if (with->local.n)
		return cmp_list(&v->main, &with->main) == 0 && list_starts(&v->local, &with->local);
	return list_starts(&v->main, &with->main);
}

static int sign(int c)
{
	return (c > 0) - (c < 0);
}

static void check_pair(struct arena *a, const struct version *v, const struct version *w)
{
	struct plain x = read_plain(a, version_text(v)), y = read_plain(a, version_text(w));
	const struct version_spec *spec;
	struct err e = {0};

	if (sign(version_cmp(v, w)) != cmp_plain(&x, &y))
		abort();
	if (version_spec_parse(a, arena_strf(a, "=%.*s", STR_ARG(version_text(w))), &spec, &e) < 0)
		abort();
	if (version_spec_match(spec, v) != plain_starts(&x, &y))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = {0};
	struct str rest = arena_str(&a, str_n((const char *)data, size));
	const struct version *v[MAX_LINES];
	size_t n = 0;

	while (rest.p && n < MAX_LINES) {
		struct str line = str_cut(&rest, '\n');
		const struct version_spec *spec;
		struct err e = {0};
		bool good = version_parse(&a, line, &v[n], &e) == 0;

		err_release(&e);
		if (version_spec_parse(&a, line, &spec, &e) == 0 && n)
			version_spec_match(spec, v[0]);
		err_release(&e);
		n += good;
	}
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			check_pair(&a, v[i], v[j]);
	arena_release(&a);
	return 0;
}
