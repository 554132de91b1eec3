#include "solver/universe.h"

#include "base/interrupt.h"

#include <limits.h>
#include <stdlib.h>

/* --- requirements ------------------------------------------------------------------------- */

struct package *package_of(struct universe *u, struct str name)
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

/* Which of the package's versions match, in u->hits. */
static void match_versions(struct universe *u, const struct requirement *r)
{
	const struct package *p = r->package;

	if (p->n_versions > u->n_hits) {
		u->n_hits = 2 * p->n_versions;
		u->hits = arena_array(&u->arena, bool, u->n_hits);
	}
	for (size_t i = 0; i < p->n_versions; i++)
		u->hits[i] = p->versions[i] && version_spec_match(r->spec.version, p->versions[i]);
}

static bool candidate_matches(struct universe *u, const struct matchspec *spec, struct candidate *c)
{
	if (!c->version || (spec->version && !u->hits[c->version_number]))
		return false;
	if (spec->plain)
		return !spec->build || strmatch_test(spec->build, c->build);
	return matchspec_match(spec, candidate_record(u, c, false, NULL), c->version);
}

/*
 * Requirements times candidates, a bit each: 64 MiB.  Requests for hundreds of packages of conda-forge
 * come to a thousandth of it.
 */
#define MOST_PAIRS ((size_t)1 << 29)

static int check_pairs(const struct universe *u, const struct package *p, struct err *e)
{
	if (u->pairs <= MOST_PAIRS)
		return interrupt_check(e);
	return err_set(e, ERR_INTEGRITY,
		"'%.*s' has %zu builds and %zu different requirements on them: too many to compare",
		STR_ARG(p->name), p->candidates.n, p->requirements.n);
}

static bool requirement_takes(struct universe *u, const struct requirement *r, struct candidate *c)
{
	if (r->any)
		return true;
	if (r->exact)
		return r->exact == c;
	return candidate_matches(u, &r->spec, c) != r->negated;
}

void requirement_match(struct universe *u, struct requirement *r)
{
	const struct candidate_list *list = &r->package->candidates;

	u->pairs += list->n;
	if (u->pairs > MOST_PAIRS)
		return; /* whoever brought this about fails */
	r->bits = arena_array(&u->arena, uint64_t, words(r->package) + 1);
	r->matches = r->left = r->base = 0;
	if (r->spec.version)
		match_versions(u, r);
	for (size_t i = 0; i < list->n; i++) {
		struct candidate *c = list->v[i];

		if (!requirement_takes(u, r, c))
			continue;
		r->bits[c->at / 64] |= UINT64_C(1) << c->at % 64;
		r->matches++;
		r->left += candidate_live(c);
		r->base += !c->barred;
	}
}

static void enter_requirement(struct universe *u, struct requirement *r, struct package *p)
{
	r->package = p;
	*VEC_PUSH(&u->arena, &p->requirements) = r;
	if (p->loaded)
		requirement_match(u, r);
}

struct requirement *requirement_new(struct universe *u, struct str text,
	const struct matchspec *spec, struct package *package, const struct requirement *how)
{
	struct requirement *r = arena_new(&u->arena, struct requirement);

	r->text = text;
	r->spec = *spec;
	r->valid = true;
	r->any = how->any;
	r->negated = how->negated;
	r->exact = how->exact;
	enter_requirement(u, r, package);
	return r;
}

static int parse_requirement(struct universe *u, struct requirement *r, struct err *e)
{
	int holds;

	if (matchspec_parse(&u->arena, r->text, &r->spec, e) < 0)
		return -1;
	if (!r->spec.exact_name)
		return err_set(e, ERR_INPUT,
			"invalid spec '%.*s': a whole package name is needed here",
			STR_ARG(r->text));
	holds = universe_condition(u, r->spec.when);
	r->idle = holds == 0;
	u->conditional |= r->spec.when != NULL;
	return holds < 0 ? standin_condition(u, r, e) : 0;
}

