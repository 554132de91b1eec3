#include "solver/matchspec.h"

#include "base/hash.h"
#include "solver/matchspec_parse.h"
#include "solver/strmatch_regex.h"
#include "solver/version_key.h"

enum { SPEC_MAX = 8192 };

/*
 *	spec     = [ channel [ "/" subdir ] ":" [ namespace ] ":" ] name [ version [ build ] ]
 *	           [ "[" key "=" value { ("," | " ") key "=" value } "]" ]
 *	         | URL or path of a package file [ "#" md5 or sha256 ] [ "[" ... "]" ]
 *	value    = text | "'" text "'" | '"' text '"' | "[" text { "," text } "]"
 */

int spec_fail(const struct spec_parser *p, struct err *e, const char *at, const char *what)
{
	const char *origin = spec_origin(p, str_n(at, 0));

	return err_set(e, ERR_INPUT, "%s at %zu", what, (size_t)(at - origin) + 1);
}

static bool within(struct str s, struct str whole)
{
	return (uintptr_t)s.p >= (uintptr_t)whole.p &&
	       (uintptr_t)s.p <= (uintptr_t)whole.p + whole.n;
}

const char *spec_origin(const struct spec_parser *p, struct str s)
{
	for (const struct spec_copy *c = p->copies; c; c = c->before)
		if (within(s, c->text))
			return c->text.p;
	return p->whole.p;
}

char *spec_rewrite(struct spec_parser *p, struct str old, size_t n)
{
	size_t at = (size_t)(old.p - spec_origin(p, old));
	char *text = arena_alloc(p->a, at + n + 1);
	struct spec_copy *copy = arena_new(p->a, struct spec_copy);

	memset(text, ' ', at + n + 1);
	*copy = (struct spec_copy){str_n(text, at + n), p->copies};
	p->copies = copy;
	return text + at;
}

static bool space(char c)
{
	return c == ' ' || c == '\t';
}

static struct str skip_space(struct str s)
{
	while (s.n && space(s.p[0]))
		s = str_sub(s, 1, s.n);
	return s;
}

static struct str lowered(struct arena *a, struct str s)
{
	char *p;
	size_t i;

	for (i = 0; i < s.n && !(s.p[i] >= 'A' && s.p[i] <= 'Z'); i++)
		;
	if (i == s.n)
		return s;
	p = arena_cstr(a, s);
	for (; i < s.n; i++)
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] = (char)(p[i] - 'A' + 'a');
	return str_n(p, s.n);
}

/* --- version and build -------------------------------------------------------------------- */

static bool operator_char(char c)
{
	return c == '=' || c == '<' || c == '>' || c == '!' || c == '~';
}

/* An operator at s[i]?  A "!" that no "=" follows belongs to a version: an epoch. */
static bool at_operator(struct str s, size_t i)
{
	if (s.p[i] == '!')
		return i + 1 < s.n && s.p[i + 1] == '=';
	return operator_char(s.p[i]);
}

static bool joins(char c)
{
	return c == ',' || c == '|' || c == '(' || c == ')';
}

/* The end of one operand, from its operator on; a regular expression may hold anything. */
static size_t operand_end(struct str s, size_t i)
{
	while (i < s.n && (operator_char(s.p[i]) || space(s.p[i]) || s.p[i] == '('))
		i++;
	if (i < s.n && s.p[i] == '^') {
		size_t n = regex_length(str_sub(s, i, s.n));

		return n ? i + n : s.n;
	}
	while (i < s.n && !at_operator(s, i) && !space(s.p[i]) && !joins(s.p[i]))
		i++;
	return i;
}

/* Where the version ends: behind the first operand that no "," or "|" carries on. */
static size_t version_end(struct str s)
{
	size_t i = 0, next;

	for (;;) {
		i = operand_end(s, i);
		for (next = i; next < s.n && (space(s.p[next]) || s.p[next] == ')'); next++)
			if (s.p[next] == ')')
				i = next + 1;
		if (next < s.n && s.p[next] == '!' && !at_operator(s, next)) {
			i = next;
			continue;
		}
		if (next >= s.n || (s.p[next] != ',' && s.p[next] != '|'))
			return i;
		i = next + 1;
	}
}

