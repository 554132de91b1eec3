/* The words of what would help. */
#include "solver/explain.h"

static void tell_fit(struct telling *t, const struct unsat *unsat, const struct unsat_fit *f)
{
	char date[16];

	if (!f->any) {
		/* Other reasons have said so. */
		if (unsat->remedy.limited)
			buf_printf(t->to, "no %.*s in these channels fits the target%s%.*s\n",
				STR_ARG(f->name), unsat->target.n ? " " : "",
				STR_ARG(unsat->target));
		return;
	}
	buf_printf(t->to, "newest %.*s that ", STR_ARG(f->name));
	if (f->alone)
		buf_puts(t->to, "fits, but not with the other lines");
	else
		buf_puts(t->to, unsat->each ? "fits" : "goes with the other lines");
	buf_printf(t->to, ": %.*s %.*s", STR_ARG(f->version), STR_ARG(f->build));
	if (f->timestamp)
		buf_printf(t->to, " (%s)", record_date(f->timestamp, date));
	buf_puts(t->to, "\n");
}

static void tell_without(struct telling *t, const struct unsat *unsat, const struct unsat_line *l)
{
	if (!unsat->file)
		buf_printf(t->to, "everything else solves without %.*s\n", STR_ARG(l->text));
	else if (l->line)
		buf_printf(t->to, "everything else solves without %s:%d (%.*s)\n", unsat->file,
			l->line, STR_ARG(l->text));
	else
		buf_printf(
			t->to, "everything else solves without what the command line asks for\n");
}

static void tell_virtual_remedy(struct telling *t, const struct unsat *unsat)
{
	if (!unsat->remedy.name.n) {
		if (unsat->remedy.none)
			buf_puts(t->to,
				"raising or adding one virtual package alone would not help\n");
		return;
	}
	buf_printf(t->to, "everything solves with %.*s", STR_ARG(unsat->remedy.name));
	if (!str_is(unsat->remedy.to, "0"))
		buf_printf(t->to, " %.*s", STR_ARG(unsat->remedy.to));
	buf_puts(t->to, "\n");
}

void tell_remedies(struct telling *t, const struct unsat *unsat)
{
	for (size_t i = 0; i < unsat->n_fits; i++)
		tell_fit(t, unsat, &unsat->fits[i]);
	for (size_t i = 0; i < unsat->n_without; i++)
		tell_without(t, unsat, &unsat->without[i]);
	tell_virtual_remedy(t, unsat);
}
