#include "images/import.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "images/importing.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum { CHUNK = 256 << 10 };

/* --- what is it? ---------------------------------------------------------------------------- */

/* Folders that a root file system has at its top; one of them is enough. */
static bool is_of_root(struct str name)
{
	static const char *const names[] = {"bin", "boot", "dev", "etc", "home", "lib", "lib64",
		"media", "mnt", "opt", "proc", "root", "run", "sbin", "srv", "sys", "tmp", "usr",
		"var", ".dockerenv"};

	name = str_cut(&name, '/');
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (str_is(name, names[i]))
			return true;
	return false;
}

static bool is_of_parts(struct str name)
{
	return str_is(name, "manifest.json") || str_is(name, "index.json") ||
	       str_is(name, "oci-layout");
}

/* By its members: 1 an image in parts, 0 a root file system, or -1. */
static int look_at_members(struct tar_reader *tar, const char *name, bool *is_plain, struct err *e)
{
	struct member m;
	size_t n = 0;
	int r;

	while ((r = tar_next(tar, &m, e)) > 0) {
		*is_plain = tar_offset(tar) != UINT64_MAX;
		n++;
		if (is_of_parts(m.path) && m.type == MEMBER_FILE)
			return 1;
		if (is_of_root(m.path) || interrupt_check(e) < 0)
			break;
	}
	if (r < 0)
		return err_advise(e,
			"give a tar of a root file system, an archive of 'docker save', an OCI "
			"archive or layout, or a folder");
	return n ? 0 : err_set(e, ERR_INPUT, "'%s' is an empty archive", name);
}

static int look_at(int fd, const char *name, bool *is_plain, struct err *e)
{
	struct tar_reader *tar = tar_open_fd(fd, name, e);
	int r = tar ? look_at_members(tar, name, is_plain, e) : -1;

	tar_close(tar);
	return r;
}

/* --- files ---------------------------------------------------------------------------------- */

/* A file in the work folder that holds what `read` gives, at most max bytes. */
static int spool(struct importing *i, const char *name, stream_read *read, void *ctx, uint64_t max,
	int *out, struct err *e)
{
	char *path = arena_printf(i->a, "%s/spool", i->work.dir), *chunk;
	CLEANUP_FD fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	uint64_t all = 0;
	ptrdiff_t n;

	if (fd < 0 || unlink(path) < 0)
		return err_sys(e, "cannot make '%s'", path);
	chunk = xmalloc(CHUNK);
	while ((n = read(ctx, chunk, CHUNK, e)) > 0) {
		all += (uint64_t)n;
		if (all > max)
			n = err_set(e, ERR_INTEGRITY, "'%s' unpacks to more than is allowed", name);
		else if (interrupt_check(e) < 0)
			n = -1;
		else if (write_full(fd, chunk, (size_t)n, e) < 0)
			n = err_wrap(e, "while keeping '%s' in '%s'", name, i->work.dir);
		if (n < 0)
			break;
	}
	free(chunk);
	*out = n < 0 ? -1 : steal_fd(&fd);
	return n < 0 ? -1 : 0;
}

static int size_of(int fd, const char *name, uint64_t *out, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "cannot read '%s'", name);
	*out = (uint64_t)st.st_size;
	return 0;
}

/* The parts of a compressed archive are read here and there: it is unpacked first. */
static int import_packed(
	struct importing *i, int fd, const char *name, const char *reference, struct err *e)
{
	CLEANUP_FD plain = -1;
	struct unpacker *u;
	uint64_t size;
	int r = -1;

	if (size_of(fd, name, &size, e) < 0)
		return -1;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, "cannot read '%s'", name);
	u = unpacker_open_fd(fd, name, e);
	if (u)
		r = spool(i, name, unpacker_read, u, unpacked_limit(size), &plain, e);
	unpacker_close(u);
	return r < 0 ? -1 : importing_archive(i, plain, name, reference, e);
}

/* The sum of the tar, where that could spare unpacking it. */
static int sum_root(struct importing *i, const struct blob *b, struct str *diff_id, struct err *e)
{
	struct step step;
	struct blob_tar *t;
	int r = -1;

	if (!store_has_trees(i->r->store))
		return 0;
	step_begin(&step, "read", 0, b->size);
	t = blob_tar_open(b, &step, unpacked_limit(b->size), e);
	if (t)
		r = blob_tar_end(t, i->a, diff_id, e);
	blob_tar_close(t);
	if (r < 0)
		step_fail(&step);
	else
		step_end(&step, "%s", path_base(b->name));
	return r;
}

