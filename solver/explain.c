#include "solver/explain.h"

/* Lines that are looked at alone because they seem impossible among others. */
enum { ALONE_MAX = 16, TOLD_MAX = 10 };

struct explaining {
	struct arena *a; /* the caller's */
	struct universe *u;
	struct telling t;
	struct unsat *out;
	bool *in;   /* the lines that are told of */
	bool apart; /* reach_apart() alone shows that they are impossible */
	struct fit_list fits;
	struct package_list limits;
};

/* --- which wishes --------------------------------------------------------------------------- */

/* Does the reason why nothing is left of the wish involve no other? */
static bool is_own_fault(struct explaining *x, const struct wish *w)
{
	struct package_list limits = {0};

	blame(x->u, w, &limits);
	for (size_t i = 0; i < x->u->n_lines; i++)
		if (x->u->lines[i]->blamed && i != w->number)
			return false;
	return true;
}

static int reach_alone(struct explaining *x, size_t i, struct err *e)
{
	for (size_t k = 0; k < x->u->n_wishes; k++)
		x->u->wishes[k].off = x->u->wishes[k].number != i;
	attempt_begin(x->u);
	return reach_apart(x->u, e);
}

/* Lines that are impossible whatever the others are; how many, or -1. */
static int find_impossible(struct explaining *x, struct err *e)
{
	struct universe *u = x->u;
	bool *maybe = arena_array(&u->arena, bool, u->n_lines);
	int n = 0, tried = 0;

	for (size_t i = 0; i < u->n_wishes; i++)
		u->wishes[i].off = false;
	attempt_begin(u);
	if (reach_apart(u, e) < 0)
		return -1;
	for (size_t i = 0; i < u->n_wishes; i++) {
		const struct wish *w = &u->wishes[i];

		maybe[w->number] |= w->requirement->left == 0;
		x->in[w->number] |= w->requirement->left == 0 && is_own_fault(x, w);
	}
	for (size_t i = 0; i < u->n_lines; i++) {
		if (maybe[i] && !x->in[i] && ++tried <= ALONE_MAX) {
			if (reach_alone(x, i, e) < 0)
				return -1;
			x->in[i] = wish_hopeless(u) != NULL;
		}
		n += x->in[i];
	}
	return n;
}

static int find_fits(struct explaining *x, const struct contradiction *c, struct err *e)
{
	x->fits.n = 0;
	if (c->n == 1)
		return fits_of_impossible(x->u, c->in, &x->fits, e);
	return fits_of_contradiction(x->u, c->in, &x->fits, e);
}

static int find_contradiction(struct explaining *x, struct contradiction *c, struct err *e)
{
	size_t first;

	if (contradiction_find(x->u, c, e) < 0 || find_fits(x, c, e) < 0)
		return -1;
	first = c->n;
	if (contradiction_shrink(x->u, c, e) < 0 || (c->n < first && find_fits(x, c, e) < 0))
		return -1;
	x->in = c->in;
	x->out->each = c->n == 1;
	x->out->smallest = c->smallest;
	return 0;
}

static int find_wishes(struct explaining *x, struct err *e)
{
	struct contradiction c;
	int n;

	contradiction_begin(x->u, &c);
	n = find_impossible(x, e);
	if (n < 0)
		return -1;
	if (n == 0)
		return find_contradiction(x, &c, e);
	x->apart = x->out->each = x->out->smallest = true;
	c.in = x->in;
	c.n = 1;
	return find_fits(x, &c, e);
}

/* --- the reasons ---------------------------------------------------------------------------- */

static void tell_wishes(struct telling *t)
{
	buf_puts(t->to, "these contradict each other:\n");
	for (size_t i = 0; i < t->u->n_lines; i++) {
		const struct wish *w = t->u->lines[i];

		if (w->off)
			continue;
		buf_puts(t->to, "  ");
		tell_place(t, w);
		buf_printf(t->to, "%.*s\n", STR_ARG(w->requirement->text));
	}
}

