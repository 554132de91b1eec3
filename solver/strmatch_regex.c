#include "solver/strmatch_regex_tree.h"

enum { EMIT_MAX = 20000 };

/* --- the program -------------------------------------------------------------------------- */

enum op { OP_SET, OP_START, OP_END, OP_BORDER, OP_NO_BORDER, OP_SPLIT, OP_JUMP, OP_MATCH };

struct step {
	enum op op;
	uint16_t to, or_to; /* SPLIT: both; JUMP: the first */
	const struct regex_set *set;
};

struct regex {
	size_t n;
	const struct step *steps;
};

struct program {
	struct step steps[REGEX_STEPS_MAX];
	size_t n, emitted;
};

static size_t put(struct program *g, enum op op, const struct regex_set *set)
{
	if (g->n < REGEX_STEPS_MAX)
		g->steps[g->n] = (struct step){.op = op, .set = set};
	else
		g->emitted = EMIT_MAX + 1;
	return g->n < REGEX_STEPS_MAX ? g->n++ : 0;
}

static uint16_t here(const struct program *g)
{
	return (uint16_t)g->n;
}

static void emit(struct program *g, const struct regex_node *n);

static void emit_either(struct program *g, const struct regex_node *n)
{
	size_t split = put(g, OP_SPLIT, NULL), jump;

	g->steps[split].to = here(g);
	emit(g, n->left);
	jump = put(g, OP_JUMP, NULL);
	g->steps[split].or_to = here(g);
	emit(g, n->right);
	g->steps[jump].to = here(g);
}

static void emit_repeat(struct program *g, const struct regex_node *n)
{
	size_t split;

	for (int i = 0; i < n->min; i++)
		emit(g, n->left);
	if (n->max == REGEX_UNBOUNDED) {
		split = put(g, OP_SPLIT, NULL);
		g->steps[split].to = here(g);
		emit(g, n->left);
		g->steps[put(g, OP_JUMP, NULL)].to = (uint16_t)split;
		g->steps[split].or_to = here(g);
		return;
	}
	for (int i = n->min; i < n->max; i++) {
		split = put(g, OP_SPLIT, NULL);
		g->steps[split].to = here(g);
		emit(g, n->left);
		g->steps[split].or_to = here(g);
	}
}

/* Beyond EMIT_MAX nothing more is done: repeated groups that are empty make no steps. */
static void emit(struct program *g, const struct regex_node *n)
{
	if (g->emitted > EMIT_MAX)
		return;
	g->emitted++;
	switch (n->kind) {
	case REGEX_NODE_EMPTY:
		break;
	case REGEX_NODE_SET:
		put(g, OP_SET, n->set);
		break;
	case REGEX_NODE_START:
		put(g, OP_START, NULL);
		break;
	case REGEX_NODE_END:
		put(g, OP_END, NULL);
		break;
	case REGEX_NODE_BORDER:
		put(g, OP_BORDER, NULL);
		break;
	case REGEX_NODE_NO_BORDER:
		put(g, OP_NO_BORDER, NULL);
		break;
	case REGEX_NODE_BOTH:
		emit(g, n->left);
		emit(g, n->right);
		break;
	case REGEX_NODE_EITHER:
		emit_either(g, n);
		break;
	case REGEX_NODE_REPEAT:
		emit_repeat(g, n);
		break;
	}
}

int regex_compile(struct arena *a, struct str text, const char *origin, const struct regex **out,
	struct err *e)
{
	struct program g = {.n = 0};
	const struct regex_node *root;
	struct regex *re;
	struct step *steps;

	if (regex_parse(a, text, origin, &root, e) < 0)
		return -1;
	emit(&g, root);
	put(&g, OP_MATCH, NULL);
	if (g.emitted > EMIT_MAX)
		return err_set(e, ERR_INPUT, "the regular expression repeats too much at %zu",
			(size_t)(text.p - origin) + 1);
	steps = arena_array(a, struct step, g.n);
	memcpy(steps, g.steps, g.n * sizeof *steps);
	re = arena_new(a, struct regex);
	*re = (struct regex){.n = g.n, .steps = steps};
	*out = re;
	return 0;
}

