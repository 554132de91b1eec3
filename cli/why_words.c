#include "cli/why.h"

enum { SHOWN_MAX = 8, CHANGES_MAX = 20, NAMES_MAX = 6 };

static size_t shown(size_t n, size_t max, bool all)
{
	/* "and 1 more" is as long as the one. */
	return all || n <= max + 1 ? n : max;
}

static void tell_more(struct buf *to, size_t n, size_t told, const char *what)
{
	if (n > told)
		buf_printf(to, "and %zu more %s (all with -v)\n", n - told, what);
}

static void tell_dist(struct buf *to, struct str name, struct str version, struct str build)
{
	buf_str(to, name);
	if (version.n)
		buf_printf(to, " %.*s", STR_ARG(version));
	if (build.n)
		buf_printf(to, " %.*s", STR_ARG(build));
}

static const char *place(const struct why_words *w)
{
	return w->only_lock ? "lock" : "solution";
}

/* --- in the solution ------------------------------------------------------------------------ */

static void tell_chain(const struct why_chain *c, struct buf *to)
{
	if (c->where.n)
		buf_printf(to, "%.*s: %.*s\n", STR_ARG(c->where), STR_ARG(c->text));
	else if (c->text.n)
		buf_printf(to, "in the lock, needed by nothing there: %.*s\n", STR_ARG(c->text));
	for (size_t i = 0; i < c->n_steps; i++) {
		buf_puts(to, "  ");
		tell_dist(to, c->steps[i].name, c->steps[i].version, c->steps[i].build);
		buf_printf(to, " needs %.*s\n", STR_ARG(c->steps[i].needs));
	}
}

static void tell_limit(const struct why_limit *l, struct buf *to)
{
	static const char *const between[] = {
		[WHY_LINE] = ":", [WHY_DEPENDS] = " needs", [WHY_CONSTRAINS] = " goes only with"};

	buf_printf(to, "  %.*s%s %.*s\n", STR_ARG(l->by), between[l->kind], STR_ARG(l->text));
}

static void tell_changes(const struct why *a, const struct why_words *w, struct buf *to)
{
	size_t n = shown(a->n_changes, CHANGES_MAX, w->all);

	for (size_t i = 0; i < n; i++) {
		const struct why_change *c = &a->changes[i];

		if (!c->from.n)
			buf_printf(to, "  + %.*s %.*s\n", STR_ARG(c->name), STR_ARG(c->to));
		else if (!c->to.n)
			buf_printf(to, "  - %.*s %.*s\n", STR_ARG(c->name), STR_ARG(c->from));
		else
			buf_printf(to, "  ~ %.*s %.*s -> %.*s\n", STR_ARG(c->name),
				STR_ARG(c->from), STR_ARG(c->to));
	}
	tell_more(to, a->n_changes, n, "changes");
}

static void tell_indented(struct str text, struct buf *to)
{
	while (text.p && text.n) {
		struct str line = str_cut(&text, '\n');

		buf_printf(to, "  %.*s\n", STR_ARG(line));
	}
}

static void tell_newest(const struct why *a, const struct why_words *w, struct buf *to)
{
	char date[16];
	size_t n = shown(a->n_limits, SHOWN_MAX, w->all);

	if (!a->newest.known)
		return;
	if (!a->newest.newer) {
		buf_puts(to, "the channels have no newer version\n");
		return;
	}
	buf_printf(to, "the channels have %.*s %.*s", STR_ARG(a->newest.version),
		STR_ARG(a->newest.build));
	if (a->newest.timestamp)
		buf_printf(to, " (%s)", record_date(a->newest.timestamp, date));
	buf_puts(to, a->n_limits ? ", ruled out by\n" : "\n");
	for (size_t i = 0; i < n; i++)
		tell_limit(&a->limits[i], to);
	tell_more(to, a->n_limits, n, "limits");
	if (a->reason.n)
		buf_puts(to, "nothing newer goes with the request:\n");
	else if (a->n_changes)
		buf_puts(to, "a newer one would change\n");
	tell_indented(a->reason, to);
	tell_changes(a, w, to);
}

static void tell_in(const struct why *a, const struct why_words *w, struct buf *to)
{
	size_t n = shown(a->n_chains, SHOWN_MAX, w->all);

	tell_dist(to, a->name, a->version, a->build);
	if (a->pypi)
		buf_puts(to, a->version.n ? " (PyPI)" : " (PyPI, not chosen yet)");
	buf_printf(to, " is in the %s for %s\n", place(w), w->target);
	for (size_t i = 0; i < n; i++)
		tell_chain(&a->chains[i], to);
	tell_more(to, a->n_chains, n, "ways to it");
	tell_newest(a, w, to);
}

/* --- not in the solution -------------------------------------------------------------------- */

static void tell_absent(const struct why *a, const struct why_words *w, struct buf *to)
{
	if (!a->version.n) {
		buf_printf(to, "'%.*s' is not in the %s for %s", STR_ARG(w->spec), place(w),
			w->target);
		return;
	}
	buf_printf(to, "the %s for %s has ", place(w), w->target);
	tell_dist(to, a->name, a->version, a->build);
	buf_printf(to, ", which is not '%.*s'", STR_ARG(w->spec));
}

static void tell_possible(const struct why *a, const struct why_words *w, struct buf *to)
{
	size_t added = 0, removed = 0;

	for (size_t i = 0; i < a->n_changes; i++) {
		added += a->changes[i].from.n == 0;
		removed += a->changes[i].to.n == 0;
	}
	tell_absent(a, w, to);
	buf_printf(to, "; it could be had: %zu added, %zu changed, %zu removed\n", added,
		a->n_changes - added - removed, removed);
	tell_changes(a, w, to);
}

/* --- virtual packages ----------------------------------------------------------------------- */

static void tell_need(const struct why_need *need, bool all, struct buf *to)
{
	size_t n = shown(need->n_by, NAMES_MAX, all);

	buf_printf(to, "  %.*s: %zu package%s: ", STR_ARG(need->text), need->n_by,
		need->n_by == 1 ? "" : "s");
	for (size_t i = 0; i < n; i++)
		buf_printf(to, "%s%.*s", i ? ", " : "", STR_ARG(need->by[i]));
	if (n < need->n_by)
		buf_puts(to, ", ...");
	buf_puts(to, "\n");
}

static void tell_virtual(const struct why *a, const struct why_words *w, struct buf *to)
{
	buf_printf(to, "the target %s has ", w->target);
	if (!a->version.n)
		buf_puts(to, "no ");
	tell_dist(to, a->name, a->version, str_is(a->build, "0") ? (struct str){0} : a->build);
	buf_printf(to, "; the %s %s\n", place(w), a->n_needs ? "needs" : "does not need it");
	for (size_t i = 0; i < a->n_needs; i++)
		tell_need(&a->needs[i], w->all, to);
}

void why_tell(const struct why *a, const struct why_words *w, struct buf *to)
{
	switch (a->kind) {
	case WHY_IN:
		tell_in(a, w, to);
		break;
	case WHY_POSSIBLE:
		tell_possible(a, w, to);
		break;
	case WHY_VIRTUAL:
		tell_virtual(a, w, to);
		break;
	case WHY_NOT_LOCKED:
		tell_absent(a, w, to);
		buf_puts(to, "\n");
		break;
	}
}
