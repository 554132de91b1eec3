#include "images/registry_auth.h"

#include "base/file.h"
#include "base/http.h"
#include "base/json.h"
#include "base/log.h"

#include <stdlib.h>
#include <strings.h>

enum { FILE_MAX = 4 << 20, TOKEN_MAX = 64 << 10, VALUE_MAX = 4096 };

/* --- the challenge -------------------------------------------------------------------------- */

static bool is_token_char(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static void skip_blanks(struct str *s, bool commas)
{
	while (s->n && (*s->p == ' ' || *s->p == '\t' || (commas && *s->p == ',')))
		*s = str_sub(*s, 1, s->n);
}

static struct str take_token(struct str *s)
{
	struct str all = *s;
	size_t n = 0;

	while (n < s->n && is_token_char(s->p[n]))
		n++;
	*s = str_sub(*s, n, s->n);
	return str_sub(all, 0, n);
}

/* A quoted string, s standing behind its opening quote; its backslashes taken away. */
static struct str take_quoted(struct arena *a, struct str *s)
{
	size_t n = 0, end = 0;
	char *to;

	while (end < s->n && s->p[end] != '"')
		end += s->p[end] == '\\' && end + 1 < s->n ? 2 : 1;
	to = arena_alloc(a, end + 1); /* not all that is left: there may be many */
	for (size_t i = 0; i < end; i++) {
		if (s->p[i] == '\\' && i + 1 < s->n)
			i++;
		to[n++] = s->p[i];
	}
	*s = str_sub(*s, end + 1, s->n);
	return str_n(to, n);
}

static bool is_named(struct str s, const char *name)
{
	return s.n == strlen(name) && strncasecmp(s.p, name, s.n) == 0;
}

/* What it says goes into a URL. */
static bool is_clean(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return s.n <= VALUE_MAX;
}

static void set_parameter(struct challenge *c, struct str name, struct str value)
{
	struct str *to = is_named(name, "realm")     ? &c->realm
			 : is_named(name, "service") ? &c->service
			 : is_named(name, "scope")   ? &c->scope
						     : NULL;

	if (to && is_clean(value))
		*to = value;
}

/* The parameters of one challenge, up to the next one or what cannot be read. */
static void read_parameters(struct arena *a, struct str *s, struct challenge *c)
{
	for (;;) {
		struct str before, name, value;

		skip_blanks(s, true);
		before = *s;
		name = take_token(s);
		skip_blanks(s, false);
		if (!name.n || !str_starts(*s, STR("="))) {
			*s = before; /* the next one's scheme */
			return;
		}
		*s = str_sub(*s, 1, s->n);
		skip_blanks(s, false);
		if (str_starts(*s, STR("\""))) {
			*s = str_sub(*s, 1, s->n);
			value = take_quoted(a, s);
		} else {
			value = take_token(s);
		}
		set_parameter(c, name, value);
	}
}

static enum challenge_kind kind_of(struct str scheme)
{
	return is_named(scheme, "Bearer")  ? CHALLENGE_BEARER
	       : is_named(scheme, "Basic") ? CHALLENGE_BASIC
					   : CHALLENGE_NONE;
}

void challenge_parse(struct arena *a, struct str header, struct challenge *out)
{
	*out = (struct challenge){0};
	while (header.n) {
		struct challenge c = {0};

		skip_blanks(&header, true);
		c.kind = kind_of(take_token(&header));
		if (header.n && *header.p != ' ' && *header.p != ',') {
			str_cut(&header, ','); /* no scheme: what follows is not known */
			continue;
		}
		read_parameters(a, &header, &c);
		if (c.kind == CHALLENGE_BEARER && !c.realm.n)
			c.kind = CHALLENGE_NONE;
		if (c.kind > out->kind)
			*out = c;
	}
}

static void add_parameter(struct buf *b, const char *name, struct str value)
{
	buf_printf(b, "%c%s=", memchr(b->p, '?', b->n) ? '&' : '?', name);
	url_escape(b, value);
}

char *challenge_url(struct arena *a, const struct challenge *c, struct str path, bool secure)
{
	struct str scope = c->scope;
	CLEANUP_BUF b = {0};

	if (!(c->realm.n > 8 && strncasecmp(c->realm.p, "https://", 8) == 0) &&
		!(!secure && c->realm.n > 7 && strncasecmp(c->realm.p, "http://", 7) == 0))
		return NULL;
	if (!scope.n)
		scope = arena_strf(a, "repository:%.*s:pull", STR_ARG(path));
	buf_str(&b, str_cut(&(struct str){c->realm.p, c->realm.n}, '#'));
	if (c->service.n)
		add_parameter(&b, "service", c->service);
	while (scope.p) {
		struct str one = str_cut(&scope, ' ');

		if (one.n)
			add_parameter(&b, "scope", one);
	}
	return arena_cstr(a, buf_view(&b));
}

/* --- the token ------------------------------------------------------------------------------ */

/* What could end a header's line is no token. */
static bool is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f)
			return false;
	return s.n > 0 && s.n <= TOKEN_MAX;
}

