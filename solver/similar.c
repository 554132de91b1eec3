/* "Did you mean": names at a small edit distance, or that differ by a usual prefix. */
#include "solver/explain.h"

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

size_t similar_names(
	struct arena *a, const struct index *ix, struct str name, struct str *out, size_t max)
{
	struct arena scratch = {0};
	struct similar *best = arena_array(&scratch, struct similar, max + 1);
	struct str wanted = plain(&scratch, name);
	unsigned limit = name.n <= 3 ? 1 : 2;
	size_t n = 0;

	for (size_t i = 0; i < ix->names.n; i++) {
		struct str other = ix->names.entries[i].key;
		unsigned d = distance(name, other, limit);

		if (other.n <= NAME_MAX_LENGTH && str_eq(plain(&scratch, other), wanted))
			d = 0;
		if (d <= limit)
			keep_best(best, &n, max, (struct similar){other, d});
	}
	for (size_t i = 0; i < n; i++)
		out[i] = arena_str(a, best[i].name);
	arena_release(&scratch);
	return n;
}
