#include "solver/universe.h"

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

int universe_condition(struct universe *u, const struct matchspec *spec, struct err *e)
{
	int holds = spec->when ? spec_condition_holds(spec->when, target_has, u) : 1;

	if (holds >= 0)
		return holds;
	err_set(e, ERR_INPUT,
		"the condition of '%.*s' asks for packages that are still to be chosen",
		STR_ARG(spec->text));
	return err_advise(e, "'when' may ask for virtual packages of the target, such as __linux "
			     "or __glibc>=2.28");
}
