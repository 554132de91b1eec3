/*
 * A root file system's folder, copied as it is seen by who copies it: what he cannot read, devices and
 * what is mounted in it are left out.
 *
 * Its digest is the sum of, for each path in byte order, "TYPE MODE SIZE PATH\0" and what it holds: the
 * sum of a file, the text of a link.  Times, owners and links between files are not part of it.
 */
#include "base/file.h"
#include "base/interrupt.h"
#include "base/table.h"
#include "images/importing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { CHUNK = 256 << 10, LINK_ROOM = 4096 };

struct folder {
	struct importing *i;
	int from, to; /* to -1: only summed */
	dev_t dev;
	struct hash *hash, *file;
	char *chunk;
	struct step step;
	struct arena scratch;
	struct table linked; /* device and inode -> first path, of files with several names */
	uint64_t left_out;
	struct {
		struct folder_copy {
			const char *path;
			struct timespec mtime;
		} * v;
		size_t n, cap;
	} folders;
};

static mode_t kept_mode(const struct stat *st)
{
	return (st->st_mode & 01777) | (S_ISDIR(st->st_mode) ? 0700 : 0600);
}

static void sum_entry(struct folder *f, char type, mode_t mode, uint64_t size, const char *rel,
	struct str content)
{
	char head[64];
	int n = snprintf(
		head, sizeof head, "%c %o %llu ", type, (unsigned)mode, (unsigned long long)size);

	hash_update(f->hash, head, (size_t)n);
	hash_update(f->hash, rel, strlen(rel) + 1);
	hash_update(f->hash, content.p, content.n);
}

static int sum_file(struct folder *f, int fd, const char *rel, const struct stat *st, struct err *e)
{
	uint8_t sum[SHA256_LEN];
	uint64_t size = 0;
	ssize_t n;

	while ((n = read_full(fd, f->chunk, CHUNK)) > 0) {
		hash_update(f->file, f->chunk, (size_t)n);
		size += (uint64_t)n;
		step_tick(&f->step, 0, (uint64_t)n);
		if (interrupt_check(e) < 0)
			return -1;
	}
	hash_final(f->file, sum);
	if (n < 0)
		return err_sys(e, "cannot read '%s'", rel);
	sum_entry(f, 'f', kept_mode(st), size, rel, str_n((char *)sum, sizeof sum));
	return 0;
}

static int leave_out(struct folder *f, const char *rel, const char *why)
{
	f->left_out++;
	log_debug("'%s' %s and is left out", rel, why);
	return 0;
}

/* 1 where it is another name of a file that is there. */
static int link_file(struct folder *f, const char *rel, const struct stat *st, struct err *e)
{
	/* of another device: a file that is mounted */
	uint64_t id[2] = {st->st_dev, st->st_ino};
	struct str key = arena_str(&f->scratch, str_n((const char *)id, sizeof id));
	union table_value *first = table_put(&f->linked, key);

	if (!first->ptr) {
		first->ptr = arena_strdup(&f->scratch, rel);
		return 0;
	}
	return linkat(f->to, first->ptr, f->to, rel, 0) < 0 ? err_sys(e, "cannot link '%s'", rel)
							    : 1;
}

static int copy_file(
	struct folder *f, int in, const char *rel, const struct stat *st, struct err *e)
{
	struct timespec times[2] = {st->st_mtim, st->st_mtim};
	int linked = st->st_nlink > 1 ? link_file(f, rel, st, e) : 0;
	CLEANUP_FD out = -1;

