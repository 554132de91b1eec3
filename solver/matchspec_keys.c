#include "base/hash.h"
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

static int build_number_fail(struct spec_parser *p, struct str text, struct err *e)
{
	spec_fail(p, e, text.p, "build_number is not a number or range");
	return err_advise(e, "such as '3', '>=2', '>2,<5', '!=4', '1*' or '^[12]$'");
}

static int set_build_number(struct spec_parser *p, struct str text, struct err *e)
{
	struct matchspec *m = p->m;
	struct str rest = text, one;

	m->has_build_number = !str_is(text, "*");
	m->build_number_text = text;
	m->build_number_min = 0;
	m->build_number_max = UINT64_MAX;
	m->build_number_not = false;
	m->build_number = NULL;
	/* Numbers are matched as texts are (CEP 29), besides ranges (conda). */
	if (m->has_build_number && (str_chr(text, '*') >= 0 || text.p[0] == '^'))
		return strmatch_parse_at(p->a, text, spec_origin(p, text), &m->build_number, e);
	while (m->has_build_number && rest.p) {
		one = str_trim(str_cut(&rest, ','));
		if (narrow(m, one) < 0 || (m->build_number_not && one.n != text.n))
			return build_number_fail(p, text, e);
	}
	return 0;
}

static int unknown_key(struct spec_parser *p, struct str key, struct err *e)
{
	err_set(e, ERR_INPUT, "unknown key '%.*s' at %zu", STR_ARG(key),
		(size_t)(key.p - spec_origin(p, key)) + 1);
	return err_advise(e,
		"the keys are version, build, build_number, channel, subdir, fn, url, md5, sha256, "
		"license, license_family, track_features, features, extras, flags and when");
}

/* --- plain texts ---------------------------------------------------------------------------- */

/* A sum in full is checked at once: with a wrong length it would match nothing, and say nothing. */
static int check_sum(struct spec_parser *p, struct str text, size_t digits, struct err *e)
{
	if (str_chr(text, '*') >= 0 || text.p[0] == '^')
		return 0;
	for (size_t i = 0; i < text.n; i++)
		if (!strchr("0123456789abcdefABCDEF", text.p[i]))
			return spec_fail(p, e, text.p + i, "a hex digit is expected");
	if (text.n == digits)
		return 0;
	return err_set(e, ERR_INPUT, "%zu hex digits are expected, not %zu, at %zu", digits, text.n,
		(size_t)(text.p - spec_origin(p, text)) + 1);
}

/* Fields are compiled when they match; here only what is wrong with one is found. */
static int check_text(struct spec_parser *p, struct str text, struct err *e)
{
	const struct strmatch *m;

	return strmatch_parse_at(p->a, text, spec_origin(p, text), &m, e);
}

static struct str *plain_field(struct matchspec *m, struct str key, size_t *sum)
{
	const struct {
		const char *key;
		struct str *to;
		size_t sum;
	} plain[] = {
		{"fn", &m->fn, 0},
		{"url", &m->url, 0},
		{"md5", &m->md5, MD5_HEX},
		{"sha256", &m->sha256, SHA256_HEX},
		{"license", &m->license, 0},
		{"license_family", &m->license_family, 0},
		{"track_features", &m->track_features, 0},
		{"features", &m->features, 0},
		{"subdir", &m->subdir, 0},
	};

	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++) {
		*sum = plain[i].sum;
		if (str_is(key, plain[i].key))
			return plain[i].to;
	}
	return NULL;
}

/* --- lists ---------------------------------------------------------------------------------- */

/* CEP 44: [a-z0-9_.+-]{1,64}, never lowered. */
static int check_extra(struct spec_parser *p, struct str s, struct err *e)
{
	for (size_t i = 0; i < s.n; i++)
		if (!extra_char_is_valid(s.p[i]))
			return spec_fail(p, e, s.p + i,
				"a group of 'extras' consists of a-z, 0-9 and '_.+-': unexpected "
				"character");
	if (s.n > EXTRA_NAME_MAX)
		return spec_fail(p, e, s.p, "a group of 'extras' has up to 64 characters:");
	return 0;
}

static bool flag_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '*';
}

/* CEP 45: [a-z0-9_*]+(:[a-z0-9_*]+)? */
static int check_flag(struct spec_parser *p, struct str s, struct err *e)
{
	ptrdiff_t colon = str_chr(s, ':');

	for (size_t i = 0; i < s.n; i++)
		if (!flag_char(s.p[i]) && (ptrdiff_t)i != colon)
			return spec_fail(p, e, s.p + i,
				"a flag consists of a-z, 0-9, '_', '*' and one ':': unexpected "
				"character");
	if (colon == 0 || (colon > 0 && (size_t)colon + 1 == s.n))
		return spec_fail(
			p, e, s.p + colon, "a flag has something on both sides of the ':'");
	return 0;
}

struct value {
	struct str text; /* of a list: what stands between its brackets */
	bool list;
};

static int read_text(
	struct spec_parser *p, struct str *rest, bool in_list, struct str *text, struct err *e);

/* "a, 'b', c" or, where it is no list, one text. */
static int set_list(struct spec_parser *p, struct value v,
	int (*check)(struct spec_parser *, struct str, struct err *), struct str **out, size_t *n,
	struct err *e)
{
	struct {
		struct str *v;
		size_t n, cap;
	} list = {0};
	struct str rest = v.text, one = v.text;

