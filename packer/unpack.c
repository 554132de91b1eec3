/*
 * Unpacking an archive, ours or anybody's: nothing it says is believed.
 *
 * Every member is made below one descriptor, component by component, following no link; a path
 * that occurs twice, leaves the folder or lies behind a link is ERR_INTEGRITY.
 */
#include "packer/pack.h"

#include "base/archive.h"
#include "base/file.h"
#include "base/log.h"
#include "builder/fold.h"
#include "packer/archive_in.h"
#include "packer/manifest.h"
#include "packer/relocator/relocate.h"
#include "packer/sums.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MEMBERS_MAX = 1000000, COPY_SIZE = 1 << 17, SUMS_MAX = 1 << 30 };

struct unpacking {
	const char *archive; /* for messages */
	const char *place;   /* where it will lie: prefix or folder */
	int root;
	int dir; /* the folder of the member before, and its path: members come in order */
	struct buf dir_path;
	struct archive_in *in;
	char *copy; /* COPY_SIZE bytes */
	struct hash *sha256;
	struct arena arena;
	struct table sums; /* of every file by path: 32 bytes */
};

static int hostile(
	const struct unpacking *u, const struct member *m, const char *why, struct err *e)
{
	return err_set(e, ERR_INTEGRITY, "'%.*s' in '%s' %s", STR_ARG(m->path), u->archive, why);
}

/* --- folders ---------------------------------------------------------------------------------- */

/* One component below dir, made if it is missing; a link or a file there is an error. */
static int enter(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
		return -1;
	return openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int enter_all(int root, struct str path)
{
	int fd = fcntl(root, F_DUPFD_CLOEXEC, 0);

	while (fd >= 0 && path.p && path.n) {
		struct str part = str_cut(&path, '/');
		char name[NAME_MAX + 1];
		int next;

		snprintf(name, sizeof name, "%.*s", STR_ARG(part));
		next = enter(fd, name);
		close(fd);
		fd = next;
	}
	return fd;
}

/* The descriptor of the folder that a member lies in (kept until the next call), and its name. */
static int folder_of(
	struct unpacking *u, const struct member *m, char name[NAME_MAX + 1], struct err *e)
{
	ptrdiff_t slash = str_rchr(m->path, '/');
	struct str folder = str_sub(m->path, 0, slash < 0 ? 0 : (size_t)slash);

	if (!path_is_safe(m->path))
		return hostile(u, m, "leaves the folder", e);
	snprintf(name, NAME_MAX + 1, "%.*s",
		STR_ARG(str_sub(m->path, (size_t)(slash + 1), m->path.n)));
	if (u->dir >= 0 && str_eq(buf_view(&u->dir_path), folder))
		return u->dir;
	fd_cleanup(&u->dir);
	u->dir = enter_all(u->root, folder);
	buf_clear(&u->dir_path);
	buf_str(&u->dir_path, folder);
	if (u->dir >= 0)
		return u->dir;
	if (errno == ELOOP || errno == ENOTDIR)
		return hostile(u, m, "lies behind something that is no folder", e);
	return err_sys(e, "cannot make the folder of '%.*s'", STR_ARG(m->path));
}

/* --- members ---------------------------------------------------------------------------------- */

static int cannot_make(const struct unpacking *u, const struct member *m, struct err *e)
{
	int saved = errno;

	if (saved == EEXIST && fold_is_done_by(u->root)) {
		err_set(e, ERR_FAIL,
			"'%s' folds case: it cannot hold '%.*s' beside a path of other letters",
			u->place, STR_ARG(m->path));
		return err_advise(e, "unpack on a file system that tells capitals apart");
	}
	if (saved == EEXIST)
		return hostile(u, m, "is there twice", e);
	errno = saved;
	return err_sys(e, "cannot make '%.*s'", STR_ARG(m->path));
}

static int copy_data(struct unpacking *u, int fd, uint8_t *sum, struct err *e)
{
	ptrdiff_t n;

	while ((n = archive_read(u->in, u->copy, COPY_SIZE, e)) > 0) {
		if (write_full(fd, u->copy, (size_t)n, e) < 0)
			return -1;
		hash_update(u->sha256, u->copy, (size_t)n);
	}
	hash_final(u->sha256, sum);
	return (int)n;
}

static struct timespec time_of(const struct member *m)
{
	return (struct timespec){.tv_sec = m->has_mtime ? m->mtime : 0};
}

static int make_file(
	struct unpacking *u, int dir, const char *name, const struct member *m, struct err *e)
{
	CLEANUP_FD fd =
		openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct timespec times[2] = {time_of(m), time_of(m)};
	uint8_t *sum;

	if (fd < 0)
		return cannot_make(u, m, e);
	sum = arena_alloc(&u->arena, SHA256_LEN);
	table_put(&u->sums, arena_str(&u->arena, m->path))->ptr = sum;
	if (copy_data(u, fd, sum, e) < 0)
		return err_wrap(e, "while unpacking '%.*s'", STR_ARG(m->path));
	if (fchmod(fd, (m->mode & 0777) | 0400) < 0 || futimens(fd, times) < 0)
		return err_sys(e, "cannot set mode and time of '%.*s'", STR_ARG(m->path));
	return 0;
}

static int make_dir(
	struct unpacking *u, int dir, const char *name, const struct member *m, struct err *e)
{
	struct stat st;

	if (mkdirat(dir, name, 0700) < 0) {
		if (errno != EEXIST || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
			!S_ISDIR(st.st_mode))
			return cannot_make(u, m, e);
	}
	/* What it will hold must fit in, and be found again. */
	if (fchmodat(dir, name, (m->mode & 0777) | 0700, 0) < 0)
		return err_sys(e, "cannot set the mode of '%.*s'", STR_ARG(m->path));
	return 0;
}

static int make_symlink(
	struct unpacking *u, int dir, const char *name, const struct member *m, struct err *e)
{
	struct timespec times[2] = {time_of(m), time_of(m)};
	char target[PATH_MAX];

	if (m->link.n == 0 || m->link.n >= sizeof target || memchr(m->link.p, 0, m->link.n))
		return hostile(u, m, "is a link without a proper target", e);
	snprintf(target, sizeof target, "%.*s", STR_ARG(m->link));
	if (symlinkat(target, dir, name) < 0)
		return cannot_make(u, m, e);
	utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW);
	return 0;
}