/*
 * The requirement with this text; valid is false where it cannot be read (it then matches nothing)
 * or does not name one package.
 */
struct requirement *requirement_of(struct universe *u, struct str text, struct err *e)
{
	union table_value *v = table_get(&u->requirements, text);
	struct requirement *r;

	if (v && (((struct requirement *)v->ptr)->valid || !e))
		return v->ptr;
	r = arena_new(&u->arena, struct requirement);
	r->text = arena_str(&u->arena, text);
	table_put(&u->requirements, r->text)->ptr = r;
	if (parse_requirement(u, r, e) < 0)
		return r;
	r->valid = true;
	if (!r->package) {
		enter_requirement(u, r, package_of(u, r->spec.name));
		standin_groups(u, r);
	} else {
		enter_requirement(u, r, r->package);
	}
	return r;
}

struct requirement *universe_requirement(struct universe *u, struct str text, struct err *e)
{
	struct err inner = {0};
	struct requirement *r = requirement_of(u, text, &inner);

	if (r->valid)
		return r;
	err_move(e, &inner);
	return NULL;
}

/* --- loading ------------------------------------------------------------------------------ */

void candidate_bar(struct candidate *c, enum drop_kind kind, const struct requirement *r)
{
	if (c->barred)
		return;
	c->barred = true;
	c->bar = (struct drop){.kind = kind, .requirement = r};
	c->drop = c->bar;
}

static int read_list(struct universe *u, const struct candidate *c, struct group_needs list,
	struct str **out, size_t *n, struct err *e)
{
	*n = 0;
	*out = arena_array(&u->arena, struct str, list.n);
	for (; *n < list.n; ++*n)
		if (index_spec(u->index, c->source->number, c->group->specs[list.at + *n],
			    &(*out)[*n], e) < 0)
			return -1;
	return 0;
}

/* Reads the records' full text only for the few that are asked for. */
struct record *candidate_record(
	struct universe *u, struct candidate *c, bool with_lists, struct err *e)
{
	const struct group_build *b;

	if (!c->group)
		return c->record;
	if (!c->record) {
		c->record = arena_new(&u->arena, struct record);
		group_record(c->group, c->number, c->record);
		c->record->subdir = c->source->subdir;
		c->record->channel = c->source->channel->url;
	}
	b = &c->group->builds[c->number];
	if (with_lists &&
		(read_list(u, c, b->depends, &c->record->depends, &c->record->n_depends, e) < 0 ||
			read_list(u, c, b->constrains, &c->record->constrains,
				&c->record->n_constrains, e) < 0))
		return NULL;
	return c->record;
}

/* --- what candidates need ------------------------------------------------------------------ */

/* The requirements of one list of specs; candidates with the same list share it. */
struct needs {
	bool known;
	const struct requirement *invalid; /* the first that cannot be read */
	struct requirement **v;
	size_t n, cap;
	struct requirement_list limits; /* constraints under a condition: to be depended on */
};

/* Of one group: by where the list begins in its specs, and the same for constraints. */
struct needs_table {
	struct needs *depends, *constrains;
};

static struct requirement **slot_of(struct universe *u, size_t source, uint32_t number)
{
	if (number >= u->known[source].n) {
		size_t n = (number + (size_t)64) * 2;
		struct requirement **v = arena_array(&u->arena, struct requirement *, n);

		if (u->known[source].n)
			memcpy(v, u->known[source].v, u->known[source].n * sizeof *v);
		u->known[source].v = v;
		u->known[source].n = n;
	}
	return &u->known[source].v[number];
}

static int requirement_by_number(
	struct universe *u, size_t source, uint32_t number, struct requirement **out, struct err *e)
{
	struct requirement **slot = slot_of(u, source, number);
	struct str text;

