/* References to URLs: RFC 3986, section 5.2, with its names. */
#include "base/http.h"

#include "base/buf.h"

/* A part that is absent has p NULL; the others may be empty. */
struct parts {
	struct str scheme, authority, path, query, fragment;
};

static bool is_scheme(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';

		if (!letter && (i == 0 || !((c >= '0' && c <= '9') || strchr("+-.", c))))
			return false;
	}
	return s.n != 0;
}

/* Cuts what stands behind the first c off s. */
static struct str cut_behind(struct str *s, char c)
{
	ptrdiff_t at = str_chr(*s, c);
	struct str behind = {0};

	if (at >= 0) {
		behind = str_sub(*s, (size_t)at + 1, s->n);
		s->n = (size_t)at;
	}
	return behind;
}

static struct parts split(struct str url)
{
	struct str rest = url;
	struct parts p = {0};
	ptrdiff_t at;

	p.fragment = cut_behind(&rest, '#');
	p.query = cut_behind(&rest, '?');
	at = str_chr(rest, ':');
	if (at > 0 && is_scheme(str_sub(rest, 0, (size_t)at))) {
		p.scheme = str_sub(rest, 0, (size_t)at);
		rest = str_sub(rest, (size_t)at + 1, rest.n);
	}
	if (str_starts(rest, STR("//"))) {
		rest = str_sub(rest, 2, rest.n);
		at = str_chr(rest, '/');
		p.authority = str_sub(rest, 0, at < 0 ? rest.n : (size_t)at);
		rest = str_sub(rest, p.authority.n, rest.n);
	}
	p.path = rest;
	return p;
}

/* Cuts the last "SEGMENT/" off. */
static void drop_segment(struct buf *out, size_t root)
{
	if (out->n > root)
		out->n--;
	while (out->n > root && out->p[out->n - 1] != '/')
		out->n--;
}

/* Section 5.2.4, over whole segments: the last one is kept even where it is empty. */
static struct str remove_dots(struct arena *a, struct str path)
{
	bool rooted = str_starts(path, STR("/"));
	struct buf out = {0};
	struct str rest = rooted ? str_sub(path, 1, path.n) : path;

	if (rooted)
		buf_putc(&out, '/');
	while (rest.p) {
		struct str segment = str_cut(&rest, '/');

		if (str_is(segment, ".."))
			drop_segment(&out, rooted);
		else if (!str_is(segment, "."))
			buf_printf(&out, "%.*s%s", STR_ARG(segment), rest.p ? "/" : "");
	}
	path = arena_str(a, buf_view(&out));
	buf_release(&out);
	return path;
}

/* Section 5.2.3: the reference's path in the folder of the base's. */
static struct str merge(struct arena *a, const struct parts *base, struct str path)
{
	ptrdiff_t at = str_rchr(base->path, '/');

	if (base->authority.p && base->path.n == 0)
		return arena_strf(a, "/%.*s", STR_ARG(path));
	return arena_strf(
		a, "%.*s%.*s", (int)(at + 1), base->path.p ? base->path.p : "", STR_ARG(path));
}

static char *recompose(struct arena *a, const struct parts *p)
{
	struct buf b = {0};
	char *url;

	if (p->scheme.p)
		buf_printf(&b, "%.*s:", STR_ARG(p->scheme));
	if (p->authority.p)
		buf_printf(&b, "//%.*s", STR_ARG(p->authority));
	buf_str(&b, p->path);
	if (p->query.p)
		buf_printf(&b, "?%.*s", STR_ARG(p->query));
	if (p->fragment.p)
		buf_printf(&b, "#%.*s", STR_ARG(p->fragment));
	url = arena_cstr(a, buf_view(&b));
	buf_release(&b);
	return url;
}

char *url_resolve(struct arena *a, const char *base_url, struct str reference)
{
	struct parts base = split(str_of(base_url)), r = split(reference), t = r;

	if (!base.scheme.p && !r.scheme.p)
		return NULL;
	if (r.scheme.p) {
		t.path = remove_dots(a, r.path);
	} else if (r.authority.p) {
		t.scheme = base.scheme;
		t.path = remove_dots(a, r.path);
	} else {
		t.scheme = base.scheme;
		t.authority = base.authority;
		if (r.path.n == 0) {
			t.path = base.path;
			t.query = r.query.p ? r.query : base.query;
		} else if (r.path.p[0] == '/') {
			t.path = remove_dots(a, r.path);
		} else {
			t.path = remove_dots(a, merge(a, &base, r.path));
		}
	}
	return recompose(a, &t);
}
