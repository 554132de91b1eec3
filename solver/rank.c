/*
 * Rank: conda's order of preference among the candidates of one name.
 *
 * As mamba has it: fewer track_features, higher version, [channel], higher build number, then the
 * build whose dependencies can be newest, then the later time stamp.  Flexible channel priority
 * puts the channel before everything, disabled behind the version.
 *
 * "Whose dependencies can be newest" is the rule of conda-forge's libsolv (its patch
 * conda_variant_priorization): of two builds, each name that both depend on gives one point to
 * the one that allows the newer version, and 100 to the one that is not bound to builds with
 * track_features.  That relation between pairs is no order (it can run in circles), so a group of
 * builds is sorted by the sum of the points that each would get against all others; for two builds
 * this is the same.  What is left equal is decided by fields of the record alone, so that the
 * order of the index does not matter.
 */
#include "base/hash.h"
#include "solver/universe.h"

#include <stdlib.h>

struct ranked {
	struct candidate *c;
	unsigned features;
	unsigned channel;
	bool flexible;
	int64_t points;
};

/* What one build of a group allows of one package. */
struct allowance {
	const struct package *of;
	const struct version *best;
	bool all_features;
	struct ranked *by;
};

struct allowance_list {
	struct allowance *v;
	size_t n, cap;
};

static unsigned count_words(struct str s)
{
	unsigned n = 0;
	bool inside = false;

	for (size_t i = 0; i < s.n; i++) {
		bool is_word = s.p[i] != ' ' && s.p[i] != ',';

		n += is_word && !inside;
		inside = is_word;
	}
	return n;
}