/* conda drops every space, and conda-forge holds ">=1 !164.3095" for ">=1!164.3095". */
static struct str join_epoch(struct spec_parser *p, struct str text)
{
	char *to;
	size_t i, n = 0;

	if (str_find(text, STR(" !")) < 0)
		return text;
	to = spec_rewrite(p, text, text.n);
	for (i = 0; i < text.n; i++)
		if (!space(text.p[i]))
			to[n++] = text.p[i];
	return str_n(to, n);
}

int spec_set_version(struct spec_parser *p, struct str text, struct err *e)
{
	text = join_epoch(p, str_trim(text));
	p->m->version_text = text;
	p->m->version = NULL;
	if (!text.n || str_is(text, "*"))
		return 0;
	return version_spec_parse_at(p->a, text, spec_origin(p, text), &p->m->version, e);
}

int spec_set_build(struct spec_parser *p, struct str text, struct err *e)
{
	text = str_trim(text);
	p->m->build_text = text;
	p->m->build = NULL;
	if (!text.n || str_is(text, "*"))
		return 0;
	return strmatch_parse_at(p->a, text, spec_origin(p, text), &p->m->build, e);
}

static int read_build(struct spec_parser *p, struct str text, struct err *e)
{
	size_t i;

	if (text.n && text.p[0] == '=')
		text = skip_space(str_sub(text, 1, text.n));
	if (!text.n)
		return 0;
	for (i = regex_length(text); i < text.n; i++) {
		if (space(text.p[i]))
			return spec_fail(p, e, text.p + i, "nothing may follow the build:");
		if (at_operator(text, i))
			return spec_fail(
				p, e, text.p + i, "',' or '|' is missing before the operator");
		if (joins(text.p[i]))
			return spec_fail(p, e, text.p + i, "unexpected character in the build");
	}
	return spec_set_build(p, text, e);
}

/*
 * conda reads "=<2.0" as a fuzzy "<2.0", which is "<2.0*", and "=>1.65" as ">1.65*"; environment
 * files hold such.
 */
static struct str accidental(struct spec_parser *p, struct str s)
{
	char *to;

	if (s.n < 3 || s.p[0] != '=' || (s.p[1] != '<' && s.p[1] != '>'))
		return s;
	for (size_t i = 2; i < s.n; i++)
		if (space(s.p[i]) || joins(s.p[i]) || operator_char(s.p[i]) || s.p[i] == '*')
			return s;
	to = spec_rewrite(p, str_sub(s, 1, s.n), s.n);
	memcpy(to, s.p + 1, s.n - 1);
	to[s.n - 1] = '*';
	return str_n(to, s.n);
}

/*
 * `name=1.8` and `name =1.8` are 1.8.*; `name=1.8=build` is exactly 1.8, but `name =1.8 build` is
 * 1.8.* again (CEP 29; conda takes it for exact).
 */
static int read_version(struct spec_parser *p, struct str rest, struct err *e)
{
	bool glued = rest.n && rest.p[0] == '=';
	struct str version, build;
	size_t end;

	rest = accidental(p, str_trim(rest));
	if (!rest.n || str_is(rest, "="))
		return 0;
	end = version_end(rest);
	version = str_sub(rest, 0, end);
	build = skip_space(str_sub(rest, end, rest.n));
	if (build.n && (glued || build.p[0] == '=') && version.n > 1 && version.p[0] == '=' &&
		version.p[1] != '=' && str_chr(version, ',') < 0 && str_chr(version, '|') < 0)
		version = str_sub(version, 1, version.n);
	if (read_build(p, build, e) < 0)
		return -1;
	return spec_set_version(p, version, e);
}

/* --- name and channel --------------------------------------------------------------------- */

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("._-+*", c));
}

static bool ends_name(char c)
{
	return space(c) || operator_char(c);
}

