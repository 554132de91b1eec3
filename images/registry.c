#include "images/registry.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "images/registry_auth.h"

#include <fcntl.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

enum { TOKEN_ANSWER_MAX = 1 << 20, TAGS_MAX = 4 << 20, TAGS_SHOWN = 12 };

static const char accept_manifests[] = "application/vnd.oci.image.index.v1+json, "
				       "application/vnd.oci.image.manifest.v1+json, "
				       "application/vnd.docker.distribution.manifest.list.v2+json, "
				       "application/vnd.docker.distribution.manifest.v2+json";

/* --- one download --------------------------------------------------------------------------- */

enum { HEADER_AUTHENTICATE, HEADER_TYPE, HEADER_DIGEST, N_HEADERS };

struct download {
	const char *url, *accept;
	const char *name;  /* in errors */
	struct str digest; /* that it must have; empty: not known */
	uint64_t size;     /* that it must have, UINT64_MAX: not known, and then at most max */
	uint64_t max;
	const char *path; /* NULL: into body */
	bool allow_missing;
	struct step *step;
	/* While it comes. */
	const struct http_request *request;
	struct http_header headers[N_HEADERS];
	struct buf body;
	int fd;
	struct hash *hash;
	uint64_t received;
	/* Answers. */
	int status;
	char sum[7 + SHA256_HEX + 1]; /* "sha256:HEX" */
};