/* Where no derivation leads to them: all that somebody asks for in vain. */
static void all_limits(struct explaining *x)
{
	struct universe *u = x->u;

	for (size_t i = 0; i < u->packages.n; i++) {
		struct package *p = u->packages.entries[i].value.ptr;
		bool unmet = false;

		for (size_t k = 0; p->is_virtual && k < p->requirements.n && !unmet; k++)
			unmet = p->requirements.v[k]->left == 0;
		if (unmet)
			*VEC_PUSH(&u->arena, &x->limits) = p;
	}
}

/* Those that are impossible by themselves; what is told of one is not to lead to another. */
static int tell_impossible(struct explaining *x, struct err *e)
{
	struct universe *u = x->u;
	size_t n = 0;

	for (size_t i = 0; i < u->n_lines; i++) {
		if (!x->in[i] || ++n > TOLD_MAX)
			continue;
		if (reach_alone(x, i, e) < 0)
			return -1;
		tell_wish(&x->t, wish_hopeless(u));
		blame(u, wish_hopeless(u), &x->limits);
	}
	if (n > TOLD_MAX)
		buf_printf(x->t.to, "and %zu more lines are impossible\n", n - TOLD_MAX);
	return 0;
}

/* What nothing shows but a search. */
static void tell_search(struct explaining *x)
{
	struct universe *u = x->u;
	struct candidate_list chosen = {0};
	struct conflict_list why = {0};

	rank(u);
	reduce(u);
	pool_choose(u, NULL, &chosen, &why);
	for (size_t i = 0; x->out->each && i < u->n_lines; i++)
		if (x->in[i]) {
			tell_place(&x->t, u->lines[i]);
			buf_printf(x->t.to, "nothing that matches '%.*s' can be put together:\n",
				STR_ARG(u->lines[i]->requirement->text));
		}
	tell_conflicts(&x->t, &why);
	all_limits(x);
}

/* The wishes that are told of have no solution: plain reasons first, then what takes a search. */
static int tell_contradiction(struct explaining *x, struct err *e)
{
	struct universe *u = x->u;
	struct wish *w;

	wishes_only(u, x->in);
	attempt_begin(u);
	if (reach(u, e) < 0)
		return -1;
	if (!wish_hopeless(u))
		prune(u);
	w = wish_hopeless(u);
	if (!x->out->each)
		tell_wishes(&x->t);
	if (w) {
		tell_wish(&x->t, w);
		blame(u, w, &x->limits);
	} else {
		tell_search(x);
	}
	return 0;
}

/* --- the facts ------------------------------------------------------------------------------ */

static struct unsat_line line_of(struct explaining *x, const struct wish *w)
{
	return (struct unsat_line){
		.line = w->line->line, .text = arena_str(x->a, w->requirement->text)};
}

static void enter_fit(struct explaining *x, const struct fit *f)
{
	struct unsat_fit *out = &x->out->fits[x->out->n_fits++];
	const struct candidate *c = f->candidate;

	*out = (struct unsat_fit){.of = line_of(x, f->w),
		.name = arena_str(x->a, f->w->requirement->package->name),
		.any = c != NULL,
		.alone = f->alone};
	if (!c)
		return;
	out->version = arena_str(x->a, c->version_text);
	out->build = arena_str(x->a, c->build);
	out->channel = arena_str(x->a, c->source->channel->name);
	out->timestamp = c->timestamp;
}

static bool has_fit(const struct explaining *x, const struct wish *w)
{
	for (size_t i = 0; i < x->fits.n; i++)
		if (x->fits.v[i].w == w)
			return true;
	return false;
}

