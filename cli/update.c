#include "cli/update.h"

#include "base/log.h"
#include "cli/move.h"
#include "solver/lock_pip.h"
#include "solver/pep508.h"
#include "solver/similar.h"

struct names {
	struct str *v;
	size_t n, cap;
};

/* --- what is asked for ---------------------------------------------------------------------- */

static int read_names(struct session *s, struct project *p, struct err *e)
{
	const struct text_list *given = &s->line.options.update;
	struct names names = {0};

	for (size_t i = 0; i < given->n; i++) {
		struct str rest = str_of(given->v[i]);

		while (rest.p) {
			struct str name = str_trim(str_cut(&rest, ','));

			if (!name.n)
				return err_set(e, ERR_USAGE,
					"--update takes names of packages, not '%s'", given->v[i]);
			*VEC_PUSH(&s->arena, &names) = name;
		}
	}
	p->updates = names.v;
	p->n_updates = names.n;
	return 0;
}

static void add_names(struct arena *a, const struct lock_target *t, struct names *to)
{
	for (size_t i = 0; i < t->n_records; i++)
		*VEC_PUSH(a, to) = t->records[i]->name;
	for (size_t i = 0; i < t->pypi.n; i++)
		*VEC_PUSH(a, to) = t->pypi.v[i].name;
}

static bool has_name(struct arena *a, const struct names *names, struct str name)
{
	struct str pypi = pypi_normal_name(a, name);

	for (size_t i = 0; i < names->n; i++)
		if (str_eq(names->v[i], name) || str_eq(names->v[i], pypi))
			return true;
	return false;
}

static int unknown_name(struct arena *a, const struct project *p, const struct names *names,
	struct str name, struct err *e)
{
	CLEANUP_BUF text = {0};
	struct str like[3];
	size_t n = similar_among(a, names->v, names->n, name, like, 3);

	for (size_t i = 0; i < n; i++)
		buf_printf(&text, "%s'%.*s'",
			i == 0       ? ", did you mean "
			: i + 1 == n ? " or "
				     : ", ",
			STR_ARG(like[i]));
	return err_set(e, ERR_USAGE, "--update: the lock '%s' has no package '%.*s'%s%s",
		p->lock_path, STR_ARG(name), n ? text.p : "", n ? "?" : "");
}

static int check_names(struct session *s, const struct project *p, struct err *e)
{
	struct arena *a = &s->arena;
	struct names names = {0};

	for (size_t i = 0; i < p->lock.n_targets; i++)
		add_names(a, &p->lock.targets[i], &names);
	for (size_t i = 0; i < p->n_updates; i++)
		if (!has_name(a, &names, p->updates[i]))
			return unknown_name(a, p, &names, p->updates[i], e);
	return 0;
}

static void take_all_targets(struct session *s, struct project *p)
{
	p->n_targets = p->lock.n_targets;
	p->targets = arena_array(&s->arena, const char *, p->n_targets);
	for (size_t i = 0; i < p->n_targets; i++)
		p->targets[i] = arena_cstr(&s->arena, p->lock.targets[i].name);
}

int update_begin(struct session *s, struct project *p, struct err *e)
{
	if (s->line.options.update.n == 0)
		return 0;
	if (!p->has_lock) {
		err_set(e, ERR_USAGE, "--update: there is no lock '%s'", p->lock_path);
		return err_advise(e, "'envbuild lock' makes one");
	}
	if (s->line.options.targets.n == 0 && p->settings.n_targets == 0)
		take_all_targets(s, p);
	s->n_targets = p->n_targets;
	return read_names(s, p, e) < 0 ? -1 : check_names(s, p, e);
}

/* --- what is kept --------------------------------------------------------------------------- */

static const struct record *target_record(const struct lock_target *t, struct str name)
{
	return record_named(t->records, t->n_records, name);
}

static bool is_same_file(const struct record *a, const struct record *b)
{
	if (!str_eq(a->fn, b->fn) || !str_eq(a->subdir, b->subdir))
		return false;
	if (a->has_sha256 && b->has_sha256)
		return memcmp(a->sha256, b->sha256, sizeof a->sha256) == 0;
	return str_eq(a->channel, b->channel);
}

static void keep_purls(const struct lock_target *was, struct plan *plan)
{
	for (size_t i = 0; i < plan->n_records; i++) {
		struct record *is = plan->records[i];
		const struct record *old = target_record(was, is->name);

		if (!old || is->has_purls || !is_same_file(old, is))
			continue;
		is->purls = old->purls;
		is->n_purls = old->n_purls;
		is->has_purls = old->has_purls;
	}
}

static bool names_any(struct arena *a, const struct project *p, const struct pypi_set *set)
{
	for (size_t i = 0; i < p->n_updates; i++)
		for (size_t k = 0; k < set->n; k++)
			if (str_eq(pypi_normal_name(a, p->updates[i]), set->v[k].name))
				return true;
	return false;
}

