#include "base/http_auth.h"

#include "base/buf.h"
#include "base/http.h"
#include "base/json.h"

enum { TOKEN_MAX = 64 << 10 };

/* --- reading -------------------------------------------------------------------------------- */

static int fail(struct json *j, struct err *e, const char *what)
{
	struct err why = {0};

	json_fail(j, &why, "%s", what);
	err_set(e, ERR_INPUT, "%s", why.text);
	err_release(&why);
	return -1;
}

static int fail_json(struct json *j, struct err *e)
{
	struct err why = {0};

	json_error(j, &why);
	err_set(e, ERR_INPUT, "%s", why.text);
	err_release(&why);
	return -1;
}

/* What could end a header's line or a URL is no token. */
static bool is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
	return s.n > 0 && s.n <= TOKEN_MAX;
}

static int read_token(struct arena *a, struct json *j, struct str *out, struct err *e)
{
	enum json_type t = json_next(j);

	if (t == JSON_ERROR)
		return fail_json(j, e);
	if (t != JSON_STRING || !is_token(json_text(j)))
		return fail(j, e, "a token is a text without spaces");
	*out = arena_str(a, json_text(j));
	return 0;
}

/* {"username": U, "password": P}; user names and passwords may have any character. */
static int read_login(struct arena *a, struct json *j, struct auth *out, struct err *e)
{
	enum json_type t = json_next(j);

	if (t != JSON_OBJECT)
		return t == JSON_ERROR ? fail_json(j, e)
				       : fail(j, e, "'BasicHTTP' has a username and a password");
	while ((t = json_next(j)) == JSON_KEY) {
		struct str *to = str_is(json_text(j), "username")   ? &out->user
				 : str_is(json_text(j), "password") ? &out->token
								    : NULL;

		if (!to) {
			if (json_skip(j) < 0)
				return fail_json(j, e);
			continue;
		}
		t = json_next(j);
		if (t != JSON_STRING)
			return t == JSON_ERROR ? fail_json(j, e) : fail(j, e, "not a text");
		*to = arena_str(a, json_text(j));
	}
	if (t != JSON_OBJECT_END)
		return fail_json(j, e);
	return out->user.n ? 0 : fail(j, e, "'BasicHTTP' has no username");
}

/* {KIND: VALUE}, or a text for the kinds that need no value.  1: of a kind that is known. */
static int read_entry(struct arena *a, struct json *j, struct auth *out, struct err *e)
{
	enum json_type t = json_next(j);
	int known = 0, rc = 0;

	if (t == JSON_STRING)
		return 0;
	if (t != JSON_OBJECT)
		return t == JSON_ERROR ? fail_json(j, e)
				       : fail(j, e, "not credentials: {\"BearerToken\": ...}");
	while (rc == 0 && (t = json_next(j)) == JSON_KEY) {
		struct str kind = json_text(j);

		known = 1;
		if (str_is(kind, "BearerToken")) {
			out->kind = AUTH_BEARER;
			rc = read_token(a, j, &out->token, e);
		} else if (str_is(kind, "CondaToken")) {
			out->kind = AUTH_CONDA;
			rc = read_token(a, j, &out->token, e);
		} else if (str_is(kind, "BasicHTTP")) {
			out->kind = AUTH_BASIC;
			rc = read_login(a, j, out, e);
		} else {
			known = 0;
			rc = json_skip(j) < 0 ? fail_json(j, e) : 0;
		}
	}
	if (rc == 0 && t != JSON_OBJECT_END)
		return fail_json(j, e);
	return rc < 0 ? -1 : known;
}

static struct str lower(struct arena *a, struct str s)
{
	char *copy = arena_cstr(a, s);

	for (char *p = copy; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p | 0x20);
	return str_of(copy);
}

