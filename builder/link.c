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

/* At least so many paths are handed to a thread at once. */
enum { CHUNK = 128 };

/* A folder of the prefix and what goes into it. */
struct folder {
	struct str path;
	size_t from, to; /* of linker.todo */
};

struct linker {
	struct prefix *p;
	struct folder *folders; /* a folder comes after those above it */
	size_t n_folders;
	struct linked **todo;
	size_t *chunks; /* the first folder of each, and n_folders */
	size_t n_chunks;
	bool copy; /* share no file with the cache */
	struct step *step;
	/*
	 * What was refused once is not tried again: by this file system, or for a package, whose cache
	 * may lie on another one or belong to somebody else.
	 */
	_Atomic bool no_reflink;
	_Atomic unsigned char *refused; /* of each package: bits of enum sharing */
};

enum sharing { SHARE_REFLINK = 1, SHARE_HARDLINK = 2, SHARE_SYMLINK = 4 };

/* The cache's folder that the last file came from: most come from the same. */
struct source_dir {
	const char *package; /* package.dir */
	struct str rel;
	int fd; /* -1: none */
};

/* One path being made. */
struct target {
	struct linker *linker;
	struct linked *l;
	/* The cache's file. */
	int from;
	char from_name[256];
	int dir;
	const char *name;
	/* What is wanted of it. */
	mode_t mode;
	int64_t mtime;
	uint64_t size;
	const uint8_t *sha256;
	bool no_link;
};

static struct stamp stamp_of(const struct stat *st)
{
	return (struct stamp){st->st_ino, st->st_size, st->st_mode, st->st_mtim, st->st_ctim};
}

int stamp_take(int dir, const char *name, struct stamp *out)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	*out = stamp_of(&st);
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
static int finish(int fd, const struct target *t, struct err *e)
{
	struct timespec times[2] = {{.tv_sec = t->mtime}, {.tv_sec = t->mtime}};

	if (fchmod(fd, t->mode) < 0 || futimens(fd, times) < 0)
		return err_sys(e, "cannot set mode and time");
	return 0;
}

static int open_source(const struct target *t, struct err *e)
{
	int fd = openat(t->from, t->from_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		err_sys(e, "cannot read the cache's file");
	return fd;
}

static void refuse(const struct target *t, enum sharing how)
{
	atomic_fetch_or(&t->linker->refused[t->l->package], (unsigned char)how);
}

static bool may_share(const struct target *t, enum sharing how)
{
	const struct linker *lk = t->linker;

	return !lk->copy && !t->no_link && !(atomic_load(&lk->refused[t->l->package]) & how) &&
	       !(how == SHARE_REFLINK && atomic_load(&lk->no_reflink));
}

/* A name more for the cache's file.  1 done, 0 a copy has to do, -1 error. */
static int try_link(const struct target *t, enum sharing how, struct err *e)
{
	if (linkat(t->from, t->from_name, t->dir, t->name, 0) == 0)
		return 1;
	if (errno == EMLINK)
		return 0;
	/* Two file systems, one that knows no links, or a kernel that guards others' files. */
	if (errno != EXDEV && errno != EPERM && errno != EOPNOTSUPP && errno != EACCES)
		return err_sys(e, "cannot link it");
	refuse(t, how);
	return 0;
}

/* --- the cache's file ---------------------------------------------------------------------- */

/* Does the cache's file look as it did when it was extracted? */
static bool looks_untouched(const struct target *t, const struct stat *st)
{
	return S_ISREG(st->st_mode) && (uint64_t)st->st_size == t->size &&
	       (st->st_mode & 07777) == t->mode && st->st_mtim.tv_sec == t->mtime &&
	       st->st_mtim.tv_nsec == 0;
}

/* Somebody wrote into the cache, or only touched it: its bytes tell. */
static int check_source(const struct target *t, int from, struct err *e)
{
	uint8_t sha256[SHA256_LEN];
	struct stat st;
	struct str data;

	if (fstat(from, &st) < 0)
		return err_sys(e, "cannot look at the cache's file");
	if (looks_untouched(t, &st))
		return 0;
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_INTEGRITY, "the cache's copy is no regular file");
	if (fd_map(from, &data, e) < 0)
		return -1;
	sha256_of(data.p, data.n, sha256);
	file_unmap(data);
	if (memcmp(sha256, t->sha256, SHA256_LEN) == 0)
		return 0;
	err_set(e, ERR_INTEGRITY, "the cache's copy was changed by somebody");
	return err_advise(e, "'envbuild cache verify' takes damaged packages out of the cache");
}

