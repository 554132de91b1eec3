#include "solver/matchspec_parse.h"

/*
 * The value of "when" (CEP 43):
 *
 *	condition = all { "or" all }
 *	all       = term { "and" term }
 *	term      = "(" condition ")" | spec
 *
 * A spec has no spaces in it but between its brackets: "python>=3.10", "python[version='>3 <4']".
 */
struct reader {
	struct spec_parser *p;
	struct str rest;
	unsigned depth;
};

enum { DEPTH_MAX = 16 };

static bool space(char c)
{
	return c == ' ' || c == '\t';
}

static void skip_space(struct reader *r)
{
	while (r->rest.n && space(r->rest.p[0]))
		r->rest = str_sub(r->rest, 1, r->rest.n);
}

static int expected(struct reader *r, const char *what, struct err *e)
{
	return spec_fail(r->p, e, r->rest.p, what);
}

/* The word that comes next, up to a space or a parenthesis outside of quotes and brackets. */
static struct str next_term(struct str s)
{
	size_t i, brackets = 0, parens = 0;
	char quote = 0;

	for (i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (quote) {
			quote = c == quote ? 0 : quote;
			continue;
		}
		if (!brackets && (space(c) || (c == ')' && !parens)))
			break;
		if (c == '\'' || c == '"')
			quote = c;
		brackets += c == '[';
		brackets -= c == ']' && brackets;
		parens += c == '(';
		parens -= c == ')' && parens;
	}
	return str_sub(s, 0, i);
}

static bool accept_word(struct reader *r, const char *word)
{
	skip_space(r);
	if (!str_is(next_term(r->rest), word))
		return false;
	r->rest = str_sub(r->rest, strlen(word), r->rest.n);
	return true;
}

static struct spec_condition *condition_new(struct reader *r, enum condition_kind kind)
{
	struct spec_condition *c = arena_new(r->p->a, struct spec_condition);

	c->kind = kind;
	return c;
}

static int read_condition(struct reader *r, const struct spec_condition **out, struct err *e);

static int read_spec(struct reader *r, const struct spec_condition **out, struct err *e)
{
	struct spec_condition *c = condition_new(r, CONDITION_SPEC);
	struct matchspec *m = arena_new(r->p->a, struct matchspec);
	struct spec_parser inner = *r->p;
	struct str term = next_term(r->rest);

	if (!term.n || str_is(term, "and") || str_is(term, "or"))
		return expected(r, "a spec or '(' was expected", e);
	if (str_is(term, "not"))
		return expected(r, "a condition has 'and', 'or' and parentheses, but no 'not':", e);
	inner.m = m;
	inner.text = m->text = term;
	inner.in_condition = true;
	if (spec_read(&inner, e) < 0)
		return -1;
	c->spec = m;
	r->rest = str_sub(r->rest, term.n, r->rest.n);
	*out = c;
	return 0;
}

static int read_term(struct reader *r, const struct spec_condition **out, struct err *e)
{
	skip_space(r);
	if (!r->rest.n || r->rest.p[0] != '(')
		return read_spec(r, out, e);
	if (++r->depth > DEPTH_MAX)
		return expected(r, "too many parentheses", e);
	r->rest = str_sub(r->rest, 1, r->rest.n);
	if (read_condition(r, out, e) < 0)
		return -1;
	skip_space(r);
	if (!r->rest.n || r->rest.p[0] != ')')
		return expected(r, "'and', 'or' or ')' was expected", e);
	r->rest = str_sub(r->rest, 1, r->rest.n);
	r->depth--;
	return 0;
}

static const struct spec_condition *join(struct reader *r, enum condition_kind kind,
	const struct spec_condition *left, const struct spec_condition *right)
{
	struct spec_condition *c;

	if (!left)
		return right;
	c = condition_new(r, kind);
	c->left = left;
	c->right = right;
	return c;
}

static int read_all(struct reader *r, const struct spec_condition **out, struct err *e)
{
	const struct spec_condition *all = NULL, *one;

	do {
		if (read_term(r, &one, e) < 0)
			return -1;
		all = join(r, CONDITION_AND, all, one);
	} while (accept_word(r, "and"));
	*out = all;
	return 0;
}

static int read_condition(struct reader *r, const struct spec_condition **out, struct err *e)
{
	const struct spec_condition *any = NULL, *one;

	do {
		if (read_all(r, &one, e) < 0)
			return -1;
		any = join(r, CONDITION_OR, any, one);
	} while (accept_word(r, "or"));
	*out = any;
	return 0;
}

int spec_read_condition(struct spec_parser *p, struct str text, struct err *e)
{
	struct reader r = {.p = p, .rest = text};

	if (p->in_condition)
		return spec_fail(p, e, text.p, "a condition has no 'when' of its own:");
	if (read_condition(&r, &p->m->when, e) < 0)
		return -1;
	skip_space(&r);
	if (r.rest.n)
		return expected(&r, "'and', 'or' or the end was expected", e);
	return 0;
}

/* Rows of "and" and "or" lean to the left: recursion is as deep as the row is long. */
int spec_condition_holds(const struct spec_condition *c,
	int (*holds)(const struct matchspec *spec, void *context), void *context)
{
	int left, right;

	if (c->kind == CONDITION_SPEC)
		return holds(c->spec, context);
	left = spec_condition_holds(c->left, holds, context);
	right = spec_condition_holds(c->right, holds, context);
	/* What decides: one that does not hold for "and", one that does for "or". */
	if (left == (c->kind == CONDITION_OR) || right == (c->kind == CONDITION_OR))
		return c->kind == CONDITION_OR;
	return left < 0 ? left : right;
}
