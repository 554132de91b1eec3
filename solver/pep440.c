/*
 * Parsing (PEP 440, Appendix B), order and normal form of versions.  Numbers are kept as digits
 * without leading zeros: dates with times in them do not fit 64 bits.
 */
#include "solver/pep440_version.h"

#include "base/buf.h"

/* Reads the lower-cased text from left to right. */
struct scan {
	struct arena *a;
	struct str s;
	size_t i;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z');
}

static char peek(const struct scan *p)
{
	return p->i < p->s.n ? p->s.p[p->i] : '\0';
}

static struct str without_zeros(struct str digits)
{
	while (digits.n > 1 && digits.p[0] == '0')
		digits = str_sub(digits, 1, digits.n);
	return digits;
}

/* Empty where there is no digit. */
static struct str digits(struct scan *p)
{
	size_t from = p->i;

	while (is_digit(peek(p)))
		p->i++;
	return without_zeros(str_sub(p->s, from, p->i));
}

static void separator(struct scan *p)
{
	char c = peek(p);

	if (c == '-' || c == '_' || c == '.')
		p->i++;
}

/* Reads [-_.]? WORD [-_.]? DIGITS?, with one of the words; else leaves p where it was: -1. */
static int labelled(struct scan *p, const char *const *words, struct str *number)
{
	size_t from = p->i;

	separator(p);
	for (int k = 0; words[k]; k++) {
		struct str word = str_of(words[k]);

		if (!str_starts(str_sub(p->s, p->i, p->s.n), word))
			continue;
		p->i += word.n;
		separator(p);
		*number = digits(p);
		if (!number->n)
			*number = STR("0");
		return k;
	}
	p->i = from;
	return -1;
}

static void scan_pre(struct scan *p, struct pep440 *v)
{
	/* The longer of two words with one beginning stands first. */
	static const char *const words[] = {
		"alpha", "a", "beta", "b", "preview", "pre", "c", "rc", NULL};
	static const enum pep440_stage stages[] = {
		STAGE_A, STAGE_A, STAGE_B, STAGE_B, STAGE_RC, STAGE_RC, STAGE_RC, STAGE_RC};
	int k = labelled(p, words, &v->pre);

	if (k >= 0)
		v->stage = stages[k];
}

static void scan_post(struct scan *p, struct pep440 *v)
{
	static const char *const words[] = {"post", "rev", "r", NULL};

	if (peek(p) == '-' && p->i + 1 < p->s.n && is_digit(p->s.p[p->i + 1])) {
		p->i++;
		v->post = digits(p);
		v->has_post = true;
		return;
	}
	v->has_post = labelled(p, words, &v->post) >= 0;
}

static void scan_dev(struct scan *p, struct pep440 *v)
{
	static const char *const words[] = {"dev", NULL};

	v->has_dev = labelled(p, words, &v->dev) >= 0;
}

static const char *scan_release(struct scan *p, struct pep440 *v)
{
	struct {
		struct str *v;
		size_t n, cap;
	} list = {0};
	struct str number = digits(p);

	if (number.n && peek(p) == '!') {
		p->i++;
		v->epoch = number;
		number = digits(p);
	}
	if (!number.n)
		return "a number is missing";
	*VEC_PUSH(p->a, &list) = number;
	while (peek(p) == '.' && p->i + 1 < p->s.n && is_digit(p->s.p[p->i + 1])) {
		p->i++;
		*VEC_PUSH(p->a, &list) = digits(p);
	}
	v->release = list.v;
	v->n_release = list.n;
	return NULL;
}

static const char *scan_local(struct scan *p, struct pep440 *v)
{
	struct {
		struct str *v;
		size_t n, cap;
	} list = {0};

	if (peek(p) != '+')
		return NULL;
	do {
		size_t from = ++p->i;
		bool number = true;
		struct str part;

		for (; is_alnum(peek(p)); p->i++)
			number = number && is_digit(peek(p));
		part = str_sub(p->s, from, p->i);
		if (!part.n)
			return "a letter or digit is missing";
		*VEC_PUSH(p->a, &list) = number ? without_zeros(part) : part;
	} while (peek(p) && strchr("-_.", peek(p)));
	v->local = list.v;
	v->n_local = list.n;
	return NULL;
}

static const char *scan_version(struct scan *p, struct pep440 *v)
{
	const char *why;

	if (peek(p) == 'v')
		p->i++;
	why = scan_release(p, v);
	if (why)
		return why;
	scan_pre(p, v);
	scan_post(p, v);
	scan_dev(p, v);
	why = scan_local(p, v);
	if (!why && p->i < p->s.n)
		why = "this cannot stand here";
	return why;
}

static struct str lowered(struct arena *a, struct str s)
{
	char *p = arena_cstr(a, s);

	for (size_t i = 0; i < s.n; i++)
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] = (char)(p[i] | 0x20);
	return str_n(p, s.n);
}

static struct str normal_form(struct arena *a, const struct pep440 *v)
{
	static const char *const stages[] = {
		[STAGE_A] = "a", [STAGE_B] = "b", [STAGE_RC] = "rc", [STAGE_NONE] = ""};
	CLEANUP_BUF b = {0};