static int import_root(struct importing *i, int fd, const char *name, struct err *e)
{
	struct blob b = {.fd = fd, .name = name};

	if (size_of(fd, name, &b.size, e) < 0 || sum_root(i, &b, &b.diff_id, e) < 0)
		return -1;
	return importing_layers(i, &b, 1, e);
}

static int import_file(
	struct importing *i, int fd, const char *name, const char *reference, struct err *e)
{
	bool is_plain = false;
	int parts = look_at(fd, name, &is_plain, e);

	if (parts < 0)
		return -1;
	if (parts == 0 && reference)
		return err_set(e, ERR_USAGE,
			"'%s' is one root file system: there is no '%s' to choose", name,
			reference);
	if (parts == 0)
		return import_root(i, fd, name, e);
	return is_plain ? importing_archive(i, fd, name, reference, e)
			: import_packed(i, fd, name, reference, e);
}

/* Signals restart a read: so it begins only when there is something, or was a signal. */
static ptrdiff_t read_stdin(void *ctx, void *p, size_t n, struct err *e)
{
	struct pollfd wait[2] = {
		{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = interrupt_fd(), .events = POLLIN}};
	ssize_t got;

	(void)ctx;
	do {
		if (poll(wait, 2, -1) < 0 && errno != EINTR)
			return err_sys(e, "cannot wait for stdin");
		if (interrupt_check(e) < 0)
			return -1;
		got = read(STDIN_FILENO, p, n);
	} while (got < 0 && (errno == EINTR || errno == EAGAIN));
	return got < 0 ? err_sys(e, "cannot read stdin") : got;
}

static int import_stdin(struct importing *i, const char *reference, struct err *e)
{
	CLEANUP_FD fd = -1;

	if (isatty(STDIN_FILENO))
		return err_set(e, ERR_USAGE, "stdin is a terminal: nothing to import");
	if (spool(i, "stdin", read_stdin, NULL, UINT64_MAX, &fd, e) < 0)
		return -1;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, "cannot read stdin");
	return import_file(i, fd, "stdin", reference, e);
}

/* --- paths ---------------------------------------------------------------------------------- */

static bool is_layout(struct arena *a, const char *path)
{
	return path_exists(path_join(a, path, "index.json")) ||
	       path_exists(path_join(a, path, "manifest.json"));
}

static int import_folder(
	struct importing *i, const char *path, const char *reference, struct err *e)
{
	if (is_layout(i->a, path))
		return importing_layout(i, path, reference, e);
	if (reference)
		return err_set(e, ERR_USAGE,
			"'%s' is one root file system: there is no '%s' to choose", path,
			reference);
	return importing_folder(i, path, e);
}

/* PATH, or PATH:REFERENCE where nothing stands at the whole. */
static const char *cut_reference(struct arena *a, const char *path, const char **reference)
{
	const char *colon = path;

	*reference = NULL;
	if (path_exists(path))
		return path;
	while ((colon = strchr(colon, ':'))) {
		char *cut = arena_cstr(a, str_n(path, (size_t)(colon - path)));

		colon++;
		if (!strcmp(cut, "-") || path_exists(cut)) {
			*reference = colon;
			return cut;
		}
	}
	return path;
}

static int import_any(struct importing *i, const char *given, struct err *e)
{
	const char *reference, *path = cut_reference(i->a, given, &reference);
	CLEANUP_FD fd = -1;
	struct stat st;

	if (!strcmp(path, "-"))
		return import_stdin(i, reference, e);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		err_sys(e, "cannot open '%s'", path);
		if (e && e->sys == ENOENT)
			e->code = ERR_USAGE;
		return -1;
	}
	if (S_ISDIR(st.st_mode))
		return import_folder(i, path, reference, e);
	if (!S_ISREG(st.st_mode)) {
		err_set(e, ERR_USAGE, "'%s' is neither a file nor a folder", path);
		return err_advise(e, "'-' reads an archive from stdin");
	}
	return import_file(i, fd, path, reference, e);
}

int image_import_path(struct arena *a, const struct import_request *r, const char *path,
	struct image *out, bool *was_there, struct err *e)
{
	struct importing i;
	int rc = importing_begin(&i, a, r, out, e);

	if (rc == 0)
		rc = import_any(&i, path, e);
	*was_there = i.was_there;
	importing_end(&i);
	return rc;
}
