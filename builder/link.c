#include "builder/prefix.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/work.h"
#include "builder/beneath.h"
#include "builder/prefix_text.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { CHUNK = 128 };

struct linker {
	struct prefix *p;
	size_t *todo; /* indexes into p->v */
	size_t n;
	bool copy; /* share no file with the cache */
	struct step *step;
	/* What this pair of file systems refused once is not tried again. */
	_Atomic bool no_reflink, no_hardlink;
};

/* One path being made. */
struct target {
	struct linker *linker;
	struct linked *l;
	const char *source; /* the cache's file */
	int dir;
	const char *name;
};

int stamp_take(int dir, const char *name, struct stamp *out)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	*out = (struct stamp){st.st_ino, st.st_size, st.st_mode, st.st_mtim, st.st_ctim};
	return 0;
}

bool stamp_same(const struct stamp *a, const struct stamp *b)
{
	return a->ino == b->ino && a->size == b->size && a->mode == b->mode &&
	       a->mtime.tv_sec == b->mtime.tv_sec && a->mtime.tv_nsec == b->mtime.tv_nsec &&
	       a->ctime.tv_sec == b->ctime.tv_sec && a->ctime.tv_nsec == b->ctime.tv_nsec;
}

static int create(const struct target *t, struct err *e)
{
	int fd =
		openat(t->dir, t->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		err_sys(e, "cannot create it");
	return fd;
}

/* Mode and time as in the package: bytecode that packages bring depends on the time. */
static int finish(int fd, const struct package_file *f, struct err *e)
{
	struct timespec times[2] = {{.tv_sec = f->mtime}, {.tv_sec = f->mtime}};

	if (fchmod(fd, f->mode) < 0 || futimens(fd, times) < 0)
		return err_sys(e, "cannot set mode and time");
	return 0;
}

static int write_replaced(const struct target *t, struct str data, struct err *e)
{
	const struct package_file *f = t->l->file;
	struct replacement r = {data, f->offsets, f->n_offsets, f->placeholder.n,
		str_of(t->linker->p->request->prefix_inside)};
	CLEANUP_BUF out = {0};

	if (data.n != f->size)
		return err_set(e, ERR_INTEGRITY, "the cache's file changed");
	if (!f->binary)
		replace_text(&r, &out);
	else if (replace_binary(&r, &out, e) < 0)
		return err_advise(e, "choose a shorter path");
	CLEANUP_FD fd = create(t, e);
	if (fd < 0 || write_full(fd, out.p, out.n, e) < 0 || finish(fd, f, e) < 0)
		return -1;
	sha256_of(out.p, out.n, t->l->sha256);
	t->l->size = out.n;
	t->l->replaced = true;
	t->l->how = HOW_COPY;
	return 0;
}

static int link_replaced(const struct target *t, struct err *e)
{
	struct str data;

	if (file_map(t->source, &data, e) < 0)
		return -1;
	int rc = write_replaced(t, data, e);
	file_unmap(data);
	return rc;
}

/* 1 done, 0 this file system cannot, -1 error. */
static int try_reflink(const struct target *t, int from, struct err *e)
{
	CLEANUP_FD fd = create(t, e);

	if (fd < 0)
		return -1;
	if (ioctl(fd, FICLONE, from) == 0)
		return finish(fd, t->l->file, e) < 0 ? -1 : 1;
	atomic_store(&t->linker->no_reflink, true);
	if (unlinkat(t->dir, t->name, 0) < 0)
		return err_sys(e, "cannot remove it");
	return 0;
}

static int try_hardlink(const struct target *t, struct err *e)
{
	if (linkat(AT_FDCWD, t->source, t->dir, t->name, 0) == 0)
		return 1;
	if (errno == EEXIST || errno == ENOENT || errno == ENOSPC)
		return err_sys(e, "cannot link it");
	if (errno != EMLINK)
		atomic_store(&t->linker->no_hardlink, true);
	return 0;
}

static int copy(const struct target *t, int from, struct err *e)
{
	CLEANUP_FD fd = create(t, e);

	if (fd < 0 || fd_copy(from, fd, e) < 0)
		return -1;
	return finish(fd, t->l->file, e);
}

static int link_plain(const struct target *t, struct err *e)
{
	struct linker *lk = t->linker;
	bool may_link = !lk->copy && !t->l->file->no_link;
	int rc = 0;

	memcpy(t->l->sha256, t->l->file->sha256, SHA256_LEN);
	t->l->size = t->l->file->size;
	if (may_link && atomic_load(&lk->no_reflink) && !atomic_load(&lk->no_hardlink)) {
		t->l->how = HOW_HARDLINK;
		rc = try_hardlink(t, e);
	}
	if (rc)
		return rc < 0 ? -1 : 0;
	CLEANUP_FD from = open(t->source, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (from < 0)
		return err_sys(e, "cannot read '%s'", t->source);
	t->l->how = HOW_COPY;
	if (may_link && !atomic_load(&lk->no_reflink)) {
		rc = try_reflink(t, from, e);
		if (rc)
			return rc < 0 ? -1 : 0;
		return link_plain(t, e);
	}
	return copy(t, from, e);
}

static int link_entry_point(const struct target *t, struct err *e)
{
	struct prefix *p = t->linker->p;
	CLEANUP_BUF text = {0};

	python_entry_point(&p->python, p->request->prefix_inside, t->l->entry_point, &text);
	CLEANUP_FD fd = create(t, e);
	if (fd < 0 || write_full(fd, text.p, text.n, e) < 0)
		return -1;
	if (fchmod(fd, 0755) < 0)
		return err_sys(e, "cannot set its mode");
	sha256_of(text.p, text.n, t->l->sha256);
	t->l->size = text.n;
	t->l->how = HOW_COPY;
	return 0;
}

static int link_file(struct target *t, struct err *e)
{
	const struct package_file *f = t->l->file;

	switch (f->type) {
	case PATH_FILE:
		return f->n_offsets > 0 ? link_replaced(t, e) : link_plain(t, e);
	case PATH_SOFTLINK:
		t->l->how = HOW_SOFTLINK;
		if (symlinkat(f->link.p, t->dir, t->name) < 0)
			return err_sys(e, "cannot create the symlink");
		return 0;
	case PATH_DIRECTORY:
		t->l->how = HOW_DIRECTORY;
		return 0; /* made with all folders */
	}
	return 0;
}

static int link_one(struct linker *lk, struct linked *l, struct beneath *b, struct err *e)
{
	struct arena a = {0};
	struct target t = {.linker = lk, .l = l};
	const struct package *package = &lk->p->packages[l->package];
	char name[256];
	int rc = -1;

	t.name = name;
	t.dir = beneath_parent(b, l->path, name, e);
	if (t.dir >= 0 && l->kind == LINKED_ENTRY_POINT) {
		rc = link_entry_point(&t, e);
	} else if (t.dir >= 0) {
		t.source = path_join(&a, package->dir, arena_cstr(&a, l->file->path));
		rc = link_file(&t, e);
	}
	if (rc == 0 && stamp_take(t.dir, name, &l->stamp) < 0)
		rc = err_sys(e, "cannot look at it");
	arena_release(&a);
	if (rc < 0)
		return err_wrap(e, "cannot link '%.*s' of package '%.*s'", STR_ARG(l->path),
			STR_ARG(package->record->fn));
	return 0;
}

static int link_chunk(void *ctx, size_t i, struct err *e)
{
	struct linker *lk = ctx;
	size_t from = i * CHUNK, to = from + CHUNK < lk->n ? from + CHUNK : lk->n;
	struct beneath b;
	int rc = 0;

	beneath_init(&b, lk->p->fd, false);
	for (size_t k = from; k < to && rc == 0; k++)
		rc = link_one(lk, &lk->p->v[lk->todo[k]], &b, e);
	beneath_release(&b);
	if (rc == 0 && lk->step)
		step_tick(lk->step, to - from, 0);
	return rc;
}

static int make_dirs(struct prefix *p, struct err *e)
{
	struct beneath b;
	int rc = 0;

	beneath_init(&b, p->fd, true);
	for (size_t i = 0; i < p->n_dirs && rc == 0; i++)
		rc = beneath_mkdir(&b, p->dirs[i], e);
	beneath_release(&b);
	return rc;
}

/* A link script may write into any file: through a hard link that would reach the cache. */
static bool has_link_scripts(const struct prefix *p)
{
	for (size_t i = 0; i < p->n_packages; i++)
		if (p->packages[i].pre_link.n || p->packages[i].post_link.n)
			return true;
	return false;
}

int prefix_link(struct prefix *p, size_t from, size_t to, struct step *step, struct err *e)
{
	struct arena a = {0};
	struct linker lk = {.p = p, .step = step, .copy = p->request->copy || has_link_scripts(p)};

	lk.todo = arena_array(&a, size_t, p->n);
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].package >= from && p->v[i].package < to &&
			p->v[i].kind != LINKED_BYTECODE)
			lk.todo[lk.n++] = i;
	int rc = make_dirs(p, e);
	if (rc == 0)
		rc = work_run(p->request->jobs, (lk.n + CHUNK - 1) / CHUNK, link_chunk, &lk, e);
	arena_release(&a);
	return rc;
}