/* To a regular file that was unpacked before.  Ours have none; conda-pack's may. */
static int make_hardlink(
	struct unpacking *u, int dir, const char *name, const struct member *m, struct err *e)
{
	ptrdiff_t slash = str_rchr(m->link, '/');
	char target[NAME_MAX + 1];
	CLEANUP_FD from = -1;
	struct stat st;

	if (!path_is_safe(m->link))
		return hostile(u, m, "is a hard link that leaves the folder", e);
	from = enter_all(u->root, str_sub(m->link, 0, slash < 0 ? 0 : (size_t)slash));
	snprintf(target, sizeof target, "%.*s",
		STR_ARG(str_sub(m->link, (size_t)(slash + 1), m->link.n)));
	if (from < 0 || fstatat(from, target, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return hostile(u, m, "is a hard link to no file of the archive", e);
	return linkat(from, target, dir, name, 0) < 0 ? cannot_make(u, m, e) : 0;
}

/* Below one descriptor any depth can be made, but nobody could open it by its name. */
static int check_place(const struct unpacking *u, const struct member *m, struct err *e)
{
	size_t n = strlen(u->place) + 1 + m->path.n;

	if (n < PATH_MAX)
		return 0;
	err_set(e, ERR_FAIL,
		"path too long: '%.*s' would have %zu bytes in '%s', the system takes %d",
		STR_ARG(m->path), n, u->place, PATH_MAX - 1);
	return err_advise(e, "unpack to a shorter path");
}

static int make_member(struct unpacking *u, const struct member *m, struct err *e)
{
	char name[NAME_MAX + 1];
	int dir = check_place(u, m, e) < 0 ? -1 : folder_of(u, m, name, e);

	if (dir < 0)
		return -1;
	switch (m->type) {
	case MEMBER_FILE:
		return make_file(u, dir, name, m, e);
	case MEMBER_DIR:
		return make_dir(u, dir, name, m, e);
	case MEMBER_SYMLINK:
		return make_symlink(u, dir, name, m, e);
	case MEMBER_HARDLINK:
		return make_hardlink(u, dir, name, m, e);
	case MEMBER_OTHER:
		break;
	}
	return hostile(u, m, "is neither file, folder nor link", e);
}

static int make_members(struct unpacking *u, struct err *e)
{
	struct member m;
	size_t n = 0;
	int rc;

	for (; (rc = archive_next(u->in, &m, e)) > 0; n++) {
		if (n == MEMBERS_MAX)
			return err_set(e, ERR_INTEGRITY, "'%s' has more than %d members",
				u->archive, MEMBERS_MAX);
		if (make_member(u, &m, e) < 0)
			return -1;
	}
	if (rc == 0 && n == 0)
		return err_set(e, ERR_INTEGRITY, "'%s' is empty or no archive", u->archive);
	return rc;
}

/* An archive of ours lists its files; one of somebody else has no manifest of ours either. */
static int check_sums(struct unpacking *u, struct err *e)
{
	CLEANUP_ARENA a = {0};
	struct str text;

	if (!table_get(&u->sums, STR(SUMS_PATH))) {
		if (!table_get(&u->sums, STR("conda-meta/envbuild/manifest.json")))
			return 0;
		return archive_cut_off(u->in, SUMS_PATH, e);
	}
	if (file_read_at(&a, u->root, SUMS_PATH, SUMS_MAX, &text, e) < 0)
		return -1;
	return sums_check(&u->sums, text, e);
}

/* --- relocation ------------------------------------------------------------------------------- */

static enum err_code code_of(enum relocate_status status)
{
	switch (status) {
	case RELOCATE_DAMAGED:
		return ERR_INTEGRITY;
	case RELOCATE_OK:
	case RELOCATE_FAILED:
		break;
	}
	return ERR_FAIL;
}

static int relocate_fresh(const struct unpack_request *r, int root, struct err *e)
{
	struct relocate_request request = {.root = root, .prefix = r->prefix, .strict = true};
	struct relocate_counts counts;
	struct relocate_error why = {0};
	struct stat st;

	if (fstatat(root, RELOCATE_INDEX, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return err_set(e, ERR_INTEGRITY,
			"no '" RELOCATE_INDEX "' in '%s': not whole, or not made by envbuild pack",
			r->archive);
	if (relocate_tree(&request, &counts, &why) < 0)
		return err_set(e, code_of(why.status), "%s", why.text);
	log_debug("relocated %llu files to '%s'", (unsigned long long)counts.rewritten, r->prefix);
	return 0;
}

/* --- the whole -------------------------------------------------------------------------------- */

static int fill(const struct unpack_request *r, int root, struct err *e)
{
	struct unpacking u = {.archive = r->archive,
		.place = r->prefix ? r->prefix : r->dir,
		.root = root,
		.dir = -1};
	int rc = -1;

	u.in = archive_open(r->archive, e);
	if (!u.in)
		return -1;
	u.copy = xmalloc(COPY_SIZE);
	u.sha256 = hash_new(HASH_SHA256);
	u.sums.arena = &u.arena;
	rc = make_members(&u, e);
	if (rc == 0)
		rc = check_sums(&u, e);
	if (rc == 0 && r->prefix)
		rc = relocate_fresh(r, root, e);
	free(u.copy);
	hash_free(u.sha256);
	arena_release(&u.arena);
	fd_cleanup(&u.dir);
	buf_release(&u.dir_path);
	archive_close(u.in);
	return rc;
}

static int is_empty(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	(void)ctx;
	(void)rel;
	(void)st;
	(void)e;
	return 1;
}

static int remove_each(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	const int *root = ctx;

	dir_remove_at(*root, rel, NULL);
	(void)e;
	return S_ISDIR(st->st_mode) ? DIR_SKIP : 0;
}

/* Into a folder that is there: empty before, and empty again after a failure. */
static int unpack_into(const struct unpack_request *r, struct err *e)
{
	CLEANUP_FD root = open(r->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (root < 0)
		return err_sys(e, "cannot open the folder '%s'", r->dir);
	rc = dir_walk(root, is_empty, NULL, e);
	if (rc < 0)
		return -1;
	if (rc > 0) {
		err_set(e, ERR_USAGE, "folder '%s' is not empty", r->dir);
		return err_advise(e, "give a folder that is empty or does not exist");
	}
	if (fill(r, root, e) == 0)
		return 0;
	dir_walk(root, remove_each, &root, NULL);
	return -1;
}

/* Into a folder beside, which takes the name when it is whole. */
static int unpack_beside(const struct unpack_request *r, struct err *e)
{
	CLEANUP_ARENA a = {0};
	char *dir = path_absolute(&a, r->dir);
	char *temp = dir_temp(&a, path_dir(&a, dir), path_base(dir), e);
	CLEANUP_FD root = -1;
	int rc;

	if (!temp)
		return -1;
	root = open(temp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		rc = err_sys(e, "cannot open the folder '%s'", temp);
	else
		rc = fill(r, root, e);
	if (rc == 0 && fchmod(root, 0755) < 0)
		rc = err_sys(e, "cannot set the mode of '%s'", temp);
	/* Onto a folder that appeared meanwhile it succeeds only if that is empty. */
	if (rc == 0 && rename(temp, dir) < 0)
		rc = err_sys(e, "cannot rename '%s' to '%s'", temp, dir);
	if (rc < 0)
		dir_remove(temp, NULL);
	return rc;
}

/* Too long even where a file has the prefix in an encoding of one unit for each character? */
static int check_length(const struct unpack_request *r, struct err *e)
{
	CLEANUP_ARENA a = {0};
	ptrdiff_t units = text_units(str_of(r->prefix), TEXT_UTF32LE);
	struct manifest m;

	/* So that nothing is unpacked in vain; the relocation index has the last word. */
	if (manifest_read(&a, r->archive, &m, NULL) <= 0 || units < 0 ||
		(size_t)units <= m.longest_prefix)
		return 0;
	err_set(e, ERR_FAIL, "path too long: '%s' has %zu bytes, and '%.*s' has room for %zu",
		r->prefix, strlen(r->prefix), STR_ARG(m.longest_prefix_path), m.longest_prefix);
	return err_advise(e, "unpack for a path of at most %zu bytes", m.longest_prefix);
}

int unpack(const struct unpack_request *r, struct err *e)
{
	struct stat st;

	if (r->prefix && !relocate_prefix_is_good(r->prefix))
		return err_set(e, ERR_USAGE, "prefix '%s' is no absolute path", r->prefix);
	if (r->prefix && check_length(r, e) < 0)
		return -1;
	if (stat(r->dir, &st) == 0 || path_exists(r->dir))
		return unpack_into(r, e);
	return unpack_beside(r, e);
}
