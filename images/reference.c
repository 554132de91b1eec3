#include "images/reference.h"

#include "images/image_json.h"

enum { NAME_MAX_BYTES = 255, TAG_MAX_BYTES = 128, PORT_MAX = 65535 };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_letter(char c)
{
	return is_lower(c) || (c >= 'A' && c <= 'Z');
}

/* --- what each part may be ------------------------------------------------------------------ */

/* Bytes of the separator that s begins with: ".", "_", "__" or a row of "-". */
static size_t separator(struct str s)
{
	size_t n = 0;

	if (str_starts(s, STR("__")))
		return 2;
	if (s.n && (s.p[0] == '.' || s.p[0] == '_'))
		return 1;
	while (n < s.n && s.p[n] == '-')
		n++;
	return n;
}

static bool is_component(struct str s)
{
	for (;;) {
		size_t n = 0;

		while (n < s.n && (is_lower(s.p[n]) || is_digit(s.p[n])))
			n++;
		if (n == 0)
			return false;
		s = str_sub(s, n, s.n);
		if (s.n == 0)
			return true;
		n = separator(s);
		if (n == 0)
			return false;
		s = str_sub(s, n, s.n);
	}
}

static bool is_tag(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_letter(s.p[i]) && !is_digit(s.p[i]) && s.p[i] != '_' &&
			(i == 0 || (s.p[i] != '.' && s.p[i] != '-')))
			return false;
	return s.n > 0 && s.n <= TAG_MAX_BYTES;
}

static bool is_label(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_letter(s.p[i]) && !is_digit(s.p[i]) && s.p[i] != '-')
			return false;
	return s.n > 0 && s.p[0] != '-' && s.p[s.n - 1] != '-';
}

/* The host without its port, "[::1]" with its brackets. */
static struct str host_name(struct str host)
{
	ptrdiff_t colon = str_rchr(host, ':'), bracket = str_rchr(host, ']');

	return colon > bracket ? str_sub(host, 0, (size_t)colon) : host;
}

static bool is_address6(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_digit(s.p[i]) && s.p[i] != ':' &&
			!((s.p[i] | 0x20) >= 'a' && (s.p[i] | 0x20) <= 'f'))
			return false;
	return s.n >= 2;
}

static bool is_host(struct str host)
{
	struct str name = host_name(host), port = str_sub(host, name.n, host.n);
	uint64_t number;

	if (port.n && (str_u64(str_sub(port, 1, port.n), PORT_MAX, &number) < 0 || number == 0))
		return false;
	if (str_starts(name, STR("[")))
		return str_ends(name, STR("]")) && is_address6(str_sub(name, 1, name.n - 1));
	while (name.p)
		if (!is_label(str_cut(&name, '.')))
			return false;
	return true;
}

/* --- reading -------------------------------------------------------------------------------- */

static int fail_path(struct str path, struct err *e)
{
	bool has_capitals = false;

	for (size_t i = 0; i < path.n; i++)
		has_capitals |= is_letter(path.p[i]) && !is_lower(path.p[i]);
	if (path.n == 0)
		return err_set(e, ERR_USAGE, "a reference without the name of an image");
	err_set(e, ERR_USAGE, "'%.*s' is not the name of an image", STR_ARG(path));
	return err_advise(e, "%s",
		has_capitals
			? "such names are in lower case"
			: "such a name has lower-case letters and digits, and between them '.', "
			  "'_' or '-'");
}

static int check_path(struct str path, struct err *e)
{
	struct str rest = path;

	if (path.n == 0)
		return fail_path(path, e);
	while (rest.p)
		if (!is_component(str_cut(&rest, '/')))
			return fail_path(path, e);
	return 0;
}

static bool is_hex_64(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_digit(s.p[i]) && !(s.p[i] >= 'a' && s.p[i] <= 'f'))
			return false;
	return s.n == 64;
}

static bool names_host(struct str first)
{
	if (str_chr(first, '.') >= 0 || str_chr(first, ':') >= 0 || str_is(first, "localhost"))
		return true;
	for (size_t i = 0; i < first.n; i++) /* docker's rule: a path has no capitals */
		if (is_letter(first.p[i]) && !is_lower(first.p[i]))
			return true;
	return false;
}

/* The digest, cut off its end.  What else stands behind an "@" may follow a password. */
static int cut_digest(struct str *rest, struct reference *out, struct err *e)
{
	ptrdiff_t at = str_chr(*rest, '@');

	if (at < 0)
		return 0;
	out->digest = str_sub(*rest, (size_t)at + 1, rest->n);
	*rest = str_sub(*rest, 0, (size_t)at);
	if (oci_digest_is_valid(out->digest))
		return 0;
	err_set(e, ERR_USAGE,
		"a reference whose '@' is not followed by 'sha256:' and 64 hex digits in lower "
		"case");
	return err_advise(e, "credentials do not belong into it: podman login or docker login keep "
			     "them, or netrc");
}