static void enter_facts(struct explaining *x)
{
	struct universe *u = x->u;
	struct unsat *out = x->out;

	out->lines = arena_array(x->a, struct unsat_line, u->n_lines);
	out->without = arena_array(x->a, struct unsat_line, u->n_lines);
	out->fits = arena_array(x->a, struct unsat_fit, x->fits.n);
	for (size_t i = 0; i < u->n_lines; i++) {
		const struct wish *w = u->lines[i];

		if (!x->in[i])
			continue;
		out->lines[out->n_lines++] = line_of(x, w);
		if (!out->each && w->rest == REST_SOLVABLE && !has_fit(x, w))
			out->without[out->n_without++] = line_of(x, w);
	}
	for (size_t i = 0; i < x->fits.n; i++)
		enter_fit(x, &x->fits.v[i]);
}

static int find_remedy(struct explaining *x, struct err *e)
{
	struct virtual_remedy r;

	if (remedy_find(x->a, x->u, &x->limits, x->in, &r, e) < 0)
		return -1;
	if (r.package) {
		x->out->remedy.name = arena_str(x->a, r.package->name);
		x->out->remedy.from = r.from;
		x->out->remedy.to = r.to;
	}
	/* A limit somewhere on the way to a contradiction of other kind is not what it is about. */
	x->out->remedy.limited =
		r.package || (x->out->each && x->t.lacking && x->t.lacking->package->is_virtual);
	/* What conditions would do (CEP 43) is not looked for. */
	x->out->remedy.none = x->out->remedy.limited && !r.package && !x->u->conditional;
	return 0;
}

/* --- the error ------------------------------------------------------------------------------ */

static int advise(const struct explaining *x, struct err *e)
{
	const struct requirement *r = x->t.lacking;
	const struct unsat *out = x->out;
	bool fits = false;

	for (size_t i = 0; i < out->n_fits; i++)
		fits |= out->fits[i].any;
	if (out->remedy.name.n)
		return err_advise(e, "%s a target that has this %.*s with -t",
			fits ? "ask for what fits, or choose" : "choose",
			STR_ARG(out->remedy.name));
	if (out->remedy.limited)
		return err_advise(e, "%s, or choose another target with -t",
			fits ? "ask for versions that fit the target" : "leave it out");
	if (r && r->package->candidates.n == 0 && !r->package->is_virtual)
		return err_advise(e, "check the name '%.*s', or add a channel that has it with -c",
			STR_ARG(r->package->name));
	return err_advise(e, out->each ? "ask for another version, or leave the line out"
				       : "change one of these lines");
}

static int set_error(const struct explaining *x, struct err *e)
{
	struct str text = buf_view(x->t.to);

	while (text.n && text.p[text.n - 1] == '\n')
		text.n--;
	err_set(e, ERR_UNSAT, "%.*s", STR_ARG(text));
	return advise(x, e);
}

static int explain_all(struct explaining *x, struct err *e)
{
	if (find_wishes(x, e) < 0 ||
		(x->apart ? tell_impossible(x, e) : tell_contradiction(x, e)) < 0)
		return -1;
	enter_facts(x);
	return find_remedy(x, e);
}

int explain(struct arena *a, struct universe *u, const struct unsat **out, struct err *e)
{
	CLEANUP_BUF text = {.max = 64 << 10};
	struct explaining x = {.a = a, .u = u, .t = {.u = u, .to = &text}};
	size_t head;

	x.out = arena_new(a, struct unsat);
	x.in = arena_array(&u->arena, bool, u->n_lines);
	x.out->target = str_of(u->request->target);
	x.out->file = u->request->file;
	if (u->request->target)
		buf_printf(&text, "no solution for the target '%s':\n", u->request->target);
	else
		buf_puts(&text, "no solution:\n");
	head = text.n;
	if (explain_all(&x, e) < 0)
		return -1;
	x.out->reason = arena_str(a, str_trim(str_sub(buf_view(&text), head, text.n)));
	tell_remedies(&x.t, x.out);
	*out = x.out;
	return set_error(&x, e);
}
