#include "images/libc.h"

#include "base/file.h"
#include "images/libc_places.h"
#include "images/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_LINKS = 40, MAX_DEPTH = 256, MAX_LIBC = 64 << 20 };

static const char *const musl_places[] = {
	"lib/ld-musl-x86_64.so.1",
	"lib/ld-musl-aarch64.so.1",
	"lib/libc.musl-x86_64.so.1",
};

/* --- open_in_root without openat2 --------------------------------------------------------- */

struct walk {
	int root;
	char rest[4096]; /* what is still to be walked */
	int depth, links;
	int stack[MAX_DEPTH];
	bool make; /* folders that are missing */
};

static void walk_end(struct walk *w)
{
	while (w->depth > 0)
		close(w->stack[--w->depth]);
}

static int walk_dir(const struct walk *w)
{
	return w->depth ? w->stack[w->depth - 1] : w->root;
}

/* Puts the link's text in front of what is left. */
static int walk_link(struct walk *w, const char *name)
{
	char text[4096], next[sizeof w->rest];
	ssize_t n = readlinkat(walk_dir(w), name, text, sizeof text - 1);

	if (n < 0)
		return -1;
	text[n] = 0;
	if (++w->links > MAX_LINKS) {
		errno = ELOOP;
		return -1;
	}
	if ((size_t)snprintf(next, sizeof next, "%s/%s", text, w->rest) >= sizeof next) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(w->rest, next, sizeof next);
	if (text[0] == '/')
		walk_end(w);
	return 0;
}

/* Takes the next component; 0 when there is none. */
static int walk_next(struct walk *w, char name[256])
{
	const char *p = w->rest + strspn(w->rest, "/");
	size_t n = strcspn(p, "/");

	if (n == 0)
		return 0;
	if (n > 255) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(name, p, n);
	name[n] = 0;
	memmove(w->rest, p + n, strlen(p + n) + 1);
	return 1;
}

