/*
 * Releases at a forge, told apart by a table of what differs: GitHub and Gitea (Forgejo has Gitea's
 * API).  For packer/publish_forge.c and packer/forge*.c alone.
 *
 * GitHub: "REST API endpoints for releases" and "... for release assets", version 2022-11-28.
 * Gitea: the Swagger of its API v1, /repos/{owner}/{repo}/releases.
 */
#ifndef PACKER_FORGE_H
#define PACKER_FORGE_H

#include "base/http_send.h"
#include "packer/publish_set.h"

struct forge_asset {
	int64_t id;
	char *name;
	uint64_t size;
	char *url;         /* for people; NULL: not given */
	struct str sha256; /* hex, empty: not given */
	bool whole;        /* not what an upload that broke off has left */
};

struct forge_assets {
	struct forge_asset *v;
	size_t n, cap;
};

struct forge_release {
	int64_t id; /* 0: none */
	char *tag, *name, *url, *upload_url;
	struct str body;
	bool draft, prerelease;
	struct forge_assets assets; /* a forge may give them along; forge_list_assets() has all */
};

struct forge_releases {
	struct forge_release *v;
	size_t n, cap;
};

struct forge {
	const struct forge_ops *ops;
	struct http *http;
	struct arena *arena;
	char *api;           /* "https://api.github.com", "https://host/api/v1" */
	char *owner, *repo;  /* checked: they need no escaping */
	char *authorization; /* NULL: no token is known */
	char *token;
	struct step *step; /* while something is uploaded */
	struct err last;   /* why the last upload may have failed */
};

struct forge_ops {
	const char *name;          /* for people */
	const char *const *tokens; /* variables that may hold it, NULL behind the last */
	const char *scheme;        /* of the authorization */
	const char *accept;
	uint64_t max_asset; /* bytes; 0: the server's own limit */
	unsigned page_size;
	const char *page_key; /* in the query: how many on a page */
	/* The request that uploads; url and frame are put into the arena.  -1 with *e set. */
	int (*upload)(struct forge *f, const struct forge_release *r, const struct asset *asset,
		struct http_sending *out, struct err *e);
	char *(*asset_url)(struct forge *f, const struct forge_release *r, int64_t id);
	/* Where an asset's bytes are; *accept may be set. */
	char *(*download_url)(struct forge *f, const struct forge_release *r,
		const struct forge_asset *asset, const char **accept);
	/* The tag, which is there, names this commit from now on. */
	int (*move_tag)(struct forge *f, const char *tag, const char *commit, struct err *e);
	/* Is this answer to "create" that the release is there already? */
	bool (*is_there)(int status, struct str answer);
};

extern const struct forge_ops forge_github, forge_gitea;

/* Of "github:OWNER/REPO" or "gitea:URL/OWNER/REPO", with what the environment and netrc have. */
int forge_open(
	struct arena *a, const char *to, struct http *http, struct forge *out, struct err *e);

/* ERR_USAGE: a file is larger than the forge takes. */
int forge_check_sizes(const struct forge_ops *ops, const struct publish_set *set, struct err *e);

/* --- requests ---------------------------------------------------------------------------------- */

/*
 * One request to the API.  0 with s->status one of 200 to 299, or one of `also` (0 behind the last;
 * NULL: none); else ERR_NETWORK with what was to be done, the status and the server's own words.
 */
int forge_send(
	struct forge *f, struct http_sending *s, const int *also, const char *what, struct err *e);
/* What goes with every request: the kind of answer, the API's version, the token to the API's host. */
void forge_dress(const struct forge *f, struct http_sending *s);
/* The error for an answer that is none of those; -1. */
int forge_fail(
	const struct forge *f, const struct http_sending *s, const char *what, struct err *e);
/* "API/repos/OWNER/REPO" + what follows. */
char *forge_url(const struct forge *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A text as it is in a URL's path or query. */
char *forge_escape(const struct forge *f, const char *text);

/* 1 and *out, 0: there is none, -1.  A draft is not found by GitHub. */
int forge_find_tag(struct forge *f, const char *tag, struct forge_release *out, struct err *e);
/* The newest first, at most some hundreds. */
int forge_list_releases(struct forge *f, struct forge_releases *out, struct err *e);
int forge_list_assets(
	struct forge *f, const struct forge_release *r, struct forge_assets *out, struct err *e);
int forge_delete_asset(struct forge *f, const struct forge_release *r,
	const struct forge_asset *asset, struct err *e);
int forge_rename_asset(struct forge *f, const struct forge_release *r,
	const struct forge_asset *asset, const char *name, struct err *e);
/* The bytes of a small one. */
int forge_download(struct forge *f, const struct forge_release *r, const struct forge_asset *asset,
	uint64_t max, struct str *out, struct err *e);

struct forge_change {
	const char *tag, *title, *commit; /* NULL: not said */
	struct str body;
	bool draft, prerelease;
	bool say_body, say_draft, say_prerelease;
};
/* Makes a release (r->id 0) or changes it, and *r is what the forge says of it then.  Making may end
 * with 0 and r->id still 0: it may be there now, made by us or by another; look again. */
int forge_put_release(
	struct forge *f, struct forge_release *r, const struct forge_change *c, struct err *e);

/* --- answers ------------------------------------------------------------------------------------ */

/*
 * Parsing what a server says.  ERR_NETWORK: it does not say what its API has.  What is too much
 * (10,000 of a kind) is that, too.
 */
int forge_parse_release(struct arena *a, struct str text, struct forge_release *out, struct err *e);
int forge_parse_releases(
	struct arena *a, struct str text, struct forge_releases *out, struct err *e);
int forge_parse_assets(struct arena *a, struct str text, struct forge_assets *out, struct err *e);
/*
 * "message" and its "errors" in one line of printable text, without `secret` (NULL: none); empty
 * where the answer has none.
 */
struct str forge_message(struct arena *a, struct str text, const char *secret);
/* Is one of the answer's errors of this "code"? */
bool forge_has_code(struct str text, const char *code);

#endif
