#include "packer/audit_tree.h"

#include "base/file.h"
#include "packer/audit_growing.h"

#include <fcntl.h>

struct walk {
	struct audit_growing *g;
	int fd;
	const char *root;
};

static int visit(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct walk *w = ctx;
	struct audit_file *f;
	CLEANUP_FD fd = -1;

	if (!S_ISREG(st->st_mode) && !S_ISLNK(st->st_mode))
		return 0;
	f = audit_growing_file(w->g, arena_str(w->g->a, str_of(rel)), -1,
		S_ISLNK(st->st_mode) ? PATH_SOFTLINK : PATH_FILE, st->st_mode & 0777);
	if (!binary_is_worth_a_look(f->type, (uint64_t)st->st_size, f->path))
		return 0;
	fd = openat(w->fd, rel, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "cannot open '%s/%s'", w->root, rel);
	return audit_growing_read(w->g, f, fd, e);
}

int audit_tree_prefix(struct arena *a, const struct cache *c, const char *prefix, unsigned jobs,
	struct audit_tree *out, struct err *e)
{
	CLEANUP_FD fd = open(prefix, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct audit_growing g = {.a = a};
	struct walk w = {&g, fd, prefix};

	(void)c;
	(void)jobs;
	if (fd < 0)
		return err_sys(e, "cannot open '%s'", prefix);
	if (dir_walk(fd, visit, &w, e) != 0)
		return -1;
	audit_growing_finish(&g, prefix, out);
	out->prefix = str_of(prefix);
	return 0;
}

static int not_yet(const char *what, struct err *e)
{
	return err_set(e, ERR_USAGE, "'%s' cannot be audited", what);
}

int audit_tree_archive(struct arena *a, const char *archive, struct audit_tree *out, struct err *e)
{
	(void)a;
	(void)out;
	return not_yet(archive, e);
}

int audit_tree_package(
	struct arena *a, const char *file, const char *work, struct audit_tree *out, struct err *e)
{
	(void)a;
	(void)out;
	(void)work;
	return not_yet(file, e);
}

int audit_tree_files(
	struct arena *a, const char **files, size_t n, struct audit_tree *out, struct err *e)
{
	(void)a;
	(void)out;
	(void)n;
	return not_yet(files[0], e);
}
