/* Who needs whom in a solution: conda's packages, PyPI's, the target's virtual packages. */
#include "solver/why_graph.h"

#include "solver/requirements.h"

/* --- nodes ---------------------------------------------------------------------------------- */

static struct node *node_new(struct why_graph *g, struct str name)
{
	struct node *n = arena_new(g->a, struct node);

	n->name = name;
	*VEC_PUSH(g->a, &g->nodes) = n;
	return n;
}

struct node *why_node(const struct table *t, struct str name)
{
	union table_value *v = table_get(t, name);

	return v ? v->ptr : NULL;
}

static void enter_purls(struct why_graph *g, struct node *n)
{
	static const struct str prefix = STR_INIT("pkg:pypi/");

	for (size_t i = 0; i < n->record->n_purls; i++) {
		struct str name = n->record->purls[i];

		if (!str_starts(name, prefix))
			continue;
		name = str_sub(name, prefix.n, name.n);
		for (size_t k = 0; k < name.n; k++)
			if (strchr("@?#", name.p[k]))
				name.n = k;
		table_put(&g->pypi, pypi_normal_name(g->a, name))->ptr = n;
	}
}

static void enter_records(struct why_graph *g)
{
	const struct why_request *r = g->request;
	bool purls = false;

	for (size_t i = 0; i < r->n_records; i++)
		purls |= r->records[i]->has_purls;
	for (size_t i = 0; i < r->n_records; i++) {
		const struct record *record = r->records[i];
		struct node *n = node_new(g, record->name);

		n->record = record;
		n->version = record->version;
		n->build = record->build;
		table_put(&g->conda, n->name)->ptr = n;
		enter_purls(g, n);
		if (!purls && pypi_name_is_valid(n->name))
			table_put(&g->pypi, pypi_normal_name(g->a, n->name))->ptr = n;
		if (str_is(n->name, "python")) {
			marker_env_of(g->a, n->version, r->solve->subdir, &g->env);
			g->has_python = true;
		}
	}
}

static void enter_wheels(struct why_graph *g)
{
	const struct pypi_set *set = g->request->pypi;

	for (size_t i = 0; set && i < set->n; i++) {
		struct node *n = node_new(g, set->v[i].name);

		n->package = &set->v[i];
		n->version = set->v[i].version;
		table_put(&g->pypi, n->name)->ptr = n;
	}
}

/* --- edges ---------------------------------------------------------------------------------- */

static void add_edge(struct why_graph *g, struct node *from, struct node *to, struct str text)
{
	struct edge *e = arena_new(g->a, struct edge);

	*e = (struct edge){from, to, text};
	*VEC_PUSH(g->a, &from->out) = e;
	*VEC_PUSH(g->a, &to->in) = e;
}

static bool has_extra(const struct node *n, struct str name)
{
	for (size_t i = 0; i < n->n_extras; i++)
		if (str_eq(n->extras[i], name))
			return true;
	return false;
}

static bool add_extras(struct why_graph *g, struct node *n, const struct str *v, size_t n_v)
{
	bool any = false;

	for (size_t i = 0; i < n_v; i++) {
		struct str *more;

		if (has_extra(n, v[i]))
			continue;
		more = arena_array(g->a, struct str, n->n_extras + 1);
		if (n->n_extras)
			memcpy(more, n->extras, n->n_extras * sizeof *more);
		more[n->n_extras++] = v[i];
		n->extras = more;
		any = true;
	}
	return any;
}

/* What a record needs of conda's packages; groups that it asks for are noted: any new one? */
static bool add_depend(struct why_graph *g, struct node *n, struct str text, bool add)
{
	struct str name = matchspec_name(text);
	struct node *to = why_node(&g->conda, name);
	struct matchspec spec;

	if (!to && add && str_starts(name, STR("__"))) {
		to = node_new(g, name);
		table_put(&g->conda, name)->ptr = to;
	}
	if (!to || to == n)
		return false;
	if (add)
		add_edge(g, n, to, text);
	else if (str_find(text, STR("extras")) >= 0 &&
		 matchspec_parse(g->a, text, &spec, NULL) == 0)
		return add_extras(g, to, spec.extras, spec.n_extras);
	return false;
}

static bool follow_record(struct why_graph *g, struct node *n, bool add)
{
	const struct record *r = n->record;
	bool any = false;

	for (size_t i = 0; i < r->n_depends; i++)
		any |= add_depend(g, n, r->depends[i], add);
	/* "GROUP SPEC" (CEP 44) */
	for (size_t i = 0; i < r->n_extras; i++) {
		struct str text = r->extras[i], group = str_cut(&text, ' ');

		if (text.n && has_extra(n, group))
			any |= add_depend(g, n, text, add);
	}
	return any;
}

/* What stands before the marker. */
static struct str without_marker(struct str text)
{
	return str_trim(str_cut(&text, ';'));
}

/* Each requirement of a wheel that holds here: extras are passed on, or edges are added. */
static bool follow_wheel(struct why_graph *g, struct node *n, bool add)
{
	bool any = false;

	for (size_t i = 0; i < n->package->n_requires_dist; i++) {
		struct str text = n->package->requires_dist[i];
		struct pep508 spec;
		struct node *to;

		if (pep508_parse(g->a, text, &spec, NULL) < 0 ||
			!marker_holds(spec.marker, &g->env, n->extras, n->n_extras))
			continue;
		to = why_node(&g->pypi, spec.name);
		if (!to || to == n)
			continue;
		if (add)
			add_edge(g, n, to, without_marker(text));
		else
			any |= add_extras(g, to, spec.extras, spec.n_extras);
	}
	return any;
}