static void read_token(struct arena *a, struct json *j, struct str *out)
{
	enum json_type t;

	if (json_next(j) != JSON_OBJECT)
		return;
	while ((t = json_next(j)) == JSON_KEY) {
		bool wanted = str_is(json_text(j), "token") || str_is(json_text(j), "access_token");

		if (!wanted || out->n) {
			if (json_skip(j) < 0)
				break;
			continue;
		}
		t = json_next(j);
		if (t == JSON_STRING && is_token(json_text(j)))
			*out = arena_str(a, json_text(j));
		else if (json_skip_rest(j, t) < 0)
			break;
	}
	if (t != JSON_OBJECT_END || json_next(j) != JSON_END)
		out->n = 0;
}

int token_parse(struct arena *a, const char *name, struct str text, struct str *out, struct err *e)
{
	struct json *j = json_open_text(text, name);

	*out = (struct str){0};
	read_token(a, j, out);
	json_close(j);
	return out->n ? 0 : err_set(e, ERR_INTEGRITY, "no token in the answer of '%s'", name);
}

/* --- logins --------------------------------------------------------------------------------- */

static bool is_base64(struct str s)
{
	size_t n = s.n;

	while (n && s.n - n < 2 && s.p[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') ||
			    ((s.p[i] | 0x20) >= 'a' && (s.p[i] | 0x20) <= 'z') || s.p[i] == '+' ||
			    s.p[i] == '/'))
			return false;
	return n > 0 && s.n % 4 == 0 && s.n <= TOKEN_MAX;
}

/* docker's keys are URLs of its first protocol, podman's "HOST[/PATH]". */
static struct str key_place(struct str key)
{
	ptrdiff_t scheme = str_find(key, STR("://"));

	if (scheme >= 0) {
		struct str rest = str_sub(key, (size_t)scheme + 3, key.n);

		key = str_cut(&rest, '/');
	}
	while (str_ends(key, STR("/")))
		key.n--;
	return str_is(key, "index.docker.io") || str_is(key, "registry-1.docker.io")
		       ? STR("docker.io")
		       : key;
}

static bool is_below(const char *place, struct str key)
{
	struct str all = str_of(place);

	return key.n && str_starts(all, key) && (all.n == key.n || all.p[key.n] == '/');
}

static int fail_file(struct json *j, struct err *e, const char *what)
{
	struct err why = {0};

	if (what)
		json_fail(j, &why, "%s", what);
	else
		json_error(j, &why);
	err_set(e, ERR_INPUT, "%s", why.text);
	err_release(&why);
	return -1;
}

/* {"auth": "BASE64"}; empty, or with an identity token, where a helper has it. */
static int read_login(struct arena *a, struct json *j, struct str *out, bool *helper, struct err *e)
{
	enum json_type t = json_next(j);

	if (t != JSON_OBJECT)
		return fail_file(j, e, t == JSON_ERROR ? NULL : "a login is an object");
	*helper = true;
	while ((t = json_next(j)) == JSON_KEY) {
		bool is_auth = str_is(json_text(j), "auth");

		t = is_auth ? json_next(j) : JSON_NULL;
		if (!is_auth && json_skip(j) < 0)
			return fail_file(j, e, NULL);
		if (!is_auth || (t == JSON_STRING && json_text(j).n == 0))
			continue;
		if (t != JSON_STRING || !is_base64(json_text(j)))
			return fail_file(j, e, t == JSON_ERROR ? NULL : "'auth' is no base64");
		*out = arena_strf(a, "%.*s", STR_ARG(json_text(j)));
		*helper = false;
	}
	return t == JSON_OBJECT_END ? 0 : fail_file(j, e, NULL);
}

