#include "solver/matchspec.h"

#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>

/* --- channels ----------------------------------------------------------------------------- */

static struct str without_slash(struct str s)
{
	while (s.n && s.p[s.n - 1] == '/')
		s.n--;
	return s;
}

/* User, password and /t/TOKEN, which records never hold. */
static bool url_same(struct str wanted, struct str url)
{
	ptrdiff_t scheme = str_find(wanted, STR("://")), at, token;
	struct str host, head;

	if (str_same(wanted, url))
		return true;
	if (scheme < 0)
		return false;
	head = str_sub(wanted, 0, (size_t)scheme + 3);
	host = str_sub(wanted, head.n, wanted.n);
	at = str_chr(host, '@');
	if (at >= 0)
		host = str_sub(host, (size_t)at + 1, host.n);
	token = str_find(host, STR("/t/"));
	if (token >= 0) {
		struct str rest = str_sub(host, (size_t)token + 3, host.n);
		ptrdiff_t slash = str_chr(rest, '/');

		host = str_sub(host, 0, (size_t)token);
		if (slash < 0 || !str_ends(url, str_sub(rest, (size_t)slash, rest.n)))
			return false;
		url = str_sub(url, 0, url.n - (rest.n - (size_t)slash));
	}
	return str_starts(url, head) && str_same(str_sub(url, head.n, url.n), host);
}

static bool ends_with_path(struct str url, struct str path)
{
	return url.n > path.n && url.p[url.n - path.n - 1] == '/' &&
	       str_same(str_sub(url, url.n - path.n, url.n), path);
}

bool channel_matches(struct str wanted, struct str url)
{
	wanted = without_slash(wanted);
	url = without_slash(url);
	if (str_chr(wanted, '*') >= 0)
		return str_glob(wanted, url) || str_glob(wanted, str_base(url));
	if (str_find(wanted, STR("://")) >= 0)
		return url_same(wanted, url);
	if (str_is(wanted, "defaults"))
		return ends_with_path(url, STR("pkgs/main")) ||
		       ends_with_path(url, STR("pkgs/r")) || ends_with_path(url, STR("pkgs/msys2"));
	/* Whatever alias or mirror the name was put behind. */
	return ends_with_path(url, wanted);
}

/* --- fields ------------------------------------------------------------------------------- */

/* A field given in brackets: rare, so that nothing is kept for it. */
static bool field_matches(struct str wanted, struct str value)
{
	const struct strmatch *m;
	struct arena a = {0};
	bool hit;

	if (!wanted.n)
		return true;
	hit = strmatch_parse_at(&a, wanted, wanted.p, &m, NULL) == 0 && strmatch_test(m, value);
	arena_release(&a);
	return hit;
}

static bool hash_matches(struct str wanted, const uint8_t *sum, size_t n, bool given)
{
	char hex[2 * SHA256_LEN + 1];

	if (!wanted.n)
		return true;
	if (!given)
		return false;
	hex_encode(sum, n, hex);
	return field_matches(wanted, str_n(hex, 2 * n));
}

static struct str next_word(struct str *rest)
{
	size_t n = 0;

	while (rest->n && strchr(" ,\t", rest->p[0]))
		*rest = str_sub(*rest, 1, rest->n);
	while (n < rest->n && !strchr(" ,\t", rest->p[n]))
		n++;
	*rest = str_sub(*rest, n, rest->n);
	return str_n(rest->p - n, n);
}

static bool all_words_in(struct str words, struct str in)
{
	while (words.n) {
		struct str word = next_word(&words), rest = in;
		bool found = !word.n;

		while (!found && rest.n)
			found = str_eq(next_word(&rest), word);
		if (!found)
			return false;
	}
	return true;
}

/* Features are sets, and conda wants the same set. */
static bool words_match(struct str wanted, struct str value)
{
	return !wanted.n || (all_words_in(wanted, value) && all_words_in(value, wanted));
}

/* Each of them is among the record's, as a text or as a glob (CEP 45). */
static bool flags_match(const struct matchspec *m, const struct record *r)
{
	for (size_t i = 0; i < m->n_flags; i++) {
		struct str rest = r->flags;
		bool found = false;

		while (!found && rest.n) {
			struct str flag = next_word(&rest);

			found = flag.n && str_glob(m->flags[i], flag);
		}
		if (!found)
			return false;
	}
	return true;
}

static bool name_matches(const struct matchspec *m, struct str name)
{
	if (m->exact_name)
		return str_same(m->name, name);
	return !m->name_match || strmatch_test(m->name_match, name);
}

static bool build_number_matches(const struct matchspec *m, uint64_t n)
{
	char digits[24];

	if (m->build_number) {
		int len = snprintf(digits, sizeof digits, "%" PRIu64, n);

		return strmatch_test(m->build_number, str_n(digits, (size_t)len));
	}
	return (n >= m->build_number_min && n <= m->build_number_max) != m->build_number_not;
}

static bool rest_matches(const struct matchspec *m, const struct record *r)
{
	return (!m->has_build_number || build_number_matches(m, r->build_number)) &&
	       (!m->channel.n || channel_matches(m->channel, r->channel)) &&
	       field_matches(m->subdir, r->subdir) && field_matches(m->fn, r->fn) &&
	       (!m->url.n || url_same(m->url, r->url) || field_matches(m->url, r->url)) &&
	       hash_matches(m->md5, r->md5, MD5_LEN, r->has_md5) &&
	       hash_matches(m->sha256, r->sha256, SHA256_LEN, r->has_sha256) &&
	       field_matches(m->license, r->license) &&
	       field_matches(m->license_family, r->license_family) &&
	       words_match(m->track_features, r->track_features) &&
	       words_match(m->features, r->features) && flags_match(m, r);
}

bool matchspec_match(const struct matchspec *m, const struct record *r, const struct version *v)
{
	if (!name_matches(m, r->name))
		return false;
	if (m->version && (!v || !version_spec_match(m->version, v)))
		return false;
	if (m->build && !strmatch_test(m->build, r->build))
		return false;
	return m->plain || rest_matches(m, r);
}
