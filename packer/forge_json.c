/* What GitHub and Gitea say, as JSON: only what is used of it, the same names at both. */
#include "packer/forge.h"

#include "base/json.h"

enum { ENTRIES_MAX = 10000, MESSAGE_MAX = 400 };

struct reading {
	struct arena *arena;
	struct json *json;
	struct err *err;
};

typedef int read_key(struct reading *r, struct str key, void *ctx);

static int fail(struct reading *r, enum json_type t, const char *why)
{
	return t == JSON_ERROR ? json_error(r->json, r->err)
			       : json_fail(r->json, r->err, "%s", why);
}

static int pass_over(struct reading *r)
{
	return json_skip(r->json) < 0 ? json_error(r->json, r->err) : 0;
}

/* Null is as absent.  A NUL byte ends what is used as a C string nowhere that matters: refused. */
static int read_text(struct reading *r, struct str *out)
{
	enum json_type t = json_next(r->json);

	if (t == JSON_NULL)
		return 0;
	if (t != JSON_STRING || str_chr(json_text(r->json), '\0') >= 0)
		return fail(r, t, "a text was expected");
	*out = arena_str(r->arena, json_text(r->json));
	return 0;
}

/* What a terminal would take for a command of its own. */
static bool has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < ' ' || c == 0x7f ||
			(c == 0xc2 && i + 1 < s.n && (unsigned char)s.p[i + 1] < 0xa0))
			return true;
	}
	return false;
}

/* A name, a tag, a URL: one line. */
static int read_cstr(struct reading *r, char **out)
{
	struct str text = {0};

	if (read_text(r, &text) < 0)
		return -1;
	if (has_control(text))
		return fail(r, JSON_STRING, "a text with control characters");
	*out = text.p ? arena_cstr(r->arena, text) : NULL;
	return 0;
}

static int read_flag(struct reading *r, bool *out)
{
	enum json_type t = json_next(r->json);

	if (t != JSON_TRUE && t != JSON_FALSE && t != JSON_NULL)
		return fail(r, t, "true or false was expected");
	*out = t == JSON_TRUE;
	return 0;
}

static int read_number(struct reading *r, int64_t *out)
{
	enum json_type t = json_next(r->json);

	if (t != JSON_NUMBER || json_int(r->json, out) < 0 || *out < 0)
		return fail(r, t, "a number was expected");
	return 0;
}

static int read_object(struct reading *r, enum json_type t, read_key *key, void *ctx)
{
	if (t != JSON_OBJECT)
		return fail(r, t, "a map was expected");
	while ((t = json_next(r->json)) == JSON_KEY)
		if (key(r, arena_str(r->arena, json_text(r->json)), ctx) < 0)
			return -1;
	return t == JSON_OBJECT_END ? 0 : json_error(r->json, r->err);
}

/* --- assets ------------------------------------------------------------------------------------- */

/* "sha256:HEX"; another kind of sum is none for us. */
static int read_digest(struct reading *r, struct str *out)
{
	struct str text = {0};
	uint8_t sha256[SHA256_LEN];

	if (read_text(r, &text) < 0)
		return -1;
	if (!str_starts(text, STR("sha256:")))
		return 0;
	text = str_sub(text, 7, text.n);
	if (hex_decode(text, sha256, SHA256_LEN) == 0) {
		char *hex = arena_alloc(r->arena, SHA256_HEX + 1);

		hex_encode(sha256, SHA256_LEN, hex);
		*out = str_n(hex, SHA256_HEX);
	}
	return 0;
}

static int read_state(struct reading *r, bool *whole)
{
	struct str text = {0};

	if (read_text(r, &text) < 0)
		return -1;
	*whole = text.n == 0 || str_is(text, "uploaded");
	return 0;
}

