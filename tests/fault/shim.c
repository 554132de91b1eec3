/*
 * A library that makes file system calls fail, for tests (LD_PRELOAD).
 *
 *	SHIM_PATHS   DIR[:DIR...]; only calls on what lies below these count
 *	SHIM_FAIL    OP:ERROR:N  the Nth call of OP fails (N from 1); OP "any": of all, "grow": of
 *	             those that need room on the disk
 *	             ERROR: ENOSPC, EIO, EDQUOT, EROFS, EACCES, EMFILE, EINTR; KILL: SIGKILL
 *	             instead of the call; KILLED: after it
 *	SHIM_LASTING 1: all later calls of OP fail too, as on a full disk
 *	SHIM_SHORT   1: writes and reads of over one byte move about half of what is asked for
 *	SHIM_COUNT   FILE: at the end "OP CALLS" for each, appended
 *
 * A process started by the one under test is not concerned: the variables are taken out of the
 * environment when they have been read.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum op {
	CREATE,
	OPEN,
	READ,
	WRITE,
	SYNC,
	RENAME,
	LINK,
	MKDIR,
	SYMLINK,
	UNLINK,
	CHMOD,
	UTIME,
	TRUNCATE,
	IOCTL,
	MMAP,
	N_OPS,
	ANY = N_OPS,
	GROW
};
static const char *const op_names[N_OPS] = {"create", "open", "read", "write", "sync", "rename",
	"link", "mkdir", "symlink", "unlink", "chmod", "utime", "truncate", "ioctl", "mmap"};

static struct {
	char paths[8][PATH_MAX];
	size_t n_paths;
	int op; /* an op, ANY or GROW; -1: none */
	int error;
	bool kill_before, kill_after, lasting, short_moves;
	long n;
	char count_file[PATH_MAX];
} plan = {.op = -1};
static atomic_long calls[N_OPS], calls_any, calls_grow;

static const struct {
	const char *name;
	int number;
} errors[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO}, {"EDQUOT", EDQUOT}, {"EROFS", EROFS},
	{"EACCES", EACCES}, {"EMFILE", EMFILE}, {"EINTR", EINTR}};

static void read_failure(char *text)
{
	char *op = strsep(&text, ":"), *error = strsep(&text, ":");

	if (!text)
		return;
	plan.op = strcmp(op, "any") == 0 ? ANY : strcmp(op, "grow") == 0 ? GROW : -1;
	for (int i = 0; i < N_OPS; i++)
		if (strcmp(op, op_names[i]) == 0)
			plan.op = i;
	plan.kill_before = strcmp(error, "KILL") == 0;
	plan.kill_after = strcmp(error, "KILLED") == 0;
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
		if (strcmp(error, errors[i].name) == 0)
			plan.error = errors[i].number;
	plan.n = atol(text);
	if (plan.op < 0 || (!plan.error && !plan.kill_before && !plan.kill_after)) {
		fprintf(stderr, "shim: bad SHIM_FAIL\n");
		_exit(99);
	}
}

__attribute__((constructor)) static void begin(void)
{
	const char *paths = getenv("SHIM_PATHS"), *fail = getenv("SHIM_FAIL"),
		   *count = getenv("SHIM_COUNT");
	char copy[8 * PATH_MAX], *rest = copy, *word;

	plan.lasting = getenv("SHIM_LASTING") != NULL;
	plan.short_moves = getenv("SHIM_SHORT") != NULL;
	if (paths) {
		snprintf(copy, sizeof copy, "%s", paths);
		while ((word = strsep(&rest, ":")) && plan.n_paths < 8)
			snprintf(plan.paths[plan.n_paths++], PATH_MAX, "%s", word);
	}
	if (fail) {
		snprintf(copy, sizeof copy, "%s", fail);
		read_failure(copy);
	}
	if (count)
		snprintf(plan.count_file, sizeof plan.count_file, "%s", count);
	unsetenv("LD_PRELOAD");
	unsetenv("SHIM_PATHS");
	unsetenv("SHIM_FAIL");
	unsetenv("SHIM_COUNT");
	unsetenv("SHIM_LASTING");
	unsetenv("SHIM_SHORT");
}

__attribute__((destructor)) static void end(void)
{
	FILE *f = plan.count_file[0] ? fopen(plan.count_file, "a") : NULL;

	if (!f)
		return;
	for (int i = 0; i < N_OPS; i++)
		fprintf(f, "%s %ld\n", op_names[i], (long)calls[i]);
	fprintf(f, "any %ld\ngrow %ld\n", (long)calls_any, (long)calls_grow);
	fclose(f);
}

