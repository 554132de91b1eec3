#include "builder/change.h"

#include "base/file.h"
#include "base/work.h"
#include "builder/beneath.h"

#include <fcntl.h>
#include <stdlib.h>

struct planner {
	struct change *c;
	struct prefix *p;
	struct beneath at;
	struct table left;    /* folders of what goes */
	struct table sources; /* folders of .py files that go */
};

/* lstat of a path in the prefix that is reached through no link: is it there? */
static bool look(struct beneath *b, struct str path, struct stat *st)
{
	char name[256];
	int dir = beneath_parent(b, path, name, NULL);

	return dir >= 0 && fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Records, and what we keep there, are not for a package to list. */
static bool is_ours(struct str path)
{
	return str_starts(path, STR("conda-meta/")) || installed_is_mark(path);
}

static struct str parent_of(struct str path)
{
	ptrdiff_t slash = str_rchr(path, '/');

	return str_sub(path, 0, slash < 0 ? 0 : (size_t)slash);
}

/* --- what goes ---------------------------------------------------------------------------- */

static void enter_drop(struct change *c, struct str path)
{
	union table_value *v = table_put(&c->dropped, path);

	if (v->num)
		return;
	v->num = 1;
	*VEC_PUSH(c->arena, &c->journal.drop) = path;
}

void change_drop(struct change *c, struct str path)
{
	struct beneath b;
	struct stat st;

	beneath_init(&b, c->fd, false);
	if (!table_get(&c->kept_paths, path) && look(&b, path, &st) && !S_ISDIR(st.st_mode))
		enter_drop(c, path);
	beneath_release(&b);
}

static void drop(struct planner *pl, struct str path)
{
	struct stat st;

	if (table_get(&pl->c->kept_paths, path) || !look(&pl->at, path, &st) || S_ISDIR(st.st_mode))
		return;
	enter_drop(pl->c, path);
	for (struct str dir = parent_of(path); dir.n; dir = parent_of(dir)) {
		union table_value *v = table_put(&pl->left, dir);
		if (v->num)
			break;
		v->num = 1;
	}
	if (str_ends(path, STR(".py")))
		table_put(&pl->sources, parent_of(path));
}

/* All that lies in the folder of its metadata too, whether RECORD lists it or not. */
struct dist_folder {
	struct planner *pl;
	struct str dir;
};

static int visit_dist(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct dist_folder *d = ctx;

	(void)st;
	(void)e;
	drop(d->pl, arena_strf(d->pl->c->arena, "%.*s/%s", STR_ARG(d->dir), rel));
	return 0;
}

static int drop_dist(struct planner *pl, const struct installed_dist *d, struct err *e)
{
	struct dist_folder folder = {pl, d->path};
	struct beneath b;
	char name[256];
	int rc = 0;

	for (size_t i = 0; i < d->n_files; i++)
		if (!is_ours(d->files[i]))
			drop(pl, d->files[i]);
	drop(pl, d->path);
	beneath_init(&b, pl->c->fd, false);
	if (beneath_parent(&b, arena_strf(pl->c->arena, "%.*s/x", STR_ARG(d->path)), name, NULL) >=
		0)
		rc = dir_walk(b.dir, visit_dist, &folder, e);
	beneath_release(&b);
	return rc;
}

/* A folder that a package that goes listed is removed too if nothing is in it. */
static void drop_record(struct planner *pl, const struct installed_record *r)
{
	for (size_t i = 0; i < r->n_paths; i++) {
		const struct installed_path *path = &r->paths[i];
		if (is_ours(path->path))
			continue;
		if (path->type == INSTALLED_DIRECTORY)
			table_put(&pl->left, path->path)->num = 1;
		else
			drop(pl, path->path);
	}
	enter_drop(pl->c, r->file);
}

/* --- bytecode that Python left beside sources that go ----------------------------------------- */

struct stray {
	struct planner *pl;
	struct str dir; /* in the prefix, of the sources */
	const char *sub;
};

/* "x.cpython-36.opt-1.pyc" was made from "x.py", "x.pyc" beside it too. */
static int visit_stray(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct stray *s = ctx;
	struct arena *a = s->pl->c->arena;
	struct str name = str_of(rel), rest = name;

	(void)e;
	if (S_ISDIR(st->st_mode))
		return DIR_SKIP;
	if (!str_ends(name, STR(".pyc")) && !str_ends(name, STR(".pyo")))
		return 0;
	struct str stem = s->sub[0] ? str_cut(&rest, '.') : str_sub(name, 0, name.n - 4);
	struct str source = arena_strf(a, "%.*s/%.*s.py", STR_ARG(s->dir), STR_ARG(stem));
	if (table_get(&s->pl->c->dropped, source))
		drop(s->pl, arena_strf(a, "%.*s/%s%s", STR_ARG(s->dir), s->sub, rel));
	return 0;
}

static int drop_stray(struct planner *pl, struct str dir, const char *sub, struct err *e)
{
	struct stray s = {pl, dir, sub};
	struct beneath b;
	char name[256];
	struct str some = arena_strf(pl->c->arena, "%.*s/%sx", STR_ARG(dir), sub);

	beneath_init(&b, pl->c->fd, false);
	int fd = beneath_parent(&b, some, name, NULL);
	int rc = fd < 0 ? 0 : dir_walk(fd, visit_stray, &s, e);
	beneath_release(&b);
	return rc;
}

static int drop_all_stray(struct planner *pl, struct err *e)
{
	size_t n = pl->sources.n; /* what is dropped meanwhile is bytecode */

	for (size_t i = 0; i < n; i++) {
		struct str dir = pl->sources.entries[i].key;
		if (dir.n == 0)
			continue;
		if (drop_stray(pl, dir, "__pycache__/", e) < 0 || drop_stray(pl, dir, "", e) < 0)
			return -1;
	}
	return 0;
}

/* --- what comes --------------------------------------------------------------------------- */

static int clobber(const struct change *c, struct str fn, struct str path, struct err *e)
{
	union table_value *v = table_get(&c->kept_paths, path);

	if (v) {
		err_set(e, ERR_INTEGRITY, "packages '%.*s' and '%.*s' both bring '%.*s'",
			STR_ARG(fn), STR_ARG(c->kept[v->num]->record.fn), STR_ARG(path));
		return err_advise(
			e, "leave one of them out, or say --allow-clobber '%.*s'", STR_ARG(path));
	}
	err_set(e, ERR_INTEGRITY, "package '%.*s' brings '%.*s', which is there and of no package",
		STR_ARG(fn), STR_ARG(path));
	return err_advise(e, "move it away, or say --allow-clobber '%.*s'", STR_ARG(path));
}

/* What lies at the place of a file that comes and does not go. */
static int make_room(
	struct change *c, struct str path, bool bytecode, struct str owner, struct err *e)
{
	if (bytecode && !table_get(&c->kept_paths, path)) {
		enter_drop(c, path); /* Python made it, for a source that was there */
		return 0;
	}
	if (!clobber_allowed(c->wanted, path))
		return clobber(c, owner, path, e);
	log_warn("'%.*s' of package '%.*s' takes the place of what was there", STR_ARG(path),
		STR_ARG(owner));
	enter_drop(c, path);
	return 0;
}

int change_add(struct change *c, struct str path, struct str owner, struct err *e)
{
	struct beneath b;
	struct stat st;
	int rc = 0;

	*VEC_PUSH(c->arena, &c->journal.add) = path;
	beneath_init(&b, c->fd, false);
	if (!table_get(&c->dropped, path) && look(&b, path, &st) && !S_ISDIR(st.st_mode))
		rc = make_room(c, path, str_ends(path, STR(".pyc")), owner, e);
	for (struct str dir = parent_of(path); rc == 0 && dir.n && !look(&b, dir, &st);
		dir = parent_of(dir))
		if (!table_put(&c->made, dir)->num++)
			*VEC_PUSH(c->arena, &c->journal.made) = dir;
	beneath_release(&b);
	return rc;
}

static bool is_folder(const struct linked *l)
{
	return l->kind == LINKED_PACKAGE_FILE && l->file->type == PATH_DIRECTORY;
}

static int plan_path(struct planner *pl, const struct linked *l, struct err *e)
{
	struct change *c = pl->c;
	struct stat st;

	if (is_folder(l))
		return 0; /* looked at with all folders */
	if (is_ours(l->path))
		return err_set(e, ERR_INTEGRITY, "package '%.*s' brings '%.*s'",
			STR_ARG(pl->p->packages[l->package].record->fn), STR_ARG(l->path));
	*VEC_PUSH(c->arena, &c->journal.add) = l->path;
	if (table_get(&c->dropped, l->path) || !look(&pl->at, l->path, &st))
		return 0;
	/* A folder is fine if all in it goes; else linking says so. */
	if (S_ISDIR(st.st_mode))
		return 0;
	return make_room(
		c, l->path, l->kind == LINKED_BYTECODE, pl->p->packages[l->package].record->fn, e);
}

/* One that comes with this folder, for the message. */
static struct str package_below(const struct prefix *p, struct str dir)
{
	for (size_t i = 0; i < p->n; i++)
		if (str_starts(p->v[i].path, dir))
			return p->packages[p->v[i].package].record->fn;
	return (struct str){0};
}

static int plan_folder(struct planner *pl, struct str dir, struct err *e)
{
	struct change *c = pl->c;
	struct stat st;

	if (look(&pl->at, dir, &st)) {
		if (S_ISDIR(st.st_mode))
			return 0;
		if (!table_get(&c->dropped, dir))
			return clobber(c, package_below(pl->p, dir), dir, e);
	}
	if (!table_put(&c->made, dir)->num++)
		*VEC_PUSH(c->arena, &c->journal.made) = dir;
	return 0;
}

/* --- files that somebody changed -------------------------------------------------------------- */

struct changed {
	struct change *c;
	const struct installed_path **v;
	bool *differs;
	size_t n;
};

/* Bytes other than those that were linked; without a sum nobody knows. */
static int compare(void *ctx, size_t i, struct err *e)
{
	struct changed *w = ctx;
	const struct installed_path *path = w->v[i];
	const uint8_t *want = path->has_sha256_in_prefix ? path->sha256_in_prefix : path->sha256;
	struct arena a = {0};
	uint8_t sum[SHA256_LEN];

	(void)e;
	if (file_hash(path_join(&a, w->c->wanted->prefix, arena_cstr(&a, path->path)), sum, NULL,
		    NULL) == 0)
		w->differs[i] = memcmp(sum, want, SHA256_LEN) != 0;
	arena_release(&a);
	return 0;
}

static bool can_compare(const struct installed_path *p)
{
	return p->type == INSTALLED_FILE && !p->entry_point &&
	       (p->has_sha256_in_prefix || (p->has_sha256 && !p->placeholder.n));
}

/* NAME.envbuild-old, or the first of NAME.envbuild-old.1, ... that is free. */
static struct str free_name(struct planner *pl, struct str path)
{
	struct str name = arena_strf(pl->c->arena, "%.*s.envbuild-old", STR_ARG(path));
	struct stat st;

	for (int i = 1; i < 1000 && look(&pl->at, name, &st); i++)
		name = arena_strf(pl->c->arena, "%.*s.envbuild-old.%d", STR_ARG(path), i);
	return name;
}

static void keep(struct planner *pl, struct str path)
{
	struct change *c = pl->c;
	struct str to = free_name(pl, path);

	*VEC_PUSH(c->arena, &c->journal.keep) = (struct kept_path){path, to};
	log_warn(
		"'%.*s' was changed by somebody: it is kept as '%.*s'", STR_ARG(path), STR_ARG(to));
}

static bool is_regular(struct planner *pl, struct str path)
{
	struct stat st;

	return look(&pl->at, path, &st) && S_ISREG(st.st_mode);
}

static int keep_changed(struct planner *pl, struct err *e)
{
	struct change *c = pl->c;
	struct changed w = {.c = c};
	struct {
		const struct installed_path **v;
		size_t n, cap;
	} list = {0};

	for (size_t i = 0; i < c->n_going; i++)
		for (size_t k = 0; k < c->going[i]->n_paths; k++) {
			const struct installed_path *path = &c->going[i]->paths[k];
			if (can_compare(path) && table_get(&c->dropped, path->path) &&
				is_regular(pl, path->path))
				*VEC_PUSH(c->arena, &list) = path;
		}
	w.v = list.v;
	w.n = list.n;
	w.differs = arena_array(c->arena, bool, list.n + 1);
	if (work_run(c->wanted->jobs, w.n, compare, &w, e) < 0)
		return -1;
	for (size_t i = 0; i < w.n; i++)
		if (w.differs[i])
			keep(pl, w.v[i]->path);
	return 0;
}

/* --- all of it ---------------------------------------------------------------------------- */

static void collect_kept(struct change *c)
{
	c->kept_paths.arena = c->arena;
	for (size_t i = 0; i < c->n_kept; i++)
		for (size_t k = 0; k < c->kept[i]->n_paths; k++)
			table_put(&c->kept_paths, c->kept[i]->paths[k].path)->num = i;
}

static void collect_left(struct planner *pl)
{
	struct change *c = pl->c;
	struct table wanted = {.arena = c->arena};

	for (size_t i = 0; i < pl->p->n_dirs; i++)
		table_put(&wanted, pl->p->dirs[i]);
	for (size_t i = 0; i < pl->left.n; i++) {
		struct str dir = pl->left.entries[i].key;
		if (!table_get(&wanted, dir) && !table_get(&c->kept_paths, dir))
			*VEC_PUSH(c->arena, &c->journal.left) = dir;
	}
	if (c->journal.left.n)
		qsort(c->journal.left.v, c->journal.left.n, sizeof *c->journal.left.v,
			str_cmp_qsort);
}

static int plan_all(struct planner *pl, struct err *e)
{
	struct change *c = pl->c;

	for (size_t i = 0; i < c->n_going; i++)
		drop_record(pl, c->going[i]);
	for (size_t i = 0; c->pip && i < c->dists.n; i++)
		if (drop_dist(pl, &c->dists.v[i], e) < 0)
			return -1;
	if (drop_all_stray(pl, e) < 0 || keep_changed(pl, e) < 0)
		return -1;
	for (size_t i = 0; i < pl->p->n; i++)
		if (plan_path(pl, &pl->p->v[i], e) < 0)
			return -1;
	for (size_t i = 0; i < pl->p->n_dirs; i++)
		if (plan_folder(pl, pl->p->dirs[i], e) < 0)
			return -1;
	for (size_t i = 0; i < pl->p->n_packages; i++) {
		struct str dist = record_dist(c->arena, pl->p->packages[i].record);
		*VEC_PUSH(c->arena, &c->journal.add) =
			arena_strf(c->arena, "conda-meta/%.*s.json", STR_ARG(dist));
	}
	collect_left(pl);
	return 0;
}

int change_paths(struct change *c, struct prefix *p, struct err *e)
{
	struct planner pl = {.c = c, .p = p, .left.arena = c->arena, .sources.arena = c->arena};

	c->dropped.arena = c->made.arena = c->arena;
	collect_kept(c);
	beneath_init(&pl.at, c->fd, false);
	int rc = plan_all(&pl, e);
	beneath_release(&pl.at);
	return rc;
}
