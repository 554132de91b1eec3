/*
 * Stand-ins: packages that no channel has, which say in candidates and requirements what libsolv has
 * no words for.
 *
 * A group of optional dependencies (CEP 44), asked for by foo[extras=[x]], is a package "foo[x]" with
 * a candidate for each of foo's, which needs exactly that one and what its group x lists.  Who asks
 * for the group asks for foo and for "foo[x]".
 *
 * A requirement under a condition on packages that are still to be chosen (CEP 43), such as
 * b[when="python>=3.10"], is a package of that name.  Its first candidate needs b; the others say
 * each in one way that the condition does not hold, with constraints (python only where it is not
 * >=3.10).  The first is libsolv's choice where all are possible, so that no version is chosen in
 * order to escape a condition; where it turns out not to hold, keep_needed() takes one of the
 * others and lets b go.  What virtual packages decide is decided at once.
 */
#include "solver/universe.h"

/* Ways in which a condition does not hold: of each, all of its specs match nothing. */
struct term {
	const struct matchspec **v;
	size_t n;
};

struct terms {
	struct term *v;
	size_t n, cap;
};

enum { TERMS_MAX = 64 };

struct standin {
	/* A group: */
	struct package *of;
	struct str group;
	/* A condition: */
	struct requirement_list needs, limits; /* of the first candidate */
	struct terms escapes;
};

bool standin_is_condition(const struct package *p)
{
	return p->standin && !p->standin->of;
}

/* --- conditions --------------------------------------------------------------------------- */

/* What the target offers is known from the start; whether a package comes to be, only at the end. */
static int target_has(const struct matchspec *spec, void *context)
{
	const struct universe *u = context;
	union table_value *v;
	const struct package *p;

	if (!spec->exact_name || !str_starts(spec->name, STR("__")))
		return -1;
	v = table_get(&u->packages, spec->name);
	p = v ? v->ptr : NULL;
	return p && p->candidates.n &&
	       matchspec_match(spec, p->candidates.v[0]->record, p->candidates.v[0]->version);
}

int universe_condition(struct universe *u, const struct spec_condition *condition)
{
	return condition ? spec_condition_holds(condition, target_has, u) : 1;
}

static int too_many(const struct requirement *r, struct err *e)
{
	return err_set(e, ERR_INPUT, "the condition of '%.*s' has too many ways to fail",
		STR_ARG(r->text));
}

static int negate_spec(struct universe *u, const struct requirement *r,
	const struct matchspec *spec, struct terms *out, struct err *e)
{
	int has = target_has(spec, u);
	struct term *t;

	if (has == 1)
		return 0;
	if (has < 0 && !spec->exact_name)
		return err_set(e, ERR_INPUT, "the condition of '%.*s' names no single package",
			STR_ARG(r->text));
	t = VEC_PUSH(&u->arena, out);
	*t = (struct term){.n = has < 0};
	t->v = arena_array(&u->arena, const struct matchspec *, 1);
	t->v[0] = spec;
	return 0;
}

static struct term both(struct universe *u, struct term a, struct term b)
{
	struct term t = {arena_array(&u->arena, const struct matchspec *, a.n + b.n), a.n + b.n};

	if (a.n)
		memcpy(t.v, a.v, a.n * sizeof *t.v);
	if (b.n)
		memcpy(t.v + a.n, b.v, b.n * sizeof *t.v);
	return t;
}

/* "Not (a and b)" is "not a" or "not b"; "not (a or b)" is both of them. */
static int negate(struct universe *u, const struct requirement *r, const struct spec_condition *c,
	struct terms *out, struct err *e)
{
	struct terms left = {0}, right = {0};

	if (c->kind == CONDITION_SPEC)
		return negate_spec(u, r, c->spec, out, e);
	if (negate(u, r, c->left, c->kind == CONDITION_AND ? out : &left, e) < 0 ||
		negate(u, r, c->right, c->kind == CONDITION_AND ? out : &right, e) < 0)
		return -1;
	for (size_t i = 0; i < left.n; i++)
		for (size_t k = 0; k < right.n; k++)
			*VEC_PUSH(&u->arena, out) = both(u, left.v[i], right.v[k]);
	return out->n > TERMS_MAX ? too_many(r, e) : 0;
}

