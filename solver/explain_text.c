#include "solver/explain.h"

#include "base/date.h"

#include <stdlib.h>

enum { DEPTH_MAX = 6, GROUPS_MAX = 5, TEXTS_MAX = 3, CONFLICTS_MAX = 16 };

/* Candidates that are out for the same reason. */
struct group {
	enum drop_kind kind;
	const struct package *about; /* what the requirement names, or by whom it was narrowed */
	const struct requirement *wish;
	struct str found;              /* by the audit; empty: nothing, the records say all */
	struct candidate_list members; /* the newest first */
};

struct group_list {
	struct group *v;
	size_t n, cap;
};

static void tell_reasons(struct telling *t, const struct requirement *r, unsigned depth);

/* --- pieces -------------------------------------------------------------------------------- */

/* What is no line of the file. */
static const char *tell_other(const struct telling *t)
{
	return t->u->request->given_as ? t->u->request->given_as : "the command line";
}

void tell_place(struct telling *t, const struct wish *w)
{
	if (t->u->request->file && w->line->line)
		buf_printf(t->to, "%s:%d: ", t->u->request->file, w->line->line);
	else if (t->u->request->file)
		buf_printf(t->to, "%s: ", tell_other(t));
}

/* "environment.yml:3 asks for python=2.7". */
static void tell_asker(struct telling *t, const struct wish *w)
{
	if (t->u->request->file && w->line->line)
		buf_printf(t->to, "%s:%d", t->u->request->file, w->line->line);
	else
		buf_puts(t->to, tell_other(t));
	buf_printf(t->to, " asks for %.*s\n", STR_ARG(w->requirement->text));
}

static void tell_target(struct telling *t)
{
	if (t->u->request->target)
		buf_printf(t->to, "the target %s", t->u->request->target);
	else
		buf_puts(t->to, "the target");
}

static int newest_first(const void *va, const void *vb)
{
	const struct candidate *a = *(struct candidate *const *)va;
	const struct candidate *b = *(struct candidate *const *)vb;

	if (!a->version || !b->version)
		return (a->version == NULL) - (b->version == NULL);
	return version_cmp(b->version, a->version);
}

/* "2.7", "2.6 and 2.7", "1.0 to 2.7 (31 builds)".  Is it more than one version? */
static bool tell_versions(struct telling *t, const struct candidate_list *list)
{
	const struct candidate *newest = list->v[0], *oldest = list->v[list->n - 1];
	size_t n = 1;

	for (size_t i = 1; i < list->n; i++)
		n += !str_eq(list->v[i]->version_text, list->v[i - 1]->version_text);
	if (n == 1)
		buf_printf(t->to, "%.*s", STR_ARG(newest->version_text));
	else
		buf_printf(t->to, "%.*s %s %.*s", STR_ARG(oldest->version_text),
			n == 2 ? "and" : "to", STR_ARG(newest->version_text));
	if (list->n > n)
		buf_printf(t->to, " (%zu builds)", list->n);
	return n > 1;
}

static struct candidate_list sorted(struct universe *u, const struct candidate_list *from)
{
	struct candidate_list list = {0};

	for (size_t i = 0; i < from->n; i++)
		*VEC_PUSH(&u->arena, &list) = from->v[i];
	if (list.n)
		qsort(list.v, list.n, sizeof *list.v, newest_first);
	return list;
}

static const struct wish *wish_of(const struct universe *u, const struct requirement *r)
{
	for (size_t i = 0; i < u->n_wishes; i++)
		if (u->wishes[i].requirement == r)
			return &u->wishes[i];
	return NULL;
}

static void indent(struct telling *t, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		buf_puts(t->to, "  ");
}

/* --- what simply is not there -------------------------------------------------------------- */

static void tell_similar(struct telling *t, struct str name)
{
	struct str names[3];
	size_t n = similar_names(&t->u->arena, t->u->index, name, names, 3);

	for (size_t i = 0; i < n; i++)
		buf_printf(t->to, "%s'%.*s'",
			i == 0       ? ", did you mean "
			: i + 1 == n ? " or "
				     : ", ",
			STR_ARG(names[i]));
	if (n)
		buf_puts(t->to, "?");
}

/* "no __cuda", "2.12", or "__glibc 2.12" where it stands beside others. */
static void tell_what_it_has(struct telling *t, const struct requirement *r, bool named)
{
	const struct record *has;

	if (r->package->candidates.n == 0) {
		buf_printf(t->to, "no %.*s", STR_ARG(r->package->name));
		return;
	}
	has = r->package->candidates.v[0]->record;
	if (named)
		buf_printf(t->to, "%.*s ", STR_ARG(r->package->name));
	buf_printf(t->to, "%.*s", STR_ARG(has->version));
	if (r->spec.build)
		buf_printf(t->to, " %.*s", STR_ARG(has->build));
}

