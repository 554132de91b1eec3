/* Cleaning the cache beside those who use it (upkeep.h says how that goes without locks). */
#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "builder/entry.h"
#include "builder/take.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* --- temporaries -------------------------------------------------------------------------- */

struct sweep {
	const struct cache *cache;
	int fd;
	int64_t now;
	bool dry_run;
	size_t n;
};

static int find_newest(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	int64_t *newest = ctx;

	(void)rel;
	(void)e;
	/* ctime: what is extracted gets its package's times. */
	if (st->st_ctime > *newest)
		*newest = st->st_ctime;
	return 0;
}

static int visit_temporary(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct sweep *s = ctx;
	int64_t newest = st->st_ctime;

	(void)e;
	if (S_ISDIR(st->st_mode)) {
		CLEANUP_FD fd = openat(s->fd, rel, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd >= 0)
			dir_walk(fd, find_newest, &newest, NULL);
	}
	if (s->now - newest >= CACHE_STALE_S) {
		s->n++;
		if (!s->dry_run)
			dir_remove_at(s->fd, rel, NULL);
	}
	return S_ISDIR(st->st_mode) ? DIR_SKIP : 0;
}

static int remove_temporaries(const struct cache *c, const struct cache_clean_request *r,
	int64_t now, struct cache_cleaned *out, struct err *e)
{
	struct arena a = {0};
	struct sweep s = {.cache = c, .now = now, .dry_run = r->dry_run};
	char *tmp = path_join(&a, c->dir, "tmp");
	CLEANUP_FD fd = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? err_sys(e, "cannot open '%s'", tmp) : 0;

	s.fd = fd;
	if (rc == 0 && dir_walk(fd, visit_temporary, &s, e) != 0)
		rc = -1;
	out->temporaries = s.n;
	arena_release(&a);
	return rc;
}

/* --- notes that lead nowhere -------------------------------------------------------------- */

struct notes {
	const struct cache *cache;
	struct arena *arena;
	int fd;
	int64_t now;
};

/* Somebody is writing it. */
static bool is_new_temporary(const struct notes *n, const char *rel, const struct stat *st)
{
	return *rel == '.' && n->now - st->st_ctime < CACHE_STALE_S;
}

static int visit_md5(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct notes *n = ctx;
	struct str text;
	uint8_t key[SHA256_LEN];

	(void)e;
	if (!S_ISREG(st->st_mode) || is_new_temporary(n, rel, st))
		return S_ISDIR(st->st_mode) ? DIR_SKIP : 0;
	if (file_read_at(n->arena, n->fd, rel, 128, &text, NULL) == 0 &&
		hex_decode(str_trim(text), key, SHA256_LEN) == 0 &&
		path_exists(entry_dir(n->arena, n->cache, key)))
		return 0;
	unlinkat(n->fd, rel, 0);
	return 0;
}

static int visit_lock_note(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct notes *n = ctx;
	struct str text;

	(void)e;
	if (!S_ISREG(st->st_mode) || is_new_temporary(n, rel, st))
		return S_ISDIR(st->st_mode) ? DIR_SKIP : 0;
	if (file_read_at(n->arena, n->fd, rel, 8192, &text, NULL) == 0 &&
		(access(arena_cstr(n->arena, str_trim(text)), F_OK) == 0 ||
			(errno != ENOENT && errno != ENOTDIR)))
		return 0;
	unlinkat(n->fd, rel, 0);
	return 0;
}