	if (linked)
		return linked < 0 ? -1 : 0;
	out = openat(f->to, rel, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return err_sys(e, "cannot make '%s'", rel);
	if (fd_copy(in, out, e) < 0)
		return err_wrap(e, "while copying '%s'", rel);
	if (fchmod(out, kept_mode(st)) < 0 || futimens(out, times) < 0)
		return err_sys(e, "cannot set mode and time of '%s'", rel);
	step_tick(&f->step, 0, (uint64_t)st->st_size);
	return 0;
}

static int visit_file(struct folder *f, const char *rel, const struct stat *st, struct err *e)
{
	CLEANUP_FD fd = openat(f->from, rel, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return leave_out(f, rel, "cannot be read");
	if (fd < 0)
		return err_sys(e, "cannot open '%s'", rel);
	return f->to < 0 ? sum_file(f, fd, rel, st, e) : copy_file(f, fd, rel, st, e);
}

static int visit_link(struct folder *f, const char *rel, const struct stat *st, struct err *e)
{
	struct timespec times[2] = {st->st_mtim, st->st_mtim};
	char text[LINK_ROOM];
	ssize_t n = readlinkat(f->from, rel, text, sizeof text - 1);

	if (n < 0)
		return err_sys(e, "cannot read the link '%s'", rel);
	text[n] = '\0';
	if (f->to < 0)
		sum_entry(f, 'l', 0, (uint64_t)n, rel, str_n(text, (size_t)n));
	else if (symlinkat(text, f->to, rel) < 0 ||
		 utimensat(f->to, rel, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "cannot make the link '%s'", rel);
	return 0;
}

/* DIR_SKIP where what is in it is left out. */
static int visit_folder(struct folder *f, const char *rel, const struct stat *st, struct err *e)
{
	if (f->to < 0) {
		sum_entry(f, 'd', kept_mode(st), 0, rel, (struct str){0});
	} else {
		if (mkdirat(f->to, rel, 0700) < 0 || fchmodat(f->to, rel, kept_mode(st), 0) < 0)
			return err_sys(e, "cannot make the folder '%s'", rel);
		*VEC_PUSH(&f->scratch, &f->folders) =
			(struct folder_copy){arena_strdup(&f->scratch, rel), st->st_mtim};
	}
	if (st->st_dev != f->dev) {
		leave_out(f, rel, "is mounted there");
		return DIR_SKIP;
	}
	if (faccessat(f->from, rel, R_OK | X_OK, AT_EACCESS) < 0) {
		leave_out(f, rel, "cannot be read");
		return DIR_SKIP;
	}
	return 0;
}

static int visit(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct folder *f = ctx;

	if (interrupt_check(e) < 0)
		return -1;
	if (S_ISDIR(st->st_mode))
		return visit_folder(f, rel, st, e);
	if (S_ISREG(st->st_mode))
		return visit_file(f, rel, st, e);
	if (S_ISLNK(st->st_mode))
		return visit_link(f, rel, st, e);
	return leave_out(f, rel, "is neither file, folder nor link");
}

static void set_folder_times(const struct folder *f)
{
	for (size_t k = f->folders.n; k-- > 0;) {
		struct timespec t = f->folders.v[k].mtime, times[2] = {t, t};

		utimensat(f->to, f->folders.v[k].path, times, AT_SYMLINK_NOFOLLOW);
	}
}

static int walk(struct folder *f, const char *name, struct err *e)
{
	struct stat st;

	if (fstat(f->from, &st) < 0)
		return err_sys(e, "cannot read the folder");
	f->dev = st.st_dev;
	f->linked.arena = &f->scratch;
	step_begin(&f->step, name, 0, 0);
	if (dir_walk(f->from, visit, f, e) < 0) {
		step_fail(&f->step);
		return -1;
	}
	if (f->to >= 0)
		set_folder_times(f);
	step_end(&f->step, "a folder");
	return 0;
}

static int sum(struct importing *i, int fd, struct str *digest, struct err *e)
{
	struct folder f = {.i = i, .from = fd, .to = -1};
	uint8_t bytes[SHA256_LEN];
	int r;

	f.hash = hash_new(HASH_SHA256);
	f.file = hash_new(HASH_SHA256);
	f.chunk = arena_alloc(&f.scratch, CHUNK);
	r = walk(&f, "read", e);
	hash_final(f.hash, bytes);
	*digest = digest_text(i->a, bytes);
	hash_free(f.hash);
	hash_free(f.file);
	arena_release(&f.scratch);
	return r;
}

static int copy(struct importing *i, int from, int to, struct err *e)
{
	struct folder f = {.i = i, .from = from, .to = to};
	int r = walk(&f, "copy", e);

	if (r == 0 && f.left_out)
		log_warn(
			"%llu files and folders are left out, which cannot be read, are mounted or "
			"are devices (-v names them)",
			(unsigned long long)f.left_out);
	arena_release(&f.scratch);
	return r;
}

static int check_is_root(const char *path, struct err *e)
{
	static const char *const wanted[] = {"usr", "bin", "lib", "lib64", "etc", "sbin"};
	struct arena a = {0};
	bool found = false;

	for (size_t k = 0; k < sizeof wanted / sizeof *wanted; k++)
		found = found || path_exists(path_join(&a, path, wanted[k]));
	arena_release(&a);
	if (found)
		return 0;
	err_set(e, ERR_USAGE, "'%s' is no root file system: it has neither usr nor bin nor etc",
		path);
	return err_advise(e, "name the folder that would be '/', or an OCI layout");
}

int importing_folder(struct importing *i, const char *path, struct err *e)
{
	CLEANUP_FD from = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), to = -1;
	char *root = arena_printf(i->a, "%s/tree/root", i->work.dir);
	struct str digest;
	int r;

	if (from < 0)
		return err_sys(e, "cannot open the folder '%s'", path);
	if (check_is_root(path, e) < 0)
		return -1;
	if (store_has_trees(i->r->store)) {
		r = sum(i, from, &digest, e);
		if (r == 0)
			r = importing_adopt(i, digest, e);
		if (r)
			return r < 0 ? -1 : 0;
	}
	if (dir_make(root, e) < 0)
		return -1;
	to = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (to < 0)
		return err_sys(e, "cannot open the folder '%s'", root);
	if (copy(i, from, to, e) < 0 || sum(i, to, &digest, e) < 0)
		return err_wrap(e, "while copying '%s'", path);
	return importing_publish(i, digest, e);
}
