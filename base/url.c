/* URLs: redaction, percent-encoding (RFC 3986), file:// paths. */
#include "base/http.h"

#include "base/buf.h"

#include <strings.h>

static bool is_alnum(unsigned char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* What may stand unencoded in a path component: unreserved, sub-delims, ':' and '@'. */
static bool is_pchar(unsigned char c)
{
	return is_alnum(c) || (c && strchr("-._~!$&'()*+,;=:@", c));
}

static void encode(struct buf *to, struct str s, bool keep_slash)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (is_pchar(c) || (keep_slash && c == '/'))
			buf_putc(to, (char)c);
		else
			buf_printf(to, "%%%02X", c);
	}
}

static char *finish(struct arena *a, struct buf *b)
{
	char *text = arena_cstr(a, buf_view(b));

	buf_release(b);
	return text;
}

void url_escape(struct buf *to, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
			     c == '-' || c == '.' || c == '_' || c == '~';

		buf_printf(to, plain ? "%c" : "%%%02X", c);
	}
}

char *url_encode(struct arena *a, struct str component)
{
	struct buf b = {0};

	encode(&b, component, false);
	return finish(a, &b);
}

char *url_of_path(struct arena *a, const char *absolute)
{
	struct buf b = {0};

	buf_puts(&b, "file://");
	encode(&b, str_of(absolute), true);
	return finish(a, &b);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *path_of_url(struct arena *a, const char *url)
{
	struct str rest = str_of(url);
	char *path;
	size_t n = 0;

	if (!str_starts(rest, STR("file://")))
		return NULL;
	rest = str_sub(rest, 7, rest.n);
	if (str_starts(rest, STR("localhost/")))
		rest = str_sub(rest, 9, rest.n);
	if (rest.n == 0 || rest.p[0] != '/')
		return NULL;
	path = arena_alloc(a, rest.n + 1);
	for (size_t i = 0; i < rest.n; i++) {
		int c = (unsigned char)rest.p[i];

		if (c == '%' && i + 2 < rest.n && hex_digit(rest.p[i + 1]) >= 0 &&
			hex_digit(rest.p[i + 2]) >= 0) {
			c = hex_digit(rest.p[i + 1]) * 16 + hex_digit(rest.p[i + 2]);
			i += 2;
		}
		if (c == '\0')
			return NULL;
		path[n++] = (char)c;
	}
	return path;
}

char *url_join(struct arena *a, const char *base, const char *rel)
{
	size_t n = strlen(base);

	while (n && base[n - 1] == '/')
		n--;
	while (*rel == '/')
		rel++;
	return arena_printf(a, "%.*s/%s", (int)n, base, rel);
}

/*
 * Copies the path less every "/t/TOKEN", as anaconda.org, quetz and artifactory have it: what was
 * redacted stays the same when it is redacted again.
 */
static void add_without_tokens(struct buf *to, struct str path)
{
	ptrdiff_t at;

	while ((at = str_find(path, STR("/t/"))) >= 0) {
		buf_str(to, str_sub(path, 0, (size_t)at));
		path = str_sub(path, (size_t)at + 3, path.n);
		at = str_chr(path, '/');
		path = str_sub(path, at < 0 ? path.n : (size_t)at, path.n);
	}
	buf_str(to, path);
}

char *http_redact(struct arena *a, const char *url)
{
	struct str all = str_of(url), rest = all, authority;
	struct buf b = {0};
	ptrdiff_t at = str_find(all, STR("://"));

	if (at < 0 || str_starts(all, STR("file://")))
		return arena_strdup(a, url);
	buf_str(&b, str_sub(all, 0, (size_t)at + 3));
	rest = str_sub(all, (size_t)at + 3, all.n);
	for (size_t i = 0; i < rest.n; i++)
		if (rest.p[i] == '?' || rest.p[i] == '#')
			rest.n = i;
	at = str_chr(rest, '/');
	authority = at < 0 ? rest : str_sub(rest, 0, (size_t)at);
	rest = at < 0 ? STR("") : str_sub(rest, (size_t)at, rest.n);
	at = str_rchr(authority, '@');
	buf_str(&b, str_sub(authority, (size_t)(at + 1), authority.n));
	add_without_tokens(&b, rest);
	return finish(a, &b);
}

/* Do the bytes before "://" end in http or https? */
static bool is_http(struct str before)
{
	if (before.n && (before.p[before.n - 1] | 0x20) == 's')
		before.n--;
	return before.n >= 4 && strncasecmp(before.p + before.n - 4, "http", 4) == 0;
}

struct str http_redact_text(struct arena *a, struct str text)
{
	struct buf b = {0};
	struct str rest = text;
	ptrdiff_t at;

	while ((at = str_find(rest, STR("://"))) >= 0) {
		size_t host = (size_t)at + 3, end = host;
		ptrdiff_t user_end;

		while (end < rest.n && rest.p[end] > ' ' && !strchr("/?#\"'<>", rest.p[end]))
			end++;
		user_end = str_rchr(str_sub(rest, host, end), '@');
		buf_str(&b, str_sub(rest, 0, host));
		if (user_end >= 0 && is_http(str_sub(rest, 0, (size_t)at)))
			host += (size_t)user_end + 1;
		rest = str_sub(rest, host, rest.n);
	}
	buf_str(&b, rest);
	text = arena_str(a, buf_view(&b));
	buf_release(&b);
	return text;
}

/* Cuts "https://user:password@host:5000/path" to "https://" and "host:5000". */
static struct str cut_host(const char *url, struct str *scheme)
{
	struct str rest = str_of(url);
	ptrdiff_t at = str_find(rest, STR("://"));
	size_t n = 0;

	*scheme = str_sub(rest, 0, (size_t)(at < 0 ? 0 : at + 3));
	rest = str_sub(rest, scheme->n, rest.n);
	while (n < rest.n && !strchr("/?#", rest.p[n]))
		n++;
	rest = str_sub(rest, 0, n);
	return str_sub(rest, (size_t)(str_rchr(rest, '@') + 1), rest.n);
}

static bool is_same(struct str a, struct str b)
{
	return a.n == b.n && strncasecmp(a.p, b.p, a.n) == 0;
}

bool url_same_host(const char *a, const char *b)
{
	struct str scheme_a, scheme_b;
	struct str host_a = cut_host(a, &scheme_a), host_b = cut_host(b, &scheme_b);

	return is_same(host_a, host_b) && is_same(scheme_a, scheme_b);
}