static int set_name(struct spec_parser *p, struct str name, struct err *e)
{
	struct matchspec *m = p->m;
	size_t i;

	m->name = lowered(p->a, name);
	if (name.p[0] == '^' || str_chr(name, '*') >= 0) {
		m->exact_name = false;
		if (str_is(name, "*"))
			return 0;
		return strmatch_parse_at(p->a, name, spec_origin(p, name), &m->name_match, e);
	}
	for (i = 0; i < name.n; i++)
		if (!name_char(name.p[i])) {
			spec_fail(p, e, name.p + i, "unexpected character in the name");
			return err_advise(e,
				"a name consists of letters, digits, '-', '_' and '.'; a version "
				"follows behind a space, '=' or another operator");
		}
	m->exact_name = true;
	return 0;
}

static int read_name(struct spec_parser *p, struct str s, struct err *e)
{
	size_t n = 0;

	s = skip_space(s);
	n = regex_length(s);
	while (n < s.n && !ends_name(s.p[n]))
		n++;
	if (!n)
		return spec_fail(p, e, s.p, "a package name is missing");
	if (set_name(p, str_sub(s, 0, n), e) < 0)
		return -1;
	return read_version(p, str_sub(s, n, s.n), e);
}

void spec_set_channel(struct matchspec *m, struct str s)
{
	ptrdiff_t slash;

	s = str_trim(s);
	while (s.n && s.p[s.n - 1] == '/')
		s.n--;
	slash = str_rchr(s, '/');
	if (slash >= 0 && subdir_is_known(str_sub(s, (size_t)slash + 1, s.n))) {
		m->subdir = str_sub(s, (size_t)slash + 1, s.n);
		s = str_sub(s, 0, (size_t)slash);
	}
	m->channel = str_is(s, "*") ? str_n(NULL, 0) : s;
}

/* What stands before a regular expression, which may hold colons and brackets of its own. */
static struct str before_regex(struct str s)
{
	ptrdiff_t caret = str_chr(s, '^');

	return caret < 0 ? s : str_sub(s, 0, (size_t)caret);
}

static int read_positional(struct spec_parser *p, struct str s, struct err *e)
{
	ptrdiff_t colon = str_rchr(before_regex(s), ':'), before;

	if (colon < 0)
		return read_name(p, s, e);
	before = str_rchr(str_sub(s, 0, (size_t)colon), ':');
	/* What stands between the two colons is a namespace: read and ignored (CEP 29). */
	if (before > 0)
		spec_set_channel(p->m, str_sub(s, 0, (size_t)before));
	return read_name(p, str_sub(s, (size_t)colon + 1, s.n), e);
}

/* --- package files ------------------------------------------------------------------------ */

static bool package_file(struct str s)
{
	ptrdiff_t hash = str_rchr(s, '#');

	if (hash >= 0)
		s = str_sub(s, 0, (size_t)hash);
	return (str_ends(s, STR(".conda")) || str_ends(s, STR(".tar.bz2"))) &&
	       str_chr(s, '/') >= 0 && str_find(s, STR("::")) < 0;
}

static int read_hash(struct spec_parser *p, struct str hash, struct err *e)
{
	if (str_starts(hash, STR("sha256:")))
		hash = str_sub(hash, 7, hash.n);
	if (hash.n == MD5_HEX)
		p->m->md5 = hash;
	else if (hash.n == SHA256_HEX)
		p->m->sha256 = hash;
	else
		return spec_fail(p, e, hash.p, "neither an MD5 nor a SHA-256 sum");
	return 0;
}

static int read_package_file(struct spec_parser *p, struct str s, struct err *e)
{
	struct str url = s, name, version, build;
	struct matchspec *m = p->m;
	ptrdiff_t hash = str_rchr(s, '#');

	if (hash >= 0) {
		url = str_sub(s, 0, (size_t)hash);
		if (read_hash(p, str_sub(s, (size_t)hash + 1, s.n), e) < 0)
			return -1;
	}
	m->url = url;
	m->fn = str_base(url);
	if (record_split_fn(m->fn, &name, &version, &build) < 0)
		return spec_fail(p, e, m->fn.p, "the file is not called NAME-VERSION-BUILD");
	/* "%21" for "!" and the like: then the URL itself is what has to match. */
	if (set_name(p, name, e) < 0)
		return -1;
	if (str_chr(m->fn, '%') >= 0)
		return 0;
	return spec_set_version(p, version, e) < 0 ? -1 : spec_set_build(p, build, e);
}

