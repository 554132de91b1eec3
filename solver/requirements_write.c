/* Requirements as pip reads them, and as a lock names them. */
#include "solver/requirements.h"

#include "base/file.h"
#include "base/hash.h"
#include "solver/dist_name.h"

/* --- for pip -------------------------------------------------------------------------------- */

static bool is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || strchr("'\"\\#$&|;<>()*?`", s.p[i]))
			return false;
	return s.n > 0;
}

/* Options are split as a shell would. */
static void put_word(struct buf *to, struct str word)
{
	if (is_plain(word)) {
		buf_str(to, word);
		return;
	}
	buf_putc(to, '\'');
	for (size_t i = 0; i < word.n; i++) {
		if (word.p[i] == '\'')
			buf_puts(to, "'\\''");
		else
			buf_putc(to, word.p[i]);
	}
	buf_putc(to, '\'');
}

static void put_option(struct buf *to, const char *name, struct str value)
{
	buf_printf(to, "%s ", name);
	put_word(to, value);
	buf_putc(to, '\n');
}

static void put_options(struct buf *to, const char *name, const struct str *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put_option(to, name, v[i]);
}

void requirements_write_options(const struct pip_options *o, struct buf *to)
{
	if (o->index_url.n)
		put_option(to, "--index-url", o->index_url);
	put_options(to, "--extra-index-url", o->extra_index_urls, o->n_extra_index_urls);
	if (o->no_index)
		buf_puts(to, "--no-index\n");
	put_options(to, "--find-links", o->find_links, o->n_find_links);
	put_options(to, "--trusted-host", o->trusted_hosts, o->n_trusted_hosts);
	put_options(to, "--no-binary", o->no_binary, o->n_no_binary);
	put_options(to, "--only-binary", o->only_binary, o->n_only_binary);
	put_options(to, "--use-feature", o->features, o->n_features);
	if (o->pre)
		buf_puts(to, "--pre\n");
	if (o->prefer_binary)
		buf_puts(to, "--prefer-binary\n");
	if (o->require_hashes)
		buf_puts(to, "--require-hashes\n");
}

static void put_extras(struct buf *to, const struct pep508 *spec)
{
	for (size_t i = 0; i < spec->n_extras; i++)
		buf_printf(to, "%c%.*s", i ? ',' : '[', STR_ARG(spec->extras[i]));
	if (spec->n_extras)
		buf_putc(to, ']');
}

static void put_versions(struct buf *to, const struct pep440_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		buf_printf(to, "%s%s%.*s%s", i ? "," : "", pep440_op_text(set->v[i].op),
			STR_ARG(set->v[i].text), set->v[i].prefix ? ".*" : "");
}

static void put_encoded(struct buf *to, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
			(c && strchr("-._~/", c)))
			buf_putc(to, (char)c);
		else
			buf_printf(to, "%%%02X", c);
	}
}

/* #egg=NAME[extra]&subdirectory=DIR, since pip up to 18 knows no "NAME @ URL". */
static void put_fragment(struct buf *to, const struct requirement *r)
{
	char sign = '#';

	if (r->spec.name.n) {
		buf_printf(to, "#egg=%.*s", STR_ARG(r->spec.name));
		put_extras(to, &r->spec);
		sign = '&';
	}
	if (r->subdirectory.n) {
		buf_printf(to, "%csubdirectory=", sign);
		put_encoded(to, r->subdirectory);
	}
}

static void put_rev(struct buf *to, struct str url, struct str rev)
{
	ptrdiff_t query = str_chr(url, '?');
	size_t end = query < 0 ? url.n : (size_t)query;

	buf_str(to, str_sub(url, 0, end));
	if (rev.n) {
		buf_putc(to, '@');
		put_encoded(to, rev);
	}
	buf_str(to, str_sub(url, end, url.n));
}

void requirement_write(const struct requirement *r, struct buf *to)
{
	bool named = r->kind == REQUIREMENT_INDEX;

	switch (r->kind) {
	case REQUIREMENT_INDEX:
		buf_str(to, r->spec.given_name);
		put_extras(to, &r->spec);
		put_versions(to, &r->spec.versions);
		break;
	case REQUIREMENT_URL:
		buf_str(to, r->url);
		put_fragment(to, r);
		break;
	case REQUIREMENT_FILE:
	case REQUIREMENT_FOLDER:
		buf_str(to, r->path);
		if (str_is(r->path, "."))
			buf_putc(to, '/');
		put_extras(to, &r->spec);
		break;
	case REQUIREMENT_GIT:
		buf_puts(to, "git+");
		put_rev(to, r->url, r->rev);
		put_fragment(to, r);
		break;
	}
	if (r->spec.marker_text.n)
		buf_printf(to, "%s; %.*s", named ? "" : " ", STR_ARG(r->spec.marker_text));
	for (size_t i = 0; i < r->n_hashes; i++)
		buf_printf(to, " --hash=%.*s", STR_ARG(r->hashes[i]));
	for (size_t i = 0; i < r->n_build_options; i++) {
		struct str value = r->build_options[i], name = str_cut(&value, '=');

		/* pip looks for a word that begins with a dash, not with a quote. */
		buf_printf(to, " %.*s=", STR_ARG(name));
		put_word(to, value);
	}
	buf_putc(to, '\n');
}

void requirements_write(const struct requirements *r, struct buf *to)
{
	requirements_write_options(&r->options, to);
	for (size_t i = 0; i < r->n; i++)
		requirement_write(&r->v[i], to);
}

/* --- for a lock ----------------------------------------------------------------------------- */