	if (!*slot) {
		if (index_spec(u->index, source, number, &text, e) < 0)
			return -1;
		*slot = requirement_of(u, text, NULL);
	}
	*out = *slot;
	return 0;
}

static void add_need(struct universe *u, struct needs *out, struct requirement *r)
{
	*VEC_PUSH(&u->arena, out) = r;
	for (size_t i = 0; i < r->n_also; i++)
		*VEC_PUSH(&u->arena, out) = r->also[i];
}

/*
 * A constraint on its own name says nothing: there is only one of a name.  None asks for groups.
 */
static void add_limit(
	struct universe *u, struct needs *out, struct requirement *r, const struct package *of)
{
	if (str_eq(r->spec.name, of->name))
		return;
	if (standin_is_condition(r->package))
		*VEC_PUSH(&u->arena, &out->limits) = standin_limit(u, r);
	else
		*VEC_PUSH(&u->arena, out) = r;
}

static int find_needs(struct universe *u, const struct candidate *c, struct group_needs list,
	bool limits, struct needs *out, struct err *e)
{
	if (out->known)
		return 0;
	out->known = true;
	out->v = arena_array(&u->arena, struct requirement *, list.n);
	out->cap = list.n;
	for (uint32_t i = 0; i < list.n; i++) {
		struct requirement *r;

		if (requirement_by_number(
			    u, c->source->number, c->group->specs[list.at + i], &r, e) < 0)
			return -1;
		if (r->valid && check_pairs(u, r->package, e) < 0)
			return -1;
		if (!r->valid && !out->invalid)
			out->invalid = r;
		else if (r->valid && !r->idle && limits)
			add_limit(u, out, r, c->package);
		else if (r->valid && !r->idle)
			add_need(u, out, r);
	}
	return 0;
}

static int enter_depends(
	struct universe *u, struct candidate *c, struct needs_table *t, struct err *e)
{
	const struct group_needs list = c->group->builds[c->number].depends;
	struct needs *needs = &t->depends[list.at];

	if (list.n == 0)
		return 0;
	if (find_needs(u, c, list, false, needs, e) < 0)
		return -1;
	c->depends = needs->v;
	c->n_depends = needs->n;
	if (needs->invalid)
		candidate_bar(c, DROP_INVALID, needs->invalid);
	for (size_t i = 0; i < c->n_depends; i++)
		*VEC_PUSH(&u->arena, &c->depends[i]->users) = c;
	return 0;
}

/* Candidates share their lists, so this one gets a list of its own. */
void candidate_depend_too(
	struct universe *u, struct candidate *c, const struct requirement_list *more)
{
	struct requirement **all =
		arena_array(&u->arena, struct requirement *, c->n_depends + more->n);

	if (c->n_depends)
		memcpy(all, c->depends, c->n_depends * sizeof *all);
	for (size_t i = 0; i < more->n; i++) {
		all[c->n_depends++] = more->v[i];
		*VEC_PUSH(&u->arena, &more->v[i]->users) = c;
	}
	c->depends = all;
}

static int enter_constrains(
	struct universe *u, struct candidate *c, struct needs_table *t, struct err *e)
{
	const struct group_needs list = c->group->builds[c->number].constrains;
	struct needs *needs = &t->constrains[list.at];

	if (list.n == 0)
		return 0;
	if (find_needs(u, c, list, true, needs, e) < 0)
		return -1;
	c->constrains = needs->v;
	c->n_constrains = needs->n;
	if (needs->invalid)
		candidate_bar(c, DROP_INVALID, needs->invalid);
	for (size_t i = 0; i < c->n_constrains; i++)
		*VEC_PUSH(&u->arena, &c->constrains[i]->holders) = c;
	if (needs->limits.n)
		candidate_depend_too(u, c, &needs->limits);
	return 0;
}

/* Each source's group has lists of its own. */
static struct needs_table *needs_tables(
	struct universe *u, struct arena *a, const struct package *p)
{
	struct needs_table *t = arena_array(a, struct needs_table, u->index->sources.n);

