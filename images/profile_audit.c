/* `audit:` of a profile: what findings of a rule count as on these hosts, and which do not count. */
#include "images/profile_read.h"

enum { MAX_IGNORES = 256 };

static int read_level(const struct profile_reading *r, const struct yaml *key,
	const struct yaml *value, struct err *e)
{
	struct profile_audit *audit = &r->out->audit;
	enum audit_rule rule = audit_rule_of(key->text);
	struct str text;

	if (rule == AUDIT_RULES) {
		yaml_fail(r->file, key, e, "the audit has no rule '%.*s'", STR_ARG(key->text));
		return err_advise(e, "there are %.*s", STR_ARG(audit_rule_names(r->a)));
	}
	if (profile_scalar(r, value, "levels", &text, e) < 0)
		return -1;
	if (!audit_level_of(text, &audit->level[rule]))
		return yaml_fail(r->file, value, e,
			"a level is error, warning, info or off, not '%.*s'", STR_ARG(text));
	audit->set[rule] = true;
	return 0;
}

static int read_levels(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	if (y->kind != YAML_MAP)
		return yaml_fail(r->file, y, e,
			"'levels' must be a map of rules, as in 'static-tls: error'");
	for (size_t i = 0; i < y->n; i++)
		if (read_level(r, y->keys[i], y->items[i], e) < 0)
			return -1;
	return 0;
}

static int read_ignore(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	static const char *const names[] = {"rule", "pattern", "reason"};
	struct profile_audit *audit = &r->out->audit;
	struct audit_ignore *out = &audit->ignores[audit->n_ignores];
	struct str texts[3] = {{0}};

	if (y->kind != YAML_MAP)
		return yaml_fail(r->file, y, e,
			"what is ignored is a map, as in '{rule: static-tls, pattern: "
			"lib/libgomp.so.1, reason: loaded first}'");
	for (size_t i = 0; i < y->n; i++) {
		size_t k = 0;

		while (k < 3 && !str_is(y->keys[i]->text, names[k]))
			k++;
		if (k == 3)
			return yaml_fail(r->file, y->keys[i], e, "unknown key '%.*s' in 'ignore'",
				STR_ARG(y->keys[i]->text));
		if (profile_scalar(r, y->items[i], names[k], &texts[k], e) < 0)
			return -1;
	}
	out->place = arena_printf(r->a, "%s:%d:%d", r->file, y->line, y->column);
	if (audit_ignore_of(texts[0], texts[1], texts[2], out, e) < 0)
		return -1;
	audit->n_ignores++;
	return 0;
}

static int read_ignores(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	if (y->kind != YAML_SEQUENCE)
		return yaml_fail(r->file, y, e, "'ignore' must be a list");
	if (y->n > MAX_IGNORES)
		return yaml_fail(r->file, y, e, "'ignore' has more than %d entries", MAX_IGNORES);
	r->out->audit.ignores = arena_array(r->a, struct audit_ignore, y->n);
	for (size_t i = 0; i < y->n; i++)
		if (read_ignore(r, y->items[i], e) < 0)
			return -1;
	return 0;
}

static int read_forbidden(const struct profile_reading *r, const struct yaml *y, const char *key,
	bool *out, struct err *e)
{
	struct str text;

	if (profile_scalar(r, y, key, &text, e) < 0)
		return -1;
	*out = str_is(text, "forbidden");
	if (!*out && !str_is(text, "allowed"))
		return yaml_fail(r->file, y, e, "'%s' is 'forbidden' or 'allowed', not '%.*s'", key,
			STR_ARG(text));
	return 0;
}

static int read_stack(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	return read_forbidden(r, y, "executable-stack", &r->out->audit.forbids_executable_stack, e);
}

static int read_text(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	return read_forbidden(r, y, "text-relocations", &r->out->audit.forbids_text_relocations, e);
}

int profile_read_audit(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	static const struct profile_key keys[] = {
		{"levels", read_levels},
		{"ignore", read_ignores},
		{"executable-stack", read_stack},
		{"text-relocations", read_text},
		{NULL, NULL},
	};

	return profile_read_map(r, y, "'audit'", keys, e);
}
