#include "solver/universe.h"

#include <limits.h>
#include <stdlib.h>

/* --- requirements ------------------------------------------------------------------------- */

static struct package *package_of(struct universe *u, struct str name)
{
	union table_value *v = table_get(&u->packages, name);
	struct package *p;

	if (v)
		return v->ptr;
	p = arena_new(&u->arena, struct package);
	p->name = arena_str(&u->arena, name);
	p->is_virtual = str_starts(name, STR("__"));
	p->loaded = p->is_virtual; /* what the target offers is entered at once */
	table_put(&u->packages, p->name)->ptr = p;
	return p;
}

static size_t words(const struct package *p)
{
	return (p->candidates.n + 63) / 64;
}

/* Which candidates match; the package is loaded. */
static void match_all(struct universe *u, struct requirement *r)
{
	const struct candidate_list *list = &r->package->candidates;

	r->bits = arena_array(&u->arena, uint64_t, words(r->package) + 1);
	r->matches = r->left = 0;
	for (size_t i = 0; i < list->n; i++) {
		struct candidate *c = list->v[i];

		if (!c->version || !matchspec_match(&r->spec, c->record, c->version))
			continue;
		r->bits[c->at / 64] |= UINT64_C(1) << c->at % 64;
		r->matches++;
		r->left += candidate_live(c);
	}
}

/*
 * The requirement with this text; valid is false where it cannot be read (it then matches nothing)
 * or does not name one package.
 */
static struct requirement *requirement_of(struct universe *u, struct str text, struct err *e)
{
	union table_value *v = table_get(&u->requirements, text);
	struct requirement *r;
	int holds;

	if (v && (((struct requirement *)v->ptr)->valid || !e))
		return v->ptr;
	r = arena_new(&u->arena, struct requirement);
	r->text = arena_str(&u->arena, text);
	table_put(&u->requirements, r->text)->ptr = r;
	if (matchspec_parse(&u->arena, r->text, &r->spec, e) < 0)
		return r;
	if (!r->spec.exact_name) {
		err_set(e, ERR_INPUT, "invalid spec '%.*s': a whole package name is needed here",
			STR_ARG(text));
		return r;
	}
	holds = universe_condition(u, &r->spec, e);
	if (holds < 0)
		return r;
	r->idle = !holds;
	r->valid = true;
	r->package = package_of(u, r->spec.name);
	*VEC_PUSH(&u->arena, &r->package->requirements) = r;
	if (r->package->loaded)
		match_all(u, r);
	return r;
}

/* --- loading ------------------------------------------------------------------------------ */

static void bar(struct candidate *c, enum drop_kind kind, const struct requirement *r)
{
	if (c->barred)
		return;
	c->barred = true;
	c->bar = (struct drop){.kind = kind, .requirement = r};
	c->drop = c->bar;
}

static struct candidate *candidate_new(struct universe *u, struct package *p, struct record *r)
{
	struct candidate *c = arena_new(&u->arena, struct candidate);

	c->record = r;
	c->package = p;
	c->features = r->track_features.n != 0;
	if (version_parse(&u->arena, r->version, &c->version, NULL) < 0) {
		c->version = NULL;
		bar(c, DROP_INVALID, NULL);
	}
	return c;
}

static struct requirement **requirements_of(
	struct universe *u, struct candidate *c, const struct str *texts, size_t n, uint32_t *n_out)
{
	struct requirement **list = arena_array(&u->arena, struct requirement *, n);

	for (size_t i = 0; i < n; i++) {
		struct requirement *r = requirement_of(u, texts[i], NULL);

		if (!r->valid) {
			bar(c, DROP_INVALID, r);
			continue;
		}
		if (r->idle)
			continue;
		list[(*n_out)++] = r;
	}
	return list;
}

/* A constraint on its own name says nothing: there is only one of a name. */
static void leave_out_itself(struct candidate *c)
{
	uint32_t n = 0;

	for (size_t i = 0; i < c->n_constrains; i++)
		if (c->constrains[i]->package != c->package)
			c->constrains[n++] = c->constrains[i];
	c->n_constrains = n;
}

