#include "packer/forge.h"

#include "base/http_netrc.h"
#include "base/json.h"
#include "base/log.h"

#include <stdlib.h>

enum { PAGES_MAX = 100, RELEASE_PAGES_MAX = 5, LIST_MAX = 32 << 20 };

/* --- where, and who we are ------------------------------------------------------------------------ */

static bool is_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
			    c == '-' || c == '_' || c == '.'))
			return false;
	}
	return s.n && s.n <= 100 && s.p[0] != '.';
}

/* Host with port; empty where the URL is none of http(s), or has a user in it. */
static struct str url_host(const char *url)
{
	struct str s = str_of(url), host;
	ptrdiff_t at = str_find(s, STR("://"));

	if (at < 0 || (!str_is(str_sub(s, 0, (size_t)at), "http") &&
			      !str_is(str_sub(s, 0, (size_t)at), "https")))
		return (struct str){0};
	s = str_sub(s, (size_t)at + 3, s.n);
	host = str_cut(&s, '/');
	for (size_t i = 0; i < host.n; i++)
		if (strchr("@?# \\", host.p[i]) || (unsigned char)host.p[i] <= ' ')
			return (struct str){0};
	return host;
}

static char *bare_host(struct arena *a, const char *url)
{
	struct str host = url_host(url);
	ptrdiff_t colon = str_rchr(host, ':');

	if (colon >= 0 && str_chr(str_sub(host, (size_t)colon, host.n), ']') < 0)
		host.n = (size_t)colon;
	return arena_cstr(a, host);
}

static struct str without_slashes(struct str s)
{
	while (s.n && s.p[s.n - 1] == '/')
		s.n--;
	return s;
}

/* Actions of Gitea set the variable, too: to their own API, to which GitHub's token must not go. */
static int check_api(const char *api, struct err *e)
{
	CLEANUP_ARENA scratch = {0};

	if (!api || !str_ends(without_slashes(str_of(api)), STR("/api/v1")))
		return 0;
	err_set(e, ERR_USAGE, "GITHUB_API_URL is '%s', which is no API of GitHub",
		http_redact(&scratch, api));
	return err_advise(e, "unset it, or publish to gitea:URL/OWNER/REPO");
}

static int fail_place(const char *to, struct err *e)
{
	CLEANUP_ARENA scratch = {0};

	err_set(e, ERR_USAGE, "'%s' is no place to publish to", http_redact(&scratch, to));
	return err_advise(e, "github:OWNER/REPO, gitea:https://HOST/OWNER/REPO or a folder is one");
}

/* Cuts "/OWNER/REPO" off the end. */
static int cut_repo(struct forge *f, struct str *rest)
{
	ptrdiff_t at = str_rchr(*rest, '/');
	struct str repo, owner;

	if (at < 0)
		return -1;
	repo = str_sub(*rest, (size_t)at + 1, rest->n);
	rest->n = (size_t)at;
	at = str_rchr(*rest, '/');
	owner = str_sub(*rest, (size_t)(at + 1), rest->n);
	rest->n = at < 0 ? 0 : (size_t)at;
	if (str_ends(repo, STR(".git")))
		repo.n -= 4;
	if (!is_name(owner) || !is_name(repo))
		return -1;
	f->owner = arena_cstr(f->arena, owner);
	f->repo = arena_cstr(f->arena, repo);
	return 0;
}

static int parse_place(struct forge *f, const char *to)
{
	struct str rest = without_slashes(str_of(to));
	bool github = str_starts(rest, STR("github:"));
	const char *api = getenv("GITHUB_API_URL");

	str_cut(&rest, ':');
	f->ops = github ? &forge_github : &forge_gitea;
	if (cut_repo(f, &rest) < 0 || (github && rest.n))
		return -1;
	if (!github)
		f->api = arena_printf(f->arena, "%.*s/api/v1", STR_ARG(without_slashes(rest)));
	else if (api && *api)
		f->api = arena_cstr(f->arena, without_slashes(str_of(api)));
	else
		f->api = arena_strdup(f->arena, "https://api.github.com");
	return url_host(f->api).n ? 0 : -1;
}

static bool is_token(const char *text)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p > '~')
			return false;
	return *text != '\0';
}

static const char *token_from_netrc(struct forge *f)
{
	const char *found = netrc_password(f->arena, bare_host(f->arena, f->api));
	bool is_github = strcmp(f->api, "https://api.github.com") == 0;

	return found || !is_github ? found : netrc_password(f->arena, "github.com");
}

static int find_token(struct forge *f, struct err *e)
{
	const char *found = NULL, *from = "netrc";

	for (const char *const *v = f->ops->tokens; *v && !found; v++) {
		const char *value = getenv(*v);

		if (value && *value)
			found = value, from = *v;
	}
	if (!found)
		found = token_from_netrc(f);
	if (!found)
		return 0;
	if (!is_token(found))
		return err_set(e, ERR_USAGE, "%s holds no token: there is white space in it", from);
	f->token = arena_strdup(f->arena, found);
	f->authorization = arena_printf(f->arena, "%s %s", f->ops->scheme, found);
	return 0;
}

