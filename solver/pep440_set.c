/* Sets of version specifiers (PEP 440, "Version specifiers"). */
#include "solver/pep440_version.h"

static const struct {
	const char *text;
	enum pep440_op op;
} operators[] = {
	/* The longer of two with one beginning stands first. */
	{"===", PEP440_SAME},
	{"==", PEP440_EQ},
	{"~=", PEP440_COMPAT},
	{"!=", PEP440_NE},
	{"<=", PEP440_LE},
	{">=", PEP440_GE},
	{"<", PEP440_LT},
	{">", PEP440_GT},
};

const char *pep440_op_text(enum pep440_op op)
{
	for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
		if (operators[i].op == op)
			return operators[i].text;
	return "";
}

static bool scan_op(struct str *text, enum pep440_op *op)
{
	for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
		struct str word = str_of(operators[i].text);

		if (!str_starts(*text, word))
			continue;
		*op = operators[i].op;
		*text = str_trim(str_sub(*text, word.n, text->n));
		return true;
	}
	return false;
}

/* What the grammar allows beyond "a version". */
static const char *check_form(const struct pep440_clause *c)
{
	const struct pep440 *v = c->version;

	if (c->prefix && c->op != PEP440_EQ && c->op != PEP440_NE)
		return "'.*' goes only with == and !=";
	if (c->prefix && (v->stage != STAGE_NONE || v->has_post || v->has_dev || v->n_local))
		return "'.*' goes only behind numbers";
	if (v->n_local && c->op != PEP440_EQ && c->op != PEP440_NE)
		return "a local version goes only with == and !=";
	if (c->op == PEP440_COMPAT && v->n_release < 2)
		return "~= wants at least two numbers";
	return NULL;
}

/* White space within, which no version has. */
static const char *check_same(struct str text)
{
	if (!text.n)
		return "a version is missing";
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] <= ' ' || strchr(";)", text.p[i]))
			return "this cannot stand here";
	return NULL;
}

/* One clause, no white space around; *at is relative to the clause. */
static const char *scan_clause(
	struct arena *a, struct str clause, struct pep440_clause *out, size_t *at)
{
	struct str rest = clause;
	const char *why;

	*at = 0;
	if (!scan_op(&rest, &out->op))
		return "a comparison such as >= is missing";
	*at = rest.n ? (size_t)(rest.p - clause.p) : clause.n;
	if (out->op == PEP440_SAME) {
		why = check_same(rest);
		out->text = arena_str(a, rest);
		if (!why && pep440_parse(a, rest, &out->version, NULL) < 0)
			out->version = NULL;
		return why;
	}
	if (str_ends(rest, STR(".*"))) {
		out->prefix = true;
		rest.n -= 2;
	}
	out->text = arena_str(a, rest);
	if (pep440_scan(a, rest, &out->version, &why, at) < 0) {
		*at += rest.n ? (size_t)(rest.p - clause.p) : clause.n;
		return why;
	}
	*at = (size_t)(rest.p - clause.p);
	return check_form(out);
}

int pep440_set_scan(
	struct arena *a, struct str text, struct pep440_set *out, const char **why, size_t *at)
{
	struct {
		struct pep440_clause *v;
		size_t n, cap;
	} list = {0};
	struct str rest = text;

	while (rest.p) {
		struct str clause = str_trim(str_cut(&rest, ','));

		if (!clause.n)
			continue;
		*why = scan_clause(a, clause, VEC_PUSH(a, &list), at);
		if (*why) {
			*at += (size_t)(clause.p - text.p);
			return -1;
		}
	}
	out->v = list.v;
	out->n = list.n;
	return 0;
}

int pep440_set_parse(struct arena *a, struct str text, struct pep440_set *out, struct err *e)
{
	const char *why;
	size_t at;

	if (pep440_set_scan(a, text, out, &why, &at) == 0)
		return 0;
	return err_set(e, ERR_INPUT, "invalid version specifier '%.*s': %s at %zu", STR_ARG(text),
		why, at + 1);
}

/* --- matching ------------------------------------------------------------------------------- */

/* Do v's first n numbers, zeros added, equal those of w? */
static bool same_prefix(const struct pep440 *v, const struct pep440 *w, size_t n)
{
	struct pep440 x = *v, y = *w;

	x.n_release = v->n_release < n ? v->n_release : n;
	y.n_release = n;
	return pep440_cmp_base(&x, &y) == 0;
}

static bool equals(const struct pep440_clause *c, const struct pep440 *v)
{
	if (c->prefix)
		return same_prefix(v, c->version, c->version->n_release);
	return (c->version->n_local ? pep440_cmp(v, c->version)
				    : pep440_cmp_public(v, c->version)) == 0;
}

/* "The exclusive ordered comparison <V must not allow a pre-release of V itself." */
static bool less(const struct pep440 *v, const struct pep440 *w)
{
	if (pep440_cmp(v, w) >= 0)
		return false;
	return pep440_is_pre(w) || !pep440_is_pre(v) || pep440_cmp_base(v, w) != 0;
}

/* ">V must not allow a post-release or a local version of V itself." */
static bool greater(const struct pep440 *v, const struct pep440 *w)
{
	if (pep440_cmp(v, w) <= 0)
		return false;
	if (pep440_cmp_base(v, w) != 0)
		return true;
	return (w->has_post || !v->has_post) && !v->n_local;
}

static bool same_text(struct str a, struct str b)
{
	return a.n == b.n && strncasecmp(a.p, b.p, a.n) == 0;
}

static bool clause_has(const struct pep440_clause *c, const struct pep440 *v)
{
	const struct pep440 *w = c->version;

	switch (c->op) {
	case PEP440_EQ:
		return equals(c, v);
	case PEP440_NE:
		return !equals(c, v);
	case PEP440_LE:
		return pep440_cmp_public(v, w) <= 0;
	case PEP440_GE:
		return pep440_cmp_public(v, w) >= 0;
	case PEP440_LT:
		return less(v, w);
	case PEP440_GT:
		return greater(v, w);
	case PEP440_COMPAT:
		return pep440_cmp_public(v, w) >= 0 && same_prefix(v, w, w->n_release - 1);
	case PEP440_SAME:
		return same_text(c->text, v->text);
	}
	return false;
}

/* A set that names a pre-release, other than to keep it out, takes others too. */
static bool names_pre(const struct pep440_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->v[i].op != PEP440_NE && set->v[i].version &&
			pep440_is_pre(set->v[i].version))
			return true;
	return false;
}

bool pep440_set_has(const struct pep440_set *set, const struct pep440 *v, enum pep440_pre pre)
{
	if (pre == PEP440_PRE_AUTO && pep440_is_pre(v) && !names_pre(set))
		return false;
	for (size_t i = 0; i < set->n; i++)
		if (!clause_has(&set->v[i], v))
			return false;
	return true;
}
