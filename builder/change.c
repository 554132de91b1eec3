#include "builder/change.h"

#include "base/file.h"
#include "builder/beneath.h"
#include "builder/entry.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* --- before anything is touched ------------------------------------------------------------- */

static int refuse_frozen(const struct change *c, struct err *e)
{
	struct str message = str_trim(*c->in.frozen);

	err_set(e, ERR_USAGE, "'%s' is frozen%s%.*s", c->wanted->prefix, message.n ? ": " : "",
		STR_ARG(message));
	return err_advise(e,
		"install into a new folder; to change this one all the same, remove "
		"'%s/conda-meta/frozen'",
		c->wanted->prefix);
}

/* The record of a Python that stays, where one that is linked needs it. */
static const struct record *kept_python(const struct change *c)
{
	const struct install_request *r = c->wanted;
	bool needed = false;

	for (size_t i = 0; i < c->n_coming; i++) {
		if (str_is(c->coming[i]->name, "python"))
			return NULL;
		needed |= c->coming[i]->noarch == NOARCH_PYTHON ||
			  str_is(c->coming[i]->subdir, "noarch");
	}
	for (size_t i = 0; i < r->n_records && needed; i++)
		if (str_is(r->records[i]->name, "python"))
			return r->records[i];
	return NULL;
}

static int plan_coming(struct change *c, struct prefix *p, struct err *e)
{
	p->kept_python = kept_python(c);
	if (prefix_plan(p, e) < 0)
		return -1;
	if (!p->python.major)
		p->python = c->new_python;
	return 0;
}

/* A file of ours that is written anew, whether it is there or not. */
static void replace(struct change *c, struct str path)
{
	change_drop(c, path);
	*VEC_PUSH(c->arena, &c->journal.add) = path;
}

/* A file in a folder that pip must find empty of it, and that another Python does not read. */
static void plan_externally_managed(struct change *c, const struct prefix *p)
{
	const struct install_request *r = c->wanted;
	struct str now = c->new_python.major ? python_externally_managed(c->arena, &p->python)
					     : (struct str){0};

	if (c->old_python.major && (c->python_moved || c->pip))
		change_drop(c, python_externally_managed(c->arena, &c->old_python));
	if (now.n && r->externally_managed &&
		(table_get(&c->dropped, now) || !prefix_is_file(p, now)))
		*VEC_PUSH(c->arena, &c->journal.add) = now;
}

static bool marks_missing(const struct change *c, const struct prefix *p)
{
	const struct install_request *r = c->wanted;

	if (r->frozen && !c->in.frozen)
		return true;
	return r->externally_managed && c->new_python.major &&
	       !prefix_is_file(p, python_externally_managed(c->arena, &c->new_python));
}

static void plan_own_files(struct change *c, const struct prefix *p)
{
	replace(c, STR("conda-meta/history"));
	for (size_t i = 0; i < c->n_rewrites; i++)
		replace(c, c->rewrites[i].path);
	if (c->wanted->frozen)
		*VEC_PUSH(c->arena, &c->journal.add) = STR("conda-meta/frozen");
	plan_externally_managed(c, p);
}

static bool will_run_code(const struct change *c, const struct prefix *p)
{
	if (c->pip && c->pip_wanted)
		return true;
	for (size_t i = 0; i < p->n_packages; i++)
		if (p->packages[i].pre_link.n || p->packages[i].post_link.n)
			return true;
	for (size_t i = 0; i < c->n_going; i++) {
		struct str script = arena_strf(
			c->arena, "bin/.%.*s-pre-unlink.sh", STR_ARG(c->going[i]->record.name));
		if (table_get(&c->dropped, script))
			return true;
	}
	return false;
}

/* --- the change --------------------------------------------------------------------------- */

static bool is_below_new(const struct table *added, struct str path)
{
	ptrdiff_t slash;

	if (table_get(added, path))
		return true;
	while ((slash = str_rchr(path, '/')) > 0) {
		path = str_sub(path, 0, (size_t)slash);
		if (table_get(added, path))
			return true;
	}
	return false;
}

/* Folders whose place a file takes. */
static void clear_folders(struct change *c)
{
	struct table added = {.arena = c->arena};
	const struct path_set *left = &c->journal.left;
	struct beneath b;
	char name[256];

	for (size_t i = 0; i < c->journal.add.n; i++)
		table_put(&added, c->journal.add.v[i]);
	beneath_init(&b, c->fd, false);
	for (size_t i = left->n; i-- > 0;) {
		if (!is_below_new(&added, left->v[i]))
			continue;
		int dir = beneath_parent(&b, left->v[i], name, NULL);
		if (dir >= 0)
			unlinkat(dir, name, AT_REMOVEDIR);
	}
	beneath_release(&b);
}

static int prepare_code(struct change *c, struct prefix *p, struct err *e)
{
	if (!c->runs_code)
		return 0;
	p->ran_code = true;
	if (change_unshare(c, e) < 0 || snapshot_take(c, e) < 0)
		return -1;
	return change_pre_unlink(c, p, e);
}

