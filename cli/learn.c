#include "cli/learn.h"

#include "base/date.h"
#include "base/file.h"
#include "base/log.h"
#include "builder/disk.h"
#include "builder/upkeep.h"
#include "cli/audit_gate.h"
#include "packer/audit_tree.h"

#include <fcntl.h>
#include <stdlib.h>

enum { PER_NAME_MAX = 100, BUILDS_MAX = 1000 };

struct learning {
	struct session *s;
	struct project *p;
	struct plan *plan;
	const struct learn_how *how;
	const struct known_binaries *known; /* NULL: none */
	bool own;                           /* what others say of packages is no longer enough */
	struct audit_options options;
	struct table names; /* of builds that rounds ruled out: how many */
	size_t n_builds;
};

/* --- looking ---------------------------------------------------------------------------------- */

static bool may_solve(const struct learning *l)
{
	const struct options *o = &l->s->line.options;

	return !o->no_audit_solve && !o->locked && !l->p->lock_is_input;
}

static bool is_known(const struct learning *l, const struct record *r)
{
	return l->known && r->has_sha256 &&
	       table_get(&l->known->by_sum, str_n((const char *)r->sha256, sizeof r->sha256));
}

/* Packages of which neither the cache nor anybody else tells what is in them. */
static struct record **find_unknown(struct learning *l, struct arena *a, size_t *n)
{
	const struct plan *plan = l->plan;
	struct record **v = arena_array(a, struct record *, plan->n_records + 1);
	bool *missing = arena_array(a, bool, plan->n_records + 1);

	*n = 0;
	cache_missing(&l->s->cache, plan->records, plan->n_records, missing);
	for (size_t i = 0; i < plan->n_records; i++)
		if (missing[i] && (l->own || !is_known(l, plan->records[i])))
			v[(*n)++] = plan->records[i];
	return v;
}

/* Is there a package of which only others have told? */
static bool goes_by_others(const struct learning *l, struct arena *a)
{
	const struct plan *plan = l->plan;
	bool *missing = arena_array(a, bool, plan->n_records + 1);

	return l->known && !l->own &&
	       cache_missing(&l->s->cache, plan->records, plan->n_records, missing) > 0;
}

