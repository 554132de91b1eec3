#include "packer/place.h"

#include "base/file.h"
#include "builder/fold.h"
#include "builder/installed.h"
#include "packer/relocator/relocate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { COMPARE_SIZE = 64 << 10, NAMES_MAX = 256 << 20 };

int place_hostile(const struct place *p, struct str path, const char *why, struct err *e)
{
	return err_set(e, ERR_INTEGRITY, "'%.*s' in '%s' %s", STR_ARG(path), p->archive, why);
}

int place_no_index(const char *archive, struct err *e)
{
	return err_set(e, ERR_INTEGRITY,
		"no '" RELOCATE_INDEX "' in '%s': not whole, or not made by envbuild pack",
		archive);
}

int place_count(struct place_count *n, const char *archive, const struct member *m, struct err *e)
{
	n->members++;
	n->names += m->path.n + m->link.n;
	if (n->members > PLACE_MEMBERS_MAX)
		return err_set(e, ERR_INTEGRITY, "'%s' has more than %d members", archive,
			PLACE_MEMBERS_MAX);
	if (n->names > NAMES_MAX)
		return err_set(e, ERR_INTEGRITY, "'%s' has more than %d MiB of paths", archive,
			NAMES_MAX >> 20);
	return 0;
}

/* --- folders ---------------------------------------------------------------------------------- */

void place_folder_release(struct place_folder *f)
{
	fd_cleanup(&f->fd);
	buf_release(&f->path);
}

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

/* Below one descriptor any depth can be made, but nobody could open it by its name. */
static int check_path(const struct place *p, struct str path, struct err *e)
{
	size_t n = strlen(p->path) + 1 + path.n;

	if (!path_is_safe(path))
		return place_hostile(p, path, "leaves the folder", e);
	if (str_is(path, UNFINISHED_MARK) || str_starts(path, STR(PLACE_TEMP_START)))
		return place_hostile(p, path, "has a name that unpacking uses", e);
	if (n < PATH_MAX)
		return 0;
	err_set(e, ERR_FAIL,
		"path too long: '%.*s' would have %zu bytes in '%s', the system takes %d",
		STR_ARG(path), n, p->path, PATH_MAX - 1);
	return err_advise(e, "unpack to a shorter path");
}

/* The descriptor of the folder that a path lies in (kept until the next call), and its name. */
static int folder_of(const struct place *p, struct place_folder *f, struct str path,
	char name[NAME_MAX + 1], struct err *e)
{
	ptrdiff_t slash = str_rchr(path, '/');
	struct str folder = str_sub(path, 0, slash < 0 ? 0 : (size_t)slash);

	if (check_path(p, path, e) < 0)
		return -1;
	snprintf(name, NAME_MAX + 1, "%.*s", STR_ARG(str_sub(path, (size_t)(slash + 1), path.n)));
	if (f->fd >= 0 && str_eq(buf_view(&f->path), folder))
		return f->fd;
	fd_cleanup(&f->fd);
	f->fd = enter_all(p->root, folder);
	buf_clear(&f->path);
	buf_str(&f->path, folder);
	if (f->fd >= 0)
		return f->fd;
	if (errno == ELOOP || errno == ENOTDIR)
		return place_hostile(p, path, "lies behind something that is no folder", e);
	return err_sys(e, "cannot make the folder of '%.*s'", STR_ARG(path));
}

static int cannot_make(const struct place *p, struct str path, struct err *e)
{
	int saved = errno;

	if (saved == EEXIST && fold_is_done_by(p->root)) {
		err_set(e, ERR_FAIL,
			"'%s' folds case: it cannot hold '%.*s' beside a path of other letters",
			p->path, STR_ARG(path));
		return err_advise(e, "unpack on a file system that tells capitals apart");
	}
	if (saved == EEXIST)
		return place_hostile(p, path, "is there twice", e);
	errno = saved;
	return err_sys(e, "cannot make '%.*s'", STR_ARG(path));
}

/* --- files ------------------------------------------------------------------------------------ */

