#include "solver/strmatch_regex_tree.h"

enum { DEPTH_MAX = 32, REPEAT_MAX = 1000 };

struct parser {
	struct arena *a;
	struct str text;
	const char *origin;
	size_t at;
	unsigned depth;
};

static int fail(const struct parser *p, struct err *e, size_t at, const char *what)
{
	return err_set(e, ERR_INPUT, "%s at %zu", what, (size_t)(p->text.p - p->origin) + at + 1);
}

static char peek(const struct parser *p, size_t ahead)
{
	return p->at + ahead < p->text.n ? p->text.p[p->at + ahead] : 0;
}

static bool more(const struct parser *p)
{
	return p->at < p->text.n;
}

static struct regex_node *node_new(struct parser *p, enum regex_node_kind kind)
{
	struct regex_node *n = arena_new(p->a, struct regex_node);

	n->kind = kind;
	return n;
}

static const struct regex_node *join(struct parser *p, enum regex_node_kind kind,
	const struct regex_node *left, const struct regex_node *right)
{
	struct regex_node *n;

	if (!left)
		return right;
	n = node_new(p, kind);
	n->left = left;
	n->right = right;
	return n;
}

/* --- sets --------------------------------------------------------------------------------- */

static void set_add(struct regex_set *s, uint8_t c)
{
	s->bits[c / 64] |= UINT64_C(1) << c % 64;
}

static void set_add_range(struct regex_set *s, uint8_t from, uint8_t to)
{
	for (unsigned c = from; c <= to; c++)
		set_add(s, (uint8_t)c);
}

static void set_negate(struct regex_set *s)
{
	for (size_t i = 0; i < 4; i++)
		s->bits[i] = ~s->bits[i];
}

static void set_add_set(struct regex_set *s, const struct regex_set *other)
{
	for (size_t i = 0; i < 4; i++)
		s->bits[i] |= other->bits[i];
}

/* Both cases of every letter in it. */
static void set_fold(struct regex_set *s)
{
	for (unsigned c = 'a'; c <= 'z'; c++) {
		if (regex_set_has(s, (uint8_t)c))
			set_add(s, (uint8_t)(c - 'a' + 'A'));
		if (regex_set_has(s, (uint8_t)(c - 'a' + 'A')))
			set_add(s, (uint8_t)c);
	}
}