/* 1; 0 where that needs a network that is not to be used for it. */
static int fetch(struct learning *l, struct arena *a, struct err *e)
{
	struct session *s = l->s;
	struct disk_plan disk = {.cache = &s->cache, .prefix = s->cache_dir};
	size_t n;
	struct record **v = find_unknown(l, a, &n);

	if (n == 0)
		return 1;
	if (l->how->if_known && s->line.options.offline) {
		log_note("audit: not made for %.*s: %zu packages are not in the cache",
			STR_ARG(l->plan->profile.name), n);
		return 0;
	}
	disk.records = v;
	disk.n_records = n;
	if (disk_check_plan(&disk, NULL, e) < 0 ||
		cache_fill(&s->cache, s->http, v, n, s->jobs, s->line.options.offline, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		*VEC_PUSH(&s->arena, &l->plan->fetched) = v[i];
	return 1;
}

static int by_path(const void *a, const void *b)
{
	return str_cmp(((const struct audit_file *)a)->path, ((const struct audit_file *)b)->path);
}

/* A file of a site's own; what is no ELF file keeps nothing from loading. */
static int add_own(
	struct arena *a, const struct rule_file *added, struct audit_file *out, struct err *e)
{
	struct binary *b = arena_new(a, struct binary);
	int rc;

	*out = (struct audit_file){.path = added->path,
		.package = -1,
		.type = added->link.n ? PATH_SOFTLINK : PATH_FILE,
		.mode = added->executable ? 0755 : 0644,
		.link = added->link};
	if (!added->source)
		return 0;
	CLEANUP_FD fd = open(added->source, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "cannot open '%s'", added->source);
	rc = binary_read_fd(a, added->path, fd, b, e);
	if (rc > 0)
		out->binary = b;
	return rc < 0 ? -1 : 0;
}

/* What the rules leave out will not be in the archive, and what they add will. */
static int apply_rules(struct learning *l, struct arena *a, struct audit_tree *tree, struct err *e)
{
	const struct rules *r = l->how->rules;
	struct audit_file *files;
	size_t n = 0, n_added = r && !tree->alone ? r->add.n : 0;

	if (!r || !rules_any(r))
		return 0;
	files = arena_array(a, struct audit_file, tree->n_files + n_added + 1);
	for (size_t i = 0; i < tree->n_files; i++)
		if (!rules_leave_out(r, tree->files[i].path))
			files[n++] = tree->files[i];
	tree->files = files;
	tree->n_files = n;
	for (size_t i = 0; i < n_added; i++) {
		struct audit_file *to = &files[tree->n_files];

		if (add_own(a, &r->add.v[i], to, e) < 0)
			return -1;
		tree->n_files += !bsearch(to, files, n, sizeof *files, by_path);
	}
	qsort(files, tree->n_files, sizeof *files, by_path);
	return 0;
}

static int look_at(struct learning *l, struct arena *a, struct record *const *records, size_t n,
	bool alone, struct audit *audit, struct err *e)
{
	struct audit_tree *tree = arena_new(a, struct audit_tree);
	size_t missing;

	if (audit_tree_packages(a, &l->s->cache, l->known, records, n, tree, &missing, e) < 0)
		return -1;
	tree->alone = alone;
	if (apply_rules(l, a, tree, e) < 0)
		return -1;
	return audit_run(a, tree, &l->options, audit, e);
}

static int look(struct learning *l, struct arena *a, struct audit *audit, struct err *e)
{
	const struct plan *plan = l->plan;
	struct step step;

	step_begin(&step, "audit", 0, 0);
	if (look_at(l, a, plan->records, plan->n_records, false, audit, e) < 0) {
		step_fail(&step);
		return -1;
	}
	step_end(&step, "%zu binary files for %.*s, %zu error%s", audit->n_binaries,
		STR_ARG(plan->profile.name), audit->n_of[LEVEL_ERROR],
		audit->n_of[LEVEL_ERROR] == 1 ? "" : "s");
	return 0;
}

/* --- learning --------------------------------------------------------------------------------- */

static void add_rejects(struct learning *l, struct learn_round *round, size_t from, bool known)
{
	const struct learned_list *list = &l->plan->learned;

	for (size_t i = from; i < list->n; i++)
		*VEC_PUSH(&l->s->arena, &round->rejects) =
			(struct learn_reject){.record = list->from.v[i].record,
				.finding = &list->from.v[i].findings[0],
				.depends = list->v[i].depends,
				.known = known};
}

/* New names among what a round ruled out; counts its builds. */
static size_t note_names(struct learning *l, const struct learn_round *round, struct str *names)
{
	size_t n = 0;

	for (size_t i = 0; i < round->rejects.n; i++) {
		const struct record *r = round->rejects.v[i].record;
		union table_value *count;

		if (i && r == round->rejects.v[i - 1].record)
			continue;
		if (!table_get(&l->names, r->name))
			names[n++] = r->name;
		count = table_put(&l->names, r->name);
		count->num++;
		l->n_builds++;
	}
	return n;
}

static int give_up(const struct learning *l, size_t n, struct str of, struct err *e)
{
	const struct learned_list *list = &l->plan->learned;
	size_t last = list->n - 1;

	while (of.n && last && !str_eq(list->from.v[last].record->name, of))
		last--;
	err_set(e, ERR_AUDIT,
		"%zu builds%s%.*s cannot load on target '%.*s', no more are tried: %.*s", n,
		of.n ? " of " : "", STR_ARG(of), STR_ARG(l->plan->profile.name),
		STR_ARG(list->from.v[last].findings[0].text));
	return err_advise(
		e, "ask for an older build in the environment file, or choose a newer target");
}

static int check_bounds(const struct learning *l, struct err *e)
{
	for (size_t i = 0; i < l->names.n; i++)
		if (l->names.entries[i].value.num >= PER_NAME_MAX)
			return give_up(l, PER_NAME_MAX, l->names.entries[i].key, e);
	return l->n_builds >= BUILDS_MAX ? give_up(l, BUILDS_MAX, STR(""), e) : 0;
}

/* One build by itself, where what is in it is known. */
static int learn_build(struct learning *l, struct record *r, struct err *e)
{
	struct learned_list *list = &l->plan->learned;
	CLEANUP_ARENA scratch = {0};
	struct audit audit;
	bool missing = false;

	if (learned_has(list, r))
		return 0;
	cache_missing(&l->s->cache, &r, 1, &missing);
	if (missing && !is_known(l, r))
		return 0;
	if (look_at(l, &scratch, &r, 1, true, &audit, e) < 0)
		return -1;
	audit_learn_alone(&l->s->arena, &audit, list);
	return 0;
}

/* So that not every build of a name costs a round: what is known of the others counts at once. */
static int learn_others(struct learning *l, const struct str *names, size_t n,
	struct learn_round *round, struct err *e)
{
	size_t from = l->plan->learned.n, n_builds;
	struct record **builds;

	if (n == 0)
		return 0;
	if (solve_builds(&l->s->arena, &l->plan->request, names, n, &builds, &n_builds, e) < 0)
		return -1;
	for (size_t i = 0; i < n_builds; i++)
		if (learn_build(l, builds[i], e) < 0)
			return -1;
	add_rejects(l, round, from, true);
	return 0;
}

/* --- solving again ---------------------------------------------------------------------------- */

static struct str words_of(struct arena *a, const struct record *r)
{
	if (!r)
		return (struct str){0};
	return arena_strf(a, "%.*s-%.*s", STR_ARG(r->version), STR_ARG(r->build));
}

static bool is_same(const struct record *a, const struct record *b)
{
	return a && b && str_eq(a->fn, b->fn) && str_eq(a->subdir, b->subdir) &&
	       str_eq(a->channel, b->channel);
}

static void add_change(struct arena *a, struct learn_round *round, const struct record *was,
	const struct record *is)
{
	if (is_same(was, is))
		return;
	round->changes[round->n_changes++] =
		(struct move){(was ? was : is)->name, words_of(a, was), words_of(a, is)};
}

static void note_changes(struct arena *a, const struct plan *plan, struct record *const *was,
	size_t n, struct learn_round *round)
{
	round->changes = arena_array(a, struct move, n + plan->n_records + 1);
	for (size_t i = 0; i < n; i++)
		add_change(a, round, was[i],
			record_named(plan->records, plan->n_records, was[i]->name));
	for (size_t i = 0; i < plan->n_records; i++)
		if (!record_named(was, n, plan->records[i]->name))
			add_change(a, round, NULL, plan->records[i]);
}

static int solve_again(struct learning *l, struct learn_round *round, struct err *e)
{
	struct plan *plan = l->plan;
	struct record *const *was = plan->records;
	size_t n = plan->n_records;

	if (plan_solve(l->s, plan, e) < 0)
		return e->code == ERR_UNSAT ? learn_fail(l->s, l->p, plan, e) : -1;
	note_changes(&l->s->arena, plan, was, n, round);
	learn_say_solved(round);
	return 0;
}

/* --- rounds ----------------------------------------------------------------------------------- */

/* A script may change any file before it is packed. */
static bool is_mended_later(const struct learning *l)
{
	return l->how->rules && l->how->rules->has_pre_pack;
}

/* The audit as it is, where solving again is no help. */
static int settle(struct learning *l, const struct audit *audit, struct err *e)
{
	/* The gate at the end says it, of what there is then. */
	if (!l->how->final && (may_solve(l) || !audit->n_of[LEVEL_ERROR] || is_mended_later(l)))
		return 0;
	if (audit_write_reports(l->s, audit, e) < 0)
		return -1;
	if (audit->n_of[LEVEL_ERROR] && is_mended_later(l)) {
		log_warn("audit: %.*s; the pre-pack script may mend that",
			STR_ARG(audit->findings[0].text));
		return 0;
	}
	return audit_gate(l->s, audit, e);
}

/* Nobody asked for anything newer than what the lock was made of. */
static void leave_lock(struct learning *l)
{
	struct solve_request *r = &l->plan->request;
	char text[DATE_TIME];

	log_note("solving anew for %s: packages of the lock cannot load there", r->target);
	if (r->as_of || !l->p->lock.as_of)
		return;
	date_time(l->p->lock.as_of, text);
	r->as_of = l->p->lock.as_of;
	r->as_of_text = arena_strdup(&l->s->arena, text);
}

/* What no file beside it could mend: a version is missing in the hosts' libraries, or a CPU is too old. */
static struct audit lasting(struct arena *a, const struct audit *audit)
{
	struct audit_finding *v = arena_array(a, struct audit_finding, audit->n_findings + 1);
	struct audit only = *audit;

	only.findings = v;
	only.n_findings = 0;
	for (size_t i = 0; i < audit->n_findings; i++)
		if (audit->findings[i].rule == RULE_VERSION || audit->findings[i].rule == RULE_ISA)
			v[only.n_findings++] = audit->findings[i];
	return only;
}

/* Others tell of ELF files, not of links to them: what is missing may be there. */
static size_t learn_from(struct learning *l, const struct audit *audit, bool others)
{
	struct learned_list *list = &l->plan->learned;
	CLEANUP_ARENA scratch = {0};
	struct audit only;

	if (!audit->n_of[LEVEL_ERROR] || !may_solve(l))
		return 0;
	if (is_mended_later(l)) {
		only = lasting(&scratch, audit);
		return audit_learn_alone(&l->s->arena, &only, list);
	}
	return others ? audit_learn_alone(&l->s->arena, audit, list)
		      : audit_learn(&l->s->arena, audit, list);
}

/*
 * What others told chooses among builds and passes none: what will be built is fetched in any case, and
 * is looked at here while another can still be taken.
 */
static bool must_look(const struct learning *l, const struct audit *audit)
{
	return audit->n_of[LEVEL_ERROR] || (!l->how->final && may_solve(l));
}

/* 1 where another round is needed. */
static int run_round(struct learning *l, struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	struct plan *plan = l->plan;
	struct learn_round *round;
	struct str *names;
	struct audit audit;
	size_t from = plan->learned.n;
	bool others;
	int rc = fetch(l, &scratch, e);

	if (rc <= 0 || look(l, &scratch, &audit, e) < 0)
		return rc == 0 ? 0 : -1;
	others = goes_by_others(l, &scratch);
	if (!learn_from(l, &audit, others)) {
		l->own = others && must_look(l, &audit);
		return l->own ? 1 : settle(l, &audit, e);
	}
	l->own = false;
	round = VEC_PUSH(&l->s->arena, &plan->rounds);
	*round = (struct learn_round){0};
	add_rejects(l, round, from, false);
	names = arena_array(&scratch, struct str, round->rejects.n);
	learn_say_found(l->s, plan, round);
	if (plan->from_lock)
		leave_lock(l);
	if (learn_others(l, names, note_names(l, round, names), round, e) < 0)
		return -1;
	if (check_bounds(l, e) < 0 || solve_again(l, round, e) < 0) {
		if (e->code == ERR_AUDIT)
			audit_write_reports(l->s, &audit, NULL);
		return -1;
	}
	return 1;
}

int learn_check_options(const struct session *s, struct err *e)
{
	if (s->line.options.audit_solve && s->line.options.no_audit_solve)
		return err_set(
			e, ERR_USAGE, "--audit-solve and --no-audit-solve exclude each other");
	return 0;
}

void learn_drop(struct session *s, const struct plan *plan)
{
	bool *marked = arena_array(&s->arena, bool, plan->fetched.n + 1);

	for (size_t i = 0; i < plan->fetched.n; i++)
		marked[i] = true;
	cache_drop(&s->cache, plan->fetched.v, marked, plan->fetched.n);
}

int plan_learn(struct session *s, struct project *p, struct plan *plan, const struct learn_how *how,
	struct err *e)
{
	struct learning l = {.s = s, .p = p, .plan = plan, .how = how, .names.arena = &s->arena};
	int rc = 1;

	if (audit_options_fill(s, &plan->profile, how->root, &l.options, e) < 0 ||
		audit_known(s, &l.known, e) < 0)
		return -1;
	while (rc == 1)
		rc = run_round(&l, e);
	return rc;
}