static void tell_virtual(struct telling *t, const struct requirement *r)
{
	tell_target(t);
	buf_puts(t->to, " has ");
	tell_what_it_has(t, r, false);
}

/* Nothing matches, whatever was dropped. */
static bool is_absent(const struct requirement *r)
{
	return r->package->is_virtual || r->matches == 0;
}

static void tell_absent(struct telling *t, const struct requirement *r)
{
	struct candidate_list list;

	t->lacking = r;
	if (r->package->is_virtual) {
		tell_virtual(t, r);
	} else if (r->package->candidates.n == 0) {
		buf_printf(t->to, "nothing provides '%.*s'", STR_ARG(r->package->name));
		tell_similar(t, r->package->name);
	} else {
		list = sorted(t->u, &r->package->candidates);
		buf_printf(t->to, "nothing provides '%.*s', there is %.*s ", STR_ARG(r->text),
			STR_ARG(r->package->name));
		tell_versions(t, &list);
	}
}

/* --- why what is there is out -------------------------------------------------------------- */

static struct group *group_of(
	struct universe *u, struct group_list *groups, const struct candidate *c)
{
	const struct drop *d = &c->drop;
	const struct requirement *wish = d->kind == DROP_REQUEST ? d->requirement : NULL;
	const struct package *about = d->package;
	const struct learned *learned = candidate_learned(c);
	const struct str found = learned ? learned->why : STR("");
	struct group *g;

	if (d->requirement && !wish)
		about = d->requirement->package;
	for (size_t i = 0; i < groups->n; i++) {
		g = &groups->v[i];
		if (g->kind == d->kind && g->about == about && g->wish == wish &&
			str_eq(g->found, found))
			return g;
	}
	g = VEC_PUSH(&u->arena, groups);
	*g = (struct group){.kind = d->kind, .about = about, .wish = wish, .found = found};
	return g;
}

static struct group_list group_matches(struct universe *u, const struct requirement *r)
{
	struct candidate_list list = sorted(u, &r->package->candidates);
	struct group_list groups = {0};

	for (size_t i = 0; i < list.n; i++)
		if (requirement_matches(r, list.v[i]) && !candidate_live(list.v[i]))
			*VEC_PUSH(&u->arena, &group_of(u, &groups, list.v[i])->members) = list.v[i];
	return groups;
}

static void add_text(struct str *texts, size_t *n, struct str text)
{
	for (size_t i = 0; i < *n && i <= TEXTS_MAX; i++)
		if (str_eq(texts[i], text))
			return;
	if (*n <= TEXTS_MAX)
		texts[*n] = text;
	++*n;
}

/* "a", "a or b", "a, b, c or the like". */
static void tell_texts(struct telling *t, const struct str *texts, size_t n)
{
	size_t shown = n > TEXTS_MAX ? TEXTS_MAX : n;

	for (size_t i = 0; i < shown; i++)
		buf_printf(t->to, "%s%.*s",
			i == 0                         ? ""
			: i + 1 == shown && n == shown ? " or "
						       : ", ",
			STR_ARG(texts[i]));
	if (n > shown)
		buf_puts(t->to, " or the like");
}

static void tell_group_texts(struct telling *t, const struct group *g)
{
	struct str texts[TEXTS_MAX + 1];
	size_t n = 0;

	for (size_t i = 0; i < g->members.n; i++)
		add_text(texts, &n, g->members.v[i]->drop.requirement->text);
	tell_texts(t, texts, n);
}

/* Of the group's requirements the one that most would match: the one worth following. */
static const struct requirement *widest(const struct group *g)
{
	const struct requirement *best = g->members.v[0]->drop.requirement;

	for (size_t i = 1; i < g->members.n; i++)
		if (g->members.v[i]->drop.requirement->matches > best->matches)
			best = g->members.v[i]->drop.requirement;
	return best;
}

/* What the candidates of m ask of n. */
static void tell_asked(struct telling *t, const struct package *m, const struct package *n)
{
	struct str texts[TEXTS_MAX + 1];
	size_t n_texts = 0;

	for (size_t i = 0; i < m->candidates.n; i++) {
		const struct candidate *c = m->candidates.v[i];

		if (c->drop.kind == DROP_REQUEST || c->drop.kind == DROP_PRIORITY ||
			c->drop.kind == DROP_NEWER || c->drop.kind == DROP_LEARNED)
			continue;
		for (size_t k = 0; k < c->n_depends; k++)
			if (c->depends[k]->package == n)
				add_text(texts, &n_texts, c->depends[k]->text);
		for (size_t k = 0; k < c->n_constrains; k++)
			if (c->constrains[k]->package == n)
				add_text(texts, &n_texts, c->constrains[k]->text);
	}
	tell_texts(t, texts, n_texts);
}

