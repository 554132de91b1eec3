#include "solver/why.h"

#include "base/log.h"
#include "solver/universe.h"

#include <stdlib.h>

struct asking {
	struct arena *a;
	const struct why_request *given;
	struct why_request r; /* with the records */
	struct matchspec spec;
	struct why *out;
	const struct unsat **unsat;
};

/* --- what would change ---------------------------------------------------------------------- */

static struct str build_of(struct arena *a, const struct record *r)
{
	return r ? arena_strf(a, "%.*s %.*s", STR_ARG(r->version), STR_ARG(r->build))
		 : (struct str){0};
}

static int cmp_change(const void *va, const void *vb)
{
	const struct why_change *a = va, *b = vb;

	return str_cmp(a->name, b->name);
}

static void add_change(
	struct asking *w, struct str name, const struct record *from, const struct record *to)
{
	struct why_change c = {name, build_of(w->a, from), build_of(w->a, to)};

	if (!str_eq(c.from, c.to))
		w->out->changes[w->out->n_changes++] = c;
}

/* From the solution that is to another one. */
static void find_changes(struct asking *w, const struct solution *to)
{
	const struct why_request *r = &w->r;

	w->out->changes = arena_array(w->a, struct why_change, r->n_records + to->n + 1);
	for (size_t i = 0; i < to->n; i++)
		add_change(w, to->records[i]->name,
			record_named(r->records, r->n_records, to->records[i]->name),
			to->records[i]);
	for (size_t i = 0; i < r->n_records; i++)
		if (!record_named(to->records, to->n, r->records[i]->name))
			add_change(w, r->records[i]->name, r->records[i], NULL);
	if (w->out->n_changes)
		qsort(w->out->changes, w->out->n_changes, sizeof *w->out->changes, cmp_change);
}

/* The request with one more spec. */
static int solve_with_spec(struct asking *w, const struct index *ix, struct str spec,
	const char *given_as, struct solution *out, struct err *e)
{
	struct solve_request request = *w->given->solve;
	struct spec_line *lines = arena_array(w->a, struct spec_line, request.n_specs + 1);

	if (request.n_specs)
		memcpy(lines, request.specs, request.n_specs * sizeof *lines);
	lines[request.n_specs++] = (struct spec_line){.text = spec};
	request.specs = lines;
	request.given_as = given_as;
	return solve_index(w->a, &request, ix, out, e);
}

/* --- what keeps it from being newer --------------------------------------------------------- */

static bool is_newer(const struct candidate *c, const struct candidate *than)
{
	int order;

	if (!than)
		return true;
	order = version_cmp(c->version, than->version);
	if (order == 0)
		order = (c->build_number > than->build_number) -
			(c->build_number < than->build_number);
	if (order == 0)
		order = (c->timestamp > than->timestamp) - (c->timestamp < than->timestamp);
	return order ? order > 0 : str_cmp(c->build, than->build) < 0;
}

static void find_limits(
	struct asking *w, struct universe *u, const struct why_graph *g, struct candidate *newest)
{
	const struct record *record = candidate_record(u, newest, false, NULL);
	struct why_limit *all;
	size_t n;

	all = why_limits(g, w->out->name, &n);
	w->out->limits = arena_array(w->a, struct why_limit, n + 1);
	for (size_t i = 0; i < n; i++) {
		struct matchspec spec;

		if (matchspec_parse(w->a, all[i].text, &spec, NULL) == 0 &&
			!matchspec_match(&spec, record, newest->version))
			w->out->limits[w->out->n_limits++] = all[i];
	}
}

static int find_newest(
	struct asking *w, struct universe *u, const struct why_graph *g, struct err *e)
{
	struct requirement *any = universe_requirement(u, w->out->name, e);
	const struct version *has;
	struct candidate *newest = NULL;

	if (!any || universe_load(u, any->package, e) < 0)
		return -1;
	for (size_t i = 0; i < any->package->candidates.n; i++) {
		struct candidate *c = any->package->candidates.v[i];

		if (!c->barred && c->version && is_newer(c, newest))
			newest = c;
	}
	if (!newest)
		return 0;
	w->out->newest.known = true;
	w->out->newest.version = arena_str(w->a, newest->version_text);
	w->out->newest.build = arena_str(w->a, newest->build);
	w->out->newest.channel = arena_str(w->a, newest->source->channel->name);
	w->out->newest.timestamp = newest->timestamp;
	if (version_parse(w->a, w->out->version, &has, NULL) < 0 ||
		version_cmp(newest->version, has) <= 0)
		return 0;
	w->out->newest.newer = true;
	find_limits(w, u, g, newest);
	return 0;
}

