#include "cli/plan.h"

#include "base/date.h"
#include "base/file.h"
#include "base/log.h"
#include "base/table.h"
#include "builder/upkeep.h"
#include "cli/mirrors.h"
#include "images/engine.h"
#include "solver/matchspec.h"
#include "solver/requirements.h"

#include <stdlib.h>

enum { LOCK_MAX = 256 << 20 };

/* By name, or as conda-lock.yml and @EXPLICIT files are, by content. */
static bool is_lock_file(const char *path)
{
	struct arena scratch = {0};
	struct str text;
	struct stat st;
	bool is = str_ends(str_of(path), STR(".lock"));

	if (!is && stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
		file_read(&scratch, path, LOCK_MAX, &text, NULL) == 0)
		is = lock_recognize(text);
	arena_release(&scratch);
	return is;
}

/* Does it stand for whatever machine has its subdir, as in the locks of others? */
static bool is_plain_subdir(const struct lock_target *t)
{
	return str_eq(t->name, t->subdir);
}

static char *find_env(struct arena *a, const char *env)
{
	struct stat st;
	char *path, *other;

	if (env && (stat(env, &st) < 0 || !S_ISDIR(st.st_mode)))
		return arena_strdup(a, env);
	path = env ? path_join(a, env, "environment.yml") : arena_strdup(a, "environment.yml");
	other = env ? path_join(a, env, "environment.yaml") : arena_strdup(a, "environment.yaml");
	return !path_exists(path) && path_exists(other) ? other : path;
}

static void choose_targets(struct session *s, struct project *p)
{
	static const char *const only_host[] = {"host"};
	const struct text_list *given = &s->line.options.targets;
	const struct settings *set = &p->settings;

	if (given->n) {
		p->targets = given->v;
		p->n_targets = given->n;
	} else if (set->n_targets) {
		p->targets = arena_array(&s->arena, const char *, set->n_targets);
		for (size_t i = 0; i < set->n_targets; i++)
			p->targets[i] = arena_cstr(&s->arena, set->targets[i]);
		p->n_targets = set->n_targets;
	} else if (p->lock_is_input && p->lock.n_targets == 1 &&
		   !is_plain_subdir(&p->lock.targets[0])) {
		p->targets = arena_array(&s->arena, const char *, 1);
		p->targets[0] = arena_cstr(&s->arena, p->lock.targets[0].name);
		p->n_targets = 1;
	} else {
		log_note("no target given, packages are chosen for this machine ('host')");
		p->targets = (const char **)only_host;
		p->n_targets = 1;
	}
}

/* By its name a target has its entry in the lock, and its archive. */
static int check_targets(struct session *s, const struct project *p, struct err *e)
{
	struct table names = {.arena = &s->arena};

	for (size_t i = 0; p->n_targets > 1 && i < p->n_targets; i++) {
		struct profile profile;
		union table_value *known;

		if (profile_find(&s->arena, p->targets[i], p->dir, &profile, e) < 0)
			return -1;
		known = table_put(&names, profile.name);
		if (known->ptr && strcmp(known->ptr, p->targets[i]) != 0)
			return err_set(e, ERR_USAGE, "two targets are called '%.*s': '%s' and '%s'",
				STR_ARG(profile.name), (const char *)known->ptr, p->targets[i]);
		known->ptr = (void *)p->targets[i];
	}
	return 0;
}

int project_open(struct session *s, const char *env, struct project *out, struct err *e)
{
	struct arena *a = &s->arena;
	const char *path = find_env(a, env);
	char *full = path_absolute(a, path);

	*out = (struct project){.path = path, .dir = path_dir(a, full)};
	out->lock_is_input = is_lock_file(path);
	out->lock_path = out->lock_is_input ? full : path_join(a, out->dir, "envbuild.lock");
	if (settings_read(a, path_join(a, out->dir, "envbuild.yml"), &out->settings, e) < 0)
		return -1;
	out->has_lock = path_exists(out->lock_path);
	if (out->lock_is_input && !out->has_lock)
		return err_set(e, ERR_INPUT, "no lock file '%s'", path);
	if (out->has_lock && lock_read(a, out->lock_path, &out->lock, e) < 0) {
		if (!out->lock_is_input)
			err_advise(e, "mend or remove '%s'; it will then be made anew",
				out->lock_path);
		return -1;
	}
	if (out->has_lock)
		cache_note_lock(&s->cache, out->lock_path);
	s->settings = &out->settings;
	choose_targets(s, out);
	s->n_targets = out->n_targets;
	return check_targets(s, out, e);
}

