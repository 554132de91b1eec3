#include "solver/version.h"

#include "solver/strmatch.h"
#include "solver/strmatch_regex.h"
#include "solver/version_key.h"

enum { SPEC_MAX = 4096, DEPTH_MAX = 16 };

enum spec_kind {
	SPEC_ANY,
	SPEC_RANGE,  /* first <= key <= last, or, negated, not so */
	SPEC_STRING, /* a regular expression or a glob over the text */
	SPEC_AND,
	SPEC_OR,
};

struct version_spec {
	enum spec_kind kind;
	bool negated;
	struct str first, last; /* keys; empty: no bound on this side */
	bool open;              /* the bounds themselves do not match */
	const struct strmatch *string;
	const struct version *exact;
	const struct version_spec *left, *right;
};

/*
 * spec   = and { "|" and }
 * and    = term { "," term }
 * term   = "(" spec ")" | "^" anything "$" | clause
 * clause = [ "==" "!=" "<=" ">=" "~=" "=" "<" ">" ] version, possibly with "*"
 */
struct parser {
	struct arena *a;
	struct str text;
	const char *origin; /* where places in errors are counted from */
	size_t at;
	unsigned depth;
};

static int fail(const struct parser *p, struct err *e, size_t at, const char *what)
{
	return err_set(e, ERR_INPUT, "%s at %zu", what, (size_t)(p->text.p - p->origin) + at + 1);
}

static void skip_space(struct parser *p)
{
	while (p->at < p->text.n && (p->text.p[p->at] == ' ' || p->text.p[p->at] == '\t'))
		p->at++;
}

static char peek(const struct parser *p)
{
	return p->at < p->text.n ? p->text.p[p->at] : 0;
}

static struct version_spec *spec_new(struct parser *p, enum spec_kind kind)
{
	struct version_spec *s = arena_new(p->a, struct version_spec);

	s->kind = kind;
	return s;
}

/* --- clauses ------------------------------------------------------------------------------ */

static int key_of(
	struct parser *p, struct str text, enum key_bound bound, struct str *out, struct err *e)
{
	struct version_key key;

	if (version_key_make(text, bound, p->origin, &key, e) < 0)
		return -1;
	*out = arena_str(p->a, str_n((const char *)key.p, key.n));
	return 0;
}

static int add_exact(struct parser *p, struct version_spec *s, struct str text, struct err *e)
{
	struct str key;

	if (key_of(p, text, KEY_EXACT, &key, e) < 0 || version_parse(p->a, text, &s->exact, e) < 0)
		return -1;
	s->first = s->last = version_key(s->exact);
	return 0;
}

static int add_fuzzy(struct parser *p, struct version_spec *s, struct str text, struct err *e)
{
	if (key_of(p, text, KEY_FIRST, &s->first, e) < 0)
		return -1;
	return key_of(p, text, KEY_LAST, &s->last, e);
}

/* ~=0.5.3 is >=0.5.3,0.5.* */
static int add_compatible(struct parser *p, struct version_spec *s, struct str text, struct err *e)
{
	ptrdiff_t dot = str_rchr(text, '.');

	if (dot <= 0)
		return fail(p, e, (size_t)(text.p - p->text.p), "'~=' needs a version with a dot");
	if (key_of(p, text, KEY_EXACT, &s->first, e) < 0)
		return -1;
	return key_of(p, str_sub(text, 0, (size_t)dot), KEY_LAST, &s->last, e);
}

/* "1.8.*" and "1.8*" to "1.8"; true where there was a star. */
static bool strip_star(struct str *text)
{
	bool star = false;

	while (text->n && text->p[text->n - 1] == '*') {
		text->n--;
		star = true;
	}
	if (star && text->n && text->p[text->n - 1] == '.')
		text->n--;
	return star;
}

enum operator{ OP_NONE, OP_EQ, OP_NE, OP_LE, OP_GE, OP_COMPATIBLE, OP_FUZZY, OP_LT, OP_GT };