/* --- matching ----------------------------------------------------------------------------- */

/* Steps that are reached at one place of the subject. */
struct states {
	uint16_t v[REGEX_STEPS_MAX];
	size_t n;
};

struct search {
	const struct regex *re;
	struct str s;
	size_t at;
	uint64_t seen[REGEX_STEPS_MAX / 64]; /* at this place */
	uint16_t todo[REGEX_STEPS_MAX];
	size_t n_todo;
	bool hit;
};

static bool at_border(const struct search *f)
{
	bool before = f->at > 0 && regex_word_byte((uint8_t)f->s.p[f->at - 1]);
	bool after = f->at < f->s.n && regex_word_byte((uint8_t)f->s.p[f->at]);

	return before != after;
}

static void visit(struct search *f, uint16_t i)
{
	if (f->seen[i / 64] >> i % 64 & 1)
		return;
	f->seen[i / 64] |= UINT64_C(1) << i % 64;
	f->todo[f->n_todo++] = i;
}

static void follow(struct search *f, struct states *to, uint16_t i)
{
	const struct step *step = &f->re->steps[i];
	uint16_t next = (uint16_t)(i + 1);

	switch (step->op) {
	case OP_SET:
		to->v[to->n++] = i;
		break;
	case OP_MATCH:
		f->hit = true;
		break;
	case OP_JUMP:
		visit(f, step->to);
		break;
	case OP_SPLIT:
		visit(f, step->to);
		visit(f, step->or_to);
		break;
	case OP_START:
		if (f->at == 0)
			visit(f, next);
		break;
	case OP_END:
		if (f->at == f->s.n)
			visit(f, next);
		break;
	case OP_BORDER:
		if (at_border(f))
			visit(f, next);
		break;
	case OP_NO_BORDER:
		if (!at_border(f))
			visit(f, next);
		break;
	}
}

static void add(struct search *f, struct states *to, uint16_t i)
{
	visit(f, i);
	while (f->n_todo)
		follow(f, to, f->todo[--f->n_todo]);
}

bool regex_search(const struct regex *re, struct str s)
{
	struct search f = {.re = re, .s = s};
	struct states lists[2];
	struct states *now = &lists[0], *next = &lists[1], *swap;

	now->n = 0;
	for (f.at = 0;; f.at++) {
		/* It may begin at any place. */
		add(&f, now, 0);
		if (f.hit || f.at == s.n)
			return f.hit;
		memset(f.seen, 0, sizeof f.seen);
		next->n = 0;
		f.at++;
		for (size_t i = 0; i < now->n; i++)
			if (regex_set_has(re->steps[now->v[i]].set, (uint8_t)s.p[f.at - 1]))
				add(&f, next, (uint16_t)(now->v[i] + 1));
		f.at--;
		if (f.hit)
			return true;
		swap = now;
		now = next;
		next = swap;
	}
}

size_t regex_length(struct str s)
{
	bool in_set = false;
	size_t depth = 0, set_at = 0;

	if (!s.n || s.p[0] != '^')
		return 0;
	for (size_t i = 1; i < s.n; i++) {
		char c = s.p[i];

		if (c == '\\') {
			i++;
		} else if (in_set) {
			/* "[]x]" and "[^]x]" hold a bracket. */
			in_set = c != ']' || i == set_at + 1 ||
				 (i == set_at + 2 && s.p[i - 1] == '^');
		} else if (c == '[') {
			in_set = true;
			set_at = i;
		} else if (c == '(') {
			depth++;
		} else if (c == ')') {
			depth -= depth > 0;
		} else if (c == '$' && depth == 0) {
			return i + 1;
		}
	}
	return 0;
}
