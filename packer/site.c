#include "packer/site.h"

#include "base/file.h"
#include "builder/installed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

/* As of a prefix that is being installed.  An archive that has it is refused (place.c). */
static const char MARKER[] = UNFINISHED_MARK;
#define UNPACK ".unpack."

enum { BASE_MAX = 200, ID_SHORT = 16 };

/* --- the marker ------------------------------------------------------------------------------ */

static int at_work(const struct site *s, struct err *e)
{
	err_set(e, ERR_FAIL, "another envbuild unpacks to '%s'", s->dir);
	return err_advise(e, "wait for its end");
}

/* Locks it; a file system without locks is not asked again. */
static int lock_marker(struct site *s, struct err *e)
{
	struct stat st;

	if (flock(s->marker, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return at_work(s, e);
	/* Whoever had it has ended meanwhile, and removed it. */
	if (fstat(s->marker, &st) < 0 || st.st_nlink == 0)
		return at_work(s, e);
	return 0;
}

/* flags: O_EXCL where it must not be there.  -1 with errno. */
static int open_marker(int root, int flags)
{
	return openat(root, MARKER, O_RDWR | O_NOFOLLOW | O_CLOEXEC | flags, 0600);
}

static int make_marker(struct site *s, struct err *e)
{
	s->marker = open_marker(s->root, O_CREAT | O_EXCL);
	if (s->marker < 0 && errno == EEXIST)
		return at_work(s, e);
	if (s->marker < 0)
		return err_sys(e, "cannot write in '%s'", s->place.path);
	if (lock_marker(s, e) < 0)
		return -1;
	return write_full(s->marker, s->id, strlen(s->id), e);
}

/* Does the marker that is there say this archive?  Its text, cut, is what it says else. */
static bool is_ours(const struct site *s)
{
	char text[sizeof s->id + 1] = {0};
	ssize_t n = pread(s->marker, text, sizeof text - 1, 0);

	return n > 0 && s->id[0] && strcmp(text, s->id) == 0;
}

/* --- what a killed run left -------------------------------------------------------------------- */

struct look {
	struct site *site;
	site_has *has;
	void *ctx;
	bool any;
	char *stranger; /* the first file that no run made */
};

static int look_at(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct look *look = ctx;

	(void)e;
	if (strcmp(rel, MARKER) == 0 || str_starts(str_of(rel), STR(PLACE_TEMP_START)))
		return 0;
	look->any = true;
	if (!S_ISREG(st->st_mode) || (look->has && look->has(look->ctx, str_of(rel))))
		return 0;
	look->stranger = arena_strdup(&look->site->arena, rel);
	return 1;
}

static int remove_each(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	const int *root = ctx;

	if (strcmp(rel, MARKER) != 0)
		dir_remove_at(*root, rel, NULL);
	(void)e;
	return S_ISDIR(st->st_mode) ? DIR_SKIP : 0;
}

/* The marker last: until then it tells whose the rest is. */
static void empty(int root)
{
	dir_walk(root, remove_each, &root, NULL);
}

/* --- in a folder that is there ------------------------------------------------------------------ */

static int not_empty(const struct site *s, struct err *e)
{
	err_set(e, ERR_USAGE, "folder '%s' is not empty", s->dir);
	return err_advise(e, "give a folder that is empty or does not exist");
}

static int is_empty(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	(void)ctx;
	(void)rel;
	(void)st;
	(void)e;
	return 1;
}

static int take_up_inside(struct site *s, site_has *has, void *ctx, struct err *e)
{
	struct look look = {.site = s, .has = has, .ctx = ctx};
	struct stat st;

	if (lock_marker(s, e) < 0)
		return -1;
	if (fstat(s->marker, &st) < 0 || (st.st_size && (!has || !is_ours(s)))) {
		err_set(e, ERR_USAGE, "folder '%s' holds a part of another archive", s->dir);
		return err_advise(e, "unpack that again, which completes it, or remove the folder");
	}
	if (dir_walk(s->root, look_at, &look, e) < 0)
		return -1;
	/* Killed before it could say whose it is. */
	if (look.stranger || (st.st_size == 0 && look.any))
		return not_empty(s, e);
	s->place.resumed = look.any;
	return st.st_size ? 0 : write_full(s->marker, s->id, strlen(s->id), e);
}

/* Another run may have filled it and ended since it was found empty; nothing of it is to be undone. */
static int mark_empty(struct site *s, struct err *e)
{
	struct look look = {.site = s};

	if (make_marker(s, e) < 0)
		return -1;
	if (dir_walk(s->root, look_at, &look, e) >= 0 && !look.any)
		return 0;
	unlinkat(s->root, MARKER, 0);
	return look.any ? not_empty(s, e) : -1;
}

static int open_inside(struct site *s, site_has *has, void *ctx, struct err *e)
{
	int rc;

	s->root = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->root < 0)
		return err_sys(e, "cannot open the folder '%s'", s->dir);
	s->marker = open_marker(s->root, 0);
	if (s->marker >= 0)
		return take_up_inside(s, has, ctx, e);
	rc = dir_walk(s->root, is_empty, NULL, e);
	if (rc != 0)
		return rc < 0 ? -1 : not_empty(s, e);
	return mark_empty(s, e);
}

/* --- in one beside ----------------------------------------------------------------------------- */

/* Of this user, writable for nobody else: else anybody might have laid it there. */
static bool is_private(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 022) == 0;
}

/*
 * What killed runs left; what is locked, or has no marker, is somebody's.  keep: a name's beginning;
 * bare: also an empty folder without a marker, of a run killed before it made one.
 */
