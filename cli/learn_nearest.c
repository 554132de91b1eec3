/* On which target would run what does not on the one that was asked for? */
#include "cli/learn.h"

#include "images/libc.h"

#include <stdlib.h>

/* What a host of the target has, by its list; where there is none only glibc is known. */
static bool has_version(const struct profile *p, const struct audit_finding *f)
{
	const struct profile_library *l = profile_library(p, f->library);
	struct str number;

	if (l && audit_has_version(l->versions, l->n_versions, f->needs))
		return true;
	return !p->has_libraries && learned_glibc(f, &number) && glibc_cmp(number, p->glibc) <= 0;
}

/* What is told as a virtual package, the solver looks at. */
static bool would_do(const struct profile *p, const struct audit_finding *f)
{
	switch (f->rule) {
	case RULE_VERSION:
		return has_version(p, f);
	case RULE_LIBRARY:
		return profile_library(p, f->needs) != NULL;
	case RULE_ISA:
	case RULE_KERNEL:
		return true;
	case RULE_DRIVER:
		return p->gpu.wanted;
	default:
		return false;
	}
}

static bool would_load(const struct profile *p, const struct learned_from *from)
{
	for (size_t i = 0; i < from->n_findings; i++)
		if (!would_do(p, &from->findings[i]))
			return false;
	return true;
}

/* What was learned, as it is for another target. */
static struct learned *learned_for(
	struct arena *a, const struct profile *p, const struct learned_list *list, size_t *n)
{
	struct learned *v = arena_array(a, struct learned, list->n + 1);

	*n = 0;
	for (size_t i = 0; i < list->n; i++) {
		bool loads = would_load(p, &list->from.v[i]);

		if (loads && !list->v[i].depends.n)
			continue;
		v[*n] = list->v[i];
		if (!loads)
			v[*n].depends = (struct str){0};
		++*n;
	}
	return v;
}

static int solves(const struct plan *plan, const struct profile *p, struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	struct solve_request r = plan->request;
	struct solution solution = {0};
	struct err inner = {0};
	int rc;

	r.virtual_packages = p->virtual_packages;
	r.n_virtual_packages = p->n_virtual_packages;
	r.learned = learned_for(&scratch, p, &plan->learned, &r.n_learned);
	r.locked = NULL;
	r.n_locked = r.n_updates = 0;
	rc = solve(&scratch, &r, &solution, &inner) == 0;
	if (!rc && inner.code != ERR_UNSAT)
		return err_move(e, &inner);
	err_release(&inner);
	return rc;
}

/* One that cannot be read is passed over: nobody asked for it. */
static struct profile *candidates(
	struct session *s, const struct project *p, const struct plan *plan, size_t *n)
{
	struct arena *a = &s->arena;
	struct profile *v;
	struct str *names;
	size_t n_names;

	*n = 0;
	if (profile_names(a, p->dir, &names, &n_names, NULL) < 0)
		return NULL;
	v = arena_array(a, struct profile, n_names + 1);
	for (size_t i = 0; i < n_names; i++) {
		struct profile *c = &v[*n];

		if (str_is(names[i], "host") || str_eq(names[i], plan->profile.name) ||
			profile_find(a, arena_cstr(a, names[i]), p->dir, c, NULL) < 0)
			continue;
		*n += str_eq(c->subdir, plan->profile.subdir);
	}
	qsort(v, *n, sizeof *v, profile_cmp_glibc);
	return v;
}

int learn_nearest(struct session *s, const struct project *p, const struct plan *plan,
	struct profile *out, struct err *e)
{
	size_t n;
	struct profile *v = candidates(s, p, plan, &n);

	for (size_t i = 0; i < n; i++) {
		int rc = solves(plan, &v[i], e);

		if (rc == 0)
			continue;
		*out = v[i];
		return rc;
	}
	return 0;
}