/* --- channels ------------------------------------------------------------------------------- */

static int parse_priority(const char *text, enum channel_priority *out, struct err *e)
{
	static const char *const names[] = {[PRIORITY_STRICT] = "strict",
		[PRIORITY_FLEXIBLE] = "flexible",
		[PRIORITY_DISABLED] = "disabled"};

	*out = PRIORITY_STRICT;
	if (!text)
		return 0;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(text, names[i]) == 0) {
			*out = (enum channel_priority)i;
			return 0;
		}
	return err_set(
		e, ERR_USAGE, "--channel-priority is strict, flexible or disabled, not '%s'", text);
}

static int add_given_channels(struct session *s, struct plan *plan, struct err *e)
{
	const struct options *o = &s->line.options;

	for (size_t i = 0; i < o->channels.n; i++)
		if (channel_add(&s->arena, &plan->channels, str_of(o->channels.v[i]), &s->rules,
			    ".", e) < 0)
			return -1;
	return 0;
}

/* Packages are asked for by the URLs of records, which have no credentials. */
static void lend_credentials(struct session *s, const struct plan *plan)
{
	for (size_t i = 0; i < plan->channels.n; i++) {
		const struct channel *c = &plan->channels.v[i];

		if (!str_is(c->url, c->fetch_url))
			http_add_credentials(s->http, arena_cstr(&s->arena, c->url), c->fetch_url);
	}
}

/* As conda does, not where the environment file has "nodefaults" among its channels. */
static int add_condarc_channels(struct session *s, struct plan *plan, struct err *e)
{
	const struct condarc *c = &s->condarc;

	for (size_t i = 0; i < plan->env.n_channels; i++)
		if (str_is(plan->env.channels[i].text, "nodefaults"))
			return 0;
	for (size_t i = 0; i < c->n_channels; i++)
		if (channel_add(&s->arena, &plan->channels, c->channels[i], &s->rules, c->dir, e) <
			0)
			return err_wrap(e, "%s", c->path);
	return 0;
}

/*
 * -c first, then the environment file's, then envbuild.yml's, then condarc's; conda-forge where there
 * is none.
 */
static int collect_channels(
	struct session *s, const struct project *p, struct plan *plan, struct err *e)
{
	static bool said;
	struct arena *a = &s->arena;
	const struct options *o = &s->line.options;

	if (add_given_channels(s, plan, e) < 0)
		return -1;
	if (o->override_channels && plan->channels.n == 0)
		return err_set(e, ERR_USAGE, "--override-channels needs a channel with -c");
	for (size_t i = 0; !o->override_channels && i < plan->env.n_channels; i++) {
		const struct spec_line *c = &plan->env.channels[i];

		if (channel_add(a, &plan->channels, c->text, &s->rules, p->dir, e) < 0)
			return err_wrap(e, "%s:%d:%d", p->path, c->line, c->column);
	}
	for (size_t i = 0; !o->override_channels && i < p->settings.n_channels; i++)
		if (channel_add(a, &plan->channels, p->settings.channels[i], &s->rules, p->dir, e) <
			0)
			return err_wrap(e, "%s", p->settings.path);
	if (!o->override_channels && add_condarc_channels(s, plan, e) < 0)
		return -1;
	if (plan->channels.n)
		return 0;
	if (!said)
		log_note("no channel given, 'conda-forge' is used");
	said = true;
	return channel_add(a, &plan->channels, STR("conda-forge"), &s->rules, ".", e);
}