/* Packages could give way: what happens if a newer one is asked for? */
static int try_newer(struct asking *w, const struct index *ix, struct err *e)
{
	const struct why *o = w->out;
	struct solution s = {0};
	struct err inner = {0};
	struct str spec = arena_strf(w->a, "%.*s >%.*s", STR_ARG(o->name), STR_ARG(o->version));

	if (solve_with_spec(w, ix, spec, arena_printf(w->a, "a newer %.*s", STR_ARG(o->name)), &s,
		    &inner) == 0) {
		find_changes(w, &s);
		return 0;
	}
	if (inner.code != ERR_UNSAT)
		return err_move(e, &inner);
	w->out->reason = s.unsat->reason;
	err_release(&inner);
	return 0;
}

static int ask_newer(
	struct asking *w, const struct index *ix, const struct why_graph *g, struct err *e)
{
	struct universe u;
	int rc;

	if (w->out->pypi)
		return 0;
	rc = universe_init(&u, w->given->solve, ix, e);
	if (rc == 0)
		rc = find_newest(w, &u, g, e);
	universe_release(&u);
	if (rc < 0 || !w->out->newest.newer || w->given->only_lock)
		return rc;
	for (size_t i = 0; i < w->out->n_limits; i++)
		if (w->out->limits[i].kind == WHY_LINE)
			return 0; /* the user's own word is reason enough */
	return try_newer(w, ix, e);
}

/* --- the answer ----------------------------------------------------------------------------- */

static bool is_in(struct asking *w)
{
	const struct record *r = record_named(w->r.records, w->r.n_records, w->spec.name);
	const struct version *v = NULL;

	if (!r)
		return w->out->n_chains != 0; /* of PyPI */
	if (version_parse(w->a, r->version, &v, NULL) < 0)
		v = NULL;
	return matchspec_match(&w->spec, r, v);
}

static int ask_virtual(struct asking *w, const struct why_graph *g, struct err *e)
{
	const struct solve_request *r = w->given->solve;

	w->out->kind = WHY_VIRTUAL;
	w->out->name = w->spec.name;
	for (size_t i = 0; i < r->n_virtual_packages; i++) {
		struct record has;

		if (virtual_package_parse(w->a, r->virtual_packages[i], &has, e) < 0)
			return -1;
		if (!str_eq(has.name, w->spec.name))
			continue;
		w->out->version = has.version;
		w->out->build = has.build;
	}
	why_needs(g, w->spec.name, w->out);
	return 0;
}

static int ask_whether_possible(struct asking *w, const struct index *ix, struct err *e)
{
	struct solution s = {0};

	w->out->kind = WHY_POSSIBLE;
	w->out->n_chains = 0;
	w->out->name = w->spec.name;
	if (solve_with_spec(w, ix, w->given->spec, NULL, &s, e) < 0) {
		*w->unsat = s.unsat;
		return -1;
	}
	find_changes(w, &s);
	return 0;
}

/* ix: NULL where it is not needed, or cannot be had. */
static int answer(struct asking *w, const struct index *ix, struct err *e)
{
	const struct why_graph *g = why_graph_new(w->a, &w->r);

	if (str_starts(w->spec.name, STR("__")))
		return ask_virtual(w, g, e);
	why_chains(g, w->spec.name, w->out);
	if (is_in(w)) {
		w->out->kind = WHY_IN;
		return ix ? ask_newer(w, ix, g, e) : 0;
	}
	if (w->given->only_lock) {
		w->out->kind = WHY_NOT_LOCKED;
		w->out->n_chains = 0;
		return 0;
	}
	if (!ix)
		return 1;
	return ask_whether_possible(w, ix, e);
}

static int ask(void *context, const struct index *ix, struct err *e)
{
	struct asking *w = context;
	struct solution s = {0};

	*w->out = (struct why){0};
	w->r = *w->given;
	if (!w->r.records) {
		if (solve_index(w->a, w->given->solve, ix, &s, e) < 0) {
			*w->unsat = s.unsat;
			return -1;
		}
		w->r.records = s.records;
		w->r.n_records = s.n;
	}
	return answer(w, ix, e);
}

int why(struct arena *a, const struct why_request *r, struct why *out, const struct unsat **unsat,
	struct err *e)
{
	struct asking w = {.a = a, .given = r, .r = *r, .out = out, .unsat = unsat};
	struct err inner = {0};

	*out = (struct why){0};
	*unsat = NULL;
	if (matchspec_parse(a, r->spec, &w.spec, e) < 0)
		return -1;
	if (!w.spec.exact_name)
		return err_set(
			e, ERR_USAGE, "'%.*s' is not the name of one package", STR_ARG(r->spec));
	if (r->records && (str_starts(w.spec.name, STR("__")) || !r->solve->n_channels))
		return answer(&w, NULL, e);
	if (solve_with(r->solve, ask, &w, &inner) == 0)
		return 0;
	if (inner.code != ERR_NETWORK || !r->records)
		return err_move(e, &inner);
	/* What the lock says does not hang on the channels. */
	*out = (struct why){0};
	if (answer(&w, NULL, e) == 1)
		return err_move(e, &inner);
	log_note("whether there is a newer one is not known: %s", inner.text);
	err_release(&inner);
	return 0;
}