	while (!v.list || rest.n) {
		if (v.list && read_text(p, &rest, true, &one, e) < 0)
			return -1;
		one = str_trim(one);
		if (!one.n)
			return spec_fail(p, e, one.p, "a value is missing in the list");
		if (check(p, one, e) < 0)
			return -1;
		*VEC_PUSH(p->a, &list) = one;
		rest = str_trim(rest);
		if (!v.list || !rest.n)
			break;
		if (rest.p[0] != ',')
			return spec_fail(p, e, rest.p, "',' or ']' was expected");
		rest = str_sub(rest, 1, rest.n);
		if (!str_trim(rest).n)
			return spec_fail(p, e, rest.p, "a value is missing in the list");
	}
	*out = list.v;
	*n = list.n;
	return 0;
}

/* --- keys ----------------------------------------------------------------------------------- */

static int set_text(struct spec_parser *p, struct str key, struct str value, struct err *e)
{
	size_t sum;
	struct str *to = plain_field(p->m, key, &sum);

	if (to) {
		*to = value;
		return sum ? check_sum(p, value, sum, e) : check_text(p, value, e);
	}
	if (str_is(key, "version"))
		return spec_set_version(p, value, e);
	if (str_is(key, "build") || str_is(key, "build_string"))
		return spec_set_build(p, value, e);
	if (str_is(key, "build_number"))
		return set_build_number(p, value, e);
	if (str_is(key, "channel")) {
		spec_set_channel(p->m, value);
		return 0;
	}
	if (str_is(key, "when"))
		return spec_read_condition(p, value, e);
	/* A name in brackets never overrides the one before them (CEP 29). */
	return str_is(key, "name") ? 0 : unknown_key(p, key, e);
}

static int set_key(struct spec_parser *p, struct str key, struct value v, struct err *e)
{
	struct matchspec *m = p->m;

	if (str_is(key, "extras"))
		return set_list(p, v, check_extra, &m->extras, &m->n_extras, e);
	if (str_is(key, "flags"))
		return set_list(p, v, check_flag, &m->flags, &m->n_flags, e);
	if (v.list)
		return spec_fail(
			p, e, v.text.p - 1, "only 'extras' and 'flags' take a list, found");
	return set_text(p, key, v.text, e);
}

/* Python's: a backslash takes the meaning from a quote or a backslash, and stays before others. */
static struct str unescape(struct spec_parser *p, struct str s)
{
	size_t n = 0;
	char *to;

	if (str_chr(s, '\\') < 0 || (str_find(s, STR("\\\\")) < 0 && str_find(s, STR("\\'")) < 0 &&
					    str_find(s, STR("\\\"")) < 0))
		return s;
	to = spec_rewrite(p, s, s.n);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n && strchr("\\'\"", s.p[i + 1]))
			i++;
		to[n++] = s.p[i];
	}
	return str_n(to, n);
}

static int read_quoted(struct spec_parser *p, struct str *rest, struct str *text, struct err *e)
{
	char quote = rest->p[0];
	size_t n = 1;

	while (n < rest->n && rest->p[n] != quote)
		n += rest->p[n] == '\\' ? 2 : 1;
	if (n >= rest->n)
		return spec_fail(p, e, rest->p, "the quote is not closed:");
	*text = unescape(p, str_sub(*rest, 1, n));
	*rest = str_sub(*rest, n + 1, rest->n);
	return 0;
}

static int read_text(
	struct spec_parser *p, struct str *rest, bool in_list, struct str *text, struct err *e)
{
	size_t n;

	while (in_list && rest->n && space(rest->p[0]))
		*rest = str_sub(*rest, 1, rest->n);
	if (rest->n && (rest->p[0] == '\'' || rest->p[0] == '"'))
		return read_quoted(p, rest, text, e);
	for (n = 0; n < rest->n && rest->p[n] != ',' && !space(rest->p[n]); n++)
		if (strchr("['\"", rest->p[n]) || (!in_list && rest->p[n] == ']'))
			return spec_fail(
				p, e, rest->p + n, "unexpected character, quote the value:");
	*text = str_sub(*rest, 0, n);
	*rest = str_sub(*rest, n, rest->n);
	return 0;
}

/* Where a list ends: the first ']' outside of quotes. */
static size_t list_end(struct str s)
{
	char quote = 0;

	for (size_t i = 1; i < s.n; i++) {
		char c = s.p[i];

		if (quote)
			quote = c == quote ? 0 : quote;
		else if (c == '\'' || c == '"')
			quote = c;
		else if (c == ']')
			return i;
	}
	return 0;
}

static int read_value(struct spec_parser *p, struct str *rest, struct value *v, struct err *e)
{
	size_t end;

	v->list = rest->n && rest->p[0] == '[';
	if (!v->list)
		return read_text(p, rest, false, &v->text, e);
	end = list_end(*rest);
	if (!end)
		return spec_fail(p, e, rest->p, "']' is missing for the '['");
	v->text = str_sub(*rest, 1, end);
	*rest = str_sub(*rest, end + 1, rest->n);
	return 0;
}

int spec_read_keys(struct spec_parser *p, struct str rest, struct err *e)
{
	struct value value;
	struct str key;
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
		if (!value.text.n && !value.list)
			return spec_fail(p, e, value.text.p, "a value is missing");
		if (set_key(p, key, value, e) < 0)
			return -1;
		if (rest.n && rest.p[0] != ',' && !space(rest.p[0]))
			return spec_fail(p, e, rest.p, "',' was expected");
	}
}