/* Wheels are for one Python. */
static bool same_python(const struct lock_target *was, const struct lock_target *is)
{
	const struct record *a = target_record(was, STR("python"));
	const struct record *b = target_record(is, STR("python"));

	return a && b ? is_same_file(a, b) : a == b;
}

int update_keep(struct session *s, const struct project *p, struct plan *plan, struct err *e)
{
	const struct lock_target *was = lock_find(&p->lock, plan->profile.name);
	struct lock_target is = plan->locked;
	struct str reason;

	if (p->n_updates == 0)
		return 0;
	if (!was) {
		err_set(e, ERR_USAGE, "--update: the lock '%s' has no target '%.*s'", p->lock_path,
			STR_ARG(plan->profile.name));
		return err_advise(
			e, "'envbuild lock -t %.*s' adds it", STR_ARG(plan->profile.name));
	}
	keep_purls(was, plan);
	is.pypi = was->pypi;
	if (plan->env.n_pip == 0 || names_any(&s->arena, p, &was->pypi) || !same_python(was, &is) ||
		!lock_pip_current(&s->arena, &is, &plan->request, &reason))
		return 0;
	*plan->pypi = was->pypi;
	plan->pypi->settled = true;
	return 0;
}

/* --- what moved ----------------------------------------------------------------------------- */

static void tell_move(struct json_out *w, const struct plan *plan, const struct move *m)
{
	CLEANUP_BUF words = {0};

	move_tell(m, w);
	move_say(m, &words);
	log_note("%.*s: %.*s", STR_ARG(plan->profile.name), STR_ARG(buf_view(&words)));
}

/* The version; the build too where that alone tells them apart. */
static struct str words_of(struct arena *a, const struct record *r, const struct record *other)
{
	if (!r)
		return (struct str){0};
	if (other && str_eq(r->version, other->version))
		return arena_strf(a, "%.*s %.*s", STR_ARG(r->version), STR_ARG(r->build));
	return r->version;
}

static size_t tell_records(
	struct arena *a, const struct lock_target *was, const struct plan *plan, struct json_out *w)
{
	const struct lock_target *is = &plan->locked;
	size_t n = 0;

	for (size_t i = 0; i < is->n_records; i++) {
		const struct record *now = is->records[i], *old = target_record(was, now->name);

		if (old && is_same_file(old, now))
			continue;
		n++;
		tell_move(w, plan,
			&(struct move){now->name, words_of(a, old, now), words_of(a, now, old)});
	}
	for (size_t i = 0; i < was->n_records; i++) {
		const struct record *old = was->records[i];

		if (target_record(is, old->name))
			continue;
		n++;
		tell_move(w, plan, &(struct move){old->name, old->version, {0}});
	}
	return n;
}

static const struct pypi_package *pypi_named(const struct pypi_set *set, struct str name)
{
	for (size_t i = 0; i < set->n; i++)
		if (str_eq(set->v[i].name, name))
			return &set->v[i];
	return NULL;
}

/* The version, or where it lies if that alone tells them apart. */
static struct str pypi_words(const struct pypi_package *p, const struct pypi_package *other)
{
	if (!p)
		return (struct str){0};
	return other && str_eq(p->version, other->version) ? p->url : p->version;
}

static size_t tell_pypi(const struct pypi_set *was, const struct plan *plan, struct json_out *w)
{
	const struct pypi_set *is = plan->pypi;
	size_t n = 0;

	for (size_t i = 0; i < is->n; i++) {
		const struct pypi_package *now = &is->v[i], *old = pypi_named(was, now->name);

		if (old && str_eq(old->url, now->url))
			continue;
		n++;
		tell_move(w, plan,
			&(struct move){now->name, pypi_words(old, now), pypi_words(now, old)});
	}
	for (size_t i = 0; i < was->n; i++)
		if (!pypi_named(is, was->v[i].name)) {
			n++;
			tell_move(w, plan, &(struct move){was->v[i].name, was->v[i].version, {0}});
		}
	return n;
}

void update_tell(
	struct session *s, const struct project *p, const struct plan *plan, struct json_out *w)
{
	const struct lock_target *was = lock_find(&p->lock, plan->profile.name);
	size_t n;

	if (p->n_updates == 0 || !was)
		return;
	jw_key(w, "moved");
	jw_array(w);
	n = tell_records(&s->arena, was, plan, w);
	jw_array_end(w);
	jw_key(w, "moved_pypi");
	jw_array(w);
	n += tell_pypi(&was->pypi, plan, w);
	jw_array_end(w);
	if (n == 0)
		log_note("%.*s: nothing moved", STR_ARG(plan->profile.name));
}