	if (!str_is(v->epoch, "0"))
		buf_printf(&b, "%.*s!", STR_ARG(v->epoch));
	for (size_t i = 0; i < v->n_release; i++)
		buf_printf(&b, "%s%.*s", i ? "." : "", STR_ARG(v->release[i]));
	if (v->stage != STAGE_NONE)
		buf_printf(&b, "%s%.*s", stages[v->stage], STR_ARG(v->pre));
	if (v->has_post)
		buf_printf(&b, ".post%.*s", STR_ARG(v->post));
	if (v->has_dev)
		buf_printf(&b, ".dev%.*s", STR_ARG(v->dev));
	for (size_t i = 0; i < v->n_local; i++)
		buf_printf(&b, "%c%.*s", i ? '.' : '+', STR_ARG(v->local[i]));
	return arena_str(a, buf_view(&b));
}

int pep440_scan(
	struct arena *a, struct str text, const struct pep440 **out, const char **why, size_t *at)
{
	struct str trimmed = str_trim(text);
	struct scan p = {.a = a};
	struct pep440 *v;

	*at = trimmed.n ? (size_t)(trimmed.p - text.p) : 0;
	if (!trimmed.n || trimmed.n > PEP440_MAX) {
		*why = trimmed.n ? "it is too long" : "a version is missing";
		return -1;
	}
	p.s = lowered(a, trimmed);
	v = arena_new(a, struct pep440);
	v->epoch = STR("0");
	v->stage = STAGE_NONE;
	*why = scan_version(&p, v);
	*at += p.i;
	if (*why)
		return -1;
	v->text = normal_form(a, v);
	*out = v;
	return 0;
}

int pep440_parse(struct arena *a, struct str text, const struct pep440 **out, struct err *e)
{
	const char *why;
	size_t at;

	if (pep440_scan(a, text, out, &why, &at) == 0)
		return 0;
	return err_set(
		e, ERR_INPUT, "invalid version '%.*s': %s at %zu", STR_ARG(text), why, at + 1);
}

/* --- order ---------------------------------------------------------------------------------- */

static int cmp_number(struct str a, struct str b)
{
	if (a.n != b.n)
		return a.n < b.n ? -1 : 1;
	return str_cmp(a, b);
}

static struct str part_or_zero(const struct pep440 *v, size_t i)
{
	return i < v->n_release ? v->release[i] : STR("0");
}

int pep440_cmp_base(const struct pep440 *a, const struct pep440 *b)
{
	int c = cmp_number(a->epoch, b->epoch);

	for (size_t i = 0; !c && (i < a->n_release || i < b->n_release); i++)
		c = cmp_number(part_or_zero(a, i), part_or_zero(b, i));
	return c;
}

/* 1.0.dev1 stands before 1.0a1, though it is no pre-release of a stage. */
static int stage_rank(const struct pep440 *v)
{
	return v->stage == STAGE_NONE && !v->has_post && v->has_dev ? -1 : (int)v->stage;
}

static int cmp_pre(const struct pep440 *a, const struct pep440 *b)
{
	int x = stage_rank(a), y = stage_rank(b);

	if (x != y)
		return x < y ? -1 : 1;
	return a->stage == STAGE_NONE ? 0 : cmp_number(a->pre, b->pre);
}

static int cmp_post(const struct pep440 *a, const struct pep440 *b)
{
	if (a->has_post != b->has_post)
		return a->has_post ? 1 : -1;
	return a->has_post ? cmp_number(a->post, b->post) : 0;
}

static int cmp_dev(const struct pep440 *a, const struct pep440 *b)
{
	if (a->has_dev != b->has_dev)
		return a->has_dev ? -1 : 1;
	return a->has_dev ? cmp_number(a->dev, b->dev) : 0;
}

static bool is_number(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_digit(s.p[i]))
			return false;
	return true;
}

/* A number stands after a word. */
static int cmp_local_part(struct str a, struct str b)
{
	bool x = is_number(a), y = is_number(b);

	if (x != y)
		return x ? 1 : -1;
	return x ? cmp_number(a, b) : str_cmp(a, b);
}

static int cmp_local(const struct pep440 *a, const struct pep440 *b)
{
	for (size_t i = 0; i < a->n_local && i < b->n_local; i++) {
		int c = cmp_local_part(a->local[i], b->local[i]);

		if (c)
			return c;
	}
	return (a->n_local > b->n_local) - (a->n_local < b->n_local);
}

int pep440_cmp_public(const struct pep440 *a, const struct pep440 *b)
{
	int c = pep440_cmp_base(a, b);

	if (!c)
		c = cmp_pre(a, b);
	if (!c)
		c = cmp_post(a, b);
	return c ? c : cmp_dev(a, b);
}

int pep440_cmp(const struct pep440 *a, const struct pep440 *b)
{
	int c = pep440_cmp_public(a, b);

	return c ? c : cmp_local(a, b);
}

struct str pep440_text(const struct pep440 *v)
{
	return v->text;
}

bool pep440_is_pre(const struct pep440 *v)
{
	return v->stage != STAGE_NONE || v->has_dev;
}
