#include "builder/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

void beneath_init(struct beneath *b, int root, bool create)
{
	b->root = root;
	b->dir = -1;
	b->dir_path_n = 0;
	b->create = create;
}

void beneath_release(struct beneath *b)
{
	fd_cleanup(&b->dir);
	b->dir = -1;
	b->dir_path_n = 0;
}

/* Opens one component below dir, made where it is missing and that is allowed. */
static int open_component(const struct beneath *b, int dir, const char *name)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(dir, name, flags);

	if (fd >= 0 || errno != ENOENT || !b->create)
		return fd;
	if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
		return -1;
	return openat(dir, name, flags);
}

static int fail_component(struct str rel, struct err *e)
{
	if (errno == ELOOP || errno == ENOTDIR)
		return err_set(e, ERR_INTEGRITY, "path goes through a link or a file: '%.*s'",
			STR_ARG(rel));
	return err_sys(e, "cannot open the folder '%.*s'", STR_ARG(rel));
}

/*
 * The folder rel ("" is the root) at once, where the kernel (5.6) can: -1 with ENOSYS or EPERM
 * (a seccomp filter) where it cannot, ELOOP or ENOTDIR where a component is no folder.
 */
static int open_at_once(const struct beneath *b, const char *rel)
{
	struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};

	return (int)syscall(SYS_openat2, b->root, *rel ? rel : ".", &how, sizeof how);
}

/* Component by component. */
static int open_in_steps(const struct beneath *b, const char *rel)
{
	struct str rest = str_of(rel);
	char name[256];
	CLEANUP_FD dir = openat(b->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	while (dir >= 0 && rest.n > 0) {
		struct str part = str_cut(&rest, '/');
		memcpy(name, part.p, part.n);
		name[part.n] = '\0';
		CLEANUP_FD up = dir;
		dir = -1;
		dir = open_component(b, up, name);
	}
	return steal_fd(&dir);
}

/* The last component of rel, below a folder that is there: the way of a tree made from its top. */
static int open_last(const struct beneath *b, char *rel)
{
	char *slash = strrchr(rel, '/');
	size_t n = slash ? (size_t)(slash - rel) : 0;

	if (b->dir >= 0 && n == b->dir_path_n && memcmp(rel, b->dir_path, n) == 0)
		return open_component(b, b->dir, slash ? slash + 1 : rel);
	if (!slash)
		return open_component(b, b->root, rel);
	*slash = '\0';
	CLEANUP_FD parent = open_at_once(b, rel);
	*slash = '/';
	return parent < 0 ? -1 : open_component(b, parent, slash + 1);
}

/* Opens the folder rel ("" is the root) as b->dir. */
static int walk(struct beneath *b, struct str rel, struct err *e)
{
	char path[BENEATH_PATH_MAX];
	int saved = 0;

	if (b->dir >= 0 && rel.n == b->dir_path_n && memcmp(rel.p, b->dir_path, rel.n) == 0)
		return 0;
	memcpy(path, rel.p ? rel.p : "", rel.n);
	path[rel.n] = '\0';
	int dir = b->create && rel.n > 0 ? open_last(b, path) : open_at_once(b, path);
	if (dir < 0)
		dir = open_in_steps(b, path);
	if (dir < 0)
		saved = errno;
	beneath_release(b);
	errno = saved;
	if (dir < 0)
		return fail_component(rel, e);
	memcpy(b->dir_path, path, rel.n + 1);
	b->dir_path_n = rel.n;
	b->dir = dir;
	return 0;
}

int beneath_parent(struct beneath *b, struct str rel, char name[256], struct err *e)
{
	ptrdiff_t slash = str_rchr(rel, '/');
	struct str base = str_sub(rel, (size_t)(slash + 1), rel.n);

	if (!path_is_safe(rel))
		return err_set(e, ERR_INTEGRITY, "unsafe path '%.*s'", STR_ARG(rel));
	if (walk(b, slash < 0 ? str_n("", 0) : str_sub(rel, 0, (size_t)slash), e) < 0)
		return -1;
	memcpy(name, base.p, base.n);
	name[base.n] = '\0';
	return b->dir;
}

int beneath_mkdir(struct beneath *b, struct str rel, struct err *e)
{
	if (!path_is_safe(rel))
		return err_set(e, ERR_INTEGRITY, "unsafe path '%.*s'", STR_ARG(rel));
	bool create = b->create;

	b->create = true;
	int rc = walk(b, rel, e);
	b->create = create;
	return rc;
}