static int create(int dir, const char *name)
{
	return openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* Has what a killed run left the looks of the whole file?  Its time was set last. */
static bool looks_whole(const struct place_file *f, uint64_t size, const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_nlink == 1 && (uint64_t)st->st_size == size &&
	       (st->st_mode & 07777) == f->mode && st->st_mtim.tv_sec == f->mtime &&
	       st->st_mtim.tv_nsec == 0;
}

/* Opens the file that is there, or clears the way for a new one. */
static void take_up(struct place_file *f, uint64_t size)
{
	struct stat st;

	if (fstatat(f->dir, f->name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return;
	if (looks_whole(f, size, &st))
		f->fd = openat(f->dir, f->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	f->whole = f->fd >= 0;
	if (!f->whole)
		unlinkat(f->dir, f->name, 0);
}

int place_file_begin(const struct place *p, struct place_folder *folder, const struct member *m,
	uint64_t size, struct place_file *f, struct err *e)
{
	*f = (struct place_file){.place = p, .path = m->path, .fd = -1};
	f->mode = (m->mode & 0777) | 0400;
	f->mtime = m->has_mtime ? m->mtime : 0;
	f->dir = folder_of(p, folder, m->path, f->name, e);
	if (f->dir < 0)
		return -1;
	if (p->resumed)
		take_up(f, size);
	if (!f->whole)
		f->fd = create(f->dir, f->name);
	return f->fd < 0 ? cannot_make(p, m->path, e) : 0;
}

static bool is_same(int fd, uint64_t at, const char *bytes, size_t n)
{
	char there[COMPARE_SIZE];

	while (n) {
		size_t some = n < sizeof there ? n : sizeof there;
		ssize_t got = pread(fd, there, some, (off_t)at);

		if (got <= 0 || memcmp(there, bytes, (size_t)got) != 0)
			return false;
		bytes += got;
		at += (uint64_t)got;
		n -= (size_t)got;
	}
	return true;
}

/* The file that is there differs from here on: a new one takes over what was the same. */
static int make_anew(struct place_file *f, struct err *e)
{
	CLEANUP_FD old = f->fd;
	char piece[COMPARE_SIZE];
	uint64_t at = 0;

	f->whole = false;
	unlinkat(f->dir, f->name, 0);
	f->fd = create(f->dir, f->name);
	if (f->fd < 0)
		return cannot_make(f->place, f->path, e);
	while (at < f->at) {
		size_t some = f->at - at < sizeof piece ? (size_t)(f->at - at) : sizeof piece;
		ssize_t got = pread(old, piece, some, (off_t)at);

		if (got <= 0)
			return err_set(e, ERR_FAIL, "'%.*s' changed while it was unpacked",
				STR_ARG(f->path));
		if (write_full(f->fd, piece, (size_t)got, e) < 0)
			return -1;
		at += (uint64_t)got;
	}
	return 0;
}

int place_file_put(struct place_file *f, const void *bytes, size_t n, struct err *e)
{
	if (f->whole && !is_same(f->fd, f->at, bytes, n) && make_anew(f, e) < 0)
		return err_wrap(e, "while unpacking '%.*s'", STR_ARG(f->path));
	if (!f->whole && write_full(f->fd, bytes, n, e) < 0)
		return err_wrap(e, "while unpacking '%.*s'", STR_ARG(f->path));
	f->at += n;
	return 0;
}

int place_file_end(struct place_file *f, struct err *e)
{
	struct timespec times[2] = {{.tv_sec = f->mtime}, {.tv_sec = f->mtime}};
	int rc = 0;

	if (!f->whole && (fchmod(f->fd, f->mode) < 0 || futimens(f->fd, times) < 0))
		rc = err_sys(e, "cannot set mode and time of '%.*s'", STR_ARG(f->path));
	if (close(f->fd) < 0 && rc == 0)
		rc = err_sys(e, "cannot write '%.*s'", STR_ARG(f->path));
	f->fd = -1;
	return rc;
}

void place_file_drop(struct place_file *f)
{
	fd_cleanup(&f->fd);
}

/* --- the others ------------------------------------------------------------------------------- */

static int make_dir(
	const struct place *p, int dir, const char *name, const struct member *m, struct err *e)
{
	struct stat st;

	if (mkdirat(dir, name, 0700) < 0) {
		if (errno != EEXIST || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
			!S_ISDIR(st.st_mode))
			return cannot_make(p, m->path, e);
	}
	/* What it will hold must fit in, and be found again. */
	if (fchmodat(dir, name, (m->mode & 0777) | 0700, 0) < 0)
		return err_sys(e, "cannot set the mode of '%.*s'", STR_ARG(m->path));
	return 0;
}

static bool leads_to(int dir, const char *name, const char *target)
{
	char there[PATH_MAX];
	ssize_t n = readlinkat(dir, name, there, sizeof there);

	return n >= 0 && (size_t)n == strlen(target) && memcmp(there, target, (size_t)n) == 0;
}

static int make_symlink(
	const struct place *p, int dir, const char *name, const struct member *m, struct err *e)
{
	struct timespec time = {.tv_sec = m->has_mtime ? m->mtime : 0};
	struct timespec times[2] = {time, time};
	char target[PATH_MAX];

	if (m->link.n == 0 || m->link.n >= sizeof target || memchr(m->link.p, 0, m->link.n))
		return place_hostile(p, m->path, "is a link without a proper target", e);
	snprintf(target, sizeof target, "%.*s", STR_ARG(m->link));
	if (symlinkat(target, dir, name) < 0) {
		int saved = errno;

		if (!p->resumed || saved != EEXIST || !leads_to(dir, name, target)) {
			errno = saved;
			return cannot_make(p, m->path, e);
		}
	}
	utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW);
	return 0;
}

/* To a regular file that was unpacked before.  Ours have none; conda-pack's may. */
static int make_hardlink(
	const struct place *p, int dir, const char *name, const struct member *m, struct err *e)
{
	ptrdiff_t slash = str_rchr(m->link, '/');
	char target[NAME_MAX + 1];
	CLEANUP_FD from = -1;
	struct stat st;

	if (!path_is_safe(m->link))
		return place_hostile(p, m->path, "is a hard link that leaves the folder", e);
	from = enter_all(p->root, str_sub(m->link, 0, slash < 0 ? 0 : (size_t)slash));
	snprintf(target, sizeof target, "%.*s",
		STR_ARG(str_sub(m->link, (size_t)(slash + 1), m->link.n)));
	if (from < 0 || fstatat(from, target, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return place_hostile(p, m->path, "is a hard link to no file of the archive", e);
	return linkat(from, target, dir, name, 0) < 0 ? cannot_make(p, m->path, e) : 0;
}

int place_make(
	const struct place *p, struct place_folder *folder, const struct member *m, struct err *e)
{
	char name[NAME_MAX + 1];
	int dir = folder_of(p, folder, m->path, name, e);

	if (dir < 0)
		return -1;
	switch (m->type) {
	case MEMBER_DIR:
		return make_dir(p, dir, name, m, e);
	case MEMBER_SYMLINK:
		return make_symlink(p, dir, name, m, e);
	case MEMBER_HARDLINK:
		return make_hardlink(p, dir, name, m, e);
	case MEMBER_FILE:
	case MEMBER_OTHER:
		break;
	}
	return place_hostile(p, m->path, "is neither file, folder nor link", e);
}