static int asset_key(struct reading *r, struct str key, void *ctx)
{
	struct forge_asset *x = ctx;
	int64_t size;

	if (str_is(key, "id"))
		return read_number(r, &x->id);
	if (str_is(key, "name"))
		return read_cstr(r, &x->name);
	if (str_is(key, "browser_download_url"))
		return read_cstr(r, &x->url);
	if (str_is(key, "digest"))
		return read_digest(r, &x->sha256);
	if (str_is(key, "state"))
		return read_state(r, &x->whole);
	if (!str_is(key, "size"))
		return pass_over(r);
	if (read_number(r, &size) < 0)
		return -1;
	x->size = (uint64_t)size;
	return 0;
}

static int read_asset(struct reading *r, enum json_type t, struct forge_asset *out)
{
	*out = (struct forge_asset){.whole = true};
	if (read_object(r, t, asset_key, out) < 0)
		return -1;
	return out->id && out->name ? 0 : fail(r, JSON_OBJECT, "a file without id or name");
}

static int read_assets(struct reading *r, enum json_type t, struct forge_assets *out)
{
	if (t == JSON_NULL)
		return 0;
	if (t != JSON_ARRAY)
		return fail(r, t, "a list was expected");
	while ((t = json_next(r->json)) != JSON_ARRAY_END) {
		if (out->n == ENTRIES_MAX)
			return fail(r, t, "too many files");
		if (read_asset(r, t, VEC_PUSH(r->arena, out)) < 0)
			return -1;
	}
	return 0;
}

/* --- releases ----------------------------------------------------------------------------------- */

static int release_key(struct reading *r, struct str key, void *ctx)
{
	struct forge_release *x = ctx;

	if (str_is(key, "id"))
		return read_number(r, &x->id);
	if (str_is(key, "tag_name"))
		return read_cstr(r, &x->tag);
	if (str_is(key, "name"))
		return read_cstr(r, &x->name);
	if (str_is(key, "html_url"))
		return read_cstr(r, &x->url);
	if (str_is(key, "upload_url"))
		return read_cstr(r, &x->upload_url);
	if (str_is(key, "body"))
		return read_text(r, &x->body);
	if (str_is(key, "draft"))
		return read_flag(r, &x->draft);
	if (str_is(key, "prerelease"))
		return read_flag(r, &x->prerelease);
	if (str_is(key, "assets"))
		return read_assets(r, json_next(r->json), &x->assets);
	return pass_over(r);
}

static int read_release(struct reading *r, enum json_type t, struct forge_release *out)
{
	*out = (struct forge_release){0};
	if (read_object(r, t, release_key, out) < 0)
		return -1;
	return out->id && out->tag ? 0 : fail(r, JSON_OBJECT, "a release without id or tag");
}

static int read_releases(struct reading *r, enum json_type t, struct forge_releases *out)
{
	if (t != JSON_ARRAY)
		return fail(r, t, "a list was expected");
	while ((t = json_next(r->json)) != JSON_ARRAY_END) {
		if (out->n == ENTRIES_MAX)
			return fail(r, t, "too many releases");
		if (read_release(r, t, VEC_PUSH(r->arena, out)) < 0)
			return -1;
	}
	return 0;
}

/* --- whole answers -------------------------------------------------------------------------------- */

static struct reading begin(struct arena *a, struct str text, struct err *why)
{
	return (struct reading){
		.arena = a, .json = json_open_text(text, "the server's answer"), .err = why};
}

/* A server's mistake, not a file's. */
static int end(struct reading *r, int rc, struct err *why, struct err *e)
{
	if (rc == 0 && json_next(r->json) != JSON_END)
		rc = json_error(r->json, why);
	json_close(r->json);
	if (rc < 0)
		err_set(e, ERR_NETWORK, "%s", why->text);
	err_release(why);
	return rc;
}

int forge_parse_release(struct arena *a, struct str text, struct forge_release *out, struct err *e)
{
	struct err why = {0};
	struct reading r = begin(a, text, &why);

	return end(&r, read_release(&r, json_next(r.json), out), &why, e);
}

