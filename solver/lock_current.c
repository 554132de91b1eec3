#include "solver/lock.h"

#include "base/date.h"
#include "base/table.h"
#include "solver/lock_pip.h"
#include "solver/matchspec.h"
#include "solver/solve.h"

/* What a target has: its records and its virtual packages, by name. */
struct have {
	const struct record *record;
	const struct version *version; /* NULL: not readable */
	bool is_virtual;
	bool reached;
};

struct check {
	struct arena *a;
	const struct lock_target *target;
	const struct solve_request *request;
	struct table have; /* name -> struct have */
	struct have **queue;
	size_t n_queue;
	struct table groups; /* "name[group]" of what was reached with it (CEP 44) */
	struct str reason;   /* empty: none so far */
};

static bool no(struct check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool no(struct check *c, const char *fmt, ...)
{
	CLEANUP_BUF b = {0};
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	c->reason = arena_str(c->a, buf_view(&b));
	return false;
}

/* --- the frame: channels, priority, virtual packages -------------------------------------- */

static const char *priority_name(enum channel_priority p)
{
	switch (p) {
	case PRIORITY_STRICT:
		return "strict";
	case PRIORITY_FLEXIBLE:
		return "flexible";
	case PRIORITY_DISABLED:
		return "disabled";
	}
	return "";
}

static bool same_channels(struct check *c, const struct lock *lock)
{
	const struct solve_request *r = c->request;

	if (lock->priority != r->priority)
		return no(c, "the channel priority was '%s' and is now '%s'",
			priority_name(lock->priority), priority_name(r->priority));
	for (size_t i = 0; i < r->n_channels || i < lock->n_channels; i++) {
		if (i >= r->n_channels)
			return no(
				c, "channel '%.*s' is no longer used", STR_ARG(lock->channels[i]));
		if (i >= lock->n_channels)
			return no(c, "channel '%.*s' is new", STR_ARG(r->channels[i].url));
		if (!str_eq(lock->channels[i], r->channels[i].url))
			return no(c, "channel %zu was '%.*s' and is now '%.*s'", i + 1,
				STR_ARG(lock->channels[i]), STR_ARG(r->channels[i].url));
	}
	return true;
}

/* Is every one of `these` among `those`?  Else *missing is the first that is not. */
static bool all_among(struct arena *a, const struct str *these, size_t n, const struct str *those,
	size_t m, struct str *missing)
{
	struct record x, y;
	size_t i, j;

	for (i = 0; i < n; i++) {
		*missing = these[i];
		if (virtual_package_parse(a, these[i], &x, NULL) < 0)
			return false;
		for (j = 0; j < m; j++)
			if (virtual_package_parse(a, those[j], &y, NULL) == 0 &&
				record_cmp_name(&x, &y) == 0)
				break;
		if (j == m)
			return false;
	}
	return true;
}

static bool same_virtual_packages(struct check *c)
{
	const struct lock_target *t = c->target;
	const struct solve_request *r = c->request;
	struct str which;

	if (!all_among(c->a, r->virtual_packages, r->n_virtual_packages, t->virtual_packages,
		    t->n_virtual_packages, &which))
		return no(c, "it was made without the virtual package '%.*s'", STR_ARG(which));
	if (!all_among(c->a, t->virtual_packages, t->n_virtual_packages, r->virtual_packages,
		    r->n_virtual_packages, &which))
		return no(c, "it was made with the virtual package '%.*s'", STR_ARG(which));
	return true;
}

/* A date given now binds a lock that was made without it, too. */
static bool old_enough(struct check *c)
{
	const uint64_t as_of = c->request->as_of;
	char day[DATE_DAY];

	for (size_t i = 0; as_of && i < c->target->n_records; i++) {
		const struct record *r = c->target->records[i];

		date_day(r->timestamp, day);
		if (r->timestamp > as_of)
			return no(c, "%.*s %.*s is of %s, newer than --as-of %s", STR_ARG(r->name),
				STR_ARG(r->version), day, c->request->as_of_text);
	}
	return true;
}

/* --- the packages ------------------------------------------------------------------------- */

static bool enter(struct check *c, const struct record *record, bool is_virtual)
{
	struct have *have = arena_new(c->a, struct have);
	union table_value *slot = table_put(&c->have, record->name);

	if (slot->ptr)
		return no(c, "it has '%.*s' twice", STR_ARG(record->name));
	have->record = record;
	have->is_virtual = is_virtual;
	if (version_parse(c->a, record->version, &have->version, NULL) < 0)
		have->version = NULL;
	slot->ptr = have;
	return true;
}

static bool enter_all(struct check *c)
{
	const struct lock_target *t = c->target;

	for (size_t i = 0; i < t->n_virtual_packages; i++) {
		struct record *r = arena_new(c->a, struct record);

		if (virtual_package_parse(c->a, t->virtual_packages[i], r, NULL) < 0)
			return no(c, "'%.*s' is not a virtual package",
				STR_ARG(t->virtual_packages[i]));
		if (!enter(c, r, true))
			return false;
	}
	for (size_t i = 0; i < t->n_records; i++)
		if (!enter(c, t->records[i], false))
			return false;
	c->groups.arena = c->a;
	c->queue = arena_array(c->a, struct have *, c->have.n);
	return true;
}

static void reach(struct check *c, struct have *have)
{
	if (have->reached)
		return;
	have->reached = true;
	if (!have->is_virtual)
		c->queue[c->n_queue++] = have;
}

/* The package that satisfies a spec; NULL where there is none. */
static struct have *find(struct check *c, const struct matchspec *spec)
{
	if (spec->exact_name) {
		union table_value *slot = table_get(&c->have, spec->name);
		struct have *have = slot ? slot->ptr : NULL;

		return have && matchspec_match(spec, have->record, have->version) ? have : NULL;
	}
	for (size_t i = 0; i < c->have.n; i++) {
		struct have *have = c->have.entries[i].value.ptr;

		if (matchspec_match(spec, have->record, have->version))
			return have;
	}
	return NULL;
}

static int is_there(const struct matchspec *spec, void *context)
{
	return find(context, spec) != NULL;
}

/* Has the spec a condition (CEP 43) that does not hold? */
static bool is_idle(struct check *c, const struct matchspec *spec)
{
	return spec->when && !spec_condition_holds(spec->when, is_there, c);
}

static struct str what_it_has(struct check *c, const struct matchspec *spec)
{
	union table_value *slot = table_get(&c->have, spec->name);
	const struct have *have = slot ? slot->ptr : NULL;

	if (!have)
		return STR("nothing of that name");
	return arena_strf(c->a, "%.*s %.*s %.*s", STR_ARG(have->record->name),
		STR_ARG(have->record->version), STR_ARG(have->record->build));
}

static bool check_depend(struct check *c, const struct record *r, struct str text);

static bool check_group(struct check *c, const struct record *r, struct str group)
{
	struct str key = arena_strf(c->a, "%.*s[%.*s]", STR_ARG(r->name), STR_ARG(group));
	union table_value *seen = table_put(&c->groups, key);

	if (seen->num++)
		return true;
	for (size_t i = 0; i < r->n_extras; i++) {
		struct str text = r->extras[i];

		if (str_eq(str_cut(&text, ' '), group) && text.n && !check_depend(c, r, text))
			return false;
	}
	return true;
}

static bool check_groups(struct check *c, const struct matchspec *spec, const struct have *have)
{
	for (size_t i = 0; i < spec->n_extras && !have->is_virtual; i++)
		if (!check_group(c, have->record, spec->extras[i]))
			return false;
	return true;
}

static bool check_requests(struct check *c)
{
	for (size_t i = 0; i < c->request->n_specs; i++) {
		const struct spec_line *line = &c->request->specs[i];
		struct matchspec spec;
		struct have *have;

		if (matchspec_parse(c->a, line->text, &spec, NULL) < 0)
			return no(c, "'%.*s' is not a spec", STR_ARG(line->text));
		if (is_idle(c, &spec))
			continue;
		have = find(c, &spec);
		if (!have)
			return no(c, "'%.*s' is asked for and the lock has %.*s",
				STR_ARG(line->text), STR_ARG(what_it_has(c, &spec)));
		reach(c, have);
		if (!check_groups(c, &spec, have))
			return false;
	}
	return true;
}

static bool check_depend(struct check *c, const struct record *r, struct str text)
{
	struct matchspec spec;
	struct have *have = NULL;

	if (matchspec_parse(c->a, text, &spec, NULL) == 0) {
		if (is_idle(c, &spec))
			return true;
		have = find(c, &spec);
	}
	if (!have)
		return no(c, "'%.*s' needs '%.*s' and the lock has %.*s", STR_ARG(r->name),
			STR_ARG(text), STR_ARG(what_it_has(c, &spec)));
	reach(c, have);
	return check_groups(c, &spec, have);
}

static bool check_depends(struct check *c, const struct record *r)
{
	for (size_t i = 0; i < r->n_depends; i++)
		if (!check_depend(c, r, r->depends[i]))
			return false;
	return true;
}

static bool check_constrains(struct check *c, const struct record *r)
{
	for (size_t i = 0; i < r->n_constrains; i++) {
		struct matchspec spec;
		union table_value *slot;

		if (matchspec_parse(c->a, r->constrains[i], &spec, NULL) < 0 || !spec.exact_name)
			continue;
		slot = table_get(&c->have, spec.name);
		if (slot && !is_idle(c, &spec) && !find(c, &spec))
			return no(c, "'%.*s' goes only with '%.*s' and the lock has %.*s",
				STR_ARG(r->name), STR_ARG(r->constrains[i]),
				STR_ARG(what_it_has(c, &spec)));
	}
	return true;
}

static bool check_packages(struct check *c)
{
	if (!enter_all(c) || !check_requests(c))
		return false;
	for (size_t i = 0; i < c->n_queue; i++)
		if (!check_depends(c, c->queue[i]->record) ||
			!check_constrains(c, c->queue[i]->record))
			return false;
	for (size_t i = 0; i < c->have.n; i++) {
		const struct have *have = c->have.entries[i].value.ptr;

		if (!have->reached && !have->is_virtual)
			return no(
				c, "nothing asks for '%.*s' any more", STR_ARG(have->record->name));
	}
	return true;
}

int lock_current(
	struct arena *a, const struct lock *lock, const struct solve_request *r, struct str *reason)
{
	struct check c = {.a = a, .request = r};
	bool current;

	c.have.arena = a;
	c.target = lock_find(lock, str_of(r->target));
	if (!c.target)
		current = no(&c, "the lock has no target '%s'", r->target);
	else if (!str_eq(c.target->subdir, r->subdir))
		current = no(&c, "the target was for %.*s", STR_ARG(c.target->subdir));
	else if (c.target->n_skipped)
		current = no(
			&c, "it has %zu packages that are built from source", c.target->n_skipped);
	else
		current = same_channels(&c, lock) && same_virtual_packages(&c) && old_enough(&c) &&
			  check_packages(&c) && lock_pip_current(a, c.target, r, &c.reason);
	if (!current)
		*reason = c.reason;
	return current;
}

static bool check_virtual(struct check *c)
{
	if (!enter_all(c))
		return false;
	for (size_t i = 0; i < c->target->n_records; i++) {
		const struct record *r = c->target->records[i];

		for (size_t k = 0; k < r->n_depends; k++)
			if (str_starts(r->depends[k], STR("__")) &&
				!check_depend(c, r, r->depends[k]))
				return false;
	}
	return true;
}

int lock_fits(struct arena *a, const struct lock_target *locked, struct str *virtual_packages,
	size_t n, struct str *reason)
{
	struct lock_target there = *locked;
	struct check c = {.a = a, .target = &there};

	there.virtual_packages = virtual_packages;
	there.n_virtual_packages = n;
	c.have.arena = a;
	if (check_virtual(&c))
		return lock_pip_fits(a, locked, virtual_packages, n, reason);
	*reason = c.reason;
	return 0;
}
