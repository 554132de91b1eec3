#include "base/http_mirrors.h"

#include "base/http.h"

static struct str without_slash(struct str s)
{
	while (s.n && s.p[s.n - 1] == '/')
		s.n--;
	return s;
}

static bool is_below(struct str url, struct str above)
{
	return url.n > above.n && str_starts(url, above) && url.p[above.n] == '/';
}

static void add(struct arena *a, struct mirrors *list, struct str url, struct str at)
{
	struct mirror *m = arena_new(a, struct mirror);

	for (size_t i = 0; i < list->n; i++)
		if (str_eq(list->v[i]->url, url) && str_eq(list->v[i]->at, at))
			return;
	*m = (struct mirror){.url = arena_str(a, url), .at = arena_str(a, at)};
	*VEC_PUSH(a, list) = m;
}

void mirrors_add(struct arena *a, struct mirrors *list, const char *url, const char *at)
{
	struct str origin = without_slash(str_of(url));

	add(a, list, origin, origin);
	add(a, list, origin, without_slash(str_of(at)));
}

void mirrors_only(struct mirrors *list, const char *url)
{
	struct str origin = without_slash(str_of(url));

	for (size_t i = 0; i < list->n; i++)
		if (str_eq(list->v[i]->url, origin) && str_eq(list->v[i]->at, origin))
			list->v[i]->passed_over = true;
}

/* Few and nearly sorted: an insertion sort keeps the order of equals. */
static void insert(struct place *places, size_t n, struct place p)
{
	while (n && places[n - 1].mirror->failed > p.mirror->failed) {
		places[n] = places[n - 1];
		n--;
	}
	places[n] = p;
}

struct place *mirrors_places(
	struct arena *a, const struct mirrors *list, const char *url, size_t *n)
{
	struct str bare = str_of(http_redact(a, url)), origin = {0};
	struct place *places = arena_array(a, struct place, list->n + 1);

	for (size_t i = 0; i < list->n; i++)
		if (is_below(bare, list->v[i]->url) && list->v[i]->url.n > origin.n)
			origin = list->v[i]->url;
	*n = 0;
	for (size_t i = 0; origin.n && i < list->n; i++) {
		struct mirror *m = list->v[i];
		struct place p = {.mirror = m, .is_origin = str_eq(m->at, m->url)};

		if (!str_eq(m->url, origin) || m->passed_over)
			continue;
		p.url = p.is_origin ? url
				    : arena_printf(a, "%.*s%s", STR_ARG(m->at), bare.p + origin.n);
		insert(places, (*n)++, p);
	}
	if (*n == 0)
		places[(*n)++] = (struct place){.url = url, .is_origin = true};
	return places;
}

bool mirror_failed(struct mirrors *list, struct mirror *m)
{
	bool first = m->failed == 0;

	m->failed = ++list->failures;
	return first;
}

struct mirror *mirrors_find(const struct mirrors *list, const char *url)
{
	struct mirror *best = NULL;

	for (size_t i = 0; i < list->n; i++)
		if (is_below(str_of(url), list->v[i]->at) &&
			(!best || list->v[i]->at.n > best->at.n))
			best = list->v[i];
	return best;
}