/* "numpy >=2", of "numpy[version='>=2',when=...]". */
static struct str plain_text(struct universe *u, const struct matchspec *spec)
{
	return arena_strf(&u->arena, "%.*s%s%.*s%s%.*s", STR_ARG(spec->name),
		spec->version_text.n ? " " : "", STR_ARG(spec->version_text),
		spec->build_text.n ? " " : "", STR_ARG(spec->build_text));
}

/* The spec without its condition. */
static struct requirement *unconditional(struct universe *u, const struct matchspec *spec)
{
	struct matchspec plain = *spec;
	struct requirement *r;

	plain.when = NULL;
	r = requirement_new(u, plain_text(u, spec), &plain, package_of(u, spec->name),
		&(struct requirement){0});
	standin_groups(u, r);
	return r;
}

static struct package *new_standin(struct universe *u, struct str name, const struct standin *what)
{
	struct package *p = package_of(u, name);
	struct standin *s = arena_new(&u->arena, struct standin);

	*s = *what;
	p->standin = s;
	return p;
}

int standin_condition(struct universe *u, struct requirement *r, struct err *e)
{
	struct standin s = {0};
	struct requirement *then;

	if (negate(u, r, r->spec.when, &s.escapes, e) < 0)
		return -1;
	then = unconditional(u, &r->spec);
	*VEC_PUSH(&u->arena, &s.needs) = then;
	for (size_t i = 0; i < then->n_also; i++)
		*VEC_PUSH(&u->arena, &s.needs) = then->also[i];
	r->any = true;
	r->package = new_standin(u, r->text, &s);
	return 0;
}

struct requirement *standin_limit(struct universe *u, const struct requirement *limit)
{
	struct str name = arena_strf(&u->arena, "limit %.*s", STR_ARG(limit->text));
	struct standin s = {.escapes = limit->package->standin->escapes};
	struct package *p = package_of(u, name);

	if (p->standin)
		return p->requirements.v[0];
	*VEC_PUSH(&u->arena, &s.limits) = limit->package->standin->needs.v[0];
	return requirement_new(u, name, &limit->spec, new_standin(u, name, &s),
		&(struct requirement){.any = true});
}

static struct requirement *never(struct universe *u, const struct matchspec *spec)
{
	struct str text = arena_strf(&u->arena, "none of %.*s", STR_ARG(spec->text));

	return requirement_new(
		u, text, spec, package_of(u, spec->name), &(struct requirement){.negated = true});
}

static struct candidate *add_candidate(struct universe *u, struct package *p)
{
	struct candidate *c = arena_new(&u->arena, struct candidate);

	c->package = p;
	c->fn = p->name;
	c->at = (uint32_t)p->candidates.n;
	*VEC_PUSH(&u->arena, &p->candidates) = c;
	return c;
}

static void set_depends(
	struct universe *u, struct candidate *c, const struct requirement_list *list)
{
	c->depends = list->v;
	c->n_depends = (uint32_t)list->n;
	for (size_t i = 0; i < list->n; i++)
		*VEC_PUSH(&u->arena, &list->v[i]->users) = c;
}

static void set_constrains(
	struct universe *u, struct candidate *c, const struct requirement_list *list)
{
	c->constrains = list->v;
	c->n_constrains = (uint32_t)list->n;
	for (size_t i = 0; i < list->n; i++)
		*VEC_PUSH(&u->arena, &list->v[i]->holders) = c;
}

static void load_condition(struct universe *u, struct package *p)
{
	const struct standin *s = p->standin;
	struct candidate *first = add_candidate(u, p);

	set_depends(u, first, &s->needs);
	set_constrains(u, first, &s->limits);
	for (size_t i = 0; i < s->escapes.n; i++) {
		struct requirement_list limits = {0};

		for (size_t k = 0; k < s->escapes.v[i].n; k++)
			*VEC_PUSH(&u->arena, &limits) = never(u, s->escapes.v[i].v[k]);
		set_constrains(u, add_candidate(u, p), &limits);
	}
}

static bool is_escape(const struct candidate *c)
{
	for (size_t i = 0; i < c->n_constrains; i++) {
		const struct package *p = c->constrains[i]->package;

		if (p->queued && p->chosen && !requirement_matches(c->constrains[i], p->chosen))
			return false;
	}
	return true;
}