static void enter_requirements(struct universe *u, struct candidate *c)
{
	const struct record *r = c->record;

	if (c->barred || u->request->no_deps)
		return; /* what it needs is nobody's business */
	c->depends = requirements_of(u, c, r->depends, r->n_depends, &c->n_depends);
	c->constrains = requirements_of(u, c, r->constrains, r->n_constrains, &c->n_constrains);
	leave_out_itself(c);
	for (size_t i = 0; i < c->n_depends; i++)
		*VEC_PUSH(&u->arena, &c->depends[i]->users) = c;
	for (size_t i = 0; i < c->n_constrains; i++)
		*VEC_PUSH(&u->arena, &c->constrains[i]->holders) = c;
}

static int cmp_place(const void *va, const void *vb)
{
	const struct candidate *a = *(struct candidate *const *)va;
	const struct candidate *b = *(struct candidate *const *)vb;
	int c = str_cmp(a->record->fn, b->record->fn);

	if (c == 0 && a->source != b->source) {
		c = (a->source->position > b->source->position) -
		    (a->source->position < b->source->position);
		if (c == 0)
			c = str_cmp(a->source->subdir, b->source->subdir);
	}
	return c;
}

static bool same_stem(struct str conda, struct str bz2)
{
	return conda.n > 6 && bz2.n > 8 &&
	       str_eq(str_sub(conda, 0, conda.n - 6), str_sub(bz2, 0, bz2.n - 8));
}

/*
 * Sorted by file name NAME-1-0.conda stands right before NAME-1-0.tar.bz2 of the same source or
 * with those of other channels between; what is given twice or has a .conda is left out.
 */
static void leave_out_doubles(struct candidate_list *list)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++) {
		struct candidate *c = list->v[i];
		bool bz2 = str_ends(c->record->fn, STR(".tar.bz2")), out = false;

		for (size_t j = n; j-- > 0 && !out;) {
			struct candidate *d = list->v[j];

			if (!str_eq(d->record->fn, c->record->fn) &&
				!(bz2 && same_stem(d->record->fn, c->record->fn)))
				break;
			out = d->source == c->source;
		}
		if (!out)
			list->v[n++] = c;
	}
	list->n = n;
}

static int read_candidates(struct universe *u, struct package *p, struct err *e)
{
	for (const struct index_place *at = index_first(u->index, p->name); at;
		at = index_next(u->index, at)) {
		const struct index_source *source = u->index->sources.v[at->source];
		struct record *r;
		struct candidate *c;

		if (table_get(&source->removed, place_fn(at)))
			continue;
		r = arena_new(&u->arena, struct record);
		if (record_parse(&u->arena, u->index, at, r, e) < 0)
			return -1;
		c = candidate_new(u, p, r);
		c->source = source;
		*VEC_PUSH(&u->arena, &p->candidates) = c;
	}
	return 0;
}

/* Does the user ask for this package from a channel of his choice? */
static const struct requirement *wish_for_channel(const struct universe *u, const struct package *p)
{
	for (size_t i = 0; i < u->n_wishes; i++) {
		const struct requirement *r = u->wishes[i].requirement;

		if (r->package == p && r->spec.channel.n)
			return r;
	}
	return NULL;
}

/*
 * Strict priority: only the first channel that has the name counts; where the user named a channel
 * ("bioconda::samtools"), the first that fits what he named.
 */
static void keep_first_channel(struct universe *u, struct package *p)
{
	const struct requirement *asked = wish_for_channel(u, p);
	unsigned first = UINT_MAX;
	struct matchspec any = {0};

	if (asked) {
		any.text = any.name = asked->spec.name;
		any.exact_name = true;
		any.channel = asked->spec.channel;
	}
	for (size_t i = 0; i < p->candidates.n; i++) {
		struct candidate *c = p->candidates.v[i];

		if (asked && (!c->version || !matchspec_match(&any, c->record, c->version)))
			continue;
		if (c->source->position < first)
			first = c->source->position;
	}
	for (size_t i = 0; i < p->candidates.n; i++)
		if (first != UINT_MAX && p->candidates.v[i]->source->position != first)
			bar(p->candidates.v[i], DROP_PRIORITY, NULL);
}