/* As conda does: a pip section asks for pip, though it would be better said. */
static int ask_for_pip(
	struct session *s, const struct project *p, struct envfile *env, struct err *e)
{
	struct spec_line *depends;

	if (env->n_pip == 0)
		return 0;
	for (size_t i = 0; i < env->n_depends; i++) {
		struct matchspec spec;

		if (matchspec_parse(&s->arena, env->depends[i].text, &spec, e) < 0)
			return -1;
		if (str_is(spec.name, "pip"))
			return 0;
	}
	log_warn("%s:%d: there is a pip section, but 'pip' is not in the dependencies: it is added",
		p->path, env->pip[0].line);
	depends = arena_array(&s->arena, struct spec_line, env->n_depends + 1);
	memcpy(depends, env->depends, env->n_depends * sizeof *depends);
	depends[env->n_depends] = env->pip[0];
	depends[env->n_depends++].text = STR("pip");
	env->depends = depends;
	return 0;
}

/* --- records -------------------------------------------------------------------------------- */

static void fill_request(struct session *s, const struct project *p, struct plan *plan)
{
	const struct lock_target *kept =
		p->n_updates ? lock_find(&p->lock, plan->profile.name) : NULL;

	plan->request = (struct solve_request){
		.channels = plan->channels.v,
		.n_channels = plan->channels.n,
		.priority = plan->request.priority,
		.as_of = plan->request.as_of,
		.as_of_text = s->line.options.as_of,
		.locked = kept ? kept->records : NULL,
		.n_locked = kept ? kept->n_records : 0,
		.updates = p->updates,
		.n_updates = p->n_updates,
		.subdir = plan->profile.subdir,
		.virtual_packages = plan->profile.virtual_packages,
		.n_virtual_packages = plan->profile.n_virtual_packages,
		.specs = plan->env.depends,
		.n_specs = plan->env.n_depends,
		.file = p->path,
		.target = arena_cstr(&s->arena, plan->profile.name),
		.cache_dir = s->cache_dir,
		.http = s->http,
		.offline = s->line.options.offline,
		.no_deps = s->line.options.no_deps,
		.pip = plan->env.pip,
		.n_pip = plan->env.n_pip,
		.project_dir = p->dir,
	};
}

void plan_fill_pip(struct session *s, const struct project *p, const struct plan *plan,
	struct install_request *r)
{
	r->pip = plan->env.pip;
	r->n_pip = plan->env.n_pip;
	r->pip_file = p->path;
	r->project_dir = p->dir;
	r->pypi = plan->pypi;
	r->http = s->http;
	r->subdir = plan->profile.subdir;
	r->glibc = plan->profile.glibc;
	r->work_dir = s->work;
	r->locked = s->line.options.locked;
}

static void take_locked(struct session *s, struct plan *plan, const struct lock_target *locked)
{
	plan->locked = *locked;
	*plan->pypi = locked->pypi;
	plan->pypi->settled = true;
	plan->n_records = locked->n_records;
	plan->records = arena_array(&s->arena, struct record *, locked->n_records);
	memcpy(plan->records, locked->records, locked->n_records * sizeof *plan->records);
	if (locked->order && locked->n_records)
		memcpy(plan->records, locked->order, locked->n_records * sizeof *plan->records);
	else
		records_topological(plan->records, plan->n_records);
	plan->from_lock = true;
}

static int cmp_record(const void *a, const void *b)
{
	return record_cmp_name(*(struct record *const *)a, *(struct record *const *)b);
}