static const struct {
	const char *text;
	enum operator op;
} operators[] = {
	{"==", OP_EQ},
	{"!=", OP_NE},
	{"<=", OP_LE},
	{">=", OP_GE},
	{"~=", OP_COMPATIBLE},
	{"=", OP_FUZZY},
	{"<", OP_LT},
	{">", OP_GT},
};

static enum operator read_operator(struct parser *p)
{
	struct str rest = str_sub(p->text, p->at, p->text.n);
	size_t i;

	for (i = 0; i < sizeof(operators) / sizeof(*operators); i++) {
		if (str_starts(rest, str_of(operators[i].text))) {
			p->at += strlen(operators[i].text);
			return operators[i].op;
		}
	}
	return OP_NONE;
}

/*
 * An ordered comparison.  "1.8.*" behind one is "1.8" (conda); "1.8*" begins below all that
 * start with 1.8, pre-releases included, because conda sorts "*" before every other text.
 */
static int add_ordered(
	struct parser *p, struct version_spec *s, enum operator op, struct str text, struct err *e)
{
	bool dotted = str_ends(text, STR(".*"));
	bool star = strip_star(&text);
	struct str key;

	if (key_of(p, text, star && !dotted ? KEY_FIRST : KEY_EXACT, &key, e) < 0)
		return -1;
	s->open = op == OP_LT || op == OP_GT;
	*(op == OP_LT || op == OP_LE ? &s->last : &s->first) = key;
	return 0;
}

static int add_string(struct parser *p, struct version_spec *s, struct str text, struct err *e)
{
	s->kind = SPEC_STRING;
	return strmatch_parse_at(p->a, text, p->origin, &s->string, e);
}

/*
 * "!=1.8" excludes what equals 1.8, as conda, mamba and rattler do and the packages of their
 * channels mean it.  CEP 29 would have it exclude all of 1.8.*; docs/design/matchspec.md.
 */
static int add_plain(
	struct parser *p, struct version_spec *s, enum operator op, struct str text, struct err *e)
{
	struct str bare = text;
	bool star = strip_star(&bare);

	s->negated = op == OP_NE;
	if (star && !bare.n) {
		s->kind = SPEC_ANY;
		return 0;
	}
	if (str_chr(bare, '*') >= 0)
		return add_string(p, s, text, e);
	if (star || op == OP_FUZZY)
		return add_fuzzy(p, s, bare, e);
	return add_exact(p, s, text, e);
}

static int fill_clause(
	struct parser *p, struct version_spec *s, enum operator op, struct str text, struct err *e)
{
	switch (op) {
	case OP_LT:
	case OP_LE:
	case OP_GT:
	case OP_GE:
		return add_ordered(p, s, op, text, e);
	case OP_COMPATIBLE:
		return add_compatible(p, s, text, e);
	case OP_NONE:
	case OP_EQ:
	case OP_NE:
	case OP_FUZZY:
		return add_plain(p, s, op, text, e);
	}
	return -1;
}

static bool ends_clause(char c)
{
	return c == ',' || c == '|' || c == '(' || c == ')' || c == ' ' || c == '\t';
}

static int read_clause(struct parser *p, const struct version_spec **out, struct err *e)
{
	enum operator op = read_operator(p);
	struct version_spec *s = spec_new(p, SPEC_RANGE);
	struct str text;
	size_t from;
	char c;

	skip_space(p);
	c = peek(p);
	if (op != OP_NONE && c && strchr("=<>!~", c))
		return fail(p, e, p->at, "unknown operator");
	from = p->at;
	while (p->at < p->text.n && !ends_clause(p->text.p[p->at]))
		p->at++;
	text = str_sub(p->text, from, p->at);
	if (!text.n)
		return fail(p, e, from, "a version is missing");
	if (fill_clause(p, s, op, text, e) < 0)
		return -1;
	*out = s;
	return 0;
}

/* --- the expression ----------------------------------------------------------------------- */

static int read_or(struct parser *p, const struct version_spec **out, struct err *e);