static bool follow_node(struct why_graph *g, struct node *n, bool add)
{
	if (n->record)
		return follow_record(g, n, add);
	return n->package && g->has_python && follow_wheel(g, n, add);
}

/* Which groups are asked for is known only when all that asks has been looked at. */
static void add_edges(struct why_graph *g)
{
	size_t n = g->nodes.n;

	for (bool again = true; again;) {
		again = false;
		for (size_t i = 0; i < n; i++)
			again |= follow_node(g, g->nodes.v[i], false);
	}
	for (size_t i = 0; i < n; i++)
		follow_node(g, g->nodes.v[i], true);
}

/* --- lines ---------------------------------------------------------------------------------- */

static void add_root(struct why_graph *g, struct str where, struct str text, struct node *to)
{
	struct root *r = arena_new(g->a, struct root);

	*r = (struct root){where, text, to, g->roots.n};
	*VEC_PUSH(g->a, &g->roots) = r;
}

static struct str place_of(struct why_graph *g, const struct spec_line *line)
{
	const char *file = g->request->solve->file;

	if (!file || !line->line)
		return STR("the command line");
	return arena_strf(g->a, "%s:%d", file, line->line);
}

static void add_lines(struct why_graph *g)
{
	const struct solve_request *r = g->request->solve;

	for (size_t i = 0; i < r->n_specs; i++) {
		struct matchspec spec;
		struct node *to;

		if (matchspec_parse(g->a, r->specs[i].text, &spec, NULL) < 0)
			continue;
		to = why_node(&g->conda, spec.name);
		if (!to && str_starts(spec.name, STR("__"))) {
			to = node_new(g, spec.name);
			table_put(&g->conda, to->name)->ptr = to;
		}
		if (!to)
			continue;
		add_extras(g, to, spec.extras, spec.n_extras);
		add_root(g, place_of(g, &r->specs[i]), spec.text, to);
	}
}

/* A line that gives no name leads to the package from there. */
static struct node *find_wheel(struct why_graph *g, const struct requirement *r)
{
	struct str url;

	if (r->spec.name.n)
		return why_node(&g->pypi, r->spec.name);
	url = requirement_lock_url(g->a, r, STR(""));
	for (size_t i = 0; i < g->nodes.n; i++) {
		const struct pypi_package *p = g->nodes.v[i]->package;

		if (p && (str_eq(p->url, url) ||
				 (r->kind == REQUIREMENT_GIT && str_starts(p->url, url))))
			return g->nodes.v[i];
	}
	return NULL;
}

static void add_pip_lines(struct why_graph *g)
{
	const struct solve_request *r = g->request->solve;
	struct requirements list;
	struct err ignored = {0};

	if (!r->n_pip)
		return;
	if (requirements_read(g->a, r->pip, r->n_pip, r->file, r->project_dir, &list, &ignored) < 0)
		list.n = 0;
	err_release(&ignored);
	for (size_t i = 0; i < list.n; i++) {
		struct node *to = find_wheel(g, &list.v[i]);

		if (!to && list.v[i].spec.name.n && !(g->request->pypi && g->request->pypi->n)) {
			to = node_new(g, list.v[i].spec.name); /* pip has not chosen it yet */
			table_put(&g->pypi, to->name)->ptr = to;
		}
		if (!to)
			continue;
		add_extras(g, to, list.v[i].spec.extras, list.v[i].spec.n_extras);
		add_root(g, list.v[i].where, list.v[i].text, to);
	}
}

/* Without an environment file: what is there though nothing needs it. */
static void add_loose(struct why_graph *g)
{
	for (size_t i = 0; i < g->nodes.n; i++)
		if (g->nodes.v[i]->in.n == 0)
			add_root(g, (struct str){0}, g->nodes.v[i]->name, g->nodes.v[i]);
}

/* The shortest ways from the lines: breadth first, lines and records in their order. */
static void find_ways(struct why_graph *g)
{
	struct node_list queue = {0};

	for (size_t i = 0; i < g->roots.n; i++) {
		struct root *r = g->roots.v[i];

		if (r->to->reached)
			continue;
		r->to->reached = true;
		r->to->root = r;
		*VEC_PUSH(g->a, &queue) = r->to;
	}
	for (size_t i = 0; i < queue.n; i++)
		for (size_t k = 0; k < queue.v[i]->out.n; k++) {
			const struct edge *e = queue.v[i]->out.v[k];

			if (e->to->reached)
				continue;
			e->to->reached = true;
			e->to->by = e;
			*VEC_PUSH(g->a, &queue) = e->to;
		}
}

struct why_graph *why_graph_new(struct arena *a, const struct why_request *r)
{
	struct why_graph *g = arena_new(a, struct why_graph);

	g->a = g->conda.arena = g->pypi.arena = a;
	g->request = r;
	enter_records(g);
	enter_wheels(g);
	add_lines(g);
	add_pip_lines(g);
	add_edges(g);
	if (r->only_lock)
		add_loose(g);
	find_ways(g);
	return g;
}