int forge_parse_releases(
	struct arena *a, struct str text, struct forge_releases *out, struct err *e)
{
	struct err why = {0};
	struct reading r = begin(a, text, &why);

	return end(&r, read_releases(&r, json_next(r.json), out), &why, e);
}

int forge_parse_assets(struct arena *a, struct str text, struct forge_assets *out, struct err *e)
{
	struct err why = {0};
	struct reading r = begin(a, text, &why);

	return end(&r, read_assets(&r, json_next(r.json), out), &why, e);
}

/* --- errors --------------------------------------------------------------------------------------- */

struct complaint {
	struct buf text;
	const char *code; /* that is looked for; NULL: none */
	bool has_code;
};

static void add_part(struct complaint *c, struct str part)
{
	if (part.n)
		buf_printf(&c->text, "%s%.*s", c->text.n ? ": " : "", STR_ARG(part));
}

static int error_key(struct reading *r, struct str key, void *ctx)
{
	struct complaint *c = ctx;
	struct str text = {0};

	if (!str_is(key, "code") && !str_is(key, "message") && !str_is(key, "field"))
		return pass_over(r);
	if (read_text(r, &text) < 0)
		return -1;
	if (str_is(key, "code") && c->code && str_is(text, c->code))
		c->has_code = true;
	add_part(c, text);
	return 0;
}

/* GitHub's are maps, Gitea's texts. */
static int read_errors(struct reading *r, struct complaint *c)
{
	enum json_type t = json_next(r->json);

	if (t != JSON_ARRAY)
		return json_skip_rest(r->json, t);
	while ((t = json_next(r->json)) != JSON_ARRAY_END) {
		if (t == JSON_ERROR)
			return -1;
		if (t == JSON_OBJECT && read_object(r, t, error_key, c) < 0)
			return -1;
		if (t == JSON_STRING)
			add_part(c, json_text(r->json));
		else if (t != JSON_OBJECT && json_skip_rest(r->json, t) < 0)
			return -1;
	}
	return 0;
}

static int complaint_key(struct reading *r, struct str key, void *ctx)
{
	struct complaint *c = ctx;
	struct str text = {0};

	if (str_is(key, "errors"))
		return read_errors(r, c);
	if (!str_is(key, "message"))
		return pass_over(r);
	if (read_text(r, &text) < 0)
		return -1;
	add_part(c, text);
	return 0;
}

/* As far as it can be read. */
static void read_complaint(struct arena *a, struct str text, struct complaint *c)
{
	struct reading r = {.arena = a, .json = json_open_text(text, "answer")};

	read_object(&r, json_next(r.json), complaint_key, c);
	json_close(r.json);
}

/* For a terminal: one line, no control characters, whole characters, not without end. */
static struct str clean(struct arena *a, struct str text, const char *secret)
{
	CLEANUP_BUF b = {0};
	struct str hidden = str_of(secret);

	while (text.n && b.n < MESSAGE_MAX) {
		size_t n = utf8_sequence(text);
		unsigned char c = (unsigned char)text.p[0];

		if (hidden.n && str_starts(text, hidden)) {
			buf_puts(&b, "***");
			n = hidden.n;
		} else if (n == 0 || c < ' ' || c == 0x7f || (n == 2 && c == 0xc2)) {
			buf_putc(&b, ' ');
			n = n ? n : 1;
		} else {
			buf_add(&b, text.p, n);
		}
		text = str_sub(text, n, text.n);
	}
	return arena_str(a, str_trim(buf_view(&b)));
}

struct str forge_message(struct arena *a, struct str text, const char *secret)
{
	struct complaint c = {0};
	struct str out;

	read_complaint(a, text, &c);
	out = clean(a, buf_view(&c.text), secret);
	buf_release(&c.text);
	return out;
}

bool forge_has_code(struct str text, const char *code)
{
	CLEANUP_ARENA a = {0};
	struct complaint c = {.code = code};

	read_complaint(&a, text, &c);
	buf_release(&c.text);
	return c.has_code;
}