static int open_file(struct download *d, struct err *e)
{
	if (!d->path || d->fd >= 0)
		return 0;
	d->fd = open(d->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	return d->fd < 0 ? err_sys(e, "cannot write '%s'", d->path) : 0;
}

static int take(void *ctx, const void *p, size_t n, struct err *e)
{
	struct download *d = ctx;

	if (!d->hash)
		d->hash = hash_new(HASH_SHA256);
	hash_update(d->hash, p, n);
	d->received += n;
	if (d->step)
		step_tick(d->step, 0, n);
	if (!d->path)
		return buf_add(&d->body, p, n) < 0 ? err_set(e, ERR_INTEGRITY, "too long") : 0;
	if (open_file(d, e) < 0)
		return -1;
	return write_full(d->fd, p, n, e) < 0 ? err_wrap(e, "cannot write '%s'", d->path) : 0;
}

static int start_over(void *ctx, struct err *e)
{
	struct download *d = ctx;

	hash_free(d->hash);
	d->hash = NULL;
	if (d->step)
		step_take_back(d->step, d->received);
	d->received = 0;
	buf_clear(&d->body);
	if (d->fd >= 0 && (ftruncate(d->fd, 0) < 0 || lseek(d->fd, 0, SEEK_SET) < 0))
		return err_sys(e, "cannot write '%s'", d->path);
	return 0;
}

static void reckon(struct download *d)
{
	uint8_t sum[SHA256_LEN];

	if (!d->hash)
		d->hash = hash_new(HASH_SHA256);
	hash_final(d->hash, sum);
	memcpy(d->sum, "sha256:", 7);
	hex_encode(sum, SHA256_LEN, d->sum + 7);
}

static int finish(void *ctx, struct err *e)
{
	struct download *d = ctx;

	d->status = d->request->status;
	if (d->status != 200)
		return 0;
	reckon(d);
	if (d->size != UINT64_MAX && d->received != d->size)
		return err_set(e, ERR_INTEGRITY, "%s: %ju bytes, not %ju", d->name,
			(uintmax_t)d->received, (uintmax_t)d->size);
	if (d->digest.n && !str_is(d->digest, d->sum))
		return err_set(e, ERR_INTEGRITY, "%s: it is %s, not %.*s", d->name, d->sum,
			STR_ARG(d->digest));
	if (open_file(d, e) < 0)
		return -1;
	fd_cleanup(&d->fd);
	if (d->step)
		step_tick(d->step, 1, 0);
	return 0;
}

static void download_release(struct download *d)
{
	buf_release(&d->body);
	fd_cleanup(&d->fd);
	hash_free(d->hash);
}

static struct http_request request_of(struct download *d, const char *authorization)
{
	d->headers[HEADER_AUTHENTICATE].name = "WWW-Authenticate";
	d->headers[HEADER_TYPE].name = "Content-Type";
	d->headers[HEADER_DIGEST].name = "Docker-Content-Digest";
	return (struct http_request){
		.url = d->url,
		.accept = d->accept,
		.authorization = authorization,
		.write = take,
		.restart = start_over,
		.done = finish,
		.ctx = d,
		/* 0 would be no limit, and the sum tells that an empty one is not */
		.max_bytes = d->size == UINT64_MAX ? d->max : d->size + !d->size,
		.allow_missing = d->allow_missing,
		.allow_unauthorized = true,
		.headers = d->headers,
		.n_headers = N_HEADERS,
	};
}

/* Those without an answer; *unauthorized is one that was told to say who it is. */
static int fetch_round(struct registry *r, struct download *v, size_t n, size_t *left,
	struct download **unauthorized, struct err *e)
{
	struct http_request *requests = xcalloc(n, sizeof *requests);
	size_t asked = 0;
	int rc;

	for (size_t i = 0; i < n; i++)
		if (!v[i].status) {
			requests[asked] = request_of(&v[i], r->authorization);
			v[i].request = &requests[asked++];
		}
	rc = http_fetch(r->http, requests, asked, e);
	free(requests);
	*left = 0;
	for (size_t i = 0; i < n && rc == 0; i++)
		if (v[i].status == 401) {
			v[i].status = 0;
			*unauthorized = &v[i];
			++*left;
		}
	return rc;
}

/* --- who one is ----------------------------------------------------------------------------- */

static int fail_refused(const struct registry *r, struct err *e)
{
	const struct reference *ref = r->reference;

	err_set(e, ERR_NETWORK, "the registry '%.*s' does not give '%.*s' to %s",
		STR_ARG(ref->host), STR_ARG(ref->path),
		r->login.n ? "the user of the login that is known for it" : "everybody");
	if (r->helper)
		return err_advise(e,
			"the login is left to a credential helper, which envbuild does "
			"not run: REGISTRY_AUTH_FILE names a file with `auths`, as podman "
			"login --authfile writes it");
	return err_advise(e,
		"see whether the name is right: registries say the same of what they "
		"do not have; else log in with podman login, docker login or in netrc");
}

/* One text from a server that is not the registry, with the login where there is one. */
static int fetch_token(struct registry *r, const char *url, struct str *token, struct err *e)
{
	struct download d = {.url = url,
		.name = http_redact(r->a, url),
		.size = UINT64_MAX,
		.max = TOKEN_ANSWER_MAX,
		.fd = -1};
	struct http_request request = request_of(
		&d, r->login.n ? arena_printf(r->a, "Basic %.*s", STR_ARG(r->login)) : NULL);
	int rc;

	d.request = &request;
	rc = http_fetch(r->http, &request, 1, e);
	if (rc == 0 && d.status == 401)
		rc = fail_refused(r, e);
	else if (rc == 0)
		rc = token_parse(r->a, d.name, buf_view(&d.body), token, e);
	download_release(&d);
	return rc;
}

/* A registry of this machine that is asked over http is no reason to send a login over the network so. */
static bool may_ask(const struct registry *r, const char *url)
{
	struct str rest = str_of(url);
	struct reference server = {0};
	size_t n = 7;

	if (r->plain_http || strncasecmp(url, "http://", 7) != 0)
		return true;
	while (n < rest.n && !strchr("/?#", rest.p[n]))
		n++;
	rest = str_sub(rest, 7, n);
	server.host = str_sub(rest, (size_t)(str_rchr(rest, '@') + 1), rest.n);
	return reference_is_loopback(&server);
}

static int authenticate(struct registry *r, const char *header, struct err *e)
{
	struct challenge c;
	struct str token;
	char *url;

	challenge_parse(r->a, str_of(header), &c);
	switch (c.kind) {
	case CHALLENGE_NONE:
		return fail_refused(r, e);
	case CHALLENGE_BASIC:
		if (!r->login.n || r->authorization)
			return fail_refused(r, e);
		r->authorization = arena_printf(r->a, "Basic %.*s", STR_ARG(r->login));
		return 0;
	case CHALLENGE_BEARER:
		break;
	}
	url = challenge_url(r->a, &c, r->reference->path, r->secure);
	if (!url || !may_ask(r, url))
		return err_set(e, ERR_NETWORK,
			"the registry '%.*s' wants a token from a place that is no URL of https",
			STR_ARG(r->reference->host));
	if (fetch_token(r, url, &token, e) < 0)
		return err_wrap(e, "cannot get a token for the registry '%.*s'",
			STR_ARG(r->reference->host));
	r->authorization = arena_printf(r->a, "Bearer %.*s", STR_ARG(token));
	return 0;
}

/* As long as tokens help: one that was just given and is refused is no help. */
static int fetch(struct registry *r, struct download *v, size_t n, struct err *e)
{
	size_t before = n + 1, left = n;

	for (;;) {
		struct download *unauthorized = NULL;

		if (fetch_round(r, v, n, &left, &unauthorized, e) < 0)
			return -1;
		if (!unauthorized)
			return 0;
		if (left == before)
			return fail_refused(r, e);
		before = left;
		if (authenticate(r, unauthorized->headers[HEADER_AUTHENTICATE].value, e) < 0)
			return -1;
	}
}

int registry_open(struct arena *a, struct http *http, const struct reference *reference,
	bool plain_http, struct registry *out, struct err *e)
{
	*out = (struct registry){
		.a = a, .http = http, .reference = reference, .plain_http = plain_http};
	out->url = reference_url(a, reference, plain_http);
	out->secure = str_starts(str_of(out->url), STR("https:"));
	return login_find(a, reference, &out->login, &out->helper, e);
}

/* --- manifests ------------------------------------------------------------------------------ */

static void read_tags(struct json *j, struct buf *to)
{
	size_t n = 0;
	enum json_type t;

	if (json_next(j) != JSON_OBJECT)
		return;
	while ((t = json_next(j)) == JSON_KEY) {
		if (!str_is(json_text(j), "tags")) {
			if (json_skip(j) < 0)
				return;
			continue;
		}
		if (json_next(j) != JSON_ARRAY)
			return;
		for (; json_next(j) == JSON_STRING; n++)
			if (n < TAGS_SHOWN && json_text(j).n <= 128)
				buf_printf(to, "%s'%.*s'", n ? ", " : "", STR_ARG(json_text(j)));
		if (n > TAGS_SHOWN)
			buf_printf(to, " and %zu more", n - TAGS_SHOWN);
		return;
	}
}

/* For the advice alone: where it fails, nothing is said. */
static void list_tags(struct registry *r, struct buf *to)
{
	struct download d = {.url = arena_printf(r->a, "%s/tags/list", r->url),
		.name = "tags",
		.size = UINT64_MAX,
		.max = TAGS_MAX,
		.allow_missing = true,
		.fd = -1};
	struct err none = {0};
	struct json *j;

	if (fetch(r, &d, 1, &none) == 0 && d.status == 200) {
		j = json_open_text(buf_view(&d.body), "tags");
		read_tags(j, to);
		json_close(j);
	}
	err_release(&none);
	download_release(&d);
}

static int fail_missing(struct registry *r, struct str tag, struct err *e)
{
	const struct reference *ref = r->reference;
	CLEANUP_BUF tags = {0};

	list_tags(r, &tags);
	err_set(e, ERR_NETWORK, "the registry '%.*s' has no '%.*s' of '%.*s'", STR_ARG(ref->host),
		STR_ARG(tag), STR_ARG(ref->path));
	if (tags.n)
		return err_advise(e, "tags that it has: %s", tags.p);
	return err_advise(e, "see whether the name of the image is right");
}

/* "application/json; charset=utf-8" without its parameters. */
static struct str plain_type(struct arena *a, const char *header)
{
	struct str rest = str_of(header);

	return header ? arena_str(a, str_trim(str_cut(&rest, ';'))) : (struct str){0};
}

static int check_header(const struct download *d, struct err *e)
{
	const char *said = d->headers[HEADER_DIGEST].value;

	if (!said || !oci_digest_is_valid(str_of(said)) || strcmp(said, d->sum) == 0)
		return 0;
	return err_set(
		e, ERR_INTEGRITY, "%s: it is %s, and the registry says %s", d->name, d->sum, said);
}

static int take_manifest(
	struct registry *r, struct download *d, struct str tag, struct manifest *out, struct err *e)
{
	if (fetch(r, d, 1, e) < 0)
		return -1;
	if (d->status != 200)
		return fail_missing(r, tag, e);
	if (check_header(d, e) < 0)
		return -1;
	out->text = arena_str(r->a, buf_view(&d->body));
	out->media_type = plain_type(r->a, d->headers[HEADER_TYPE].value);
	out->digest = arena_str(r->a, str_of(d->sum));
	return 0;
}

int registry_manifest(struct registry *r, struct str tag, struct manifest *out, struct err *e)
{
	bool by_digest = oci_digest_is_valid(tag);
	struct download d = {
		.url = arena_printf(r->a, "%s/manifests/%.*s", r->url, STR_ARG(tag)),
		.accept = accept_manifests,
		.name = arena_printf(r->a, "manifest '%.*s'", STR_ARG(tag)),
		.digest = by_digest ? tag : (struct str){0},
		.size = UINT64_MAX,
		.max = OCI_MANIFEST_MAX,
		.allow_missing = true,
		.fd = -1,
	};
	int rc = take_manifest(r, &d, tag, out, e);

	download_release(&d);
	return rc;
}

/* --- blobs ---------------------------------------------------------------------------------- */

int registry_blobs(
	struct registry *r, struct registry_blob *blobs, size_t n, struct step *step, struct err *e)
{
	struct download *v = arena_array(r->a, struct download, n);
	int rc;

	for (size_t i = 0; i < n; i++)
		v[i] = (struct download){
			.url = arena_printf(
				r->a, "%s/blobs/%.*s", r->url, STR_ARG(blobs[i].digest)),
			.name = arena_printf(r->a, "blob '%.*s'", STR_ARG(blobs[i].digest)),
			.digest = blobs[i].digest,
			.size = blobs[i].size,
			.path = blobs[i].path,
			.step = step,
			.fd = -1,
		};
	rc = fetch(r, v, n, e);
	for (size_t i = 0; i < n; i++) {
		if (rc == 0 && !blobs[i].path)
			blobs[i].text = arena_str(r->a, buf_view(&v[i].body));
		download_release(&v[i]);
	}
	return rc;
}