	for (size_t i = 0; i < p->candidates.n; i++) {
		const struct candidate *c = p->candidates.v[i];
		struct needs_table *of = &t[c->source->number];

		if (of->depends)
			continue;
		of->depends = arena_array(a, struct needs, c->group->n_specs + 1);
		of->constrains = arena_array(a, struct needs, c->group->n_specs + 1);
	}
	return t;
}

static int enter_requirements(struct universe *u, struct package *p, struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	struct needs_table *tables;

	if (u->request->no_deps)
		return 0; /* what it needs is nobody's business */
	tables = needs_tables(u, &scratch, p);
	for (size_t i = 0; i < p->candidates.n; i++) {
		struct candidate *c = p->candidates.v[i];
		struct needs_table *t = &tables[c->source->number];

		if (c->barred)
			continue;
		if (enter_depends(u, c, t, e) < 0 || enter_constrains(u, c, t, e) < 0)
			return -1;
	}
	return 0;
}

static int cmp_place(const struct candidate *a, const struct candidate *b)
{
	int c = str_cmp(a->fn, b->fn);

	if (c == 0 && a->source != b->source) {
		c = (a->source->position > b->source->position) -
		    (a->source->position < b->source->position);
		if (c == 0)
			c = str_cmp(a->source->subdir, b->source->subdir);
	}
	return c;
}

/* Merges the candidates from `middle` on, which are sorted as those before it are. */
static void merge_candidates(struct universe *u, struct candidate_list *list, size_t middle)
{
	struct candidate **merged = arena_array(&u->arena, struct candidate *, list->n);
	size_t a = 0, b = middle;

	for (size_t i = 0; i < list->n; i++) {
		bool first = b == list->n || (a < middle && cmp_place(list->v[a], list->v[b]) <= 0);

		merged[i] = first ? list->v[a++] : list->v[b++];
	}
	list->v = merged;
	list->cap = list->n;
}

static void read_versions(struct universe *u, struct package *p, const struct index_group *g)
{
	const struct version **all =
		arena_array(&u->arena, const struct version *, p->n_versions + g->n_versions);

	if (p->n_versions)
		memcpy(all, p->versions, p->n_versions * sizeof *all);
	p->versions = all;
	for (size_t i = 0; i < g->n_versions; i++) {
		const struct version **v = &all[p->n_versions++];

		if (version_parse(&u->arena, group_text(g, g->versions[i]), v, NULL) < 0)
			*v = NULL;
	}
}

static void candidate_fill(struct candidate *c, const struct package *p, size_t first_version)
{
	const struct index_group *g = c->group;
	const struct group_build *b = &g->builds[c->number];

	c->fn = group_text(g, b->fn);
	c->build = group_text(g, b->build);
	c->version_text = group_text(g, g->versions[b->version]);
	c->track_features = group_text(g, b->track_features);
	c->features = c->track_features.n != 0;
	c->build_number = b->build_number;
	c->timestamp = b->timestamp;
	c->indexed = b->indexed;
	c->version_number = (uint32_t)(first_version + b->version);
	c->version = p->versions[c->version_number];
	if (!c->version)
		candidate_bar(c, DROP_INVALID, NULL);
}

static int read_group(struct universe *u, struct package *p, const struct index_source *source,
	const struct index_group *g, struct err *e)
{
	struct candidate *v = arena_array(&u->arena, struct candidate, g->n_builds);
	size_t first_version = p->n_versions;

	read_versions(u, p, g);
	for (size_t i = 0; i < g->n_builds; i++) {
		if (g->builds[i].flags & GROUP_BAD)
			return err_set(e, ERR_INTEGRITY, "channel '%.*s': %.*s",
				STR_ARG(source->channel->name),
				STR_ARG(group_text(g, g->builds[i].track_features)));
		v[i] = (struct candidate){
			.package = p, .source = source, .group = g, .number = (uint32_t)i};
		candidate_fill(&v[i], p, first_version);
		*VEC_PUSH(&u->arena, &p->candidates) = &v[i];
	}
	return 0;
}