int plan_solve(struct session *s, struct plan *plan, struct err *e)
{
	struct solution solution = {0};
	struct record **sorted;
	struct step step;

	plan->request.learned = plan->learned.v;
	plan->request.n_learned = plan->learned.n;
	step_begin(&step, "solve", 0, 0);
	s->unsat = NULL;
	if (solve(&s->arena, &plan->request, &solution, e) < 0) {
		step_fail(&step);
		s->unsat = solution.unsat;
		return -1;
	}
	step_end(&step, "%zu packages for %.*s, of %zu records", solution.n,
		STR_ARG(plan->profile.name), solution.n_index_records);
	plan->from_lock = false;
	*plan->pypi = (struct pypi_set){0};
	plan->records = solution.records;
	plan->n_records = solution.n;
	sorted = arena_array(&s->arena, struct record *, solution.n);
	memcpy(sorted, solution.records, solution.n * sizeof *sorted);
	qsort(sorted, solution.n, sizeof *sorted, cmp_record);
	plan->locked = (struct lock_target){.name = plan->profile.name,
		.subdir = plan->profile.subdir,
		.virtual_packages = plan->profile.virtual_packages,
		.n_virtual_packages = plan->profile.n_virtual_packages,
		.records = sorted,
		.n_records = solution.n};
	return 0;
}

static int settle_records(
	struct session *s, struct project *p, bool fresh, struct plan *plan, struct err *e)
{
	const struct lock_target *locked = lock_find(&p->lock, plan->profile.name);
	const bool must = s->line.options.locked;
	struct str reason = STR("the lock has no entry for this target");

	if (locked && !fresh && !s->line.options.no_deps &&
		lock_current(&s->arena, &p->lock, &plan->request, &reason)) {
		take_locked(s, plan, locked);
		log_note("%zu packages for %s, as locked", plan->n_records, plan->request.target);
		return 0;
	}
	if (must)
		return err_set(e, ERR_STALE, "the lock '%s' does not fit target '%s': %.*s",
			p->lock_path, plan->request.target, STR_ARG(reason));
	if (p->has_lock && !fresh)
		log_note("solving anew for %s: %.*s", plan->request.target, STR_ARG(reason));
	return plan_solve(s, plan, e);
}

/* What `conda list --explicit` writes without --md5 could be anything by now. */
static int check_sums(const struct project *p, const struct lock_target *t, struct err *e)
{
	for (size_t i = 0; i < t->n_records; i++) {
		const struct record *r = t->records[i];

		if (r->has_sha256 || r->has_md5)
			continue;
		err_set(e, ERR_INPUT, "the lock '%s' gives no sum of '%.*s'", p->path,
			STR_ARG(r->fn));
		return err_advise(e, "'conda list --explicit --md5' writes sums, too");
	}
	return 0;
}

static int plan_from_lock(struct session *s, struct project *p, struct plan *plan, struct err *e)
{
	const struct lock_target *locked =
		lock_find_for(&p->lock, plan->profile.name, plan->profile.subdir);
	const struct channel_list *credentials = &p->lock.credentials;
	struct str reason;

	if (!locked)
		return err_set(e, ERR_INPUT, "the lock '%s' has no target '%.*s'", p->path,
			STR_ARG(plan->profile.name));
	if (check_sums(p, locked, e) < 0)
		return -1;
	if (!lock_fits(&s->arena, locked, plan->profile.virtual_packages,
		    plan->profile.n_virtual_packages, &reason))
		return err_set(e, ERR_UNSAT, "the lock '%s' does not fit this '%.*s': %.*s",
			p->path, STR_ARG(plan->profile.name), STR_ARG(reason));
	if (locked->n_skipped)
		log_warn("%s: %zu packages of the lock are not conda's and are left out", p->path,
			locked->n_skipped);
	if (locked->n_optional)
		log_note("%s: %zu packages of other categories than 'main' are left out", p->path,
			locked->n_optional);
	take_locked(s, plan, locked);
	if (add_given_channels(s, plan, e) < 0) /* for their credentials: the lock has none */
		return -1;
	lend_credentials(s, plan);
	for (size_t i = 0; i < credentials->n; i++)
		http_add_credentials(s->http, arena_cstr(&s->arena, credentials->v[i].url),
			credentials->v[i].fetch_url);
	fill_request(s, p, plan);
	return 0;
}

static int parse_as_of(const char *text, uint64_t *out, struct err *e)
{
	*out = 0;
	if (!text || date_parse(str_of(text), out) == 0)
		return 0;
	err_set(e, ERR_USAGE, "--as-of takes a day or a time, not '%s'", text);
	return err_advise(e, "for example 2024-01-31 (to its end, UTC) or 2024-01-31T12:00:00Z");
}

