/* "Did you mean": names at a small edit distance, or that differ by a usual prefix. */
#include "solver/similar.h"

#include <ctype.h>

enum { NAME_MAX_LENGTH = 64 };

/* Optimal string alignment distance (insert, delete, replace, swap of neighbours), up to max. */
static unsigned distance(struct str a, struct str b, unsigned max)
{
	unsigned rows[3][NAME_MAX_LENGTH + 1];
	unsigned *before = rows[0], *above = rows[1], *row = rows[2];

	if (a.n > NAME_MAX_LENGTH || b.n > NAME_MAX_LENGTH ||
		(a.n > b.n ? a.n - b.n : b.n - a.n) > max)
		return max + 1;
	for (size_t k = 0; k <= b.n; k++)
		above[k] = (unsigned)k;
	for (size_t i = 1; i <= a.n; i++) {
		unsigned *reuse = before;

		row[0] = (unsigned)i;
		for (size_t k = 1; k <= b.n; k++) {
			bool same = a.p[i - 1] == b.p[k - 1];
			unsigned d = above[k - 1] + !same;

			if (above[k] + 1 < d)
				d = above[k] + 1;
			if (row[k - 1] + 1 < d)
				d = row[k - 1] + 1;
			if (i > 1 && k > 1 && a.p[i - 1] == b.p[k - 2] &&
				a.p[i - 2] == b.p[k - 1] && before[k - 2] + !same < d)
				d = before[k - 2] + !same;
			row[k] = d;
		}
		before = above;
		above = row;
		row = reuse;
	}
	return above[b.n];
}

/* As PyPI has it: torch is pytorch, opencv-python is opencv. '_' and '.' are as '-'. */
static struct str plain(struct arena *a, struct str name)
{
	char *p = arena_cstr(a, name);
	struct str s = {p, name.n};

	for (size_t i = 0; i < name.n; i++)
		p[i] = p[i] == '_' || p[i] == '.' ? '-' : (char)tolower((unsigned char)p[i]);
	if (str_starts(s, STR("python-")))
		s = str_sub(s, 7, s.n);
	else if (str_starts(s, STR("py")))
		s = str_sub(s, 2, s.n);
	if (str_ends(s, STR("-python")))
		s.n -= 7;
	return s;
}

struct similar {
	struct str name;
	unsigned d;
};

static void keep_best(struct similar *best, size_t *n, size_t max, struct similar found)
{
	size_t at = *n;

	while (at &&
		(found.d < best[at - 1].d ||
			(found.d == best[at - 1].d && str_cmp(found.name, best[at - 1].name) < 0)))
		at--;
	if (at == max)
		return;
	if (*n < max)
		++*n;
	memmove(best + at + 1, best + at, (*n - at - 1) * sizeof *best);
	best[at] = found;
}

struct search {
	struct arena scratch;
	struct str name, wanted;
	unsigned limit;
	struct similar *best;
	size_t n, max;
};

static void consider(void *ctx, struct str other)
{
	struct search *s = ctx;
	unsigned d = distance(s->name, other, s->limit);

	if (other.n <= NAME_MAX_LENGTH && str_eq(plain(&s->scratch, other), s->wanted))
		d = 0;
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->best[i].name, other))
			return; /* another source has it too */
	if (d <= s->limit)
		keep_best(s->best, &s->n, s->max, (struct similar){other, d});
}

static void begin(struct search *s, struct str name, size_t max)
{
	*s = (struct search){.name = name, .limit = name.n <= 3 ? 1 : 2, .max = max};
	s->best = arena_array(&s->scratch, struct similar, max + 1);
	s->wanted = plain(&s->scratch, name);
}

static size_t end(struct search *s, struct arena *a, struct str *out)
{
	for (size_t i = 0; i < s->n; i++)
		out[i] = arena_str(a, s->best[i].name);
	arena_release(&s->scratch);
	return s->n;
}

size_t similar_names(
	struct arena *a, const struct index *ix, struct str name, struct str *out, size_t max)
{
	struct search s;

	begin(&s, name, max);
	index_each_name(ix, consider, &s);
	return end(&s, a, out);
}

size_t similar_among(struct arena *a, const struct str *names, size_t n, struct str name,
	struct str *out, size_t max)
{
	struct search s;

	begin(&s, name, max);
	for (size_t i = 0; i < n; i++)
		consider(&s, names[i]);
	return end(&s, a, out);
}
