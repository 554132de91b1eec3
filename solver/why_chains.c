/* Ways through the graph, and what stands at their ends. */
#include "solver/why_graph.h"

#include <stdlib.h>

/* --- chains --------------------------------------------------------------------------------- */

/* All that the one asks of the other: "numpy >=1.23 and numpy <2.7". */
static struct str all_texts(const struct why_graph *g, const struct edge *e)
{
	struct str all = e->text;

	for (size_t i = 0; i < e->from->out.n; i++) {
		const struct edge *other = e->from->out.v[i];

		if (other != e && other->to == e->to)
			all = arena_strf(g->a, "%.*s and %.*s", STR_ARG(all), STR_ARG(other->text));
	}
	return all;
}

static struct why_step step_of(const struct why_graph *g, const struct edge *e)
{
	return (struct why_step){e->from->name, e->from->version, e->from->build, all_texts(g, e)};
}

/* Is it the first edge between the two? */
static bool is_first(const struct edge *e)
{
	for (size_t i = 0; e->from->out.v[i] != e; i++)
		if (e->from->out.v[i]->to == e->to)
			return false;
	return true;
}

static size_t way_length(const struct node *n)
{
	size_t length = 0;

	for (; n->by; n = n->by->from)
		length++;
	return length;
}

/* The shortest way to whoever has the edge, and the edge. */
static struct why_chain chain_over(const struct why_graph *g, const struct edge *last)
{
	struct why_chain c = {.n_steps = way_length(last->from) + 1};
	const struct node *n = last->from;
	size_t at = c.n_steps;

	c.steps = arena_array(g->a, struct why_step, c.n_steps);
	c.steps[--at] = step_of(g, last);
	for (; n->by; n = n->by->from)
		c.steps[--at] = step_of(g, n->by);
	c.line = SIZE_MAX;
	if (n->root) {
		c.where = n->root->where;
		c.text = n->root->text;
		c.line = n->root->number;
	}
	return c;
}

/* For every node the shortest way to this one: breadth first, backwards. */
static void find_ways_back(const struct why_graph *g, struct node *to)
{
	struct node_list queue = {0};

	for (size_t i = 0; i < g->nodes.n; i++) {
		g->nodes.v[i]->on = NULL;
		g->nodes.v[i]->leads = false;
	}
	to->leads = true;
	*VEC_PUSH(g->a, &queue) = to;
	for (size_t i = 0; i < queue.n; i++)
		for (size_t k = 0; k < queue.v[i]->in.n; k++) {
			const struct edge *e = queue.v[i]->in.v[k];

			if (e->from->leads)
				continue;
			e->from->leads = true;
			e->from->on = e;
			*VEC_PUSH(g->a, &queue) = e->from;
		}
}

static struct why_chain chain_from(const struct why_graph *g, const struct root *r)
{
	struct why_chain c = {.where = r->where, .text = r->text, .line = r->number};

	for (const struct node *n = r->to; n->on; n = n->on->to)
		c.n_steps++;
	c.steps = arena_array(g->a, struct why_step, c.n_steps);
	c.n_steps = 0;
	for (const struct node *n = r->to; n->on; n = n->on->to)
		c.steps[c.n_steps++] = step_of(g, n->on);
	return c;
}

struct chain_list {
	struct why_chain *v;
	size_t n, cap;
};

static bool has_line(const struct chain_list *list, const struct root *r)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].line == r->number)
			return true;
	return false;
}

static bool comes_after(const struct why_chain *a, const struct why_chain *b)
{
	return a->n_steps != b->n_steps ? a->n_steps > b->n_steps : a->line > b->line;
}

/* By length, then by line; else they stay as they are. */
static void sort_chains(struct chain_list *list)
{
	for (size_t i = 1; i < list->n; i++) {
		struct why_chain c = list->v[i];
		size_t at = i;

		for (; at && comes_after(&list->v[at - 1], &c); at--)
			list->v[at] = list->v[at - 1];
		list->v[at] = c;
	}
}

static struct node *find_node(const struct why_graph *g, struct str name)
{
	struct node *n = why_node(&g->conda, name);

	return n ? n : why_node(&g->pypi, pypi_normal_name(g->a, name));
}

/* One for each line that names it, for each package that needs it, and for each line beyond. */
int why_chains(const struct why_graph *g, struct str name, struct why *out)
{
	struct node *to = find_node(g, name);
	struct chain_list list = {0};

	if (!to)
		return 0;
	find_ways_back(g, to);
	for (size_t i = 0; i < g->roots.n; i++)
		if (g->roots.v[i]->to == to)
			*VEC_PUSH(g->a, &list) = chain_from(g, g->roots.v[i]);
	for (size_t i = 0; i < to->in.n; i++)
		if (is_first(to->in.v[i]))
			*VEC_PUSH(g->a, &list) = chain_over(g, to->in.v[i]);
	for (size_t i = 0; i < g->roots.n; i++)
		if (g->roots.v[i]->to->leads && !has_line(&list, g->roots.v[i]))
			*VEC_PUSH(g->a, &list) = chain_from(g, g->roots.v[i]);
	sort_chains(&list);
	out->name = to->name;
	out->version = to->version;
	out->build = to->build;
	out->pypi = !to->record;
	out->chains = list.v;
	out->n_chains = list.n;
	return 1;
}