struct candidate *standin_escape(const struct package *p)
{
	/* The first one is what is asked for where the condition holds. */
	for (size_t i = 1; i < p->candidates.n; i++)
		if (is_escape(p->candidates.v[i]))
			return p->candidates.v[i];
	return NULL;
}

/* --- groups ------------------------------------------------------------------------------- */

void standin_groups(struct universe *u, struct requirement *r)
{
	const struct matchspec *spec = &r->spec;

	r->also = arena_array(&u->arena, struct requirement *, spec->n_extras);
	for (size_t i = 0; i < spec->n_extras; i++) {
		struct standin s = {.of = r->package, .group = spec->extras[i]};
		struct str name = arena_strf(
			&u->arena, "%.*s[%.*s]", STR_ARG(spec->name), STR_ARG(spec->extras[i]));
		struct package *p = package_of(u, name);

		if (!p->standin)
			requirement_new(u, name, spec, new_standin(u, name, &s),
				&(struct requirement){.any = true});
		r->also[r->n_also++] = p->requirements.v[0];
	}
}

static void bar(struct candidate *c, const struct requirement *invalid)
{
	c->barred = true;
	c->bar = c->drop = (struct drop){.kind = DROP_INVALID, .requirement = invalid};
}

/* What a build's group lists (record.h). */
static int add_group(struct universe *u, const struct standin *s, struct candidate *c,
	struct requirement_list *needs, struct err *e)
{
	const struct index_group *g = c->group;
	const struct group_needs list = g->kinds[g->rests[c->number].kind].extras;

	for (uint32_t i = 0; i < list.n; i++) {
		struct requirement *r;
		struct str text, group;

		if (index_spec(u->index, c->source->number, g->specs[list.at + i], &text, e) < 0)
			return -1;
		group = str_cut(&text, ' ');
		if (!str_eq(group, s->group) || !text.n)
			continue;
		r = requirement_of(u, text, NULL);
		if (!r->valid)
			bar(c, r);
		else if (!r->idle)
			*VEC_PUSH(&u->arena, needs) = r;
		for (size_t k = 0; r->valid && !r->idle && k < r->n_also; k++)
			*VEC_PUSH(&u->arena, needs) = r->also[k];
	}
	return 0;
}

static int load_group(struct universe *u, struct package *p, struct err *e)
{
	const struct standin *s = p->standin;
	const struct matchspec name = {.text = s->of->name, .name = s->of->name};

	if (universe_load(u, s->of, e) < 0)
		return -1;
	p->versions = s->of->versions;
	p->n_versions = s->of->n_versions;
	for (size_t i = 0; i < s->of->candidates.n; i++) {
		struct candidate *of = s->of->candidates.v[i], *c;
		struct requirement_list needs = {0};
		struct str text;

		if (of->barred)
			continue;
		c = add_candidate(u, p);
		*c = (struct candidate){.fn = of->fn,
			.build = of->build,
			.version_text = of->version_text,
			.track_features = of->track_features,
			.build_number = of->build_number,
			.timestamp = of->timestamp,
			.indexed = of->indexed,
			.group = of->group,
			.number = of->number,
			.version = of->version,
			.version_number = of->version_number,
			.package = p,
			.source = of->source,
			.features = of->features,
			.at = c->at};
		text = arena_strf(&u->arena, "%.*s %.*s %.*s", STR_ARG(s->of->name),
			STR_ARG(of->version_text), STR_ARG(of->build));
		*VEC_PUSH(&u->arena, &needs) =
			requirement_new(u, text, &name, s->of, &(struct requirement){.exact = of});
		if (add_group(u, s, c, &needs, e) < 0)
			return -1;
		if (!c->barred)
			set_depends(u, c, &needs);
	}
	return 0;
}

int standin_load(struct universe *u, struct package *p, struct err *e)
{
	if (p->standin->of && load_group(u, p, e) < 0)
		return -1;
	if (!p->standin->of)
		load_condition(u, p);
	p->loaded = true;
	for (size_t i = 0; i < p->candidates.n; i++)
		p->base += !p->candidates.v[i]->barred;
	p->left = p->base;
	for (size_t i = 0; i < p->requirements.n; i++)
		requirement_match(u, p->requirements.v[i]);
	return 0;
}
