#include "solver/pep508.h"

#include "base/buf.h"
#include "solver/marker.h"

#include <stdlib.h>

enum { REQUIREMENT_MAX = 16 << 10 };

struct scan {
	struct arena *a;
	struct str s;
	size_t i;
	const char *why; /* NULL: fine so far; then i points at what is wrong */
};

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_name(char c)
{
	return is_alnum(c) || c == '-' || c == '_' || c == '.';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool pypi_name_is_valid(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!is_name(name.p[i]))
			return false;
	return name.n && is_alnum(name.p[0]) && is_alnum(name.p[name.n - 1]);
}

struct str pypi_normal_name(struct arena *a, struct str name)
{
	char *p = arena_alloc(a, name.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (c == '-' || c == '_' || c == '.') {
			if (!n || p[n - 1] != '-')
				p[n++] = '-';
		} else {
			p[n++] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
		}
	}
	return str_n(p, n);
}

static char peek(const struct scan *p)
{
	return p->i < p->s.n ? p->s.p[p->i] : '\0';
}

static void blanks(struct scan *p)
{
	while (p->i < p->s.n && is_blank(p->s.p[p->i]))
		p->i++;
}

static struct str scan_name(struct scan *p, const char *missing)
{
	size_t from = p->i;
	struct str name;

	while (p->i < p->s.n && is_name(p->s.p[p->i]))
		p->i++;
	name = str_sub(p->s, from, p->i);
	if (pypi_name_is_valid(name))
		return name;
	p->why = name.n ? "a name begins and ends with a letter or digit" : missing;
	p->i = from;
	return name;
}

static void sort_names(struct str *v, size_t *n)
{
	size_t kept = 0;

	if (*n)
		qsort(v, *n, sizeof *v, str_cmp_qsort);
	for (size_t i = 0; i < *n; i++)
		if (!kept || !str_eq(v[kept - 1], v[i]))
			v[kept++] = v[i];
	*n = kept;
}

static void scan_extras(struct scan *p, struct pep508 *out)
{
	struct {
		struct str *v;
		size_t n, cap;
	} list = {0};

	p->i++;
	blanks(p);
	while (peek(p) != ']') {
		struct str name = scan_name(p, "an extra's name or ']' is missing");

		if (p->why)
			return;
		*VEC_PUSH(p->a, &list) = pypi_normal_name(p->a, name);
		blanks(p);
		if (peek(p) == ',')
			p->i++;
		else if (peek(p) != ']')
			p->why = "']' is missing";
		if (p->why)
			return;
		blanks(p);
	}
	p->i++;
	out->extras = list.v;
	out->n_extras = list.n;
	sort_names(out->extras, &out->n_extras);
}

/* A URL ends at white space, so that a ';' within belongs to it. */
static void scan_url(struct scan *p, struct pep508 *out)
{
	size_t from;

	p->i++;
	blanks(p);
	from = p->i;
	while (p->i < p->s.n && !is_blank(p->s.p[p->i]))
		p->i++;
	out->url = str_sub(p->s, from, p->i);
	if (!out->url.n)
		p->why = "a URL is missing";
}

static void scan_versions(struct scan *p, struct pep508 *out)
{
	bool bracket = peek(p) == '(';
	size_t from = p->i + bracket, end = from, at;

	while (end < p->s.n && p->s.p[end] != ';' && p->s.p[end] != ')')
		end++;
	if (bracket && (end == p->s.n || p->s.p[end] != ')')) {
		p->why = "')' is missing";
		p->i = end;
	} else if (!bracket && end < p->s.n && p->s.p[end] == ')') {
		p->why = "'(' is missing before it";
		p->i = end;
	} else if (pep440_set_scan(p->a, str_sub(p->s, from, end), &out->versions, &p->why, &at) <
		   0) {
		p->i = from + at;
	} else {
		p->i = end + bracket;
	}
}

static void scan_marker(struct scan *p, struct pep508 *out)
{
	blanks(p);
	if (p->why || p->i == p->s.n)
		return;
	if (peek(p) != ';') {
		p->why = "this cannot stand here";
		return;
	}
	p->i++;
	out->marker_text = str_trim(str_sub(p->s, p->i, p->s.n));
	if (marker_scan(p->a, p->s, &p->i, &out->marker, &p->why) < 0)
		out->marker = NULL;
}

static void scan_requirement(struct scan *p, struct pep508 *out)
{
	out->given_name = scan_name(p, "a name is missing");
	if (p->why)
		return;
	out->name = pypi_normal_name(p->a, out->given_name);
	blanks(p);
	if (peek(p) == '[')
		scan_extras(p, out);
	blanks(p);
	if (p->why)
		return;
	if (peek(p) == '@')
		scan_url(p, out);
	else if (p->i < p->s.n && peek(p) != ';')
		scan_versions(p, out);
	scan_marker(p, out);
}

int pep508_parse(struct arena *a, struct str text, struct pep508 *out, struct err *e)
{
	struct scan p = {.a = a, .s = arena_str(a, str_trim(text))};

	if (text.n > REQUIREMENT_MAX)
		return err_set(e, ERR_INPUT, "a requirement of %zu characters is too long", text.n);
	*out = (struct pep508){.text = p.s};
	scan_requirement(&p, out);
	if (!p.why)
		return 0;
	err_set(e, ERR_INPUT, "invalid requirement '%.*s': %s at %zu", STR_ARG(p.s), p.why,
		p.i + 1);
	if (peek(&p) == '=' && p.i + 1 < p.s.n && p.s.p[p.i + 1] != '=')
		err_advise(e, "pip's requirements have '==' where conda's have '='");
	return -1;
}