/* --- virtual packages ----------------------------------------------------------------------- */

/* The least version that a requirement names and takes: of ">=2.17,<3.0.a0" 2.17; NULL: none. */
static const struct version *least_of(struct arena *a, struct str text)
{
	const struct version *least = NULL;
	struct matchspec spec;
	struct str rest;

	if (matchspec_parse(a, text, &spec, NULL) < 0 || !spec.version)
		return NULL;
	for (rest = spec.version_text; rest.n;) {
		const struct version *v;
		size_t from = 0, n = 0;

		while (from < rest.n && strchr(",|()<>=!~ ", rest.p[from]))
			from++;
		while (from + n < rest.n && !strchr(",|()<>=!~ *", rest.p[from + n]))
			n++;
		if (n && version_parse(a, str_sub(rest, from, from + n), &v, NULL) == 0 &&
			version_spec_match(spec.version, v) &&
			(!least || version_cmp(v, least) < 0))
			least = v;
		rest = str_sub(rest, from + n + 1, rest.n);
	}
	return least;
}

struct need {
	struct why_need need;
	const struct version *least;
	size_t cap;
};

static int stricter(const void *va, const void *vb)
{
	const struct need *a = va, *b = vb;
	int c = (a->least == NULL) - (b->least == NULL);

	if (c == 0 && a->least)
		c = version_cmp(b->least, a->least);
	return c ? c : str_cmp(a->need.text, b->need.text);
}

static struct need *need_of(struct arena *a, struct need *v, size_t *n, struct str text)
{
	for (size_t i = 0; i < *n; i++)
		if (str_eq(v[i].need.text, text))
			return &v[i];
	v[*n] = (struct need){.need.text = text, .least = least_of(a, text)};
	return &v[(*n)++];
}

void why_needs(const struct why_graph *g, struct str name, struct why *out)
{
	const struct node *to = why_node(&g->conda, name);
	struct need *v;
	size_t n = 0;

	if (!to)
		return;
	v = arena_array(g->a, struct need, to->in.n + 1);
	for (size_t i = 0; i < to->in.n; i++) {
		struct need *need = need_of(g->a, v, &n, to->in.v[i]->text);

		if (need->need.n_by == need->cap)
			need->need.by = arena_grow(g->a, need->need.by, need->need.n_by, &need->cap,
				sizeof *need->need.by);
		need->need.by[need->need.n_by++] = to->in.v[i]->from->name;
	}
	if (n)
		qsort(v, n, sizeof *v, stricter);
	out->needs = arena_array(g->a, struct why_need, n);
	for (size_t i = 0; i < n; i++)
		out->needs[out->n_needs++] = v[i].need;
}

/* --- limits --------------------------------------------------------------------------------- */

static struct str words_of(const struct why_graph *g, const struct record *r)
{
	return arena_strf(
		g->a, "%.*s %.*s %.*s", STR_ARG(r->name), STR_ARG(r->version), STR_ARG(r->build));
}

struct limit_list {
	struct why_limit *v;
	size_t n, cap;
};

static void add_limits(const struct why_graph *g, struct limit_list *list, const struct record *by,
	bool constrains, struct str name)
{
	const struct str *v = constrains ? by->constrains : by->depends;
	size_t n = constrains ? by->n_constrains : by->n_depends;

	for (size_t i = 0; i < n; i++)
		if (str_eq(matchspec_name(v[i]), name))
			*VEC_PUSH(g->a, list) = (struct why_limit){
				constrains ? WHY_CONSTRAINS : WHY_DEPENDS, words_of(g, by), v[i]};
}

struct why_limit *why_limits(const struct why_graph *g, struct str name, size_t *n)
{
	const struct why_request *r = g->request;
	struct limit_list list = {0};

	for (size_t i = 0; i < g->roots.n; i++) {
		const struct root *root = g->roots.v[i];

		if (root->to->record && root->where.n && str_eq(root->to->name, name))
			*VEC_PUSH(g->a, &list) =
				(struct why_limit){WHY_LINE, root->where, root->text};
	}
	for (size_t i = 0; i < r->n_records; i++) {
		add_limits(g, &list, r->records[i], false, name);
		add_limits(g, &list, r->records[i], true, name);
	}
	*n = list.n;
	return list.v;
}
