#include "packer/forge.h"

#include "base/json.h"

static bool has_prefix_label(struct str *host, const char *label)
{
	struct str want = str_of(label);

	if (!str_starts(*host, want))
		return false;
	*host = str_sub(*host, want.n, host->n);
	return true;
}

static struct str host_of(const char *url)
{
	struct str s = str_of(url);
	ptrdiff_t at = str_find(s, STR("://"));

	s = str_sub(s, (size_t)(at < 0 ? 0 : at + 3), s.n);
	return str_cut(&s, '/');
}

/*
 * May the token go where the API wants uploads?  To its own host, or from api.HOST to uploads.HOST, as
 * github.com and ghe.com have it; by the same scheme.
 */
static bool is_trusted(const struct forge *f, const char *url)
{
	struct str api = host_of(f->api), uploads = host_of(url);

	if (url_same_host(f->api, url))
		return true;
	return str_starts(str_of(f->api), STR("https://")) &&
	       str_starts(str_of(url), STR("https://")) && has_prefix_label(&api, "api.") &&
	       has_prefix_label(&uploads, "uploads.") && str_eq(api, uploads);
}

/* upload_url is a template (RFC 6570): ".../assets{?name,label}". */
static int upload(struct forge *f, const struct forge_release *r, const struct asset *asset,
	struct http_sending *out, struct err *e)
{
	struct str url = str_of(r->upload_url);
	CLEANUP_ARENA scratch = {0};
	ptrdiff_t brace = str_chr(url, '{');

	if (brace >= 0)
		url.n = (size_t)brace;
	out->url =
		arena_printf(f->arena, "%.*s?name=%s", STR_ARG(url), forge_escape(f, asset->name));
	if (url.n == 0 || !is_trusted(f, out->url)) {
		err_set(e, ERR_NETWORK, "'%s' wants files to be sent to '%s'", f->api,
			http_redact(&scratch, url.n ? out->url : ""));
		return err_advise(e, "that is another host, and the token does not go there");
	}
	out->authorization = f->authorization;
	out->content_type = "application/octet-stream";
	return 0;
}

static char *asset_url(struct forge *f, const struct forge_release *r, int64_t id)
{
	(void)r;
	return forge_url(f, "/releases/assets/%lld", (long long)id);
}

static char *download_url(struct forge *f, const struct forge_release *r,
	const struct forge_asset *asset, const char **accept)
{
	*accept = "application/octet-stream";
	return asset_url(f, r, asset->id);
}

static int put_ref(struct forge *f, const char *method, const char *url, const char *tag,
	const char *commit, const int *also, struct http_sending *s, struct err *e)
{
	CLEANUP_BUF text = {0};
	struct json_out w = {.to = &text};

	jw_object(&w);
	if (tag) {
		jw_key(&w, "ref");
		jw_cstr(&w, arena_printf(f->arena, "refs/tags/%s", tag));
	}
	jw_key(&w, "sha");
	jw_cstr(&w, commit);
	if (!tag) {
		jw_key(&w, "force");
		jw_bool(&w, true);
	}
	jw_object_end(&w);
	*s = (struct http_sending){
		.method = method, .url = url, .content_type = "application/json", .has_body = true};
	s->body.before = buf_view(&text);
	return forge_send(f, s, also, "move the tag", e);
}

/* A reference that is not there is 422 "Reference does not exist"; so is a commit that is not. */
static int move_tag(struct forge *f, const char *tag, const char *commit, struct err *e)
{
	static const int also[] = {404, 422, 0};
	struct http_sending s;
	char *url = forge_url(f, "/git/refs/tags/%s", tag);

	if (put_ref(f, "PATCH", url, NULL, commit, also, &s, e) < 0)
		return -1;
	if (s.status == 200)
		return 0;
	return put_ref(f, "POST", forge_url(f, "/git/refs"), tag, commit, NULL, &s, e);
}

static bool is_there(int status, struct str answer)
{
	return status == 422 && forge_has_code(answer, "already_exists");
}

static const char *const tokens[] = {"ENVBUILD_TOKEN", "GITHUB_TOKEN", "GH_TOKEN", NULL};

const struct forge_ops forge_github = {.name = "GitHub",
	.tokens = tokens,
	.scheme = "Bearer",
	.accept = "application/vnd.github+json",
	.max_asset = (2ULL << 30) - 1,
	.page_size = 100,
	.page_key = "per_page",
	.upload = upload,
	.asset_url = asset_url,
	.download_url = download_url,
	.move_tag = move_tag,
	.is_there = is_there};