/* What the environment file and the command line ask for. */
static int read_request(struct session *s, const struct project *p, struct plan *out, struct err *e)
{
	const struct options *o = &s->line.options;
	enum channel_priority priority;

	if (envfile_read(&s->arena, p->path, arena_cstr(&s->arena, out->profile.subdir), &out->env,
		    e) < 0 ||
		ask_for_pip(s, p, &out->env, e) < 0)
		return -1;
	out->name = o->name ? str_of(o->name) : out->env.name;
	if (parse_priority(o->channel_priority, &priority, e) < 0 ||
		parse_as_of(o->as_of, &out->request.as_of, e) < 0 ||
		collect_channels(s, p, out, e) < 0)
		return -1;
	lend_credentials(s, out);
	if (!o->channel_priority && s->condarc.has_priority)
		priority = s->condarc.priority;
	out->request.priority = priority;
	fill_request(s, p, out);
	return 0;
}

static int find_profile(struct session *s, const struct project *p, const char *target,
	struct plan *out, struct err *e)
{
	*out = (struct plan){.pypi = arena_new(&s->arena, struct pypi_set)};
	return profile_find(&s->arena, target, p->dir, &out->profile, e);
}

int plan_target(struct session *s, struct project *p, const char *target, bool lock_only,
	struct plan *out, struct err *e)
{
	if (mirrors_declare(s, &p->settings, p->dir, e) < 0 ||
		find_profile(s, p, target, out, e) < 0 ||
		(!lock_only && engine_check_machine(&out->profile, e) < 0))
		return -1;
	if (p->lock_is_input) {
		out->name = str_of(s->line.options.name);
		return plan_from_lock(s, p, out, e);
	}
	if (read_request(s, p, out, e) < 0)
		return -1;
	return settle_records(s, p, lock_only, out, e);
}

/* A lock says which channels it was made from, for looking at what else they have. */
static int take_lock_channels(
	struct session *s, struct project *p, struct plan *plan, struct err *e)
{
	for (size_t i = 0; plan->channels.n == 0 && i < p->lock.n_channels; i++)
		if (channel_add(&s->arena, &plan->channels, p->lock.channels[i], NULL, p->dir, e) <
			0)
			return -1;
	plan->request.priority = p->lock.priority;
	fill_request(s, p, plan);
	return 0;
}

int plan_look(
	struct session *s, struct project *p, const char *target, struct plan *out, struct err *e)
{
	const struct lock_target *locked;
	struct str reason;

	if (mirrors_declare(s, &p->settings, p->dir, e) < 0 ||
		find_profile(s, p, target, out, e) < 0)
		return -1;
	if (p->lock_is_input)
		return plan_from_lock(s, p, out, e) < 0 ? -1 : take_lock_channels(s, p, out, e);
	if (read_request(s, p, out, e) < 0)
		return -1;
	locked = lock_find(&p->lock, out->profile.name);
	if (locked && lock_current(&s->arena, &p->lock, &out->request, &reason))
		take_locked(s, out, locked);
	return 0;
}

int plan_as_locked(struct session *s, struct project *p, const struct profile *profile,
	struct plan *out, struct err *e)
{
	const struct lock_target *locked = lock_find_for(&p->lock, profile->name, profile->subdir);

	*out = (struct plan){.pypi = arena_new(&s->arena, struct pypi_set), .profile = *profile};
	if (!locked)
		return err_set(e, ERR_INPUT, "the lock '%s' has no target '%.*s'", p->lock_path,
			STR_ARG(profile->name));
	if (mirrors_declare(s, &p->settings, p->dir, e) < 0)
		return -1;
	if (!p->lock_is_input &&
		(envfile_read(&s->arena, p->path, arena_cstr(&s->arena, profile->subdir), &out->env,
			 e) < 0 ||
			ask_for_pip(s, p, &out->env, e) < 0))
		return -1;
	take_locked(s, out, locked);
	if (add_given_channels(s, out, e) < 0)
		return -1;
	lend_credentials(s, out);
	fill_request(s, p, out);
	return 0;
}