/* --- the whole ---------------------------------------------------------------------------- */

/* Where the keyword part begins; -1 where there is none. */
static ptrdiff_t find_brackets(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		size_t n = s.p[i] == '^' ? regex_length(str_sub(s, i, s.n)) : 0;

		/* "http://[::1]:8080/channel::name" */
		if (s.p[i] == '[' && i > 2 && s.p[i - 1] == '/' && s.p[i - 2] == '/')
			n = (size_t)(str_chr(str_sub(s, i, s.n), ']') + 1);
		else if (s.p[i] == '[')
			return (ptrdiff_t)i;
		if (n)
			i += n - 1;
	}
	return -1;
}

static int brackets_open(struct spec_parser *p, size_t open, struct err *e)
{
	spec_fail(p, e, p->text.p + open, "']' is missing at the end for the '['");
	if (str_find(str_sub(p->text, open, p->text.n), STR("]:")) >= 0)
		err_advise(e, "a subdir stands behind a slash: 'conda-forge/linux-64::numpy'");
	return -1;
}

int spec_read(struct spec_parser *p, struct err *e)
{
	struct str s = p->text;
	ptrdiff_t open = find_brackets(s);

	if (!s.n)
		return err_set(e, ERR_INPUT, "nothing is there");
	if (open >= 0) {
		if (s.p[s.n - 1] != ']')
			return brackets_open(p, (size_t)open, e);
		s = str_trim(str_sub(s, 0, (size_t)open));
	}
	if (package_file(s) ? read_package_file(p, s, e) < 0 : read_positional(p, s, e) < 0)
		return -1;
	if (open < 0)
		return 0;
	return spec_read_keys(p, str_sub(p->text, (size_t)open + 1, p->text.n - 1), e);
}

static bool is_plain(const struct matchspec *m)
{
	return m->exact_name && !m->channel.n && !m->subdir.n && !m->has_build_number && !m->fn.n &&
	       !m->url.n && !m->md5.n && !m->sha256.n && !m->license.n && !m->license_family.n &&
	       !m->track_features.n && !m->features.n && !m->n_flags;
}

int matchspec_parse(struct arena *a, struct str text, struct matchspec *out, struct err *e)
{
	struct spec_parser p = {.a = a, .m = out};

	*out = (struct matchspec){0};
	text = str_trim(text);
	if (text.n > SPEC_MAX)
		return err_set(e, ERR_INPUT, "invalid spec: over %d characters", SPEC_MAX);
	p.text = p.whole = out->text = arena_str(a, text);
	if (spec_read(&p, e) < 0)
		return version_wrap(e, "spec", text);
	out->plain = is_plain(out);
	return 0;
}

struct str matchspec_name(struct str text)
{
	ptrdiff_t open, colon;
	struct str version, build, name, fn;
	size_t n = 0;

	text = str_trim(text);
	open = find_brackets(text);
	if (open >= 0)
		text = str_trim(str_sub(text, 0, (size_t)open));
	if (package_file(text)) {
		ptrdiff_t hash = str_rchr(text, '#');

		text = hash < 0 ? text : str_sub(text, 0, (size_t)hash);
		fn = str_base(text);
		return record_split_fn(fn, &name, &version, &build) < 0 ? str_n(NULL, 0) : name;
	}
	colon = str_rchr(before_regex(text), ':');
	text = skip_space(str_sub(text, (size_t)(colon + 1), text.n));
	n = regex_length(text);
	while (n < text.n && !ends_name(text.p[n]))
		n++;
	return str_sub(text, 0, n);
}