static void sweep(const char *parent, struct str start, struct str keep, bool bare)
{
	CLEANUP_FD fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *d;

	if (dir)
		steal_fd(&fd);
	while (dir && (d = readdir(dir))) {
		CLEANUP_FD one = -1;
		CLEANUP_FD marker = -1;

		if (!str_starts(str_of(d->d_name), start) ||
			str_find(str_of(d->d_name), STR(UNPACK)) < 0 ||
			(keep.n && str_starts(str_of(d->d_name), keep)))
			continue;
		one = openat(
			dirfd(dir), d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (one < 0 || !is_private(one))
			continue;
		marker = open_marker(one, 0);
		if (marker < 0 && bare)
			unlinkat(dirfd(dir), d->d_name, AT_REMOVEDIR);
		if (marker < 0 || flock(marker, LOCK_EX | LOCK_NB) < 0)
			continue;
		empty(one);
		dir_remove_at(dirfd(dir), d->d_name, NULL);
	}
	if (dir)
		closedir(dir);
}

void site_sweep(const char *parent, struct str start, struct str but)
{
	CLEANUP_ARENA a = {0};

	sweep(parent,
		arena_strf(&a, ".%.*s", BASE_MAX < start.n ? BASE_MAX : (int)start.n, start.p),
		arena_strf(&a, ".%.*s" UNPACK, BASE_MAX < but.n ? BASE_MAX : (int)but.n, but.p),
		true);
}

static int take_up_beside(struct site *s, site_has *has, void *ctx, struct err *e)
{
	struct look look = {.site = s, .has = has, .ctx = ctx};

	s->marker = open_marker(s->root, O_CREAT);
	if (s->marker < 0)
		return err_sys(e, "cannot write in '%s'", s->temp);
	if (lock_marker(s, e) < 0 || dir_walk(s->root, look_at, &look, e) < 0)
		return -1;
	/* Not what a run of this archive leaves. */
	if (look.stranger || !is_ours(s)) {
		empty(s->root);
		look.any = false;
	}
	s->place.resumed = look.any;
	if (ftruncate(s->marker, 0) < 0)
		return err_sys(e, "cannot write in '%s'", s->temp);
	return write_full(s->marker, s->id, strlen(s->id), e);
}

static int open_temp(struct site *s, struct err *e)
{
	s->root = open(s->temp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return s->root < 0 ? err_sys(e, "cannot open the folder '%s'", s->temp) : 0;
}

static int open_beside(struct site *s, site_has *has, void *ctx, struct err *e)
{
	char *parent = path_dir(&s->arena, s->dir);
	bool made;
	char *start = arena_printf(&s->arena, ".%.*s" UNPACK, BASE_MAX, path_base(s->dir));
	char *name = arena_printf(&s->arena, "%s%.*s", start, s->id[0] ? ID_SHORT : 0, s->id);

	if (dir_make(parent, e) < 0)
		return -1;
	sweep(parent, str_of(start), s->id[0] ? str_of(name) : (struct str){0}, false);
	if (s->id[0]) {
		s->temp = path_join(&s->arena, parent, name);
		made = mkdir(s->temp, 0700) == 0;
		if (!made && errno != EEXIST)
			return err_sys(e, "cannot make a folder in '%s'", parent);
		if (open_temp(s, NULL) == 0 && is_private(s->root))
			return take_up_beside(s, has, ctx, e);
		fd_cleanup(&s->root);
		if (made)
			rmdir(s->temp);
	}
	s->temp = dir_temp(&s->arena, parent,
		arena_printf(&s->arena, "%.*s.unpack", BASE_MAX, path_base(s->dir)), e);
	if (!s->temp || open_temp(s, e) < 0)
		return -1;
	return make_marker(s, e);
}

/* --- the whole --------------------------------------------------------------------------------- */

int site_open(struct site *s, const char *dir, const uint8_t id[SHA256_LEN], site_has *has,
	void *ctx, struct err *e)
{
	struct stat st;
	int rc;

	s->root = s->marker = -1;
	s->dir = path_absolute(&s->arena, dir);
	if (id) {
		hex_encode(id, SHA256_LEN, s->id);
		s->id[SHA256_HEX] = '\n';
	}
	if (stat(s->dir, &st) == 0 || path_exists(s->dir))
		rc = open_inside(s, id ? has : NULL, ctx, e);
	else
		rc = open_beside(s, has, ctx, e);
	s->place.root = s->root;
	return rc;
}

int site_finish(struct site *s, struct err *e)
{
	if (s->temp) {
		if (fchmod(s->root, 0755) < 0)
			return err_sys(e, "cannot set the mode of '%s'", s->temp);
		/* Onto a folder that appeared meanwhile it succeeds only if that is empty. */
		if (rename(s->temp, s->dir) < 0)
			return errno == ENOTEMPTY || errno == EEXIST
				       ? not_empty(s, e)
				       : err_sys(e, "cannot rename '%s' to '%s'", s->temp, s->dir);
		s->temp = NULL;
	}
	/* From here on it is whole, and the next run has only the mark to remove. */
	s->whole = true;
	if (s->marker >= 0 && unlinkat(s->root, MARKER, 0) < 0)
		return err_sys(e, "cannot remove '%s' in '%s'", MARKER, s->dir);
	return 0;
}

void site_undo(struct site *s)
{
	if (s->whole)
		return;
	empty(s->root);
	if (s->marker >= 0)
		unlinkat(s->root, MARKER, 0);
	if (s->temp)
		dir_remove(s->temp, NULL);
}

void site_close(struct site *s)
{
	fd_cleanup(&s->marker);
	fd_cleanup(&s->root);
	arena_release(&s->arena);
}