static int less(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* <0: a is better.  What is equal here is one tier. */
static int cmp_tier(const struct ranked *a, const struct ranked *b)
{
	int c = 0;

	if (a->flexible)
		c = less(a->channel, b->channel);
	if (c == 0)
		c = less(a->features, b->features);
	if (c == 0 && (!a->c->version || !b->c->version))
		c = less(a->c->version == NULL, b->c->version == NULL);
	else if (c == 0)
		c = version_cmp(b->c->version, a->c->version);
	return c;
}

/* Equal builds form a group. */
static int cmp_group(const void *va, const void *vb)
{
	const struct ranked *a = va, *b = vb;
	int c = cmp_tier(a, b);

	if (c == 0)
		c = less(a->channel, b->channel);
	return c ? c : less(b->c->build_number, a->c->build_number);
}

static bool is_noarch(const struct candidate *c)
{
	return str_is(c->source->subdir, "noarch");
}

static const uint8_t *sha256_of_build(const struct candidate *c)
{
	return c->group->rests[c->number].sha256;
}

static int cmp_within(const void *va, const void *vb)
{
	const struct ranked *a = va, *b = vb;
	const struct candidate *x = a->c, *y = b->c;
	int c = (a->points < b->points) - (a->points > b->points);

	if (c == 0)
		c = less(y->timestamp, x->timestamp);
	if (c == 0)
		c = less(is_noarch(x), is_noarch(y));
	if (c == 0)
		c = str_cmp(y->build, x->build);
	if (c == 0)
		c = str_cmp(x->fn, y->fn);
	if (c == 0)
		c = str_cmp(x->source->subdir, y->source->subdir);
	return c ? c : memcmp(sha256_of_build(x), sha256_of_build(y), SHA256_LEN);
}

/* The newest version among what is left of a requirement. */
static void find_best(struct requirement *r)
{
	r->best.known = true;
	r->best.version = NULL;
	r->best.all_features = true;
	for (size_t i = 0; i < r->package->candidates.n; i++) {
		const struct candidate *c = r->package->candidates.v[i];

		if (!candidate_live(c) || !requirement_matches(r, c))
			continue;
		if (!r->best.version || version_cmp(c->version, r->best.version) > 0)
			r->best.version = c->version;
		r->best.all_features &= c->features;
	}
}

static int cmp_allowance(const void *va, const void *vb)
{
	const struct allowance *a = va, *b = vb;
	int c = str_cmp(a->of->name, b->of->name);

	if (c == 0)
		c = (int)a->all_features - (int)b->all_features;
	if (c == 0)
		c = version_cmp(b->best, a->best);
	return c;
}

/* Several requirements on one package: the lowest of their maxima counts. */
static void note_allowances(struct universe *u, struct allowance_list *list, struct ranked *by)
{
	size_t first = list->n;

	for (size_t i = 0; i < by->c->n_depends; i++) {
		struct requirement *r = by->c->depends[i];
		struct allowance *a = NULL;

		if (r->package->is_virtual || r->package->standin)
			continue;
		if (!r->best.known)
			find_best(r);
		if (!r->best.version)
			continue;
		for (size_t k = first; k < list->n && !a; k++)
			if (list->v[k].of == r->package)
				a = &list->v[k];
		if (!a) {
			a = VEC_PUSH(&u->arena, list);
			*a = (struct allowance){
				r->package, r->best.version, r->best.all_features, by};
		} else if (version_cmp(r->best.version, a->best) < 0) {
			a->best = r->best.version;
			a->all_features = r->best.all_features;
		}
	}
}

/* v[0..n) speak of one package, the best first. */
static void give_points(struct allowance *v, size_t n)
{
	size_t plain = 0;

	while (plain < n && !v[plain].all_features)
		plain++;
	for (size_t from = 0, to; from < n; from = to) {
		bool featured = v[from].all_features;
		size_t lo = featured ? plain : 0, hi = featured ? n : plain;
		int64_t points;

		for (to = from + 1; to < n && cmp_allowance(&v[from], &v[to]) == 0;)
			to++;
		/* One point for each that allows less, in its own half and in the other. */
		points = (int64_t)(hi - to) - (int64_t)(from - lo);
		points += featured ? -100 * (int64_t)plain : 100 * (int64_t)(n - plain);
		for (size_t i = from; i < to; i++)
			v[i].by->points += points;
	}
}

static void rank_group(struct universe *u, struct ranked *v, size_t n, struct allowance_list *list)
{
	if (n < 2)
		return;
	list->n = 0;
	for (size_t i = 0; i < n; i++)
		note_allowances(u, list, &v[i]);
	if (list->n)
		qsort(list->v, list->n, sizeof *list->v, cmp_allowance);
	for (size_t from = 0, to; from < list->n; from = to) {
		for (to = from + 1; to < list->n && list->v[to].of == list->v[from].of;)
			to++;
		give_points(list->v + from, to - from);
	}
	qsort(v, n, sizeof *v, cmp_within);
}

static void rank_package(struct universe *u, struct package *p, struct allowance_list *list)
{
	struct ranked *v = arena_array(&u->arena, struct ranked, p->candidates.n);
	size_t n = 0, rest;

	for (size_t i = 0; i < p->candidates.n; i++)
		if (candidate_live(p->candidates.v[i]))
			v[n++].c = p->candidates.v[i];
	rest = n;
	for (size_t i = 0; i < p->candidates.n; i++)
		if (!candidate_live(p->candidates.v[i]))
			v[rest++].c = p->candidates.v[i];
	for (size_t i = 0; i < rest; i++) {
		v[i].features = count_words(v[i].c->track_features);
		v[i].channel = v[i].c->source->position;
		v[i].flexible = u->request->priority == PRIORITY_FLEXIBLE;
	}
	if (n)
		qsort(v, n, sizeof *v, cmp_group);
	for (size_t from = 0, to; from < n; from = to) {
		for (to = from + 1; to < n && cmp_group(&v[from], &v[to]) == 0;)
			to++;
		rank_group(u, v + from, to - from, list);
	}
	for (size_t i = 0, tier = 0, grade = 0; i < rest; i++) {
		tier += i && cmp_tier(&v[i - 1], &v[i]) != 0;
		grade += i && cmp_group(&v[i - 1], &v[i]) != 0;
		p->candidates.v[i] = v[i].c;
		v[i].c->place = (uint32_t)i;
		v[i].c->tier = (uint32_t)tier;
		v[i].c->grade = (uint32_t)grade;
	}
}

void rank(struct universe *u)
{
	struct allowance_list list = {0};

	for (size_t i = 0; i < u->requirements.n; i++)
		((struct requirement *)u->requirements.entries[i].value.ptr)->best.known = false;
	/* The ways out of a condition are equally good, and stay in their order. */
	for (size_t i = 0; i < u->visited.n; i++)
		if (!standin_is_condition(u->visited.v[i]))
			rank_package(u, u->visited.v[i], &list);
}