int plan_check(struct session *s, const struct project *p, const char *target, struct plan *out,
	struct str *reason, struct err *e)
{
	*reason = (struct str){0};
	if (find_profile(s, p, target, out, e) < 0 || read_request(s, p, out, e) < 0)
		return -1;
	if (!p->has_lock) {
		*reason = STR("there is no lock");
		return 0;
	}
	return lock_current(&s->arena, &p->lock, &out->request, reason);
}

/* --- the lock file -------------------------------------------------------------------------- */

/* What the whole lock says of how its targets were solved. */
static void set_frame(
	struct arena *a, struct lock *lock, const struct project *p, const struct plan *plan)
{
	lock->priority = plan->request.priority;
	lock->as_of = plan->from_lock ? p->lock.as_of : plan->request.as_of;
	lock->n_channels = plan->channels.n;
	lock->channels = arena_array(a, struct str, plan->channels.n);
	for (size_t i = 0; i < plan->channels.n; i++)
		lock->channels[i] = plan->channels.v[i].url;
}

static struct lock_target whole_target(const struct plan *plan)
{
	struct lock_target target = plan->locked;

	if (plan->pypi->settled)
		target.pypi = *plan->pypi;
	return target;
}

/* One git package, now and as it was locked. */
static void say_moved(
	struct arena *a, const struct pypi_package *was, const struct pypi_package *is)
{
	struct pypi_git from, to;
	struct str rev;

	if (pypi_git_split(a, was->url, &from) < 0 || pypi_git_split(a, is->url, &to) < 0 ||
		!str_eq(from.url, to.url) || !str_eq(from.rev, to.rev) ||
		str_eq(from.commit, to.commit))
		return;
	rev = to.rev.n ? to.rev : STR("HEAD");
	log_note("'%.*s': '%.*s' moved from %.12s to %.12s", STR_ARG(is->name), STR_ARG(rev),
		from.commit.p, to.commit.p);
}

static void say_all_moved(
	struct arena *a, const struct lock_target *was, const struct lock_target *is)
{
	for (size_t i = 0; i < is->pypi.n; i++)
		for (size_t k = 0; was && k < was->pypi.n; k++)
			if (str_eq(was->pypi.v[k].name, is->pypi.v[i].name))
				say_moved(a, &was->pypi.v[k], &is->pypi.v[i]);
}

void plan_enter_lock(struct session *s, struct project *p, const struct plan *plan)
{
	struct lock_target target = whole_target(plan);

	if (p->lock_is_input)
		return;
	say_all_moved(&s->arena, lock_find(&p->lock, target.name), &target);
	set_frame(&s->arena, &p->lock, p, plan);
	lock_put(&s->arena, &p->lock, &target);
}

int project_write_lock(
	struct session *s, const struct project *p, const char *path, bool *changed, struct err *e)
{
	CLEANUP_BUF text = {0};
	struct str old = {0};

	*changed = false;
	if (p->lock_is_input)
		return 0;
	lock_write(&p->lock, &text);
	if (path_exists(path) && file_read(&s->arena, path, LOCK_MAX, &old, e) < 0)
		return -1;
	if (old.p && str_eq(old, buf_view(&text)))
		return 0;
	*changed = true;
	if (file_write(path, buf_view(&text), 0644, e) < 0)
		return -1;
	cache_note_lock(&s->cache, path_absolute(&s->arena, path));
	return 0;
}

struct str plan_lock_text(struct session *s, const struct project *p, const struct plan *plan)
{
	struct lock one = {0};
	struct lock_target target = whole_target(plan);
	CLEANUP_BUF text = {0};

	if (p->lock_is_input) {
		one = p->lock;
		one.targets = NULL;
		one.n_targets = one.cap_targets = 0;
	} else {
		set_frame(&s->arena, &one, p, plan);
	}
	lock_put(&s->arena, &one, &target);
	lock_write(&one, &text);
	return arena_str(&s->arena, buf_view(&text));
}