static void tell_first_channel(struct telling *t, const struct package *p)
{
	for (size_t i = 0; i < p->candidates.n; i++)
		if (p->candidates.v[i]->bar.kind != DROP_PRIORITY &&
			p->candidates.v[i]->bar.kind != DROP_NEWER) {
			buf_printf(t->to, "'%.*s'",
				STR_ARG(p->candidates.v[i]->source->channel->name));
			return;
		}
}

static bool has_dependency(const struct candidate *c, const struct requirement *r)
{
	for (size_t i = 0; i < c->n_depends; i++)
		if (c->depends[i] == r)
			return true;
	return false;
}

/* What else of the target every candidate of the group lacks, apart from `but`; NULL: nothing. */
static const struct requirement *lacks_too(const struct group *g, const struct requirement *but)
{
	const struct candidate *first = g->members.v[0];

	for (size_t i = 0; i < first->n_depends; i++) {
		const struct requirement *r = first->depends[i];
		bool all = r->package->is_virtual && r->left == 0 && r->package != but->package;

		for (size_t k = 1; k < g->members.n && all; k++)
			all = has_dependency(g->members.v[k], r);
		if (all)
			return r;
	}
	return NULL;
}

/* "__cuda and __glibc >=2.17, the target rhel6 has no __cuda and __glibc 2.12" */
static void tell_both(
	struct telling *t, const struct requirement *r, const struct requirement *other)
{
	buf_printf(t->to, " and %.*s, ", STR_ARG(other->text));
	t->lacking = r;
	tell_target(t);
	buf_puts(t->to, " has ");
	tell_what_it_has(t, r, true);
	buf_puts(t->to, " and ");
	tell_what_it_has(t, other, true);
	buf_puts(t->to, "\n");
}

/* " is of 2024-08-18, newer than --as-of 2024-01-01" */
static void tell_newer(struct telling *t, const struct group *g, bool many)
{
	uint64_t first = UINT64_MAX, last = 0;
	char from[DATE_DAY], to[DATE_DAY];

	for (size_t i = 0; i < g->members.n; i++) {
		uint64_t time = candidate_time(g->members.v[i]);

		first = time < first ? time : first;
		last = time > last ? time : last;
	}
	date_day(first, from);
	date_day(last, to);
	buf_printf(t->to, " %s of %s", many ? "are" : "is", from);
	if (strcmp(from, to) != 0)
		buf_printf(t->to, " to %s", to);
	buf_printf(t->to, ", newer than --as-of %s\n", t->u->request->as_of_text);
}

/* The last words of a line: what a requirement fails by, or the lines below it. */
static void tell_rest(struct telling *t, const struct requirement *r, unsigned depth)
{
	struct group_list groups;
	const struct wish *w;

	if (is_absent(r)) {
		buf_puts(t->to, ", ");
		tell_absent(t, r);
		buf_puts(t->to, "\n");
		return;
	}
	groups = group_matches(t->u, r);
	w = groups.n == 1 ? wish_of(t->u, groups.v[0].wish) : NULL;
	if (w) {
		buf_puts(t->to, ", but ");
		tell_asker(t, w);
		return;
	}
	buf_puts(t->to, "\n");
	tell_reasons(t, r, depth + 1);
}

/* What is known of this one build. */
static void tell_build(struct telling *t, const struct group *g)
{
	if (g->found.n && g->members.n == 1)
		buf_printf(t->to, " build %.*s", STR_ARG(g->members.v[0]->build));
}

static void tell_found(struct telling *t, const struct group *g)
{
	if (g->found.n)
		buf_printf(t->to, " (found by the audit: %.*s)", STR_ARG(g->found));
}