static bool is_loopback(const char *host)
{
	return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
	       strcmp(host, "[::1]") == 0;
}

int forge_open(struct arena *a, const char *to, struct http *http, struct forge *out, struct err *e)
{
	*out = (struct forge){.arena = a, .http = http};
	if (parse_place(out, to) < 0)
		return fail_place(to, e);
	if ((out->ops == &forge_github && check_api(getenv("GITHUB_API_URL"), e) < 0) ||
		find_token(out, e) < 0)
		return -1;
	if (out->token && strncmp(out->api, "http:", 5) == 0 &&
		!is_loopback(bare_host(a, out->api)))
		log_warn("the token goes to '%s' over plain http", out->api);
	return 0;
}

int forge_check_sizes(const struct forge_ops *ops, const struct publish_set *set, struct err *e)
{
	char size[24];

	for (size_t i = 0; ops->max_asset && i < set->n_assets; i++) {
		const struct asset *asset = &set->assets[i];

		if (asset->size <= ops->max_asset)
			continue;
		err_set(e, ERR_USAGE, "'%s' has %s; %s takes files under 2 GiB", asset->name,
			format_bytes(asset->size, size), ops->name);
		return err_advise(e, "pack --split 1500M makes smaller ones");
	}
	return 0;
}

/* --- requests --------------------------------------------------------------------------------------- */

char *forge_url(const struct forge *f, const char *fmt, ...)
{
	CLEANUP_BUF b = {0};
	va_list ap;

	buf_printf(&b, "%s/repos/%s/%s", f->api, f->owner, f->repo);
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	return arena_cstr(f->arena, buf_view(&b));
}

char *forge_escape(const struct forge *f, const char *text)
{
	CLEANUP_BUF b = {0};

	url_escape(&b, str_of(text));
	return arena_cstr(f->arena, buf_view(&b));
}

static void advise(const struct forge *f, int status, struct err *e)
{
	const char *variable = f->ops->tokens[1];

	if (!f->token)
		err_advise(e, "no token was given: set %s, or put it into netrc", variable);
	else if (status == 401)
		err_advise(
			e, "%s (or netrc's password) is not accepted; tokens can expire", variable);
	else if (status == 403 || status == 404)
		err_advise(e, "is '%s/%s' right, and may the token write its releases?", f->owner,
			f->repo);
	else if (status == 413)
		err_advise(e, "pack --split 1500M makes smaller files");
	else if (status == 429 || status >= 500)
		err_advise(e, "run it again later: what is done already is not done twice");
	else
		err_advise(e, "run it again when that is mended: what is done is not done twice");
}

int forge_fail(const struct forge *f, const struct http_sending *s, const char *what, struct err *e)
{
	struct str said = forge_message(f->arena, s->answer, f->token);

	err_set(e, ERR_NETWORK, "cannot %s: %s says %d%s%.*s", what, f->ops->name, s->status,
		said.n ? ": " : "", STR_ARG(said));
	advise(f, s->status, e);
	return -1;
}

void forge_dress(const struct forge *f, struct http_sending *s)
{
	static const struct http_field version = {"X-GitHub-Api-Version", "2022-11-28"};

	if (!s->accept)
		s->accept = f->ops->accept;
	if (f->ops == &forge_github) {
		s->fields = &version;
		s->n_fields = 1;
	}
	if (url_same_host(s->url, f->api))
		s->authorization = f->authorization;
}

int forge_send(
	struct forge *f, struct http_sending *s, const int *also, const char *what, struct err *e)
{
	forge_dress(f, s);
	if (http_send(f->http, f->arena, s, e) < 0)
		return err_wrap(e, "cannot %s", what);
	if (s->status >= 200 && s->status < 300)
		return 0;
	for (; also && *also; also++)
		if (s->status == *also)
			return 0;
	return forge_fail(f, s, what, e);
}

static int get(struct forge *f, const char *url, const int *also, const char *what,
	struct http_sending *s, struct err *e)
{
	*s = (struct http_sending){.method = "GET", .url = url, .max_answer = LIST_MAX};
	return forge_send(f, s, also, what, e);
}

int forge_find_tag(struct forge *f, const char *tag, struct forge_release *out, struct err *e)
{
	static const int also[] = {404, 0};
	struct http_sending s;

	if (get(f, forge_url(f, "/releases/tags/%s", forge_escape(f, tag)), also,
		    "read the release", &s, e) < 0)
		return -1;
	if (s.status == 404)
		return 0;
	return forge_parse_release(f->arena, s.answer, out, e) < 0 ? -1 : 1;
}

/* Is there rel="next" in the Link header (RFC 8288)? */
static bool has_next(const struct http_sending *s)
{
	return s->link && str_find(str_of(s->link), STR("rel=\"next\"")) >= 0;
}