static int unlink_all(struct change *c, struct err *e)
{
	struct step step;

	if (c->journal.drop.n == 0)
		return 0;
	step_begin(&step, "unlink", c->journal.drop.n, 0);
	if (journal_move(c->fd, &c->journal, 0, e) < 0) {
		step_fail(&step);
		return -1;
	}
	clear_folders(c);
	step_end(&step, "%zu packages, %zu files", c->n_going, c->journal.drop.n);
	return 0;
}

static int perform(struct change *c, struct prefix *p, struct err *e)
{
	if (prepare_code(c, p, e) < 0 || unlink_all(c, e) < 0)
		return -1;
	if (p->n_packages && prefix_link_all(p, e) < 0)
		return -1;
	if (prefix_run_scripts(p, e) < 0 || prefix_compile(p, e) < 0 ||
		change_write_records(c, p, e) < 0 || change_pip_install(c, e) < 0 ||
		prefix_write_marks(p, e) < 0)
		return -1;
	if (disk_sync(c->fd, c->wanted->prefix, e) < 0)
		return -1;
	return journal_commit(c->fd, e);
}

static void undo(struct change *c)
{
	struct err why = {0};

	if (journal_undo(c->fd, &why) < 0) {
		log_warn("what was there before could not be brought back: %s", why.text);
		log_warn("the next 'envbuild install' into '%s' tries again", c->wanted->prefix);
		err_release(&why);
		return;
	}
	snapshot_restore(c);
	log_note("'%s' is as it was before", c->wanted->prefix);
}

/* The new state holds; what is still to be cleared away, the next run can do too. */
static void finish(struct change *c)
{
	struct err why = {0};

	if (journal_finish(c->fd, &why) == 0)
		return;
	log_warn("what was replaced could not be cleared away: %s", why.text);
	err_release(&why);
}

static int apply(struct change *c, struct prefix *p, struct err *e)
{
	c->journal.ran_code = c->runs_code;
	if (journal_write(c->fd, c->wanted->prefix, &c->journal, e) < 0 || perform(c, p, e) < 0) {
		undo(c);
		return -1;
	}
	finish(c);
	return 0;
}

/* Undone from the end: what lies deeper first. */
static void sort_made(struct change *c)
{
	struct path_set *made = &c->journal.made;

	if (made->n)
		qsort(made->v, made->n, sizeof *made->v, str_cmp_qsort);
}

static int plan_and_apply(struct change *c, struct prefix *p, struct err *e)
{
	if (plan_coming(c, p, e) < 0 || prefix_check_marks(p, e) < 0 ||
		prefix_find_bytecode(p, e) < 0 || change_paths(c, p, e) < 0 ||
		change_pip_paths(c, e) < 0)
		return -1;
	plan_own_files(c, p);
	sort_made(c);
	c->runs_code = will_run_code(c, p);
	return apply(c, p, e);
}

/* The part of the wish that is linked now; pip and the variables have their own stages. */
static struct install_request part_of(const struct change *c)
{
	const struct install_request *r = c->wanted;
	struct install_request part = *r;

	part.records = c->coming;
	part.n_records = c->n_coming;
	part.n_pip = 0;
	part.pypi = NULL;
	part.copy = r->copy || c->pip_wanted;
	part.n_variables = 0;
	return part;
}

int change_needed(struct arena *a, const struct install_request *r, int fd, struct record **needed,
	size_t *n, struct err *e)
{
	struct change c = {.arena = a, .wanted = r, .fd = fd};
	const struct record *python;

	if (change_diff(&c, e) < 0 || change_pip_plan(&c, e) < 0)
		return -1;
	*n = 0;
	python = kept_python(&c);
	for (size_t i = 0; i < r->n_records; i++) {
		bool comes = (c.pip && c.pip_wanted) || r->records[i] == python;
		for (size_t k = 0; k < c.n_coming && !comes; k++)
			comes = c.coming[k] == r->records[i];
		if (comes)
			needed[(*n)++] = r->records[i];
	}
	return 0;
}

int change_prefix(
	struct arena *a, const struct install_request *r, int fd, bool *changed, struct err *e)
{
	struct change c = {.arena = a, .wanted = r, .fd = fd};
	struct table bytecode = {.arena = a};
	struct prefix p = {.arena = a, .fd = fd, .bytecode = &bytecode};

	if (change_diff(&c, e) < 0 || change_pip_plan(&c, e) < 0 || change_records(&c, e) < 0 ||
		change_pip_settle(&c, e) < 0)
		return -1;
	*changed = c.n_coming || c.n_going || c.n_rewrites || c.pip || marks_missing(&c, &p);
	if (r->counts)
		*r->counts = (struct install_counts){c.n_coming, c.n_going, c.n_kept};
	if (!*changed)
		return 0;
	if (c.in.frozen)
		return refuse_frozen(&c, e);
	struct install_request part = part_of(&c);
	p.request = &part;
	return plan_and_apply(&c, &p, e);
}
