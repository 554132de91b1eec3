#include "cli/unsat.h"
#include "cli/why.h"

static void json_chain(struct json_out *w, const struct why_chain *c)
{
	jw_object(w);
	jw_pair_or_null(w, "line", c->where);
	jw_pair_or_null(w, "text", c->text);
	jw_key(w, "steps");
	jw_array(w);
	for (size_t i = 0; i < c->n_steps; i++) {
		jw_object(w);
		jw_pair_or_null(w, "name", c->steps[i].name);
		jw_pair_or_null(w, "version", c->steps[i].version);
		jw_pair_or_null(w, "build", c->steps[i].build);
		jw_pair_or_null(w, "needs", c->steps[i].needs);
		jw_object_end(w);
	}
	jw_array_end(w);
	jw_object_end(w);
}

static void json_changes(struct json_out *w, const struct why *a)
{
	jw_key(w, "changes");
	jw_array(w);
	for (size_t i = 0; i < a->n_changes; i++) {
		jw_object(w);
		jw_pair_or_null(w, "name", a->changes[i].name);
		jw_pair_or_null(w, "from", a->changes[i].from);
		jw_pair_or_null(w, "to", a->changes[i].to);
		jw_object_end(w);
	}
	jw_array_end(w);
}

static void json_newest(struct json_out *w, const struct why *a)
{
	static const char *const kinds[] = {
		[WHY_LINE] = "line", [WHY_DEPENDS] = "depends", [WHY_CONSTRAINS] = "constrains"};

	jw_key(w, "newest");
	if (!a->newest.known) {
		jw_null(w);
		return;
	}
	jw_object(w);
	jw_pair_or_null(w, "version", a->newest.version);
	jw_pair_or_null(w, "build", a->newest.build);
	jw_pair_or_null(w, "channel", a->newest.channel);
	json_date(w, "date", a->newest.timestamp);
	jw_key(w, "newer");
	jw_bool(w, a->newest.newer);
	jw_key(w, "limits");
	jw_array(w);
	for (size_t i = 0; i < a->n_limits; i++) {
		jw_object(w);
		jw_key(w, "kind");
		jw_cstr(w, kinds[a->limits[i].kind]);
		jw_pair_or_null(w, "by", a->limits[i].by);
		jw_pair_or_null(w, "text", a->limits[i].text);
		jw_object_end(w);
	}
	jw_array_end(w);
	jw_pair_or_null(w, "reason", a->reason);
	json_changes(w, a);
	jw_object_end(w);
}

static void json_in(struct json_out *w, const struct why *a)
{
	jw_key(w, "pypi");
	jw_bool(w, a->pypi);
	jw_key(w, "chains");
	jw_array(w);
	for (size_t i = 0; i < a->n_chains; i++)
		json_chain(w, &a->chains[i]);
	jw_array_end(w);
	json_newest(w, a);
}

static void json_needs(struct json_out *w, const struct why *a)
{
	jw_key(w, "needs");
	jw_array(w);
	for (size_t i = 0; i < a->n_needs; i++) {
		jw_object(w);
		jw_pair_or_null(w, "text", a->needs[i].text);
		jw_key(w, "packages");
		jw_array(w);
		for (size_t k = 0; k < a->needs[i].n_by; k++)
			jw_str(w, a->needs[i].by[k]);
		jw_array_end(w);
		jw_object_end(w);
	}
	jw_array_end(w);
}

void why_json(struct json_out *w, const struct why *a)
{
	static const char *const answers[] = {[WHY_IN] = "in",
		[WHY_POSSIBLE] = "possible",
		[WHY_VIRTUAL] = "virtual",
		[WHY_NOT_LOCKED] = "not in the lock"};

	jw_key(w, "answer");
	jw_cstr(w, answers[a->kind]);
	jw_pair_or_null(w, "name", a->name);
	jw_pair_or_null(w, "version", a->version);
	jw_pair_or_null(w, "build", a->build);
	switch (a->kind) {
	case WHY_IN:
		json_in(w, a);
		break;
	case WHY_POSSIBLE:
		json_changes(w, a);
		break;
	case WHY_VIRTUAL:
		json_needs(w, a);
		break;
	case WHY_NOT_LOCKED:
		break;
	}
}
