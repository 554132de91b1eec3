#include "base/http_credentials.h"

#include "base/http.h"

void credentials_add(
	struct arena *a, struct credentials *list, const char *url, const char *fetch_url)
{
	struct credential *to = NULL;

	for (size_t i = 0; i < list->n && !to; i++)
		if (str_is(list->v[i].url, url))
			to = &list->v[i];
	if (!to)
		to = VEC_PUSH(a, list);
	to->url = str_of(arena_strdup(a, url));
	to->fetch_url = str_of(arena_strdup(a, fetch_url));
}

const char *credentials_apply(struct arena *a, const struct credentials *list, const char *url)
{
	const struct credential *best = NULL;

	for (size_t i = 0; i < list->n; i++) {
		const struct credential *c = &list->v[i];

		if (str_starts(str_of(url), c->url) && url[c->url.n] == '/' &&
			(!best || c->url.n > best->url.n))
			best = c;
	}
	if (!best || strcmp(http_redact(a, url), url) != 0)
		return url;
	return arena_printf(a, "%.*s%s", STR_ARG(best->fetch_url), url + best->url.n);
}