/* --- which calls count ---------------------------------------------------------------------- */

static bool below(const char *path)
{
	for (size_t i = 0; i < plan.n_paths; i++) {
		size_t n = strlen(plan.paths[i]);

		if (strncmp(path, plan.paths[i], n) == 0 && (path[n] == '/' || !path[n]))
			return true;
	}
	return false;
}

static bool fd_counts(int fd)
{
	char link[64], path[PATH_MAX];
	ssize_t n;

	if (fd < 0 || !plan.n_paths)
		return false;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof path - 1);
	if (n <= 0)
		return false;
	path[n] = 0;
	return below(path);
}

static bool path_counts(int dir, const char *path)
{
	char cwd[PATH_MAX];

	if (!path || !plan.n_paths)
		return false;
	if (path[0] == '/')
		return below(path);
	if (dir != AT_FDCWD)
		return fd_counts(dir);
	return getcwd(cwd, sizeof cwd) && below(cwd);
}

enum fate { PASS, FAIL, DIE_AFTER };

/* Counts the call and says what becomes of it; FAIL with errno set. */
static enum fate fate(enum op op, bool counts)
{
	bool grows = op == CREATE || op == WRITE || op == MKDIR || op == SYMLINK || op == LINK;
	long of_op, of_any, of_grow, at;

	if (!counts)
		return PASS;
	of_op = atomic_fetch_add(&calls[op], 1) + 1;
	of_any = atomic_fetch_add(&calls_any, 1) + 1;
	of_grow = grows ? atomic_fetch_add(&calls_grow, 1) + 1 : 0;
	if (plan.op != ANY && plan.op != (grows ? GROW : (int)op) && plan.op != (int)op)
		return PASS;
	at = plan.op == ANY ? of_any : plan.op == GROW ? of_grow : of_op;
	if (at != plan.n && !(plan.lasting && at > plan.n))
		return PASS;
	if (plan.kill_before)
		kill(getpid(), SIGKILL);
	if (plan.kill_after)
		return DIE_AFTER;
	errno = plan.error;
	return FAIL;
}

static long done(enum fate f, long result)
{
	if (f == DIE_AFTER)
		kill(getpid(), SIGKILL);
	return result;
}

/* The function that ours stands before; looked up once per call site. */
#define NEXT(name)                       \
	static __typeof__(&(name)) next; \
	if (!next)                       \
	next = (__typeof__(&(name)))dlsym(RTLD_NEXT, #name)

#define ASK(op, counts)                 \
	enum fate f = fate(op, counts); \
	if (f == FAIL)                  \
	return -1

/* --- the calls ------------------------------------------------------------------------------ */

static mode_t mode_of(int flags, va_list ap)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

#define DEFINE_OPEN(name)                                                         \
	int name(const char *path, int flags, ...)                                \
	{                                                                         \
		NEXT(name);                                                       \
		va_list ap;                                                       \
		va_start(ap, flags);                                              \
		mode_t mode = mode_of(flags, ap);                                 \
		va_end(ap);                                                       \
		ASK(flags &O_CREAT ? CREATE : OPEN, path_counts(AT_FDCWD, path)); \
		return (int)done(f, next(path, flags, mode));                     \
	}
#define DEFINE_OPENAT(name)                                                  \
	int name(int dir, const char *path, int flags, ...)                  \
	{                                                                    \
		NEXT(name);                                                  \
		va_list ap;                                                  \
		va_start(ap, flags);                                         \
		mode_t mode = mode_of(flags, ap);                            \
		va_end(ap);                                                  \
		ASK(flags &O_CREAT ? CREATE : OPEN, path_counts(dir, path)); \
		return (int)done(f, next(dir, path, flags, mode));           \
	}
DEFINE_OPEN(open)
DEFINE_OPEN(open64)
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

/* What a short move leaves of n. */
static size_t some_of(size_t n, bool counts)
{
	return plan.short_moves && counts && n > 1 ? (n + 1) / 2 : n;
}

ssize_t write(int fd, const void *p, size_t n)
{
	NEXT(write);
	bool counts = fd_counts(fd);

	ASK(WRITE, counts);
	return done(f, next(fd, p, some_of(n, counts)));
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	NEXT(pwrite);
	bool counts = fd_counts(fd);

	ASK(WRITE, counts);
	return done(f, next(fd, p, some_of(n, counts), at));
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
	NEXT(writev);
	ASK(WRITE, fd_counts(fd));
	return done(f, next(fd, v, n));
}

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t n, unsigned flags)
{
	NEXT(copy_file_range);
	bool counts = fd_counts(out);

	ASK(WRITE, counts);
	return done(f, next(in, from, out, to, some_of(n, counts), flags));
}