int forge_list_releases(struct forge *f, struct forge_releases *out, struct err *e)
{
	struct http_sending s;

	*out = (struct forge_releases){0};
	for (unsigned page = 1; page <= RELEASE_PAGES_MAX; page++) {
		char *url = forge_url(
			f, "/releases?%s=%u&page=%u", f->ops->page_key, f->ops->page_size, page);

		if (get(f, url, NULL, "list the releases", &s, e) < 0 ||
			forge_parse_releases(f->arena, s.answer, out, e) < 0)
			return -1;
		if (!has_next(&s))
			break;
	}
	return 0;
}

int forge_list_assets(
	struct forge *f, const struct forge_release *r, struct forge_assets *out, struct err *e)
{
	struct http_sending s;

	*out = (struct forge_assets){0};
	for (unsigned page = 1; page <= PAGES_MAX; page++) {
		char *url = forge_url(f, "/releases/%lld/assets?%s=%u&page=%u", (long long)r->id,
			f->ops->page_key, f->ops->page_size, page);

		if (get(f, url, NULL, "list the release's files", &s, e) < 0 ||
			forge_parse_assets(f->arena, s.answer, out, e) < 0)
			return -1;
		if (!has_next(&s))
			break;
	}
	return 0;
}

int forge_delete_asset(struct forge *f, const struct forge_release *r,
	const struct forge_asset *asset, struct err *e)
{
	static const int also[] = {404, 0}; /* it was tried twice */
	struct http_sending s = {.method = "DELETE", .url = f->ops->asset_url(f, r, asset->id)};

	return forge_send(f, &s, also, arena_printf(f->arena, "remove '%s'", asset->name), e);
}

int forge_rename_asset(struct forge *f, const struct forge_release *r,
	const struct forge_asset *asset, const char *name, struct err *e)
{
	CLEANUP_BUF text = {0};
	struct json_out w = {.to = &text};
	struct http_sending s = {.method = "PATCH",
		.url = f->ops->asset_url(f, r, asset->id),
		.content_type = "application/json",
		.has_body = true};

	jw_object(&w);
	jw_key(&w, "name");
	jw_cstr(&w, name);
	jw_object_end(&w);
	s.body.before = buf_view(&text);
	return forge_send(f, &s, NULL, arena_printf(f->arena, "name the file '%s'", name), e);
}

int forge_download(struct forge *f, const struct forge_release *r, const struct forge_asset *asset,
	uint64_t max, struct str *out, struct err *e)
{
	struct http_sending s = {.method = "GET", .max_answer = max};

	s.url = f->ops->download_url(f, r, asset, &s.accept);
	if (forge_send(f, &s, NULL, arena_printf(f->arena, "read '%s'", asset->name), e) < 0)
		return -1;
	*out = s.answer;
	return 0;
}

/* --- making and changing ------------------------------------------------------------------------------ */

static void say_text(struct json_out *w, const char *key, const char *value)
{
	if (!value)
		return;
	jw_key(w, key);
	jw_cstr(w, value);
}

static void say_flag(struct json_out *w, const char *key, bool say, bool value)
{
	if (!say)
		return;
	jw_key(w, key);
	jw_bool(w, value);
}

static void write_change(const struct forge_change *c, struct buf *to)
{
	struct json_out w = {.to = to};

	jw_object(&w);
	say_text(&w, "tag_name", c->tag);
	say_text(&w, "name", c->title);
	say_text(&w, "target_commitish", c->commit);
	if (c->say_body) {
		jw_key(&w, "body");
		jw_str(&w, c->body.n ? c->body : STR(""));
	}
	say_flag(&w, "draft", c->say_draft, c->draft);
	say_flag(&w, "prerelease", c->say_prerelease, c->prerelease);
	jw_object_end(&w);
}

/* A failure of making one that may pass is told by r->id 0 and 0 returned: look whether it is there. */
static int make_release(
	struct forge *f, struct forge_release *r, struct http_sending *s, struct err *e)
{
	struct err why = {0};

	s->once = true;
	forge_dress(f, s);
	if (http_send(f->http, f->arena, s, &why) < 0) {
		err_wrap(&why, "cannot make the release");
		if (!s->may_pass)
			return err_move(e, &why);
		log_debug("%s", why.text);
		err_release(&why);
		return 0;
	}
	if (s->status == 201 || s->status == 200)
		return forge_parse_release(f->arena, s->answer, r, e);
	if (s->status != 429 && (s->may_pass || f->ops->is_there(s->status, s->answer)))
		return 0;
	return forge_fail(f, s, "make the release", e);
}

int forge_put_release(
	struct forge *f, struct forge_release *r, const struct forge_change *c, struct err *e)
{
	CLEANUP_BUF text = {0};
	struct http_sending s = {
		.content_type = "application/json", .has_body = true, .max_answer = LIST_MAX};

	write_change(c, &text);
	s.body.before = buf_view(&text);
	if (r->id == 0) {
		s.method = "POST";
		s.url = forge_url(f, "/releases");
		return make_release(f, r, &s, e);
	}
	s.method = "PATCH";
	s.url = forge_url(f, "/releases/%lld", (long long)r->id);
	if (forge_send(f, &s, NULL, "change the release", e) < 0)
		return -1;
	return forge_parse_release(f->arena, s.answer, r, e);
}