static int read_regex(struct parser *p, const struct version_spec **out, struct err *e)
{
	struct str rest = str_sub(p->text, p->at, p->text.n);
	struct version_spec *s = spec_new(p, SPEC_STRING);
	size_t n = regex_length(rest);

	if (!n)
		return fail(p, e, p->at, "a regular expression begins with '^' and ends with '$':");
	if (add_string(p, s, str_sub(rest, 0, n), e) < 0)
		return -1;
	p->at += n;
	*out = s;
	return 0;
}

static int read_term(struct parser *p, const struct version_spec **out, struct err *e)
{
	skip_space(p);
	if (peek(p) == '^')
		return read_regex(p, out, e);
	if (peek(p) != '(')
		return read_clause(p, out, e);
	if (++p->depth > DEPTH_MAX)
		return fail(p, e, p->at, "too many parentheses");
	p->at++;
	if (read_or(p, out, e) < 0)
		return -1;
	if (peek(p) != ')')
		return fail(p, e, p->at, "')' is missing");
	p->at++;
	p->depth--;
	return 0;
}

static const struct version_spec *join(struct parser *p, enum spec_kind kind,
	const struct version_spec *left, const struct version_spec *right)
{
	struct version_spec *s;

	if (!left)
		return right;
	s = spec_new(p, kind);
	s->left = left;
	s->right = right;
	return s;
}

static int read_and(struct parser *p, const struct version_spec **out, struct err *e)
{
	const struct version_spec *all = NULL, *one;

	for (;;) {
		if (read_term(p, &one, e) < 0)
			return -1;
		all = join(p, SPEC_AND, all, one);
		skip_space(p);
		if (peek(p) != ',')
			break;
		p->at++;
		skip_space(p);
		/* Real channels hold "2.7,": conda's own builds wrote it. */
		if (p->at == p->text.n)
			break;
	}
	*out = all;
	return 0;
}

static int read_or(struct parser *p, const struct version_spec **out, struct err *e)
{
	const struct version_spec *any = NULL, *one;

	for (;;) {
		if (read_and(p, &one, e) < 0)
			return -1;
		any = join(p, SPEC_OR, any, one);
		if (peek(p) != '|')
			break;
		p->at++;
	}
	*out = any;
	return 0;
}

int version_spec_parse_at(struct arena *a, struct str text, const char *origin,
	const struct version_spec **out, struct err *e)
{
	struct parser p = {.a = a, .text = text, .origin = origin};

	if (text.n > SPEC_MAX)
		return err_set(e, ERR_INPUT, "a version spec has up to %d characters", SPEC_MAX);
	if (read_or(&p, out, e) < 0)
		return -1;
	if (p.at < text.n)
		return fail(&p, e, p.at, "',' or '|' or the end is expected");
	return 0;
}

int version_spec_parse(
	struct arena *a, struct str text, const struct version_spec **out, struct err *e)
{
	if (version_spec_parse_at(a, text, text.p, out, e) < 0)
		return version_wrap(e, "version spec", text);
	return 0;
}

/* --- matching ----------------------------------------------------------------------------- */

static bool in_range(const struct version_spec *s, struct str key)
{
	int low = s->first.n ? str_cmp(s->first, key) : -1;
	int high = s->last.n ? str_cmp(key, s->last) : -1;

	return s->open ? low < 0 && high < 0 : low <= 0 && high <= 0;
}

/* Rows of "|" and "," lean to the left: recursion there is as deep as the row is long. */
bool version_spec_match(const struct version_spec *s, const struct version *v)
{
	switch (s->kind) {
	case SPEC_ANY:
		return !s->negated;
	case SPEC_RANGE:
		return in_range(s, version_key(v)) != s->negated;
	case SPEC_STRING:
		return strmatch_test(s->string, version_text(v)) != s->negated;
	case SPEC_AND:
		return version_spec_match(s->right, v) && version_spec_match(s->left, v);
	case SPEC_OR:
		return version_spec_match(s->right, v) || version_spec_match(s->left, v);
	}
	return false;
}

bool version_spec_exact(const struct version_spec *s, const struct version **v)
{
	if (s->kind != SPEC_RANGE || !s->exact || s->negated)
		return false;
	*v = s->exact;
	return true;
}