/* Sorted by file name, then channel and subdir. */
static int read_candidates(struct universe *u, struct package *p, struct err *e)
{
	for (size_t i = 0; i < u->index->sources.n; i++) {
		struct index_group *g = arena_new(&u->arena, struct index_group);
		size_t before = p->candidates.n;
		int rc = index_group(u->index, i, p->name, g, e);

		if (rc < 0 || (rc && read_group(u, p, u->index->sources.v[i], g, e) < 0))
			return -1;
		if (before && p->candidates.n > before)
			merge_candidates(u, &p->candidates, before);
	}
	return 0;
}

/*
 * Strict priority: only the first channel that has the name counts; where the user named a channel
 * ("bioconda::samtools"), the first that fits what he named.
 */
static void keep_first_channel(struct universe *u, struct package *p)
{
	const struct requirement *asked = p->asked;
	unsigned first = UINT_MAX;
	struct matchspec any = {0};

	if (asked) {
		any.text = any.name = asked->spec.name;
		any.exact_name = true;
		any.channel = asked->spec.channel;
	}
	for (size_t i = 0; i < p->candidates.n; i++) {
		struct candidate *c = p->candidates.v[i];

		if (c->bar.kind == DROP_NEWER)
			continue;
		if (asked &&
			(!c->version || !matchspec_match(&any, candidate_record(u, c, false, NULL),
						c->version)))
			continue;
		if (c->source->position < first)
			first = c->source->position;
	}
	for (size_t i = 0; i < p->candidates.n; i++)
		if (first != UINT_MAX && p->candidates.v[i]->source->position != first)
			candidate_bar(p->candidates.v[i], DROP_PRIORITY, NULL);
}

/* What has no time is from before records had one. */
static void bar_newer(const struct universe *u, const struct package *p)
{
	for (size_t i = 0; i < p->candidates.n; i++)
		if (candidate_time(p->candidates.v[i]) > u->request->as_of)
			candidate_bar(p->candidates.v[i], DROP_NEWER, NULL);
}

int universe_load(struct universe *u, struct package *p, struct err *e)
{
	struct candidate_list *list = &p->candidates;

	if (p->loaded)
		return 0;
	if (p->standin)
		return standin_load(u, p, e);
	if (read_candidates(u, p, e) < 0)
		return -1;
	if (u->request->as_of)
		bar_newer(u, p);
	if (u->request->priority == PRIORITY_STRICT)
		keep_first_channel(u, p);
	for (size_t i = 0; i < list->n; i++)
		list->v[i]->at = (uint32_t)i;
	p->loaded = true;
	if (enter_requirements(u, p, e) < 0)
		return -1;
	package_learn(u, p);
	for (size_t i = 0; i < list->n; i++)
		p->base += !list->v[i]->barred;
	p->left = p->base;
	for (size_t i = 0; i < p->requirements.n; i++)
		requirement_match(u, p->requirements.v[i]);
	return check_pairs(u, p, e);
}

/* --- the target and the user --------------------------------------------------------------- */

static int add_virtual(struct universe *u, struct str text, struct err *e)
{
	struct record *r = arena_new(&u->arena, struct record);
	struct package *p;
	struct candidate *c;
	const struct version *version;

	if (virtual_package_parse(&u->arena, text, r, e) < 0)
		return -1;
	p = package_of(u, r->name);
	if (p->candidates.n)
		return err_set(e, ERR_INPUT, "the target has two virtual packages '%.*s'",
			STR_ARG(r->name));
	if (version_parse(&u->arena, r->version, &version, NULL) < 0)
		return err_set(e, ERR_INPUT, "the virtual package '%.*s' has no valid version",
			STR_ARG(text));
	c = arena_new(&u->arena, struct candidate);
	*c = (struct candidate){.record = r,
		.package = p,
		.version = version,
		.build = r->build,
		.version_text = r->version};
	p->versions = arena_array(&u->arena, const struct version *, 1);
	p->versions[p->n_versions++] = version;
	*VEC_PUSH(&u->arena, &p->candidates) = c;
	p->left = p->base = 1;
	return 0;
}