/* Does a parameter of the query look like what lets somebody in? */
static bool secret_query(struct str query)
{
	static const char *const words[] = {
		"token", "sig", "key", "secret", "password", "auth", "credential"};

	while (query.p) {
		struct str pair = str_cut(&query, '&'), name = str_cut(&pair, '=');

		for (size_t k = 0; k < sizeof words / sizeof *words; k++)
			for (size_t i = 0; i + strlen(words[k]) <= name.n; i++)
				if (strncasecmp(name.p + i, words[k], strlen(words[k])) == 0)
					return true;
	}
	return false;
}

static struct str without_secret_query(struct arena *a, struct str url)
{
	ptrdiff_t from = str_chr(url, '?'), hash = str_chr(url, '#');
	size_t end = hash < 0 ? url.n : (size_t)hash;

	if (from < 0 || (size_t)from > end || !secret_query(str_sub(url, (size_t)from + 1, end)))
		return url;
	return arena_strf(a, "%.*s%.*s", (int)from, url.p, STR_ARG(str_sub(url, end, url.n)));
}

/* The user's name of ssh is no secret: it is mostly "git". */
static struct str without_password(struct arena *a, struct str url, size_t host, size_t user)
{
	ptrdiff_t colon = str_chr(str_sub(url, host, host + user), ':');

	if (colon < 0)
		return url;
	return arena_strf(a, "%.*s%.*s", (int)host + (int)colon, url.p,
		STR_ARG(str_sub(url, host + user, url.n)));
}

struct str pypi_public_url(struct arena *a, struct str url)
{
	ptrdiff_t at = str_find(url, STR("://")), user;
	size_t host = (size_t)at + 3, end = host;

	if (at < 0)
		return url;
	url = without_secret_query(a, url);
	while (end < url.n && !strchr("/?#", url.p[end]))
		end++;
	user = str_rchr(str_sub(url, host, end), '@');
	if (user < 0)
		return url;
	if (str_ends(str_sub(url, 0, (size_t)at), STR("ssh")))
		return without_password(a, url, host, (size_t)user);
	return arena_strf(a, "%.*s%.*s", (int)host, url.p,
		STR_ARG(str_sub(url, host + (size_t)user + 1, url.n)));
}

static struct str git_lock_url(struct arena *a, const struct requirement *r, struct str commit)
{
	struct str url = pypi_public_url(a, r->url), text;
	char sign = str_chr(url, '?') < 0 ? '?' : '&';
	CLEANUP_BUF b = {0};

	buf_printf(&b, "git+%.*s", STR_ARG(url));
	if (r->rev.n) {
		buf_printf(&b, "%crev=", sign);
		put_encoded(&b, r->rev);
		sign = '&';
	}
	if (r->subdirectory.n) {
		buf_printf(&b, "%csubdirectory=", sign);
		put_encoded(&b, r->subdirectory);
	}
	if (commit.n)
		buf_printf(&b, "#%.*s", STR_ARG(commit));
	text = arena_str(a, buf_view(&b));
	return text;
}

struct str requirement_lock_url(struct arena *a, const struct requirement *r, struct str commit)
{
	switch (r->kind) {
	case REQUIREMENT_INDEX:
		return STR("");
	case REQUIREMENT_URL:
		if (r->subdirectory.n)
			return arena_strf(a, "%.*s#subdirectory=%.*s",
				STR_ARG(pypi_public_url(a, r->url)), STR_ARG(r->subdirectory));
		return pypi_public_url(a, r->url);
	case REQUIREMENT_FILE:
	case REQUIREMENT_FOLDER:
		return r->path;
	case REQUIREMENT_GIT:
		return git_lock_url(a, r, commit);
	}
	return STR("");
}

static bool is_commit(struct str s)
{
	uint8_t bytes[32];

	return (s.n == 40 || s.n == 64) && hex_decode(s, bytes, s.n / 2) == 0;
}

/* rev, branch and tag (as pixi writes them), subdirectory; what is left is the URL's own. */
static void take_query(struct arena *a, struct str query, struct pypi_git *out)
{
	CLEANUP_BUF rest = {0};

	while (query.p) {
		struct str pair = str_cut(&query, '&'), value = pair, key = str_cut(&value, '=');

		if (str_is(key, "rev") || str_is(key, "branch") || str_is(key, "tag"))
			out->rev = percent_decoded(a, value);
		else if (str_is(key, "subdirectory"))
			out->subdirectory = percent_decoded(a, value);
		else if (pair.n)
			buf_printf(&rest, "%c%.*s", rest.n ? '&' : '?', STR_ARG(pair));
	}
	if (rest.n)
		out->url = arena_strf(a, "%.*s%.*s", STR_ARG(out->url), STR_ARG(buf_view(&rest)));
}

int pypi_git_split(struct arena *a, struct str lock_url, struct pypi_git *out)
{
	struct str url = lock_url;
	ptrdiff_t hash = str_chr(url, '#'), query;

	*out = (struct pypi_git){0};
	if (!str_starts(url, STR("git+")))
		return -1;
	if (hash >= 0) {
		out->commit = str_sub(url, (size_t)hash + 1, url.n);
		url.n = (size_t)hash;
	}
	url = str_sub(url, 4, url.n);
	query = str_chr(url, '?');
	out->url = query < 0 ? url : str_sub(url, 0, (size_t)query);
	if (query >= 0)
		take_query(a, str_sub(url, (size_t)query + 1, url.n), out);
	if (out->subdirectory.n && !path_is_safe(out->subdirectory))
		return -1;
	if (str_find(out->url, STR("://")) < 0 || (out->commit.n && !is_commit(out->commit)))
		return -1;
	return out->rev.n && out->rev.p[0] == '-' ? -1 : 0;
}