int universe_load(struct universe *u, struct package *p, struct err *e)
{
	struct candidate_list *list = &p->candidates;

	if (p->loaded)
		return 0;
	if (read_candidates(u, p, e) < 0)
		return -1;
	if (list->n)
		qsort(list->v, list->n, sizeof *list->v, cmp_place);
	leave_out_doubles(list);
	if (u->request->priority == PRIORITY_STRICT)
		keep_first_channel(u, p);
	for (size_t i = 0; i < list->n; i++)
		list->v[i]->at = (uint32_t)i;
	p->loaded = true;
	for (size_t i = 0; i < list->n; i++)
		enter_requirements(u, list->v[i]);
	for (size_t i = 0; i < list->n; i++)
		p->left += candidate_live(list->v[i]);
	for (size_t i = 0; i < p->requirements.n; i++)
		match_all(u, p->requirements.v[i]);
	return 0;
}

/* --- the target and the user --------------------------------------------------------------- */

static int add_virtual(struct universe *u, struct str text, struct err *e)
{
	struct record *r = arena_new(&u->arena, struct record);
	struct package *p;
	struct candidate *c;

	if (virtual_package_parse(&u->arena, text, r, e) < 0)
		return -1;
	p = package_of(u, r->name);
	if (p->candidates.n)
		return err_set(e, ERR_INPUT, "the target has two virtual packages '%.*s'",
			STR_ARG(r->name));
	c = candidate_new(u, p, r);
	if (!c->version)
		return err_set(e, ERR_INPUT, "the virtual package '%.*s' has no valid version",
			STR_ARG(text));
	*VEC_PUSH(&u->arena, &p->candidates) = c;
	return 0;
}

static int add_wish(struct universe *u, const struct spec_line *line, struct err *e)
{
	struct wish *w = &u->wishes[u->n_wishes];
	struct err inner = {0};

	w->line = line;
	w->requirement = requirement_of(u, str_trim(line->text), &inner);
	if (!w->requirement->valid) {
		err_move(e, &inner);
		if (u->request->file && line->line)
			return err_wrap(e, "%s:%d:%d", u->request->file, line->line, line->column);
		return -1;
	}
	u->n_wishes += !w->requirement->idle;
	return 0;
}

int universe_init(struct universe *u, const struct solve_request *request,
	const struct index *index, struct err *e)
{
	*u = (struct universe){.request = request, .index = index};
	u->packages.arena = u->requirements.arena = &u->arena;
	for (size_t i = 0; i < request->n_virtual_packages; i++)
		if (add_virtual(u, request->virtual_packages[i], e) < 0)
			return -1;
	u->wishes = arena_array(&u->arena, struct wish, request->n_specs);
	for (size_t i = 0; i < request->n_specs; i++)
		if (add_wish(u, &request->specs[i], e) < 0)
			return -1;
	return 0;
}

void universe_release(struct universe *u)
{
	arena_release(&u->arena);
}

/* --- attempts ------------------------------------------------------------------------------ */

static void package_reset(struct package *p)
{
	p->queued = p->visited = p->required = p->changed = false;
	p->chosen = NULL;
	p->left = 0;
	for (size_t i = 0; i < p->candidates.n; i++) {
		struct candidate *c = p->candidates.v[i];

		c->drop = c->bar;
		p->left += candidate_live(c);
	}
	for (size_t i = 0; i < p->requirements.n; i++) {
		struct requirement *r = p->requirements.v[i];

		r->left = 0;
		for (size_t k = 0; r->bits && k < p->candidates.n; k++)
			r->left += requirement_matches(r, p->candidates.v[k]) &&
				   candidate_live(p->candidates.v[k]);
	}
}

void attempt_begin(struct universe *u)
{
	u->visited.n = 0;
	u->dropped.n = u->drop_trail.n = u->require_trail.n = 0;
	for (size_t i = 0; i < u->packages.n; i++)
		package_reset(u->packages.entries[i].value.ptr);
}