/* --- files that hold the prefix ------------------------------------------------------------ */

static int write_replaced(const struct target *t, struct str data, struct err *e)
{
	const struct package_file *f = t->l->file;
	struct replacement r = {data, f->offsets, f->n_offsets, f->placeholder.n,
		str_of(t->linker->p->request->prefix_inside), f->forms};
	CLEANUP_BUF out = {0};

	if (data.n != f->size)
		return err_set(e, ERR_INTEGRITY, "the cache's file changed");
	if (!f->binary)
		replace_text(&r, &out);
	else if (replace_binary(&r, &out, e) < 0)
		return err_advise(e, "choose a shorter path");
	CLEANUP_FD fd = create(t, e);
	if (fd < 0 || write_full(fd, out.p, out.n, e) < 0 || finish(fd, t, e) < 0)
		return -1;
	sha256_of(out.p, out.n, t->l->sha256);
	t->l->size = out.n;
	t->l->replaced = true;
	t->l->how = HOW_COPY;
	return 0;
}

static int link_replaced(const struct target *t, struct err *e)
{
	CLEANUP_FD from = open_source(t, e);
	struct str data;

	if (from < 0 || check_source(t, from, e) < 0 || fd_map(from, &data, e) < 0)
		return -1;
	int rc = write_replaced(t, data, e);
	file_unmap(data);
	return rc;
}

/* --- files as they are --------------------------------------------------------------------- */

/* 1 done, 0 this file system cannot, -1 error. */
static int try_reflink(const struct target *t, int from, struct err *e)
{
	CLEANUP_FD fd = create(t, e);

	if (fd < 0)
		return -1;
	if (ioctl(fd, FICLONE, from) == 0)
		return finish(fd, t, e) < 0 ? -1 : 1;
	if (errno == EXDEV)
		refuse(t, SHARE_REFLINK);
	else
		atomic_store(&t->linker->no_reflink, true);
	if (unlinkat(t->dir, t->name, 0) < 0)
		return err_sys(e, "cannot remove it");
	return 0;
}

