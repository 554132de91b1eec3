/*
 * Reading compressed streams, tar and zip with libarchive.
 *
 * libarchive converts the names of pax headers to the locale's character set and, on the way,
 * composes accents (NFD to NFC), which would change names that a package lists byte for byte.  In
 * the "C" locale the conversion of such a name fails and it hands out the raw bytes with a
 * warning; so every header is read in that locale, per thread (uselocale), and warnings about
 * headers are passed over.  Warnings about data (a wrong checksum in a zip) are errors.
 */
#include "base/archive.h"

#include "base/file.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum { IN_SIZE = 128 << 10 };

/* One libarchive reader over one source of bytes. */
struct source {
	struct archive *a;
	stream_read *read;
	void *ctx;
	int fd; /* of our own or lent, for fd_read */
	bool own_fd;
	char *name;
	struct err err; /* what the caller's read said */
	char in[IN_SIZE];
};

struct unpacker {
	struct source s;
	bool started, ended;
};

struct tar_reader {
	struct source s;
};

static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;
static locale_t c_locale;

static void make_c_locale(void)
{
	c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static locale_t enter_c_locale(void)
{
	pthread_once(&c_locale_once, make_c_locale);
	return c_locale ? uselocale(c_locale) : (locale_t)0;
}

static void leave_c_locale(locale_t old)
{
	if (old)
		uselocale(old);
}

static la_ssize_t on_read(struct archive *a, void *ctx, const void **p)
{
	struct source *s = ctx;
	ptrdiff_t n = s->read(s->ctx, s->in, sizeof s->in, &s->err);

	*p = s->in;
	if (n < 0)
		archive_set_error(a, EIO, "reading failed");
	return n < 0 ? ARCHIVE_FATAL : n;
}

static ptrdiff_t fd_read(void *ctx, void *p, size_t n, struct err *e)
{
	struct source *s = ctx;
	ssize_t got;

	do
		got = read(s->fd, p, n);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_sys(e, "cannot read '%s'", s->name);
	return got;
}

/* Where that is not possible, libarchive reads. */
static la_int64_t on_skip(struct archive *a, void *ctx, la_int64_t n)
{
	struct source *s = ctx;
	struct stat st;
	off_t at;

	(void)a;
	if (s->fd < 0 || fstat(s->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	at = lseek(s->fd, 0, SEEK_CUR);
	if (at < 0 || n > st.st_size - at || lseek(s->fd, (off_t)n, SEEK_CUR) < 0)
		return 0;
	return n;
}

static int fail(struct source *s, struct err *e)
{
	const char *why = archive_error_string(s->a);

	if (s->err.text)
		return err_move(e, &s->err);
	if (archive_errno(s->a) == ENOMEM)
		return err_set(e, ERR_SYSTEM, "out of memory while reading '%s'", s->name);
	return err_set(e, ERR_INTEGRITY, "damaged archive '%s': %s", s->name,
		why ? why : "cut short, or in no known format");
}

static void source_release(struct source *s)
{
	archive_read_free(s->a);
	if (s->own_fd)
		close(s->fd);
	err_release(&s->err);
	free(s->name);
}

static void source_init(struct source *s, stream_read *read, void *ctx, const char *name)
{
	s->a = archive_read_new();
	s->read = read;
	s->ctx = ctx;
	s->fd = -1;
	s->name = xstrdup(name);
}

/* Reads from a descriptor; a path is opened by the caller. */
static void source_init_fd(struct source *s, int fd, bool own, const char *name)
{
	source_init(s, fd_read, s, name);
	s->fd = fd;
	s->own_fd = own;
}

static void support_filters(struct archive *a)
{
	archive_read_support_filter_gzip(a);
	archive_read_support_filter_bzip2(a);
	archive_read_support_filter_xz(a);
	archive_read_support_filter_zstd(a);
}

static int source_open(struct source *s, struct err *e)
{
	locale_t old = enter_c_locale();
	int rc = s->a ? archive_read_open2(s->a, s, NULL, on_read, on_skip, NULL) : ARCHIVE_FATAL;

	leave_c_locale(old);
	if (!s->a)
		return err_set(e, ERR_SYSTEM, "out of memory while opening '%s'", s->name);
	return rc == ARCHIVE_OK ? 0 : fail(s, e);
}

static int open_path(const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? err_sys(e, "cannot open '%s'", path) : fd;
}

static ptrdiff_t source_read(struct source *s, void *p, size_t n, struct err *e)
{
	la_ssize_t got;

	do
		got = archive_read_data(s->a, p, n);
	while (got == ARCHIVE_RETRY);
	return got < 0 ? fail(s, e) : got;
}

/* --- decompression ------------------------------------------------------------------------- */

static struct unpacker *unpacker_start(struct unpacker *u, struct err *e)
{
	if (u->s.a) {
		support_filters(u->s.a);
		archive_read_support_format_raw(u->s.a);
		archive_read_support_format_empty(u->s.a);
	}
	if (source_open(&u->s, e) == 0)
		return u;
	unpacker_close(u);
	return NULL;
}

struct unpacker *unpacker_open(stream_read *read, void *ctx, const char *name, struct err *e)
{
	struct unpacker *u = xcalloc(1, sizeof *u);

	source_init(&u->s, read, ctx, name);
	return unpacker_start(u, e);
}

struct unpacker *unpacker_open_path(const char *path, struct err *e)
{
	struct unpacker *u;
	int fd = open_path(path, e);

	if (fd < 0)
		return NULL;
	u = xcalloc(1, sizeof *u);
	source_init_fd(&u->s, fd, true, path);
	return unpacker_start(u, e);
}

struct unpacker *unpacker_open_fd(int fd, const char *name, struct err *e)
{
	struct unpacker *u = xcalloc(1, sizeof *u);

	source_init_fd(&u->s, fd, false, name);
	return unpacker_start(u, e);
}

ptrdiff_t unpacker_read(void *unpacker, void *p, size_t n, struct err *e)
{
	struct unpacker *u = unpacker;
	struct archive_entry *entry;

	if (!u->started) {
		int rc = archive_read_next_header(u->s.a, &entry);

		if (rc == ARCHIVE_EOF)
			u->ended = true;
		else if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
			return fail(&u->s, e);
		u->started = true;
	}
	return u->ended ? 0 : source_read(&u->s, p, n, e);
}

void unpacker_close(struct unpacker *u)
{
	if (!u)
		return;
	source_release(&u->s);
	free(u);
}

/* --- tar and zip --------------------------------------------------------------------------- */

static struct tar_reader *reader_start(struct tar_reader *r, bool zip, struct err *e)
{
	if (r->s.a && zip) {
		archive_read_support_format_zip_streamable(r->s.a);
	} else if (r->s.a) {
		support_filters(r->s.a);
		archive_read_support_format_tar(r->s.a);
	}
	if (source_open(&r->s, e) == 0)
		return r;
	tar_close(r);
	return NULL;
}

static struct tar_reader *reader_open(
	stream_read *read, void *ctx, const char *name, bool zip, struct err *e)
{
	struct tar_reader *r = xcalloc(1, sizeof *r);

	source_init(&r->s, read, ctx, name);
	return reader_start(r, zip, e);
}

static struct tar_reader *reader_open_path(const char *path, bool zip, struct err *e)
{
	struct tar_reader *r;
	int fd = open_path(path, e);

	if (fd < 0)
		return NULL;
	r = xcalloc(1, sizeof *r);
	source_init_fd(&r->s, fd, true, path);
	return reader_start(r, zip, e);
}

struct tar_reader *tar_open(stream_read *read, void *ctx, const char *name, struct err *e)
{
	return reader_open(read, ctx, name, false, e);
}

struct tar_reader *tar_open_path(const char *path, struct err *e)
{
	return reader_open_path(path, false, e);
}

struct tar_reader *tar_open_fd(int fd, const char *name, struct err *e)
{
	struct tar_reader *r = xcalloc(1, sizeof *r);

	source_init_fd(&r->s, fd, false, name);
	return reader_start(r, false, e);
}

struct tar_reader *zip_open(stream_read *read, void *ctx, const char *name, struct err *e)
{
	return reader_open(read, ctx, name, true, e);
}

struct tar_reader *zip_open_path(const char *path, struct err *e)
{
	return reader_open_path(path, true, e);
}

static enum member_type type_of(struct archive_entry *entry)
{
	if (archive_entry_hardlink(entry))
		return MEMBER_HARDLINK;
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
		return MEMBER_FILE;
	case AE_IFDIR:
		return MEMBER_DIR;
	case AE_IFLNK:
		return MEMBER_SYMLINK;
	default: /* AE_IF* are bits of mode_t, no enum */
		return MEMBER_OTHER;
	}
}

static struct str clean_path(struct str path, bool is_dir)
{
	while (path.n >= 2 && path.p[0] == '.' && path.p[1] == '/') {
		path = str_sub(path, 2, path.n);
		while (path.n && path.p[0] == '/')
			path = str_sub(path, 1, path.n);
	}
	while (is_dir && path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	return path;
}

static int fill(struct tar_reader *r, struct archive_entry *entry, struct member *m, struct err *e)
{
	const char *path = archive_entry_pathname(entry), *link = NULL;
	int64_t size = archive_entry_size(entry);

	*m = (struct member){.type = type_of(entry), .size = UINT64_MAX};
	if (m->type == MEMBER_HARDLINK)
		link = archive_entry_hardlink(entry);
	if (m->type == MEMBER_SYMLINK)
		link = archive_entry_symlink(entry);
	if (!path || (m->type == MEMBER_SYMLINK && !link))
		return err_set(e, ERR_INTEGRITY,
			"damaged archive '%s': a member without a usable name", r->s.name);
	if (archive_entry_is_encrypted(entry))
		return err_set(e, ERR_INTEGRITY, "encrypted member '%s' in '%s'", path, r->s.name);
	if (archive_entry_size_is_set(entry)) {
		if (size < 0)
			return err_set(e, ERR_INTEGRITY, "negative size of member '%s' in '%s'",
				path, r->s.name);
		m->size = (uint64_t)size;
	}
	m->path = clean_path(str_of(path), m->type == MEMBER_DIR);
	m->link = m->type == MEMBER_HARDLINK ? clean_path(str_of(link), false) : str_of(link);
	m->mode = archive_entry_perm(entry) & 07777;
	m->has_mtime = archive_entry_mtime_is_set(entry);
	m->mtime = m->has_mtime ? archive_entry_mtime(entry) : 0;
	return 1;
}

static bool is_root(const struct member *m)
{
	return m->type == MEMBER_DIR && (m->path.n == 0 || str_is(m->path, "."));
}

int tar_next(struct tar_reader *r, struct member *m, struct err *e)
{
	struct archive_entry *entry;
	locale_t old = enter_c_locale();
	int rc;

	do {
		rc = archive_read_next_header(r->s.a, &entry);
		if (rc == ARCHIVE_EOF)
			rc = 0;
		else if (rc == ARCHIVE_OK || rc == ARCHIVE_WARN)
			rc = fill(r, entry, m, e);
		else if (rc != ARCHIVE_RETRY)
			rc = fail(&r->s, e);
	} while (rc == ARCHIVE_RETRY || (rc == 1 && is_root(m)));
	leave_c_locale(old);
	return rc;
}

uint64_t tar_offset(const struct tar_reader *r)
{
	return archive_filter_count(r->s.a) > 1 ? UINT64_MAX
						: (uint64_t)archive_filter_bytes(r->s.a, 0);
}

ptrdiff_t tar_read(void *reader, void *p, size_t n, struct err *e)
{
	return source_read(&((struct tar_reader *)reader)->s, p, n, e);
}

int tar_read_all(struct tar_reader *r, struct arena *a, size_t max, struct str *out, struct err *e)
{
	CLEANUP_BUF b = {.max = max};
	char piece[16 << 10];
	ptrdiff_t n;

	while ((n = tar_read(r, piece, sizeof piece, e)) > 0) {
		if (buf_add(&b, piece, (size_t)n) < 0)
			return err_set(
				e, ERR_INTEGRITY, "member over %zu bytes in '%s'", max, r->s.name);
	}
	if (n < 0)
		return -1;
	*out = arena_str(a, buf_view(&b));
	return 0;
}

void tar_close(struct tar_reader *r)
{
	if (!r)
		return;
	source_release(&r->s);
	free(r);
}
