/*
 * User names and passwords of indexes, for pip by way of ~/.netrc: in a URL they would stand in the
 * arguments of the pip that pip runs for build requirements, which all users of this machine can read.
 */
#include "builder/pip_netrc.h"

#include "base/file.h"
#include "solver/dist_name.h"

struct login {
	struct str host, user, password;
	struct str bare; /* the URL without them */
};

/* Characters that every netrc of Python takes as they are; newer ones know quotes and escapes. */
static bool is_plain(struct str s, const char *more)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if ((c < '0' || c > '9') && (c < 'a' || c > 'z') && (!c || !strchr(more, c)))
			return false;
	}
	return s.n > 0;
}

/* false: there are none, or none that netrc could hold; then the URL stays as it is. */
static bool login_of(struct arena *a, struct str url, struct login *out)
{
	static const char HOST[] = ".-";
	static const char WORD[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-_~@+=:/!$&*,;?%";
	ptrdiff_t at = str_find(url, STR("://"));
	struct str rest, authority;

	if (at < 0 || !str_starts(url, STR("http")))
		return false;
	rest = str_sub(url, (size_t)at + 3, url.n);
	authority = str_cut(&rest, '/');
	ptrdiff_t end = str_rchr(authority, '@');
	if (end < 0)
		return false;
	struct str password = str_sub(authority, 0, (size_t)end), user = str_cut(&password, ':');
	struct str place = str_sub(authority, (size_t)end + 1, authority.n), port = place;
	*out = (struct login){.host = str_cut(&port, ':'),
		.user = percent_decoded(a, user),
		.password = percent_decoded(a, password)};
	size_t from = (size_t)(place.p - url.p);
	out->bare =
		arena_strf(a, "%.*s%.*s", (int)at + 3, url.p, STR_ARG(str_sub(url, from, url.n)));
	return is_plain(out->host, HOST) && is_plain(out->user, WORD) &&
	       is_plain(out->password, WORD);
}

struct logins {
	struct login *v;
	size_t n, cap;
};

/* netrc knows hosts only: a second login of one host stays in its URL. */
static bool enter(struct arena *a, struct logins *all, const struct login *l)
{
	for (size_t i = 0; i < all->n; i++)
		if (str_eq(all->v[i].host, l->host))
			return str_eq(all->v[i].user, l->user) &&
			       str_eq(all->v[i].password, l->password);
	*VEC_PUSH(a, all) = *l;
	return true;
}

static void take(struct arena *a, struct logins *all, struct str *urls, size_t n)
{
	struct login l;

	for (size_t i = 0; i < n; i++)
		if (login_of(a, urls[i], &l) && enter(a, all, &l))
			urls[i] = l.bare;
}

int pip_netrc(struct pip_work *w, struct pip_options *options, struct err *e)
{
	struct arena *a = w->arena;
	struct logins all = {0};
	CLEANUP_BUF text = {0};

	take(a, &all, &options->index_url, 1);
	take(a, &all, options->extra_index_urls, options->n_extra_index_urls);
	take(a, &all, options->find_links, options->n_find_links);
	for (size_t i = 0; i < all.n; i++)
		buf_printf(&text, "machine %.*s login %.*s password %.*s\n", STR_ARG(all.v[i].host),
			STR_ARG(all.v[i].user), STR_ARG(all.v[i].password));
	if (all.n == 0)
		return 0;
	return file_write(path_join(a, w->dir, "home/.netrc"), buf_view(&text), 0600, e);
}