static int read_auths(struct arena *a, struct json *j, const char *place, struct str *out,
	bool *helper, struct err *e)
{
	enum json_type t = json_next(j);
	size_t best = 0;

	if (t != JSON_OBJECT)
		return fail_file(j, e, t == JSON_ERROR ? NULL : "'auths' is an object of hosts");
	while ((t = json_next(j)) == JSON_KEY) {
		struct str key = key_place(json_text(j)), login = {0};
		bool fits = is_below(place, key) && key.n > best, left = false;
		size_t length = key.n;

		if (read_login(a, j, &login, &left, e) < 0)
			return -1;
		if (!fits)
			continue;
		best = length;
		*out = login;
		*helper = left;
	}
	return t == JSON_OBJECT_END ? 0 : fail_file(j, e, NULL);
}

static int read_logins(struct arena *a, struct json *j, const char *place, struct str *out,
	bool *helper, struct err *e)
{
	enum json_type t = json_next(j);
	bool left = false, store = false;

	if (t != JSON_OBJECT)
		return fail_file(j, e, t == JSON_ERROR ? NULL : "not an object");
	while ((t = json_next(j)) == JSON_KEY) {
		struct str key = json_text(j);

		store |= str_is(key, "credsStore") || str_is(key, "credHelpers");
		if ((str_is(key, "auths") ? read_auths(a, j, place, out, &left, e) : json_skip(j)) <
			0)
			return e->text ? -1 : fail_file(j, e, NULL);
	}
	*helper = !out->n && (left || store);
	return t == JSON_OBJECT_END && json_next(j) == JSON_END ? 0 : fail_file(j, e, NULL);
}

int login_parse(struct arena *a, const char *name, struct str text, const struct reference *r,
	struct str *out, bool *helper, struct err *e)
{
	char *place = arena_printf(a, "%.*s/%.*s", STR_ARG(r->host), STR_ARG(r->path));
	struct json *j = json_open_text(text, name);
	struct err why = {0};
	int rc;

	*out = (struct str){0};
	*helper = false;
	rc = read_logins(a, j, place, out, helper, &why);
	json_close(j);
	return rc < 0 ? err_move(e, &why) : 0;
}

static int read_file(struct arena *a, const char *path, const struct reference *r, struct str *out,
	bool *helper, struct err *e)
{
	struct str text;

	if (file_read(a, path, FILE_MAX, &text, e) < 0 ||
		login_parse(a, path, text, r, out, helper, e) < 0)
		return err_wrap(e, "cannot read the logins");
	return 0;
}

/* The usual places, first those of podman; n of them. */
static size_t usual_files(struct arena *a, const char *files[4])
{
	const char *run = getenv("XDG_RUNTIME_DIR"), *home = getenv("HOME"),
		   *docker = getenv("DOCKER_CONFIG");
	size_t n = 0;

	if (run && *run == '/')
		files[n++] = path_join(a, run, "containers/auth.json");
	if (home && *home == '/')
		files[n++] = path_join(a, home, ".config/containers/auth.json");
	if (docker && *docker)
		files[n++] = path_join(a, docker, "config.json");
	else if (home && *home == '/')
		files[n++] = path_join(a, home, ".docker/config.json");
	return n;
}

int login_find(
	struct arena *a, const struct reference *r, struct str *out, bool *helper, struct err *e)
{
	const char *named = getenv("REGISTRY_AUTH_FILE"), *files[4];
	bool any_helper = false;
	size_t n;

	*out = (struct str){0};
	*helper = false;
	if (named && *named)
		return read_file(a, named, r, out, helper, e);
	n = usual_files(a, files);
	for (size_t i = 0; i < n && !out->n; i++) {
		struct err why = {0};

		if (!path_exists(files[i]))
			continue;
		if (read_file(a, files[i], r, out, helper, &why) < 0)
			log_warn("%s", why.text); /* nobody has asked for this one */
		err_release(&why);
		any_helper |= *helper;
	}
	*helper = any_helper && !out->n;
	return 0;
}
