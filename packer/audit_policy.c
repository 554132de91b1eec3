/* What findings count as: the profile's levels, ignores, and the order they are told in. */
#include "images/libc.h"
#include "packer/audit_inside.h"

#include <fnmatch.h>
#include <stdlib.h>

static bool fits(struct arena *a, const char *pattern, struct str text)
{
	return text.n && fnmatch(pattern, arena_cstr(a, text), 0) == 0;
}

static bool takes_out(
	struct arena *a, const struct audit_ignore *ignore, const struct audit_finding *f)
{
	const char *pattern;

	if (ignore->rule != AUDIT_RULES && ignore->rule != f->rule)
		return false;
	pattern = arena_cstr(a, ignore->pattern);
	return fits(a, pattern, f->path) || fits(a, pattern, f->library) ||
	       fits(a, pattern, f->needs);
}

/* The first that matches gives the reason. */
static void ignore(struct arena *a, struct audit *out, struct audit_finding *f)
{
	for (size_t i = 0; i < out->n_ignores; i++)
		if (takes_out(a, out->ignores[i].ignore, f)) {
			f->reason = out->ignores[i].ignore->reason;
			out->ignores[i].n++;
			return;
		}
}

static void gather_ignores(struct auditing *au)
{
	const struct profile_audit *p = &au->profile->audit;
	const struct audit_options *o = au->options;
	struct audit *out = au->out;

	out->ignores = arena_array(au->a, struct audit_ignored, o->n_ignores + p->n_ignores);
	for (size_t i = 0; i < o->n_ignores; i++)
		out->ignores[out->n_ignores++].ignore = &o->ignores[i];
	for (size_t i = 0; i < p->n_ignores; i++)
		out->ignores[out->n_ignores++] =
			(struct audit_ignored){.ignore = &p->ignores[i], .of_profile = true};
}

/* Of versions of one library the newest is told first: it says what would do for all. */
static int by_need(const struct audit_finding *x, const struct audit_finding *y)
{
	struct str family[2], number[2];
	int c = 0;

	if (x->rule == RULE_VERSION) {
		number[0] = audit_version_number(x->needs, &family[0]);
		number[1] = audit_version_number(y->needs, &family[1]);
		if (str_eq(family[0], family[1]))
			c = glibc_cmp(number[1], number[0]);
	}
	return c ? c : str_cmp(x->needs, y->needs);
}

static int by_weight(const void *a, const void *b)
{
	const struct audit_finding *x = a, *y = b;
	int c;

	if ((x->reason.n == 0) != (y->reason.n == 0))
		return x->reason.n ? 1 : -1;
	if (x->level != y->level)
		return x->level < y->level ? 1 : -1;
	if (x->sure != y->sure)
		return x->sure < y->sure ? 1 : -1;
	if (x->rule != y->rule)
		return x->rule < y->rule ? -1 : 1;
	c = str_cmp(x->path, y->path);
	if (!c)
		c = by_need(x, y);
	return c ? c : str_cmp(x->library, y->library);
}

void audit_apply_policy(struct auditing *au)
{
	const struct profile_audit *p = &au->profile->audit;
	CLEANUP_ARENA scratch = {0};
	struct audit *out = au->out;

	gather_ignores(au);
	for (size_t i = 0; i < au->findings.n; i++) {
		struct audit_finding f = au->findings.v[i];

		f.processes = au->processes.v[i].v;
		f.n_processes = au->processes.v[i].n;
		if (p->set[f.rule])
			f.level = p->level[f.rule];
		if (f.level == LEVEL_OFF)
			continue;
		ignore(&scratch, out, &f);
		arena_reset(&scratch);
		out->n_ignored += f.reason.n > 0;
		out->n_of[f.level] += f.reason.n == 0;
		au->findings.v[out->n_findings++] = f;
	}
	out->findings = au->findings.v;
	if (out->n_findings)
		qsort(out->findings, out->n_findings, sizeof *out->findings, by_weight);
}