ssize_t read(int fd, void *p, size_t n)
{
	NEXT(read);
	bool counts = fd_counts(fd);

	ASK(READ, counts);
	return done(f, next(fd, p, some_of(n, counts)));
}

/* What read becomes where the compiler knows the size of the buffer. */
ssize_t __read_chk(int fd, void *p, size_t n, size_t room);
ssize_t __read_chk(int fd, void *p, size_t n, size_t room)
{
	if (n > room)
		abort();
	return read(fd, p, n);
}

#define DEFINE_SYNC(name)                      \
	int name(int fd)                       \
	{                                      \
		NEXT(name);                    \
		ASK(SYNC, fd_counts(fd));      \
		return (int)done(f, next(fd)); \
	}
DEFINE_SYNC(fsync)
DEFINE_SYNC(fdatasync)
DEFINE_SYNC(syncfs)

int rename(const char *from, const char *to)
{
	NEXT(rename);
	ASK(RENAME, path_counts(AT_FDCWD, to));
	return (int)done(f, next(from, to));
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	NEXT(renameat);
	ASK(RENAME, path_counts(to_dir, to));
	return (int)done(f, next(from_dir, from, to_dir, to));
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	NEXT(renameat2);
	ASK(RENAME, path_counts(to_dir, to));
	return (int)done(f, next(from_dir, from, to_dir, to, flags));
}

int link(const char *from, const char *to)
{
	NEXT(link);
	ASK(LINK, path_counts(AT_FDCWD, to));
	return (int)done(f, next(from, to));
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	NEXT(linkat);
	ASK(LINK, path_counts(to_dir, to));
	return (int)done(f, next(from_dir, from, to_dir, to, flags));
}

int mkdir(const char *path, mode_t mode)
{
	NEXT(mkdir);
	ASK(MKDIR, path_counts(AT_FDCWD, path));
	return (int)done(f, next(path, mode));
}

int mkdirat(int dir, const char *path, mode_t mode)
{
	NEXT(mkdirat);
	ASK(MKDIR, path_counts(dir, path));
	return (int)done(f, next(dir, path, mode));
}

int symlinkat(const char *target, int dir, const char *path)
{
	NEXT(symlinkat);
	ASK(SYMLINK, path_counts(dir, path));
	return (int)done(f, next(target, dir, path));
}

int unlink(const char *path)
{
	NEXT(unlink);
	ASK(UNLINK, path_counts(AT_FDCWD, path));
	return (int)done(f, next(path));
}

int unlinkat(int dir, const char *path, int flags)
{
	NEXT(unlinkat);
	ASK(UNLINK, path_counts(dir, path));
	return (int)done(f, next(dir, path, flags));
}

int rmdir(const char *path)
{
	NEXT(rmdir);
	ASK(UNLINK, path_counts(AT_FDCWD, path));
	return (int)done(f, next(path));
}

int fchmod(int fd, mode_t mode)
{
	NEXT(fchmod);
	ASK(CHMOD, fd_counts(fd));
	return (int)done(f, next(fd, mode));
}

int fchmodat(int dir, const char *path, mode_t mode, int flags)
{
	NEXT(fchmodat);
	ASK(CHMOD, path_counts(dir, path));
	return (int)done(f, next(dir, path, mode, flags));
}

int futimens(int fd, const struct timespec times[2])
{
	NEXT(futimens);
	ASK(UTIME, fd_counts(fd));
	return (int)done(f, next(fd, times));
}

int utimensat(int dir, const char *path, const struct timespec times[2], int flags)
{
	NEXT(utimensat);
	ASK(UTIME, path_counts(dir, path));
	return (int)done(f, next(dir, path, times, flags));
}

int ftruncate(int fd, off_t n)
{
	NEXT(ftruncate);
	ASK(TRUNCATE, fd_counts(fd));
	return (int)done(f, next(fd, n));
}

int ioctl(int fd, unsigned long request, ...)
{
	NEXT(ioctl);
	va_list ap;

	va_start(ap, request);
	void *arg = va_arg(ap, void *);
	va_end(ap);
	ASK(IOCTL, fd_counts(fd));
	return (int)done(f, next(fd, request, arg));
}

void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
	NEXT(mmap);
	enum fate f = fate(MMAP, !(flags & MAP_ANONYMOUS) && fd_counts(fd));

	if (f == FAIL)
		return MAP_FAILED;
	void *p = next(at, n, prot, flags, fd, offset);
	done(f, 0);
	return p;
}