static int walk_enter(struct walk *w, const char *name)
{
	int fd;

	if (w->depth == MAX_DEPTH) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = openat(walk_dir(w), name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	w->stack[w->depth++] = fd;
	return 0;
}

static int walk_step(struct walk *w, const char *name, int flags)
{
	struct stat st;

	if (!strcmp(name, "."))
		return 0;
	if (!strcmp(name, "..")) {
		if (w->depth > 0)
			close(w->stack[--w->depth]);
		return 0;
	}
	if (w->make && mkdirat(walk_dir(w), name, 0755) < 0 && errno != EEXIST)
		return -1;
	if (fstatat(walk_dir(w), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (S_ISLNK(st.st_mode))
		return walk_link(w, name);
	if (w->rest[strspn(w->rest, "/")] || S_ISDIR(st.st_mode))
		return walk_enter(w, name);
	/* 1 + fd: the last component, and not a folder */
	flags = openat(walk_dir(w), name, flags | O_NOFOLLOW | O_CLOEXEC);
	return flags < 0 ? -1 : flags + 1;
}

static int walk(struct walk *w, const char *path, int flags)
{
	char name[256];
	int r;

	if (strlen(path) >= sizeof w->rest) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(w->rest, path, strlen(path) + 1);
	while ((r = walk_next(w, name)) > 0) {
		r = walk_step(w, name, flags);
		if (r)
			break;
	}
	if (r == 0)
		r = openat(walk_dir(w), ".", flags | O_CLOEXEC) + 1;
	walk_end(w);
	return r > 0 ? r - 1 : -1;
}

int open_in_root_walking(int root_fd, const char *path, int flags)
{
	struct walk w = {.root = root_fd};

	return walk(&w, path, flags);
}

int make_in_root(int root_fd, const char *path)
{
	struct walk w = {.root = root_fd, .make = true};
	int fd = open_in_root(root_fd, *path ? path : ".", O_PATH | O_DIRECTORY);

	return fd >= 0 || errno != ENOENT ? fd : walk(&w, path, O_PATH | O_DIRECTORY);
}

int open_in_root(int root_fd, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof how);

	/* EAGAIN: somebody renamed or mounted anything anywhere, while ".." was followed */
	if (fd >= 0 || (errno != ENOSYS && errno != EPERM && errno != EAGAIN))
		return (int)fd;
	return open_in_root_walking(root_fd, path, flags);
}

/* --- the version -------------------------------------------------------------------------- */

/* The digits "2.17" at p, or nothing. */
static struct str version_at(struct str s)
{
	size_t n = 0, dots = 0;

	while (n < s.n && ((s.p[n] >= '0' && s.p[n] <= '9') || (s.p[n] == '.' && dots == 0))) {
		dots += s.p[n] == '.';
		n++;
	}
	if (n < 3 || dots != 1 || s.p[0] == '.' || s.p[n - 1] == '.')
		return (struct str){NULL, 0};
	return str_n(s.p, n);
}

bool version_is_numeric(struct str s)
{
	while (s.p) {
		struct str part = str_cut(&s, '.');
		uint64_t n;

		if (str_u64(part, UINT32_MAX, &n) < 0)
			return false;
	}
	return true;
}

int glibc_cmp(struct str a, struct str b)
{
	while (a.p || b.p) {
		uint64_t x = 0, y = 0;

		if (a.p)
			str_u64(str_cut(&a, '.'), UINT32_MAX, &x);
		if (b.p)
			str_u64(str_cut(&b, '.'), UINT32_MAX, &y);
		if (x != y)
			return x < y ? -1 : 1;
	}
	return 0;
}

static struct str banner_version(struct str bytes)
{
	struct str mark = STR("release version "), v = {NULL, 0};
	ptrdiff_t at;

	while (!v.p && (at = str_find(bytes, mark)) >= 0) {
		bytes = str_sub(bytes, (size_t)at + mark.n, bytes.n);
		v = version_at(bytes);
	}
	return v;
}

struct str glibc_of_definitions(const struct elf *libc)
{
	struct str best = {NULL, 0};

	for (size_t i = 0; i < libc->n_defines; i++) {
		struct str v = libc->defines[i];

		if (!str_starts(v, STR("GLIBC_")))
			continue;
		v = str_sub(v, strlen("GLIBC_"), v.n);
		if (version_is_numeric(v) && (!best.p || glibc_cmp(v, best) > 0))
			best = v;
	}
	return best;
}

/* 1 with the version, 0 where the bytes are none of a glibc for this machine. */
static int version_of(struct arena *a, const char *place, struct str bytes, struct str *version)
{
	struct err ignored = {0};
	struct arena scratch = {0};
	struct elf elf;
	struct str defined = {NULL, 0}, said;

	if (elf_read(&scratch, place, bytes, &elf, &ignored) == 1 && elf_is_native(&elf)) {
		defined = glibc_of_definitions(&elf);
		said = banner_version(bytes);
		/* releases that brought no symbol (2.19, 2.20, 2.21) have no definition */
		if (!defined.p || (said.p && glibc_cmp(said, defined) > 0))
			defined = said;
		*version = arena_str(a, defined);
	}
	err_release(&ignored);
	arena_release(&scratch);
	return defined.p != NULL;
}

/* 1 found, 0 not a glibc of this machine, -1 error. */
static int read_version(
	struct arena *a, int root_fd, const char *place, struct str *version, struct err *e)
{
	CLEANUP_FD fd = open_in_root(root_fd, place, O_RDONLY | O_NONBLOCK);
	struct str bytes;
	struct stat st;
	int r;

	if (fd < 0)
		return 0;
	if (fstat(fd, &st) < 0)
		return err_sys(e, "cannot read '%s' of the root", place);
	if (!S_ISREG(st.st_mode) || st.st_size > MAX_LIBC)
		return 0;
	if (fd_map(fd, &bytes, e) < 0)
		return err_wrap(e, "in '%s' of the root", place);
	r = version_of(a, place, bytes, version);
	file_unmap(bytes);
	return r;
}

static bool has_musl(int root_fd)
{
	for (size_t i = 0; i < sizeof musl_places / sizeof *musl_places; i++) {
		CLEANUP_FD fd = open_in_root(root_fd, musl_places[i], O_PATH);

		if (fd >= 0)
			return true;
	}
	return false;
}

const char *root_libc_place(int root_fd)
{
	for (size_t i = 0; i < sizeof libc_places / sizeof *libc_places; i++) {
		CLEANUP_FD fd = open_in_root(root_fd, libc_places[i], O_PATH);

		if (fd >= 0)
			return libc_places[i];
	}
	return NULL;
}

int root_glibc(
	struct arena *a, const char *root, struct str *version, struct str *reason, struct err *e)
{
	CLEANUP_FD root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root_fd < 0)
		return err_sys(e, "cannot open the root folder '%s'", root);
	for (size_t i = 0; i < sizeof libc_places / sizeof *libc_places; i++) {
		int r = read_version(a, root_fd, libc_places[i], version, e);

		if (r)
			return r;
	}
	*reason = has_musl(root_fd)
			  ? arena_strf(a, "the C library of '%s' is musl, not glibc", root)
			  : arena_strf(a, "there is no glibc (libc.so.6) in '%s'", root);
	return 0;
}

int root_satisfies(struct arena *a, const char *root, const struct profile *p, struct str *reason,
	struct err *e)
{
	struct str have;
	int r = root_glibc(a, root, &have, reason, e);

	if (r <= 0)
		return r;
	if (glibc_cmp(have, p->glibc) >= 0)
		return 1;
	*reason = arena_strf(a, "'%s' has glibc %.*s, target '%.*s' says %.*s", root, STR_ARG(have),
		STR_ARG(p->name), STR_ARG(p->glibc));
	return 0;
}