static int read_hosts(struct arena *a, struct json *j, struct auths *out, struct err *e)
{
	enum json_type t = json_next(j);

	if (t != JSON_OBJECT)
		return t == JSON_ERROR ? fail_json(j, e) : fail(j, e, "not an object of hosts");
	while ((t = json_next(j)) == JSON_KEY) {
		struct auth auth = {.host = lower(a, json_text(j))};
		int known = read_entry(a, j, &auth, e);

		if (known < 0)
			return -1;
		if (known && auth.host.n)
			*VEC_PUSH(a, out) = auth;
	}
	if (t != JSON_OBJECT_END || json_next(j) != JSON_END)
		return fail_json(j, e);
	return 0;
}

int auths_parse(
	struct arena *a, const char *name, struct str text, struct auths *out, struct err *e)
{
	struct json *j = json_open_text(text, name);
	int rc;

	*out = (struct auths){0};
	rc = read_hosts(a, j, out, e);
	json_close(j);
	return rc;
}

/* --- finding -------------------------------------------------------------------------------- */

/* The URL in its parts; false where it is none of http(s). */
static bool split(const char *url, struct str *scheme, struct str *authority, struct str *rest)
{
	struct str all = str_of(url);
	ptrdiff_t at = str_find(all, STR("://"));
	size_t n;

	if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
		return false;
	*scheme = str_sub(all, 0, (size_t)at + 3);
	*rest = str_sub(all, (size_t)at + 3, all.n);
	for (n = 0; n < rest->n && !strchr("/?#", rest->p[n]);)
		n++;
	*authority = str_sub(*rest, 0, n);
	*rest = str_sub(*rest, n, rest->n);
	return true;
}

static struct str host_of(struct str authority)
{
	ptrdiff_t colon = str_rchr(authority, ':'), end = str_rchr(authority, ']');

	return colon > end ? str_sub(authority, 0, (size_t)colon) : authority;
}

static bool same_text(struct str host, struct str lower_case)
{
	return host.n == lower_case.n && strncasecmp(host.p, lower_case.p, host.n) == 0;
}

/* How well a pattern fits: 0 not at all; a name counts before all patterns, a longer one before. */
static size_t fit(struct str pattern, struct str host)
{
	struct str domain;

	if (same_text(host, pattern))
		return SIZE_MAX;
	if (!str_starts(pattern, STR("*.")) || pattern.n == 2)
		return 0;
	domain = str_sub(pattern, 2, pattern.n);
	if (host.n < domain.n || !same_text(str_sub(host, host.n - domain.n, host.n), domain))
		return 0;
	return host.n == domain.n || host.p[host.n - domain.n - 1] == '.' ? pattern.n : 0;
}

const struct auth *auths_find(const struct auths *list, const char *url)
{
	const struct auth *best = NULL;
	struct str scheme, authority, rest;
	size_t best_fit = 0;

	if (list->n == 0 || !split(url, &scheme, &authority, &rest) ||
		str_chr(authority, '@') >= 0 || str_find(rest, STR("/t/")) >= 0)
		return NULL;
	for (size_t i = 0; i < list->n; i++) {
		size_t f = fit(list->v[i].host, host_of(authority));

		if (f > best_fit) {
			best_fit = f;
			best = &list->v[i];
		}
	}
	return best;
}

const char *auth_apply(struct arena *a, const struct auth *auth, const char *url)
{
	struct str scheme, authority, rest;
	CLEANUP_BUF b = {0};

	if (!auth || auth->kind == AUTH_BEARER || !split(url, &scheme, &authority, &rest))
		return url;
	buf_str(&b, scheme);
	if (auth->kind == AUTH_BASIC) {
		url_escape(&b, auth->user);
		buf_putc(&b, ':');
		url_escape(&b, auth->token);
		buf_putc(&b, '@');
	}
	buf_str(&b, authority);
	if (auth->kind == AUTH_CONDA) {
		buf_puts(&b, "/t/");
		url_escape(&b, auth->token);
	}
	buf_str(&b, rest);
	return arena_cstr(a, buf_view(&b));
}
