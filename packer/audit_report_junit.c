/*
 * JUnit's XML, as Jenkins (junit-10.xsd of its xUnit plugin) and GitLab read it: a suite for each
 * package, a case for each file and rule that something was found of, and one for a package without.
 * Errors are failures, ignored findings are skipped, the others are output of a case that passes.
 */
#include "packer/audit_report_inside.h"

#include <stdlib.h>

/* Findings of one file and rule. */
struct junit_case {
	const struct audit_finding **v; /* errors first; ignored ones last */
	size_t n;
};

struct junit_suite {
	struct str name;
	struct junit_case *cases; /* none: the package is clean */
	size_t n_cases, failures, skipped;
};

struct junit {
	struct arena *a;
	const struct audit *audit;
	struct buf *to;
	struct junit_suite *suites;
	size_t n_suites, tests, failures;
};

static bool fails(const struct audit_finding *f)
{
	return f->level == LEVEL_ERROR && !f->reason.n;
}

/* --- from findings to cases ------------------------------------------------------------------- */

static bool same_case(const struct audit_finding *x, const struct audit_finding *y)
{
	return x->rule == y->rule && str_eq(x->path, y->path);
}

/* Findings of one audit stand in its array, what counts first: their order there settles the rest. */
static int by_case(const void *a, const void *b)
{
	const struct audit_finding *x = *(const struct audit_finding *const *)a,
				   *y = *(const struct audit_finding *const *)b;
	int c = str_cmp(x->path, y->path);

	if (c)
		return c;
	if (x->rule != y->rule)
		return x->rule < y->rule ? -1 : 1;
	return (x > y) - (x < y);
}

static void fill_suite(
	struct junit *j, struct junit_suite *s, const struct audit_finding **v, size_t n)
{
	s->cases = arena_array(j->a, struct junit_case, n);
	qsort(v, n, sizeof *v, by_case);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || !same_case(v[i - 1], v[i]))
			s->cases[s->n_cases++].v = v + i;
		s->cases[s->n_cases - 1].n++;
	}
	for (size_t i = 0; i < s->n_cases; i++) {
		s->failures += fails(s->cases[i].v[0]);
		s->skipped += s->cases[i].v[0]->reason.n > 0;
	}
}

/* By package, in the order of the tree; what is of none comes last. */
static size_t place_of(const struct audit *audit, ptrdiff_t package)
{
	return package < 0 ? audit->tree->n_packages : (size_t)package;
}

static void make_suites(struct junit *j)
{
	const struct audit *audit = j->audit;
	size_t n = audit->tree->n_packages + 1, *sizes = arena_array(j->a, size_t, n);
	const struct audit_finding ***v = arena_array(j->a, const struct audit_finding **, n);

	for (size_t i = 0; i < audit->n_findings; i++)
		sizes[place_of(audit, audit->findings[i].package)]++;
	for (size_t i = 0; i < n; i++) {
		v[i] = arena_array(j->a, const struct audit_finding *, sizes[i] + 1);
		sizes[i] = 0;
	}
	for (size_t i = 0; i < audit->n_findings; i++) {
		size_t at = place_of(audit, audit->findings[i].package);

		v[at][sizes[at]++] = &audit->findings[i];
	}
	j->suites = arena_array(j->a, struct junit_suite, n);
	for (size_t i = 0; i < n; i++) {
		struct junit_suite *s = &j->suites[j->n_suites];

		/* Where all are of packages there is nothing to say of others. */
		if (i + 1 == n && i > 0 && !sizes[i])
			break;
		s->name = report_package(audit, i + 1 == n ? -1 : (ptrdiff_t)i);
		if (sizes[i])
			fill_suite(j, s, v[i], sizes[i]);
		j->n_suites++;
	}
}

static void count(struct junit *j)
{
	for (size_t i = 0; i < j->n_suites; i++) {
		j->tests += j->suites[i].n_cases ? j->suites[i].n_cases : 1;
		j->failures += j->suites[i].failures;
	}
}

