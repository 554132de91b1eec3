/*
 * Code that runs while a prefix is changed: link scripts of packages, pip.  What it does is not
 * known beforehand; so the prefix is looked at before, and compared when a failure is undone.
 */
#include "builder/change.h"

#include "base/file.h"
#include "builder/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { SHOWN = 10 };

static const char COPY[] = TRANSACTION_DIR "/copy";

/* --- pre-unlink --------------------------------------------------------------------------- */

int change_pre_unlink(struct change *c, struct prefix *p, struct err *e)
{
	struct err why = {0};

	(void)e;
	for (size_t i = 0; i < c->n_going; i++) {
		const struct record *r = &c->going[i]->record;
		struct link_script s = {.record = r,
			.path = arena_strf(c->arena, "bin/.%.*s-pre-unlink.sh", STR_ARG(r->name)),
			.when = "pre-unlink"};
		if (!prefix_is_file(p, s.path) || !table_get(&c->dropped, s.path))
			continue;
		if (link_script_run(p, &s, &why) < 0) {
			if (why.code == ERR_INTERRUPTED)
				return err_move(e, &why);
			log_warn("%s", why.text);
			err_release(&why);
		}
	}
	return 0;
}

/* --- files that are the cache's too ----------------------------------------------------------- */

static int copy_file(int fd, const char *rel, const struct stat *st, struct err *e)
{
	struct timespec times[2] = {st->st_atim, st->st_mtim};
	CLEANUP_FD from = openat(fd, rel, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (from < 0)
		return err_sys(e, "cannot read '%s'", rel);
	if (unlinkat(fd, COPY, 0) < 0 && errno != ENOENT)
		return err_sys(e, "cannot remove '%s'", COPY);
	CLEANUP_FD to =
		openat(fd, COPY, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return err_sys(e, "cannot create '%s'", COPY);
	if (fd_copy(from, to, e) < 0)
		return err_wrap(e, "cannot copy '%s'", rel);
	if (geteuid() == 0 && fchown(to, st->st_uid, st->st_gid) < 0)
		return err_sys(e, "cannot set the owner of '%s'", rel);
	if (fchmod(to, st->st_mode & 07777) < 0 || futimens(to, times) < 0 ||
		renameat(fd, COPY, fd, rel) < 0)
		return err_sys(e, "cannot replace '%s'", rel);
	return 0;
}

static bool is_journal(const char *rel)
{
	return strcmp(rel, TRANSACTION_DIR) == 0;
}

static int unshare(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	const struct change *c = ctx;

	if (is_journal(rel))
		return DIR_SKIP;
	return S_ISREG(st->st_mode) && st->st_nlink > 1 ? copy_file(c->fd, rel, st, e) : 0;
}

int change_unshare(struct change *c, struct err *e)
{
	return dir_walk(c->fd, unshare, c, e) == 0 ? 0 : -1;
}

/* --- before and after ------------------------------------------------------------------------- */

static int take(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct change *c = ctx;
	struct stamp *s;

	(void)e;
	if (is_journal(rel))
		return DIR_SKIP;
	s = arena_new(c->arena, struct stamp);
	*s = (struct stamp){st->st_ino, st->st_size, st->st_mode, st->st_mtim, st->st_ctim};
	table_put(&c->before.index, arena_str(c->arena, str_of(rel)))->ptr = s;
	return 0;
}

int snapshot_take(struct change *c, struct err *e)
{
	c->before.index = (struct table){.arena = c->arena};
	return dir_walk(c->fd, take, c, e) == 0 ? 0 : -1;
}

struct comparison {
	struct change *c;
	struct table seen;
	struct path_set folders; /* new ones, each before what it holds */
	size_t lost;             /* files that cannot be brought back */
};

static void tell(struct comparison *cmp, const char *what, const char *rel)
{
	if (cmp->lost++ < SHOWN)
		log_warn("'%s' was %s by a script and cannot be brought back", rel, what);
}

/* What was moved away and back has another ctime. */
static bool is_same(const struct comparison *cmp, struct str path, const struct stamp *before,
	const struct stat *st)
{
	struct stamp now = {st->st_ino, st->st_size, st->st_mode, st->st_mtim, st->st_ctim};

	if (table_get(&cmp->c->dropped, path))
		now.ctime = before->ctime;
	return stamp_same(&now, before);
}

static int compare(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct comparison *cmp = ctx;
	struct str path = arena_str(cmp->c->arena, str_of(rel));
	union table_value *v = table_get(&cmp->c->before.index, path);

	(void)e;
	if (is_journal(rel) || installed_is_mark(path))
		return S_ISDIR(st->st_mode) ? DIR_SKIP : 0;
	if (v) {
		table_put(&cmp->seen, path);
		if (!S_ISDIR(st->st_mode) && !is_same(cmp, path, v->ptr, st))
			tell(cmp, "changed", rel);
		return 0;
	}
	if (S_ISDIR(st->st_mode))
		*VEC_PUSH(cmp->c->arena, &cmp->folders) = path;
	else if (dir_remove_at(cmp->c->fd, rel, NULL) < 0)
		log_warn("'%s', which a script made, could not be removed", rel);
	return 0;
}

void snapshot_restore(struct change *c)
{
	struct comparison cmp = {.c = c, .seen.arena = c->arena};

	if (!c->before.index.arena)
		return;
	dir_walk(c->fd, compare, &cmp, NULL);
	for (size_t i = cmp.folders.n; i-- > 0;)
		unlinkat(c->fd, arena_cstr(c->arena, cmp.folders.v[i]), AT_REMOVEDIR);
	for (size_t i = 0; i < c->before.index.n; i++) {
		struct str path = c->before.index.entries[i].key;
		if (!table_get(&cmp.seen, path) && !installed_is_mark(path))
			tell(&cmp, "removed", arena_cstr(c->arena, path));
	}
	if (cmp.lost > SHOWN)
		log_warn("%zu files in all", cmp.lost);
}