/* \d \w \s and their opposites. */
static bool class_set(char c, struct regex_set *out)
{
	*out = (struct regex_set){0};
	if (c == 'd' || c == 'D') {
		set_add_range(out, '0', '9');
	} else if (c == 'w' || c == 'W') {
		for (unsigned i = 0; i < 256; i++)
			if (regex_word_byte((uint8_t)i))
				set_add(out, (uint8_t)i);
	} else if (c == 's' || c == 'S') {
		set_add(out, ' ');
		set_add_range(out, '\t', '\r');
	} else {
		return false;
	}
	if (c < 'a')
		set_negate(out);
	return true;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte behind a backslash, which has been passed. */
static int read_escaped(struct parser *p, uint8_t *out, struct err *e)
{
	static const char letters[] = "tnrfv", bytes[] = "\t\n\r\f\v";
	char c = peek(p, 0);
	const char *known = c ? strchr(letters, c) : NULL;
	int high, low;

	if (!more(p))
		return fail(p, e, p->at, "a character is missing behind the backslash");
	if (c == 'x') {
		high = hex_value(peek(p, 1));
		low = hex_value(peek(p, 2));
		if (high < 0 || low < 0)
			return fail(p, e, p->at, "two hex digits are expected behind '\\x'");
		*out = (uint8_t)(high * 16 + low);
		p->at += 3;
		return 0;
	}
	if (c >= '0' && c <= '9')
		return fail(p, e, p->at - 1,
			"a back reference is not supported in a regular expression");
	if (!known && regex_word_byte((uint8_t)c) && c != '_')
		return fail(
			p, e, p->at - 1, "this escape is not supported in a regular expression");
	*out = (uint8_t)(known ? bytes[known - letters] : c);
	p->at++;
	return 0;
}

/* A member of a set: a whole class (1) or one byte (0). */
static int read_member(struct parser *p, struct regex_set *class, uint8_t *byte, struct err *e)
{
	if (peek(p, 0) != '\\') {
		*byte = (uint8_t)p->text.p[p->at++];
		return 0;
	}
	p->at++;
	if (class_set(peek(p, 0), class)) {
		p->at++;
		return 1;
	}
	if (peek(p, 0) == 'b') {
		*byte = '\b';
		p->at++;
		return 0;
	}
	return read_escaped(p, byte, e);
}

static int read_range(struct parser *p, struct regex_set *to, struct err *e)
{
	struct regex_set class = {0};
	uint8_t from = 0, last = 0;
	size_t at = p->at;
	int rc = read_member(p, &class, &from, e);

	if (rc < 0)
		return -1;
	if (rc == 1) {
		set_add_set(to, &class);
		return 0;
	}
	last = from;
	if (peek(p, 0) == '-' && p->at + 1 < p->text.n && peek(p, 1) != ']') {
		p->at++;
		rc = read_member(p, &class, &last, e);
		if (rc < 0)
			return -1;
		if (rc == 1 || last < from)
			return fail(p, e, at, "bad range in a set of the regular expression");
	}
	set_add_range(to, from, last);
	return 0;
}

static int read_set(struct parser *p, struct regex_set *to, struct err *e)
{
	size_t open = p->at++;
	bool negated = peek(p, 0) == '^', first = true;

	p->at += negated;
	while (more(p) && (peek(p, 0) != ']' || first)) {
		if (read_range(p, to, e) < 0)
			return -1;
		first = false;
	}
	if (!more(p))
		return fail(p, e, open, "']' is missing for the '['");
	p->at++;
	set_fold(to);
	if (negated)
		set_negate(to);
	return 0;
}

/* --- atoms -------------------------------------------------------------------------------- */

static int read_regex(struct parser *p, const struct regex_node **out, struct err *e);

/* What follows "(?"; the parser stands on the "?". */
static int read_group_kind(struct parser *p, struct err *e)
{
	char c = peek(p, 1), d = peek(p, 2);
	size_t at = p->at - 1;

	if (c == ':') {
		p->at += 2;
		return 0;
	}
	if (c == '=' || c == '!' || (c == '<' && (d == '=' || d == '!')))
		return fail(p, e, at, "look-around is not supported in a regular expression");
	if (c == 'P' && d == '=')
		return fail(p, e, at, "a back reference is not supported in a regular expression");
	if (c != 'P' || d != '<')
		return fail(
			p, e, at, "this kind of group is not supported in a regular expression");
	for (p->at += 3; regex_word_byte((uint8_t)peek(p, 0)); p->at++)
		;
	if (peek(p, 0) != '>')
		return fail(p, e, p->at, "'>' is expected behind the group's name");
	p->at++;
	return 0;
}

static int read_group(struct parser *p, const struct regex_node **out, struct err *e)
{
	size_t open = p->at++;

	if (++p->depth > DEPTH_MAX)
		return fail(p, e, open, "too many groups within each other");
	if (peek(p, 0) == '?' && read_group_kind(p, e) < 0)
		return -1;
	if (read_regex(p, out, e) < 0)
		return -1;
	if (peek(p, 0) != ')')
		return fail(p, e, open, "')' is missing for the '('");
	p->at++;
	p->depth--;
	return 0;
}

static int read_escape(struct parser *p, const struct regex_node **out, struct err *e)
{
	static const char letters[] = "bBAZ";
	static const enum regex_node_kind kinds[] = {
		REGEX_NODE_BORDER, REGEX_NODE_NO_BORDER, REGEX_NODE_START, REGEX_NODE_END};
	char c = peek(p, 1);
	const char *known = c ? strchr(letters, c) : NULL;
	struct regex_node *n = node_new(p, REGEX_NODE_SET);
	struct regex_set *set = arena_new(p->a, struct regex_set);
	uint8_t byte;

	p->at++;
	*out = n;
	n->set = set;
	if (known) {
		n->kind = kinds[known - letters];
		p->at++;
		return 0;
	}
	if (class_set(c, set)) {
		p->at++;
		return 0;
	}
	if (read_escaped(p, &byte, e) < 0)
		return -1;
	set_add(set, byte);
	set_fold(set);
	return 0;
}

static int read_plain(struct parser *p, const struct regex_node **out, struct err *e)
{
	struct regex_node *n = node_new(p, REGEX_NODE_SET);
	struct regex_set *set = arena_new(p->a, struct regex_set);
	char c = peek(p, 0);

	*out = n;
	n->set = set;
	if (c == '[')
		return read_set(p, set, e);
	p->at++;
	if (c == '^' || c == '$') {
		n->kind = c == '^' ? REGEX_NODE_START : REGEX_NODE_END;
		return 0;
	}
	set_add(set, (uint8_t)(c == '.' ? '\n' : c));
	set_fold(set);
	if (c == '.')
		set_negate(set);
	return 0;
}

static int read_count(struct parser *p, int none)
{
	int n = 0;

	if (!(peek(p, 0) >= '0' && peek(p, 0) <= '9'))
		return none;
	for (; peek(p, 0) >= '0' && peek(p, 0) <= '9'; p->at++)
		n = n > REPEAT_MAX ? n : n * 10 + (peek(p, 0) - '0');
	return n;
}

/* "{2}", "{2,}", "{,3}", "{2,3}"; any other brace stands for itself. */
static bool read_braces(struct parser *p, int *min, int *max)
{
	size_t from = p->at++;
	bool digits = peek(p, 0) >= '0' && peek(p, 0) <= '9', comma;

	*min = *max = read_count(p, 0);
	comma = peek(p, 0) == ',';
	if (comma) {
		p->at++;
		*max = read_count(p, REGEX_UNBOUNDED);
	}
	if (peek(p, 0) == '}' && (digits || comma)) {
		p->at++;
		return true;
	}
	p->at = from;
	return false;
}

static bool read_repetition(struct parser *p, int *min, int *max)
{
	switch (peek(p, 0)) {
	case '*':
	case '+':
	case '?':
		*min = peek(p, 0) == '+';
		*max = peek(p, 0) == '?' ? 1 : REGEX_UNBOUNDED;
		p->at++;
		return true;
	case '{':
		return read_braces(p, min, max);
	default:
		return false;
	}
}

/* "$*" and "\b+" are refused, as Python does; a group may hold anything. */
static bool may_repeat(const struct parser *p, size_t from, const struct regex_node *n)
{
	return p->text.p[from] == '(' || n->kind == REGEX_NODE_SET;
}

static int read_repeated(
	struct parser *p, size_t from, const struct regex_node **out, struct err *e)
{
	size_t at = p->at;
	int min, max;
	struct regex_node *n;

	if (!read_repetition(p, &min, &max))
		return 0;
	if (!may_repeat(p, from, *out))
		return fail(p, e, at, "nothing is there to repeat in the regular expression");
	if (min > REPEAT_MAX || max > REPEAT_MAX || (max != REGEX_UNBOUNDED && max < min))
		return fail(p, e, at, "a repetition of 0 to 1000 is expected");
	/* A lazy repetition matches what the greedy one does. */
	if (peek(p, 0) == '?')
		p->at++;
	at = p->at;
	n = node_new(p, REGEX_NODE_REPEAT);
	*n = (struct regex_node){.kind = REGEX_NODE_REPEAT, .left = *out, .min = min, .max = max};
	*out = n;
	if (read_repetition(p, &min, &max))
		return fail(p, e, at,
			"a repetition behind a repetition is not supported in a regular "
			"expression");
	return 0;
}

static int read_atom(struct parser *p, const struct regex_node **out, struct err *e)
{
	char c = peek(p, 0);
	size_t at = p->at;
	int min, max;

	if (!c)
		return fail(p, e, at, "a NUL is not supported in a regular expression");
	if (c == '(')
		return read_group(p, out, e);
	if (c == '\\')
		return read_escape(p, out, e);
	if (read_repetition(p, &min, &max))
		return fail(p, e, at, "nothing is there to repeat in the regular expression");
	return read_plain(p, out, e);
}

static int read_branch(struct parser *p, const struct regex_node **out, struct err *e)
{
	const struct regex_node *all = NULL, *one;

	while (more(p) && peek(p, 0) != '|' && peek(p, 0) != ')') {
		size_t from = p->at;

		if (read_atom(p, &one, e) < 0 || read_repeated(p, from, &one, e) < 0)
			return -1;
		all = join(p, REGEX_NODE_BOTH, all, one);
	}
	*out = all ? all : node_new(p, REGEX_NODE_EMPTY);
	return 0;
}

static int read_regex(struct parser *p, const struct regex_node **out, struct err *e)
{
	const struct regex_node *any = NULL, *one;

	for (;;) {
		if (read_branch(p, &one, e) < 0)
			return -1;
		any = join(p, REGEX_NODE_EITHER, any, one);
		if (peek(p, 0) != '|')
			break;
		p->at++;
	}
	*out = any;
	return 0;
}

int regex_parse(struct arena *a, struct str text, const char *origin, const struct regex_node **out,
	struct err *e)
{
	struct parser p = {.a = a, .text = text, .origin = origin};

	if (text.n > REGEX_MAX)
		return fail(&p, e, REGEX_MAX, "a regular expression ends within 256 characters:");
	if (read_regex(&p, out, e) < 0)
		return -1;
	if (more(&p))
		return fail(&p, e, p.at, "')' without a '('");
	return 0;
}