static void drop_notes(const struct cache *c, const char *folder, int64_t now, dir_visitor *visit)
{
	struct arena a = {0};
	CLEANUP_FD fd = open(path_join(&a, c->dir, folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct notes n = {.cache = c, .arena = &a, .fd = fd, .now = now};

	if (fd >= 0)
		dir_walk(fd, visit, &n, NULL);
	arena_release(&a);
}

/* --- what may go -------------------------------------------------------------------------- */

/* Is it to stay, whatever its time? */
static bool is_wanted(const struct cache_item *item, const struct cache_clean_request *r,
	const struct cache_cleaned *out)
{
	switch (item->kind) {
	case CACHE_PACKAGE:
	case CACHE_WHEEL:
	case CACHE_BYTECODE:
		return !r->all && (item->locks > 0 || out->unreadable > 0);
	case CACHE_GIT:
	case CACHE_INDEX:
	case CACHE_SHARD:
	case CACHE_SEGMENT:
	case CACHE_AUDIT:
		/* No lock names these: their time decides. */
		return !r->all && !r->older && !r->has_max_size;
	case CACHE_KINDS:
		break;
	}
	return true;
}

static bool may_go(const struct cache_item *item, const struct cache_clean_request *r, int64_t now,
	struct cache_cleaned *out)
{
	int64_t idle = now - item->used;

	if (is_wanted(item, r, out) || (r->older && idle < (int64_t)r->older))
		return false;
	if (idle < CACHE_IN_USE_S) {
		out->in_use++;
		return false;
	}
	return true;
}

static int by_use(const void *a, const void *b)
{
	const struct cache_item *x = a, *y = b;

	if (x->used != y->used)
		return (x->used > y->used) - (x->used < y->used);
	return strcmp(x->rel, y->rel);
}

/* By use: what was used longest ago first. */
static void choose(struct arena *a, const struct cache_survey *s,
	const struct cache_clean_request *r, struct cache_items *chosen, struct cache_cleaned *out)
{
	for (size_t i = 0; i < s->items.n; i++) {
		out->left += s->items.v[i].bytes;
		if (may_go(&s->items.v[i], r, s->now, out))
			*VEC_PUSH(a, chosen) = s->items.v[i];
	}
	if (chosen->n)
		qsort(chosen->v, chosen->n, sizeof *chosen->v, by_use);
}

static int remove_item(struct arena *a, const struct cache *c, const struct cache_item *item,
	int64_t before, bool dry_run, struct cache_cleaned *out, struct err *e)
{
	int why;

	switch (dry_run ? TAKEN : cache_take(c, item->rel, before)) {
	case TAKEN:
		*VEC_PUSH(a, &out->items) = *item;
		out->bytes += item->bytes;
		out->held += item->held;
		out->left -= item->bytes;
		break;
	case TAKEN_USED:
		out->in_use++;
		break;
	case TAKEN_GONE:
		/* Somebody else was first, unless it is there still. */
		why = errno;
		if (!path_exists(path_join(a, c->dir, item->rel)))
			break;
		errno = why;
		return err_sys(e, "cannot move '%s' out of the cache '%s'", item->rel, c->dir);
	}
	return 0;
}

static int remove_items(struct arena *a, const struct cache *c, const struct cache_clean_request *r,
	const struct cache_survey *s, struct cache_cleaned *out, struct err *e)
{
	struct cache_items chosen = {0};
	struct step step;
	int rc = 0;

	choose(a, s, r, &chosen, out);
	step_begin(&step, "clean", chosen.n, 0);
	for (size_t i = 0; i < chosen.n && rc == 0; i++) {
		rc = interrupt_check(e);
		if (rc == 0 && (!r->has_max_size || out->left > r->max_size))
			rc = remove_item(
				a, c, &chosen.v[i], s->now - CACHE_IN_USE_S, r->dry_run, out, e);
		step_tick(&step, 1, 0);
	}
	step_end(&step, "%zu of %zu entries", out->items.n, s->items.n);
	out->too_large = r->has_max_size && out->left > r->max_size;
	return rc;
}

/* Taking an entry is renaming it: both folders must let us. */
static int check_writable(struct arena *a, const struct cache *c, struct err *e)
{
	static const char *const folders[] = {"pkgs", "tmp"};

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		const char *path = path_join(a, c->dir, folders[i]);

		if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0)
			return err_sys(e, "cannot write to '%s'", path);
	}
	return 0;
}

int cache_clean(struct arena *a, const struct cache *c, const struct cache_clean_request *r,
	struct cache_cleaned *out, struct err *e)
{
	struct cache_survey s;

	*out = (struct cache_cleaned){0};
	if (!r->dry_run && check_writable(a, c, e) < 0)
		return -1;
	if (cache_survey(a, c, &s, e) < 0 || remove_temporaries(c, r, s.now, out, e) < 0)
		return -1;
	for (size_t i = 0; i < s.locks.n; i++)
		out->unreadable += !s.locks.v[i].readable;
	if (remove_items(a, c, r, &s, out, e) < 0)
		return -1;
	if (!r->dry_run) {
		drop_notes(c, "md5", s.now, visit_md5);
		drop_notes(c, "locks", s.now, visit_lock_note);
	}
	return 0;
}