/* 1 done, 0 a copy has to do, -1 error. */
static int try_hardlink(const struct target *t, struct err *e)
{
	struct stat st;
	int rc = try_link(t, SHARE_HARDLINK, e);

	if (rc <= 0)
		return rc;
	if (fstatat(t->dir, t->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "cannot look at it");
	if (looks_untouched(t, &st)) {
		t->l->stamp = stamp_of(&st);
		return 1;
	}
	if (unlinkat(t->dir, t->name, 0) < 0)
		return err_sys(e, "cannot remove it");
	return 0;
}

static int copy(const struct target *t, int from, struct err *e)
{
	CLEANUP_FD fd = create(t, e);

	if (fd < 0 || fd_copy(from, fd, e) < 0)
		return -1;
	return finish(fd, t, e);
}

static int link_plain(const struct target *t, struct err *e)
{
	bool reflink = may_share(t, SHARE_REFLINK);
	int rc = 0;

	memcpy(t->l->sha256, t->sha256, SHA256_LEN);
	t->l->size = t->size;
	t->l->how = HOW_HARDLINK;
	if (!reflink && may_share(t, SHARE_HARDLINK))
		rc = try_hardlink(t, e);
	if (rc)
		return rc < 0 ? -1 : 0;
	CLEANUP_FD from = open_source(t, e);
	if (from < 0 || check_source(t, from, e) < 0)
		return -1;
	t->l->how = HOW_COPY;
	if (!reflink)
		return copy(t, from, e);
	rc = try_reflink(t, from, e);
	if (rc)
		return rc < 0 ? -1 : 0;
	return link_plain(t, e);
}

/*
 * A hard link to the cache's symlink: on many file systems a name more costs a tenth of what a new
 * file does.  1 done, 0 it has to be made, -1 error.
 */
static int share_symlink(const struct target *t, struct err *e)
{
	char target[BENEATH_PATH_MAX];
	struct str link = t->l->file->link;
	int rc = may_share(t, SHARE_SYMLINK) ? try_link(t, SHARE_SYMLINK, e) : 0;

	if (rc <= 0)
		return rc;
	ssize_t n = readlinkat(t->dir, t->name, target, sizeof target);
	if (n >= 0 && str_eq(str_n(target, (size_t)n), link))
		return 1;
	if (unlinkat(t->dir, t->name, 0) < 0)
		return err_sys(e, "cannot remove it");
	return 0;
}

static int link_symlink(const struct target *t, struct err *e)
{
	int rc = share_symlink(t, e);

	t->l->how = HOW_SOFTLINK;
	if (rc == 0 && symlinkat(t->l->file->link.p, t->dir, t->name) < 0)
		return err_sys(e, "cannot create the symlink");
	return rc < 0 ? -1 : 0;
}

static int link_entry_point(const struct target *t, struct err *e)
{
	struct prefix *p = t->linker->p;
	CLEANUP_BUF text = {0};

	python_entry_point(&p->python, p->request->for_pack ? NULL : p->request->prefix_inside,
		t->l->entry_point, &text);
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

/* --- one path ------------------------------------------------------------------------------ */

/* Opens the cache's folder that holds the source, unless it is open already. */
static int open_source_dir(
	struct source_dir *s, const char *package, struct str path, struct target *t, struct err *e)
{
	struct arena a = {0};
	ptrdiff_t slash = str_rchr(path, '/');
	struct str rel = slash < 0 ? STR("") : str_sub(path, 0, (size_t)slash);
	struct str name = str_sub(path, (size_t)(slash + 1), path.n);

	if (s->fd < 0 || s->package != package || !str_eq(s->rel, rel)) {
		fd_cleanup(&s->fd);
		s->fd = open(path_join(&a, package, arena_cstr(&a, rel)),
			O_PATH | O_DIRECTORY | O_CLOEXEC);
		s->package = package;
		s->rel = rel;
		arena_release(&a);
	}
	if (s->fd < 0)
		return err_sys(e, "cannot open the package's folder in the cache");
	memcpy(t->from_name, name.p, name.n);
	t->from_name[name.n] = '\0';
	t->from = s->fd;
	return 0;
}

static int link_package_file(struct target *t, struct source_dir *s, struct err *e)
{
	const struct package_file *f = t->l->file;
	const struct package *package = &t->linker->p->packages[t->l->package];

	if (f->type == PATH_DIRECTORY) {
		t->l->how = HOW_DIRECTORY;
		return 0; /* made in its turn, as all folders */
	}
	if (open_source_dir(s, package->dir, f->path, t, e) < 0)
		return -1;
	t->mode = f->mode;
	t->mtime = f->mtime;
	t->size = f->size;
	t->sha256 = f->sha256;
	t->no_link = f->no_link;
	if (f->type == PATH_SOFTLINK)
		return link_symlink(t, e);
	return f->n_offsets > 0 ? link_replaced(t, e) : link_plain(t, e);
}

/* Bytecode that lies in the cache. */
static int link_bytecode(struct target *t, struct source_dir *s, struct err *e)
{
	const struct bytecode *code = t->l->code;
	uint8_t sha256[SHA256_LEN];

	if (open_source_dir(s, code->dir, str_of(code->name), t, e) < 0)
		return -1;
	t->mode = BYTECODE_MODE;
	t->mtime = t->l->file->mtime;
	t->size = code->size;
	memcpy(sha256, code->sha256, SHA256_LEN);
	t->sha256 = sha256;
	return link_plain(t, e);
}

static int link_one(
	struct linker *lk, struct linked *l, int dir, struct source_dir *s, struct err *e)
{
	ptrdiff_t slash = str_rchr(l->path, '/');
	struct target t = {.linker = lk, .l = l, .dir = dir, .name = l->path.p + slash + 1};
	char name[256];
	int rc = -1;

	l->stamp = (struct stamp){0};
	memcpy(name, t.name, l->path.n - (size_t)(slash + 1));
	name[l->path.n - (size_t)(slash + 1)] = '\0';
	t.name = name;
	switch (l->kind) {
	case LINKED_PACKAGE_FILE:
		rc = link_package_file(&t, s, e);
		break;
	case LINKED_ENTRY_POINT:
		rc = link_entry_point(&t, e);
		break;
	case LINKED_BYTECODE:
		rc = link_bytecode(&t, s, e);
		break;
	}
	if (rc == 0 && !l->stamp.ino && l->how != HOW_DIRECTORY &&
		stamp_take(dir, name, &l->stamp) < 0)
		rc = err_sys(e, "cannot look at it");
	if (rc < 0)
		return err_wrap(e, "cannot link '%.*s' of package '%.*s'", STR_ARG(l->path),
			STR_ARG(lk->p->packages[l->package].record->fn));
	return 0;
}

/* --- folders ------------------------------------------------------------------------------- */

static int link_folder(struct linker *lk, const struct folder *f, struct beneath *b,
	struct source_dir *s, struct err *e)
{
	int rc = 0;

	if (f->path.n > 0 && beneath_mkdir(b, f->path, e) < 0)
		return -1;
	int dir = f->path.n > 0 ? b->dir : lk->p->fd;
	for (size_t i = f->from; i < f->to && rc == 0; i++)
		rc = link_one(lk, lk->todo[i], dir, s, e);
	return rc;
}

static int link_chunk(void *ctx, size_t i, struct err *e)
{
	struct linker *lk = ctx;
	struct source_dir source = {.fd = -1};
	struct beneath b;
	size_t done = 0;
	int rc = 0;

	beneath_init(&b, lk->p->fd, true);
	for (size_t k = lk->chunks[i]; k < lk->chunks[i + 1] && rc == 0; k++) {
		rc = link_folder(lk, &lk->folders[k], &b, &source, e);
		done += lk->folders[k].to - lk->folders[k].from;
	}
	fd_cleanup(&source.fd);
	beneath_release(&b);
	if (rc == 0 && lk->step)
		step_tick(lk->step, done, 0);
	return rc;
}

static struct str folder_of(struct str path)
{
	ptrdiff_t slash = str_rchr(path, '/');

	return slash < 0 ? (struct str){0} : str_sub(path, 0, (size_t)slash);
}

/* Bytecode that no cache has is made later, in the prefix. */
static bool linked_to_do(const struct linked *l, size_t from, size_t to)
{
	return l->package >= from && l->package < to && !l->absent &&
	       (l->kind != LINKED_BYTECODE || l->code);
}

/* Sorts what is to be linked by folder, without comparing: a count per folder, then their places. */
static void group(struct arena *a, struct linker *lk, size_t from, size_t to)
{
	struct prefix *p = lk->p;
	struct table index = {.arena = a};
	size_t n = 0;

	/* Their order, sorted, puts a folder behind those above it. */
	table_put(&index, (struct str){0});
	for (size_t i = 0; i < p->n_dirs; i++)
		table_put(&index, p->dirs[i]);
	for (size_t i = 0; i < p->n; i++)
		if (linked_to_do(&p->v[i], from, to))
			table_put(&index, folder_of(p->v[i].path))->num++;
	lk->n_folders = index.n;
	lk->folders = arena_array(a, struct folder, index.n);
	for (size_t i = 0; i < index.n; i++) {
		lk->folders[i] = (struct folder){index.entries[i].key, n, n};
		n += index.entries[i].value.num;
		index.entries[i].value.num = i;
	}
	lk->todo = arena_array(a, struct linked *, n + 1);
	for (size_t i = 0; i < p->n; i++)
		if (linked_to_do(&p->v[i], from, to)) {
			struct folder *f =
				&lk->folders[table_get(&index, folder_of(p->v[i].path))->num];
			lk->todo[f->to++] = &p->v[i];
		}
}

static void cut_chunks(struct arena *a, struct linker *lk)
{
	size_t in_chunk = CHUNK;

	lk->chunks = arena_array(a, size_t, lk->n_folders + 1);
	for (size_t i = 0; i < lk->n_folders; i++) {
		if (in_chunk >= CHUNK) {
			lk->chunks[lk->n_chunks++] = i;
			in_chunk = 0;
		}
		in_chunk += 1 + lk->folders[i].to - lk->folders[i].from;
	}
	lk->chunks[lk->n_chunks] = lk->n_folders;
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

	lk.refused = arena_array(&a, _Atomic unsigned char, p->n_packages + 1);
	group(&a, &lk, from, to);
	cut_chunks(&a, &lk);
	int rc = work_run(p->request->jobs, lk.n_chunks, link_chunk, &lk, e);
	arena_release(&a);
	return rc;
}
