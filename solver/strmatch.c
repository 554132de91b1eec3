#include "solver/strmatch.h"

#include "solver/strmatch_regex.h"

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool str_same(struct str a, struct str b)
{
	size_t i;

	if (a.n != b.n)
		return false;
	for (i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

/* Goes back only to the last star, so that it takes at most pattern * s steps. */
bool str_glob(struct str pattern, struct str s)
{
	size_t i = 0, j = 0, star = SIZE_MAX, resume = 0;

	while (j < s.n) {
		if (i < pattern.n && pattern.p[i] == '*') {
			star = i++;
			resume = j;
		} else if (i < pattern.n && lower(pattern.p[i]) == lower(s.p[j])) {
			i++, j++;
		} else if (star != SIZE_MAX) {
			i = star + 1;
			j = ++resume;
		} else {
			return false;
		}
	}
	while (i < pattern.n && pattern.p[i] == '*')
		i++;
	return i == pattern.n;
}

int strmatch_parse_at(struct arena *a, struct str text, const char *origin,
	const struct strmatch **out, struct err *e)
{
	struct strmatch *m = arena_new(a, struct strmatch);

	m->text = text;
	if (text.n >= 2 && text.p[0] == '^' && text.p[text.n - 1] == '$') {
		m->kind = STRMATCH_REGEX;
		if (regex_compile(a, text, origin, &m->regex, e) < 0)
			return -1;
	} else {
		m->kind = str_chr(text, '*') >= 0 ? STRMATCH_GLOB : STRMATCH_EQUAL;
	}
	*out = m;
	return 0;
}

bool strmatch_test(const struct strmatch *m, struct str s)
{
	switch (m->kind) {
	case STRMATCH_EQUAL:
		return str_same(m->text, s);
	case STRMATCH_GLOB:
		return str_glob(m->text, s);
	case STRMATCH_REGEX:
		return regex_search(m->regex, s);
	}
	return false;
}