/* --- from cases to text ----------------------------------------------------------------------- */

static void put_attribute(struct junit *j, const char *key, struct str s)
{
	buf_printf(j->to, " %s=\"", key);
	report_markup(j->to, s);
	buf_putc(j->to, '"');
}

/* The schema has `skipped` for suites alone. */
static void put_counts(struct junit *j, size_t tests, size_t failures)
{
	buf_printf(
		j->to, " tests=\"%zu\" failures=\"%zu\" errors=\"0\" time=\"0\"", tests, failures);
}

static void put_finding(struct junit *j, const struct audit_finding *f)
{
	buf_printf(j->to, "%s (%s): ", audit_level_name(f->level), report_sure(f->sure));
	report_markup(j->to, f->text);
	buf_putc(j->to, '\n');
	if (f->advice.n) {
		buf_puts(j->to, "hint: ");
		report_markup(j->to, f->advice);
		buf_putc(j->to, '\n');
	}
	if (f->reason.n) {
		buf_puts(j->to, "ignored: ");
		report_markup(j->to, f->reason);
		buf_putc(j->to, '\n');
	}
}

/* One element for all: readers keep only the first failure of a case. */
static void put_case(struct junit *j, const struct junit_suite *s, const struct junit_case *c)
{
	const struct audit_finding *first = c->v[0];
	const char *rule = audit_rule_name(first->rule), *tag = "system-out";

	buf_puts(j->to, "    <testcase");
	put_attribute(j, "classname", s->name);
	put_attribute(j, "name", arena_strf(j->a, "%.*s: %s", STR_ARG(first->path), rule));
	buf_puts(j->to, " time=\"0\">\n      <");
	if (first->reason.n) {
		tag = "skipped";
		buf_puts(j->to, tag);
		put_attribute(j, "message", first->reason);
	} else if (fails(first)) {
		tag = "failure";
		buf_puts(j->to, tag);
		put_attribute(j, "type", str_of(rule));
		put_attribute(j, "message", first->text);
	} else {
		buf_puts(j->to, tag);
	}
	buf_putc(j->to, '>');
	for (size_t i = 0; i < c->n; i++)
		put_finding(j, c->v[i]);
	buf_printf(j->to, "</%s>\n    </testcase>\n", tag);
}

static void put_clean(struct junit *j, const struct junit_suite *s)
{
	buf_puts(j->to, "    <testcase");
	put_attribute(j, "classname", s->name);
	put_attribute(
		j, "name", arena_strf(j->a, "loads on %.*s", STR_ARG(j->audit->profile->name)));
	buf_puts(j->to, " time=\"0\"/>\n");
}

static void put_suite(struct junit *j, const struct junit_suite *s)
{
	buf_puts(j->to, "  <testsuite");
	put_attribute(j, "name", s->name);
	put_counts(j, s->n_cases ? s->n_cases : 1, s->failures);
	buf_printf(j->to, " skipped=\"%zu\">\n", s->skipped);
	for (size_t i = 0; i < s->n_cases; i++)
		put_case(j, s, &s->cases[i]);
	if (!s->n_cases)
		put_clean(j, s);
	buf_puts(j->to, "  </testsuite>\n");
}

void audit_junit(struct arena *a, const struct audit *audit, struct buf *to)
{
	struct junit j = {.a = a, .audit = audit, .to = to};

	make_suites(&j);
	count(&j);
	buf_puts(to, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites");
	put_attribute(&j, "name",
		arena_strf(a, "envbuild audit for %.*s", STR_ARG(audit->profile->name)));
	put_counts(&j, j.tests, j.failures);
	buf_puts(to, ">\n");
	for (size_t i = 0; i < j.n_suites; i++)
		put_suite(&j, &j.suites[i]);
	buf_puts(to, "</testsuites>\n");
}
