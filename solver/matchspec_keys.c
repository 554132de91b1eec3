#include "solver/matchspec_parse.h"

/* The keyword part of a spec: "[" key "=" value { ("," | " ") key "=" value } "]". */

static bool space(char c)
{
	return c == ' ' || c == '\t';
}

static bool key_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

static int clause_number(struct str s, uint64_t *out)
{
	return str_u64(str_trim(s), UINT64_MAX - 1, out);
}

/* One of "3", "==3", "!=3", ">=3", ">3", "<=3", "<3": narrows the range. */
static int narrow(struct matchspec *m, struct str s)
{
	static const char *const operators[] = {"==", "!=", ">=", "<=", "=", ">", "<", ""};
	uint64_t n;
	size_t i;

	for (i = 0; !str_starts(s, str_of(operators[i])); i++)
		;
	if (clause_number(str_sub(s, strlen(operators[i]), s.n), &n) < 0)
		return -1;
	if (operators[i][0] == '>') {
		n += operators[i][1] != '=';
		m->build_number_min = n > m->build_number_min ? n : m->build_number_min;
		return 0;
	}
	if (operators[i][0] == '<') {
		if (!operators[i][1] && n == 0)
			m->build_number_min = UINT64_MAX;
		n -= !operators[i][1] && n;
		m->build_number_max = n < m->build_number_max ? n : m->build_number_max;
		return 0;
	}
	m->build_number_not = operators[i][0] == '!';
	m->build_number_min = m->build_number_max = n;
	return 0;
}

static int set_build_number(struct spec_parser *p, struct str text, struct err *e)
{
	struct matchspec *m = p->m;
	struct str rest = text, one;

	m->has_build_number = !str_is(text, "*");
	m->build_number_text = text;
	m->build_number_min = 0;
	m->build_number_max = UINT64_MAX;
	while (m->has_build_number && rest.p) {
		one = str_trim(str_cut(&rest, ','));
		if (narrow(m, one) < 0 || (m->build_number_not && one.n != text.n))
			return spec_fail(p, e, text.p, "build_number is not a number or range");
	}
	return 0;
}

static int unknown_key(struct spec_parser *p, struct str key, struct err *e)
{
	if (str_is(key, "when") || str_is(key, "extras") || str_is(key, "flags"))
		return err_set(e, ERR_INPUT, "'%.*s' (CEP 43 to 45) is not supported at %zu",
			STR_ARG(key), (size_t)(key.p - p->text.p) + 1);
	err_set(e, ERR_INPUT, "unknown key '%.*s' at %zu", STR_ARG(key),
		(size_t)(key.p - p->text.p) + 1);
	return err_advise(e, "the keys are version, build, build_number, channel, subdir, fn, url, "
			     "md5, sha256, license, license_family, track_features and features");
}

static int set_key(struct spec_parser *p, struct str key, struct str value, struct err *e)
{
	struct matchspec *m = p->m;
	const struct {
		const char *key;
		struct str *to;
	} plain[] = {
		{"fn", &m->fn},
		{"url", &m->url},
		{"md5", &m->md5},
		{"sha256", &m->sha256},
		{"license", &m->license},
		{"license_family", &m->license_family},
		{"track_features", &m->track_features},
		{"features", &m->features},
		{"subdir", &m->subdir},
	};
	size_t i;

	for (i = 0; i < sizeof(plain) / sizeof(*plain); i++) {
		if (str_is(key, plain[i].key)) {
			*plain[i].to = value;
			return 0;
		}
	}
	if (str_is(key, "version"))
		return spec_set_version(p, value, e);
	if (str_is(key, "build") || str_is(key, "build_string"))
		return spec_set_build(p, value, e);
	if (str_is(key, "build_number"))
		return set_build_number(p, value, e);
	if (str_is(key, "channel")) {
		spec_set_channel(m, value);
		return 0;
	}
	/* A name in brackets never overrides the one before them (CEP 29). */
	return str_is(key, "name") ? 0 : unknown_key(p, key, e);
}

static int read_value(struct spec_parser *p, struct str *rest, struct str *value, struct err *e)
{
	char quote = rest->n ? rest->p[0] : 0;
	size_t n;

	if (quote == '\'' || quote == '"') {
		ptrdiff_t end = str_chr(str_sub(*rest, 1, rest->n), quote);

		if (end < 0)
			return spec_fail(p, e, rest->p, "the quote is not closed:");
		*value = str_sub(*rest, 1, (size_t)end + 1);
		*rest = str_sub(*rest, (size_t)end + 2, rest->n);
		return 0;
	}
	for (n = 0; n < rest->n && rest->p[n] != ',' && !space(rest->p[n]); n++)
		if (rest->p[n] == '[' || rest->p[n] == '\'' || rest->p[n] == '"')
			return spec_fail(
				p, e, rest->p + n, "unexpected character, quote the value:");
	*value = str_sub(*rest, 0, n);
	*rest = str_sub(*rest, n, rest->n);
	return 0;
}

int spec_read_keys(struct spec_parser *p, struct str rest, struct err *e)
{
	struct str key, value = {NULL, 0};
	size_t n;

	for (;;) {
		while (rest.n && (space(rest.p[0]) || rest.p[0] == ','))
			rest = str_sub(rest, 1, rest.n);
		if (!rest.n)
			return 0;
		for (n = 0; n < rest.n && key_char(rest.p[n]); n++)
			;
		key = str_sub(rest, 0, n);
		if (!n || n == rest.n || rest.p[n] != '=')
			return spec_fail(p, e, rest.p + n, "a key, '=' and a value were expected");
		rest = str_sub(rest, n + 1, rest.n);
		if (read_value(p, &rest, &value, e) < 0)
			return -1;
		if (!value.n)
			return spec_fail(p, e, value.p, "a value is missing");
		if (set_key(p, key, value, e) < 0)
			return -1;
		if (rest.n && rest.p[0] != ',' && !space(rest.p[0]))
			return spec_fail(p, e, rest.p, "',' was expected");
	}
}
