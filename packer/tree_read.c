#include "packer/tree_read.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

struct tree_reader {
	struct arena arena;
	char *path;
	int root;
	struct {
		struct member *v;
		size_t n, cap;
	} members;
	size_t next;
	int fd; /* of the current file; -1: not opened */
};

static struct str link_of(struct tree_reader *r, const char *rel, struct err *e)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(r->root, rel, target, sizeof target);

	if (n >= 0)
		return arena_str(&r->arena, str_n(target, (size_t)n));
	err_sys(e, "cannot read the link '%s/%s'", r->path, rel);
	return (struct str){0};
}

static int add(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct tree_reader *r = ctx;
	struct member m = {.path = str_of(arena_strdup(&r->arena, rel)),
		.type = MEMBER_OTHER,
		.mode = st->st_mode & 07777,
		.mtime = st->st_mtime,
		.has_mtime = true};

	if (S_ISREG(st->st_mode)) {
		m.type = MEMBER_FILE;
		m.size = (uint64_t)st->st_size;
	} else if (S_ISDIR(st->st_mode)) {
		m.type = MEMBER_DIR;
	} else if (S_ISLNK(st->st_mode)) {
		m.type = MEMBER_SYMLINK;
		m.link = link_of(r, rel, e);
		if (!m.link.p)
			return -1;
	}
	*VEC_PUSH(&r->arena, &r->members) = m;
	return 0;
}

struct tree_reader *tree_open(const char *path, struct err *e)
{
	struct tree_reader *r = xcalloc(1, sizeof *r);

	r->path = arena_strdup(&r->arena, path);
	r->fd = -1;
	r->root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->root < 0)
		err_sys(e, "cannot open the folder '%s'", path);
	else if (dir_walk(r->root, add, r, e) == 0)
		return r;
	tree_reader_close(r);
	return NULL;
}

int tree_next(struct tree_reader *r, struct member *m, struct err *e)
{
	(void)e;
	fd_cleanup(&r->fd);
	if (r->next == r->members.n)
		return 0;
	*m = r->members.v[r->next++];
	return 1;
}

ptrdiff_t tree_read(struct tree_reader *r, void *p, size_t n, struct err *e)
{
	const struct member *m = r->next ? &r->members.v[r->next - 1] : NULL;
	ssize_t got;

	if (!m || m->type != MEMBER_FILE)
		return 0;
	if (r->fd < 0)
		r->fd = openat(r->root, m->path.p, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (r->fd < 0)
		return err_sys(e, "cannot open '%s/%s'", r->path, m->path.p);
	do
		got = read(r->fd, p, n);
	while (got < 0 && errno == EINTR);
	return got < 0 ? err_sys(e, "cannot read '%s/%s'", r->path, m->path.p) : got;
}

void tree_reader_close(struct tree_reader *r)
{
	if (!r)
		return;
	fd_cleanup(&r->fd);
	fd_cleanup(&r->root);
	arena_release(&r->arena);
	free(r);
}