static int cut_tag(struct str *rest, struct reference *out, struct err *e)
{
	ptrdiff_t colon = str_rchr(*rest, ':'), slash = str_rchr(*rest, '/');

	if (colon < 0 || colon < slash) {
		if (!out->digest.n)
			out->tag = STR("latest");
		return 0;
	}
	out->tag = str_sub(*rest, (size_t)colon + 1, rest->n);
	*rest = str_sub(*rest, 0, (size_t)colon);
	if (is_tag(out->tag))
		return 0;
	err_set(e, ERR_USAGE, "'%.*s' is not a tag", STR_ARG(out->tag));
	return err_advise(e, "a tag has up to 128 letters, digits, '_', '.' and '-', the first "
			     "neither '.' nor '-'");
}

static int cut_host(struct str *rest, struct reference *out, struct err *e)
{
	ptrdiff_t slash = str_chr(*rest, '/');
	struct str first = str_sub(*rest, 0, slash < 0 ? 0 : (size_t)slash);

	out->host = STR("docker.io");
	if (!names_host(first))
		return 0;
	*rest = str_sub(*rest, (size_t)slash + 1, rest->n);
	if (!is_host(first))
		return err_set(e, ERR_USAGE, "'%.*s' is not the name of a host", STR_ARG(first));
	if (!str_is(first, "index.docker.io"))
		out->host = first;
	return 0;
}

static int refuse_url(struct str text, struct err *e)
{
	ptrdiff_t at = str_find(text, STR("://"));

	if (at < 0)
		return 0;
	err_set(e, ERR_USAGE, "a reference has no '%.*s'", (int)at + 3, text.p);
	return err_advise(e, "write HOST/PATH:TAG, as in docker.io/library/debian:12");
}

static int read_parts(struct arena *a, struct str rest, struct reference *out, struct err *e)
{
	if (refuse_url(rest, e) < 0 || cut_digest(&rest, out, e) < 0 ||
		cut_tag(&rest, out, e) < 0 || cut_host(&rest, out, e) < 0 ||
		check_path(rest, e) < 0)
		return -1;
	out->path = rest;
	if (str_is(out->host, "docker.io") && str_chr(rest, '/') < 0) {
		if (is_hex_64(rest))
			return err_set(e, ERR_USAGE,
				"'%.*s' is the id of an image, not a reference", STR_ARG(rest));
		out->path = arena_strf(a, "library/%.*s", STR_ARG(rest));
	}
	if (out->host.n + 1 + out->path.n > NAME_MAX_BYTES)
		return err_set(e, ERR_USAGE, "a name of over %d bytes", NAME_MAX_BYTES);
	return 0;
}

int reference_parse(struct arena *a, const char *text, struct reference *out, struct err *e)
{
	*out = (struct reference){0};
	if (read_parts(a, arena_str(a, str_of(text)), out, e) < 0)
		return err_wrap(e, "wrong reference");
	return 0;
}

/* --- writing -------------------------------------------------------------------------------- */

char *reference_pinned(struct arena *a, const struct reference *r, struct str digest)
{
	return arena_printf(a, "%.*s/%.*s%s%.*s%s%.*s", STR_ARG(r->host), STR_ARG(r->path),
		r->tag.n ? ":" : "", STR_ARG(r->tag), digest.n ? "@" : "", STR_ARG(digest));
}

char *reference_text(struct arena *a, const struct reference *r)
{
	return reference_pinned(a, r, r->digest);
}

bool reference_is_loopback(const struct reference *r)
{
	struct str name = host_name(r->host), rest = name;
	uint64_t number;
	size_t parts = 0;

	if (str_is(name, "localhost") || str_is(name, "[::1]"))
		return true;
	for (; rest.p; parts++)
		if (str_u64(str_cut(&rest, '.'), 255, &number) < 0)
			return false;
	return parts == 4 && str_starts(name, STR("127."));
}

char *reference_url(struct arena *a, const struct reference *r, bool plain_http)
{
	struct str host = str_is(r->host, "docker.io") ? STR("registry-1.docker.io") : r->host;

	return arena_printf(a, "%s://%.*s/v2/%.*s",
		plain_http || reference_is_loopback(r) ? "http" : "https", STR_ARG(host),
		STR_ARG(r->path));
}
