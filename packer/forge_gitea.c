/* Gitea, and Forgejo, which has its API. */
#include "packer/forge.h"

/* A form (RFC 7578) with one field.  The border is made of the file's own sum: it cannot be in it. */
static int upload(struct forge *f, const struct forge_release *r, const struct asset *asset,
	struct http_sending *out, struct err *e)
{
	struct arena *a = f->arena;
	char *border = arena_printf(a, "envbuild-%.40s", asset->sha256);

	(void)e;
	out->url = forge_url(
		f, "/releases/%lld/assets?name=%s", (long long)r->id, forge_escape(f, asset->name));
	out->content_type = arena_printf(a, "multipart/form-data; boundary=%s", border);
	out->authorization = f->authorization;
	out->body.before = arena_strf(a,
		"--%s\r\nContent-Disposition: form-data; name=\"attachment\"; filename=\"%s\"\r\n"
		"Content-Type: application/octet-stream\r\n\r\n",
		border, asset->name);
	out->body.after = arena_strf(a, "\r\n--%s--\r\n", border);
	return 0;
}

static char *asset_url(struct forge *f, const struct forge_release *r, int64_t id)
{
	return forge_url(f, "/releases/%lld/assets/%lld", (long long)r->id, (long long)id);
}

/* The server's own word for it, unless it names another host than the one we know. */
static char *download_url(struct forge *f, const struct forge_release *r,
	const struct forge_asset *asset, const char **accept)
{
	size_t base = strlen(f->api) - strlen("/api/v1");

	*accept = "*/*";
	if (asset->url && url_same_host(asset->url, f->api))
		return asset->url;
	return arena_printf(f->arena, "%.*s/%s/%s/releases/download/%s/%s", (int)base, f->api,
		f->owner, f->repo, forge_escape(f, r->tag), forge_escape(f, asset->name));
}

static bool is_there(int status, struct str answer)
{
	(void)answer;
	return status == 409;
}

static const char *const tokens[] = {"ENVBUILD_TOKEN", "GITEA_TOKEN", "FORGEJO_TOKEN", NULL};

const struct forge_ops forge_gitea = {.name = "Gitea",
	.tokens = tokens,
	.scheme = "token",
	.accept = "application/json",
	.page_size = 50,
	.page_key = "limit",
	.upload = upload,
	.asset_url = asset_url,
	.download_url = download_url,
	.is_there = is_there};