static void tell_group(struct telling *t, const struct group *g, unsigned depth)
{
	const struct candidate *c = g->members.v[0];
	const struct requirement *other;
	bool many;

	buf_printf(t->to, "%.*s ", STR_ARG(c->package->name));
	many = tell_versions(t, &g->members);
	tell_build(t, g);
	switch (g->kind) {
	case DROP_NOT:
		break;
	case DROP_REQUEST:
		buf_puts(t->to, many ? " are ruled out, " : " is ruled out, ");
		tell_asker(t, wish_of(t->u, g->wish));
		break;
	case DROP_NEEDS:
		buf_puts(t->to, many ? " need " : " needs ");
		tell_group_texts(t, g);
		tell_found(t, g);
		other = g->about->is_virtual ? lacks_too(g, widest(g)) : NULL;
		if (other)
			tell_both(t, widest(g), other);
		else
			tell_rest(t, widest(g), depth);
		break;
	case DROP_CONFLICT:
		buf_puts(t->to, many ? " go only with " : " goes only with ");
		tell_group_texts(t, g);
		tell_rest(t, widest(g), depth);
		break;
	case DROP_NARROWED:
		buf_printf(t->to, " %s not fit %.*s, which asks for ", many ? "do" : "does",
			STR_ARG(g->about->name));
		tell_asked(t, g->about, c->package);
		buf_puts(t->to, "\n");
		break;
	case DROP_PRIORITY:
		buf_printf(t->to,
			" is in '%.*s', but strict channel priority takes %.*s only from ",
			STR_ARG(c->source->channel->name), STR_ARG(c->package->name));
		tell_first_channel(t, c->package);
		buf_puts(t->to, "\n");
		break;
	case DROP_LEARNED:
		buf_puts(t->to, " cannot load on ");
		tell_target(t);
		tell_found(t, g);
		buf_puts(t->to, "\n");
		break;
	case DROP_NEWER:
		tell_newer(t, g, many);
		break;
	case DROP_WORSE:
		buf_puts(t->to,
			many ? " give way to a better one\n" : " gives way to a better one\n");
		break;
	case DROP_INVALID:
		buf_printf(t->to, " %s a version or a dependency that cannot be read\n",
			many ? "have" : "has");
		break;
	}
}

static bool was_told(struct telling *t, const struct requirement *r)
{
	for (size_t i = 0; i < t->told.n; i++)
		if (t->told.v[i] == r)
			return true;
	*VEC_PUSH(&t->u->arena, &t->told) = (struct requirement *)r;
	return false;
}

/* One line for each group of candidates that match r and are out. */
static void tell_reasons(struct telling *t, const struct requirement *r, unsigned depth)
{
	struct group_list groups = group_matches(t->u, r);

	if (was_told(t, r) || depth > DEPTH_MAX)
		return;
	for (size_t i = 0; i < groups.n; i++) {
		indent(t, depth);
		if (i == GROUPS_MAX) {
			buf_printf(t->to, "and %zu more reasons\n", groups.n - i);
			return;
		}
		tell_group(t, &groups.v[i], depth);
	}
}

void tell_wish(struct telling *t, const struct wish *w)
{
	const struct requirement *r = w->requirement;
	struct group_list groups;

	tell_place(t, w);
	if (is_absent(r)) {
		if (r->package->is_virtual)
			buf_printf(t->to, "%.*s is asked for, ", STR_ARG(r->text));
		tell_absent(t, r);
		buf_puts(t->to, "\n");
		return;
	}
	groups = group_matches(t->u, r);
	if (groups.n == 1) {
		was_told(t, r);
		tell_group(t, &groups.v[0], 0);
		return;
	}
	buf_printf(t->to, "nothing that matches '%.*s' can be installed:\n", STR_ARG(r->text));
	tell_reasons(t, r, 1);
}

/* --- libsolv's rules ----------------------------------------------------------------------- */

static void tell_candidate(struct telling *t, const struct candidate *c)
{
	buf_printf(t->to, "%.*s %.*s %.*s", STR_ARG(c->package->name), STR_ARG(c->version_text),
		STR_ARG(c->build));
}

static bool same_words(const struct conflict *a, const struct conflict *b)
{
	return a->kind == b->kind && a->requirement == b->requirement &&
	       a->candidate->package == b->candidate->package;
}

void tell_conflicts(struct telling *t, const struct conflict_list *list)
{
	size_t told = 0;

	for (size_t i = 0; i < list->n && told < CONFLICTS_MAX; i++) {
		const struct conflict *c = &list->v[i];
		bool again = c->kind == CONFLICT_SAME || !c->requirement;

		for (size_t k = 0; k < i && !again; k++)
			again = list->v[k].candidate && same_words(c, &list->v[k]);
		if (again)
			continue;
		told++;
		buf_puts(t->to, "  ");
		tell_candidate(t, c->candidate);
		buf_printf(t->to, " %s %.*s\n",
			c->kind == CONFLICT_NEEDS ? "needs" : "goes only with",
			STR_ARG(c->requirement->text));
	}
}