int universe_set_virtual(struct universe *u, struct package *p, struct str text, struct err *e)
{
	p->candidates.n = p->n_versions = 0;
	p->left = p->base = 0;
	if (text.n && add_virtual(u, text, e) < 0)
		return -1;
	for (size_t i = 0; i < p->requirements.n; i++)
		requirement_match(u, p->requirements.v[i]);
	return 0;
}

struct wish_list {
	struct wish *v;
	size_t n, cap;
};

static int add_wish(
	struct universe *u, struct wish_list *to, const struct spec_line *line, struct err *e)
{
	struct err inner = {0};
	struct requirement *r = requirement_of(u, str_trim(line->text), &inner);

	if (!r->valid) {
		err_move(e, &inner);
		if (u->request->file && line->line)
			return err_wrap(e, "%s:%d:%d", u->request->file, line->line, line->column);
		return -1;
	}
	if (r->idle)
		return 0;
	*VEC_PUSH(&u->arena, to) =
		(struct wish){.line = line, .requirement = r, .number = u->n_lines};
	for (size_t i = 0; i < r->n_also && !u->request->no_deps; i++)
		*VEC_PUSH(&u->arena, to) = (struct wish){
			.line = line, .requirement = r->also[i], .number = u->n_lines};
	u->n_lines++;
	if (r->spec.channel.n && !r->package->asked)
		r->package->asked = r;
	return 0;
}

int universe_init(struct universe *u, const struct solve_request *request,
	const struct index *index, struct err *e)
{
	struct wish_list wishes = {0};

	*u = (struct universe){.request = request, .index = index};
	u->packages.arena = u->requirements.arena = &u->arena;
	learned_init(u);
	u->known = arena_calloc(&u->arena, index->sources.n, sizeof *u->known);
	for (size_t i = 0; i < request->n_virtual_packages; i++)
		if (add_virtual(u, request->virtual_packages[i], e) < 0)
			return -1;
	for (size_t i = 0; i < request->n_specs; i++)
		if (add_wish(u, &wishes, &request->specs[i], e) < 0)
			return -1;
	u->wishes = wishes.v;
	u->n_wishes = wishes.n;
	u->lines = arena_array(&u->arena, struct wish *, u->n_lines);
	for (size_t i = u->n_wishes; i-- > 0;)
		u->lines[u->wishes[i].number] = &u->wishes[i];
	return 0;
}

void universe_release(struct universe *u)
{
	arena_release(&u->arena);
}

/* --- attempts ------------------------------------------------------------------------------ */

void package_touch(struct universe *u, struct package *p)
{
	if (p->touched)
		return;
	p->touched = true;
	*VEC_PUSH(&u->arena, &u->touched) = p;
}

static void package_reset(struct package *p)
{
	p->queued = p->visited = p->required = p->changed = p->touched = false;
	p->required_by = NULL;
	p->chosen = NULL;
	p->left = p->base;
	for (size_t i = 0; i < p->candidates.n; i++)
		p->candidates.v[i]->drop = p->candidates.v[i]->bar;
	for (size_t i = 0; i < p->requirements.n; i++)
		p->requirements.v[i]->left = p->requirements.v[i]->base;
}

void attempt_begin(struct universe *u)
{
	u->visited.n = 0;
	u->dropped.n = u->drop_trail.n = u->require_trail.n = 0;
	for (size_t i = 0; i < u->touched.n; i++)
		package_reset(u->touched.v[i]);
	u->touched.n = 0;
}
