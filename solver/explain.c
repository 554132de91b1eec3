#include "solver/explain.h"

enum { PORTION_MAX = 64 };

static int still_contradicts(struct universe *u, struct err *e)
{
	struct candidate_list chosen = {0};
	int rc = attempt(u, &chosen, NULL, e);

	return rc < 0 ? -1 : rc == 0;
}

/* Is the wish impossible without any other? Seen without libsolv: that needs no search. */
static int is_hopeless_alone(struct universe *u, size_t i, struct err *e)
{
	for (size_t k = 0; k < u->n_wishes; k++)
		u->wishes[k].off = k != i;
	attempt_begin(u);
	if (reach(u, e) < 0)
		return -1;
	return wish_hopeless(u) != NULL;
}

/* Wishes without a version first: what the user pinned is more likely what he can change. */
static struct wish **order_to_leave_out(struct universe *u)
{
	struct wish **order = arena_array(&u->arena, struct wish *, u->n_wishes);
	size_t n = 0;

	for (int pinned = 0; pinned < 2; pinned++)
		for (size_t i = 0; i < u->n_wishes; i++) {
			const struct matchspec *m = &u->wishes[i].requirement->spec;

			if ((m->version || m->build) == pinned)
				order[n++] = &u->wishes[i];
		}
	return order;
}

/* Leaves n wishes out if the rest still contradicts itself. */
static int leave_out(struct universe *u, struct wish **list, size_t n, struct err *e)
{
	bool any = false, was_on[PORTION_MAX];
	int rc;

	for (size_t i = 0; i < n; i++) {
		was_on[i] = !list[i]->off;
		any |= was_on[i];
		list[i]->off = true;
	}
	rc = any ? still_contradicts(u, e) : 1;
	for (size_t i = 0; rc == 0 && i < n; i++)
		list[i]->off = !was_on[i];
	return rc < 0 ? -1 : 0;
}

/*
 * Leaves wishes out, in ever smaller portions, as long as the rest contradicts itself; what stays
 * is needed for the contradiction, one by one.
 */
static int minimise(struct universe *u, struct err *e)
{
	struct wish **order = order_to_leave_out(u);

	for (size_t i = 0; i < u->n_wishes; i++)
		u->wishes[i].off = false;
	for (size_t size = PORTION_MAX; size; size /= 2)
		for (size_t from = 0; from < u->n_wishes; from += size) {
			size_t n = u->n_wishes - from;

			if (size > 1 && n < size && from == 0)
				break; /* all of them at once says nothing */
			if (leave_out(u, order + from, n < size ? n : size, e) < 0)
				return -1;
		}
	return 0;
}

static size_t count_on(const struct universe *u)
{
	size_t n = 0;

	for (size_t i = 0; i < u->n_wishes; i++)
		n += !u->wishes[i].off;
	return n;
}

static void tell_wishes(struct telling *t)
{
	buf_puts(t->to, "these contradict each other:\n");
	for (size_t i = 0; i < t->u->n_wishes; i++) {
		const struct wish *w = &t->u->wishes[i];

		if (w->off)
			continue;
		buf_puts(t->to, "  ");
		tell_place(t, w);
		buf_printf(t->to, "%.*s\n", STR_ARG(w->requirement->text));
	}
}

/* The wishes that are on have no solution: plain reasons first, then what takes a search. */
static int tell(struct telling *t, struct err *e)
{
	struct universe *u = t->u;
	struct candidate_list chosen = {0};
	struct conflict_list why = {0};
	struct wish *w;

	attempt_begin(u);
	if (reach(u, e) < 0)
		return -1;
	if (!wish_hopeless(u))
		prune(u);
	w = wish_hopeless(u);
	if (count_on(u) > 1)
		tell_wishes(t);
	if (w) {
		tell_wish(t, w);
		return 0;
	}
	rank(u);
	reduce(u);
	pool_choose(u, NULL, &chosen, &why);
	if (count_on(u) == 1) {
		for (size_t i = 0; i < u->n_wishes; i++)
			if (!u->wishes[i].off)
				tell_place(t, &u->wishes[i]);
		buf_puts(t->to, "nothing that fits can be put together:\n");
	}
	tell_conflicts(t, &why);
	return 0;
}

static int set_error(const struct telling *t, struct err *e)
{
	const struct requirement *r = t->lacking;
	struct str text = buf_view(t->to);

	while (text.n && text.p[text.n - 1] == '\n')
		text.n--;
	err_set(e, ERR_UNSAT, "%.*s", STR_ARG(text));
	if (r && r->package->is_virtual)
		return err_advise(e, "ask for versions that fit the target, or choose another "
				     "target with -t");
	if (r && r->package->candidates.n == 0)
		return err_advise(e, "check the name '%.*s', or add a channel that has it with -c",
			STR_ARG(r->package->name));
	return -1;
}

static int tell_all(struct telling *t, struct err *e)
{
	struct universe *u = t->u;
	bool any = false;

	for (size_t i = 0; i < u->n_wishes; i++) {
		int rc = is_hopeless_alone(u, i, e);

		if (rc < 0)
			return -1;
		if (rc)
			tell_wish(t, &u->wishes[i]);
		any |= rc != 0;
	}
	if (any)
		return 0;
	return minimise(u, e) < 0 ? -1 : tell(t, e);
}

int explain(struct universe *u, struct err *e)
{
	CLEANUP_BUF text = {.max = 64 << 10};
	struct telling t = {.u = u, .to = &text};

	if (u->request->target)
		buf_printf(&text, "no solution for the target '%s':\n", u->request->target);
	else
		buf_puts(&text, "no solution:\n");
	if (tell_all(&t, e) < 0)
		return -1;
	return set_error(&t, e);
}
