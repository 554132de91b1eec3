#include "cli/session.h"

#include "base/file.h"
#include "base/log.h"
#include "base/work.h"
#include "builder/layer.h"
#include "cli/audit_gate.h"
#include "cli/condarc.h"
#include "images/engine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

/* A folder without a lock file this old was not just being made. */
enum { ABANDONED_S = 60, FOREIGN_S = 7 * 24 * 3600 };

#define WORK_LOCK ".lock"

/* As passwd has it; NULL where there is none. */
static const char *home_of_user(struct arena *a)
{
	enum { ENTRY_MAX = 16 << 10 };
	struct passwd entry, *found = NULL;

	if (getpwuid_r(geteuid(), &entry, arena_alloc(a, ENTRY_MAX), ENTRY_MAX, &found) != 0)
		return NULL;
	return found ? found->pw_dir : NULL;
}

struct place {
	const char *variable, *xdg, *below_home, *what;
};

/* Never below /tmp: anybody could have put a folder of that name there before us. */
static char *find_place(struct arena *a, const struct place *p, struct err *e)
{
	const char *dir = getenv(p->variable);

	if (dir && *dir)
		return path_absolute(a, dir);
	dir = getenv(p->xdg);
	if (dir && *dir == '/')
		return path_join(a, dir, "envbuild");
	dir = getenv("HOME");
	if (!dir || *dir != '/')
		dir = home_of_user(a);
	if (dir && *dir == '/')
		return path_join(a, dir, p->below_home);
	err_set(e, ERR_USAGE, "no place for %s: HOME is not set", p->what);
	err_advise(e, "%s names a folder for it", p->variable);
	return NULL;
}

static char *cache_place(struct arena *a, struct err *e)
{
	static const struct place cache = {
		"ENVBUILD_CACHE", "XDG_CACHE_HOME", ".cache/envbuild", "the cache"};

	return find_place(a, &cache, e);
}

int session_store(struct session *s, struct store *out, struct err *e)
{
	static const struct place data = {
		"ENVBUILD_DATA", "XDG_DATA_HOME", ".local/share/envbuild", "images"};
	char *dir = find_place(&s->arena, &data, e);

	if (!dir)
		return -1;
	out->dir = path_join(&s->arena, dir, "images");
	return 0;
}

/* A whole number from 1 in the environment, or 0 where it is not set. */
static int number_from(const char *variable, uint64_t max, unsigned *out, struct err *e)
{
	const char *text = getenv(variable);
	uint64_t n = 0;

	if (text && *text && (str_u64(str_of(text), max, &n) < 0 || n == 0))
		return err_set(e, ERR_USAGE, "%s is a whole number from 1 to %ju, not '%s'",
			variable, (uintmax_t)max, text);
	*out = (unsigned)n;
	return 0;
}

/* What `pixi auth login` has left, if anything; nobody has asked for it, so it stops nobody. */
static void read_usual_credentials(struct session *s)
{
	const char *home = getenv("HOME");
	const char *path = home ? path_join(&s->arena, home, ".rattler/credentials.json") : NULL;
	struct err why = {0};

	if (path && path_exists(path) && http_read_auth(s->http, path, &why) < 0)
		log_warn("%s", why.text);
	err_release(&why);
}

/* Who one is at which host. */
static int read_credentials(struct session *s, struct err *e)
{
	static const char *const variables[] = {"ENVBUILD_AUTH_FILE", "RATTLER_AUTH_FILE"};

	for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
		const char *path = getenv(variables[i]);

		if (!path || !*path)
			continue;
		if (path_exists(path))
			return http_read_auth(s->http, path, e);
		return err_set(
			e, ERR_USAGE, "%s names '%s', which is not there", variables[i], path);
	}
	read_usual_credentials(s);
	return 0;
}

static int open_network(struct session *s, struct err *e)
{
	struct http_options o = {.offline = s->line.options.offline};

	if (number_from("ENVBUILD_NET_TIMEOUT", 3600, &o.stall_s, e) < 0 ||
		number_from("ENVBUILD_NET_RETRIES", 100, &o.retries, e) < 0)
		return -1;
	condarc_limits(s, &o);
	s->http = http_new(&o);
	condarc_lend(s);
	return read_credentials(s, e);
}

int session_open(struct session *s, struct err *e)
{
	const struct options *o = &s->line.options;

	s->jobs = o->jobs ? o->jobs : work_cores();
	s->work_lock = -1;
	if (audit_check_options(o, e) < 0 || condarc_open(s, e) < 0)
		return -1;
	s->cache_dir = cache_place(&s->arena, e);
	if (!s->cache_dir)
		return -1;
	if (cache_open(&s->arena, s->cache_dir, &s->cache, e) < 0) {
		err_wrap(e, "while opening the cache '%s'", s->cache_dir);
		return err_advise(e, "ENVBUILD_CACHE names another folder for the cache");
	}
	cache_add_lower(&s->arena, &s->cache, getenv("ENVBUILD_CACHE_LOWER"));
	if (o->vault && cache_add_vault(&s->arena, &s->cache, o->vault, e) < 0)
		return -1;
	return open_network(s, e);
}

/*
 * The lock of a work folder is a locked file that says "HOST PID".  On a network's file system locks
 * may not be had, or hold for one host only: then the signature must do.
 */
static int open_lock(int dirfd, const char *name)
{
	CLEANUP_FD dir = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	return dir < 0 ? -1 : openat(dir, WORK_LOCK, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
}

static int sign_lock(int fd, struct err *e)
{
	char host[256] = "", text[300];

	gethostname(host, sizeof host - 1);
	int n = snprintf(text, sizeof text, "%s %ld\n", host, (long)getpid());
	return write_full(fd, text, (size_t)n, e);
}

/* Is who signed surely gone?  Of another host's process that is so after a week only. */
static bool is_signer_gone(int fd, bool locked)
{
	char host[256] = "", text[300];
	ssize_t n = read_full(fd, text, sizeof text);
	struct str pid = str_trim(str_n(text, n < 0 ? 0 : (size_t)n)), signer = str_cut(&pid, ' ');
	struct stat st;
	uint64_t id;

	gethostname(host, sizeof host - 1);
	if (fstat(fd, &st) < 0)
		return false;
	if (str_u64(pid, INT32_MAX, &id) < 0) /* it is just being signed */
		return locked && time(NULL) - st.st_mtime > ABANDONED_S;
	if (!str_is(signer, host))
		return time(NULL) - st.st_mtime > FOREIGN_S;
	return locked || (kill((pid_t)id, 0) < 0 && errno == ESRCH);
}

static bool is_abandoned(int dirfd, const char *name)
{
	CLEANUP_FD fd = open_lock(dirfd, name);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		       st.st_mtime + ABANDONED_S < time(NULL);
	bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
	if (!locked && errno == EWOULDBLOCK)
		return false;
	return is_signer_gone(fd, locked);
}

static void remove_abandoned(int dirfd, const char *parent, const char *name)
{
	CLEANUP_ARENA a = {0};

	engine_sweep(path_join(&a, path_join(&a, parent, name), "engine"));
	dir_remove_at(dirfd, name, NULL);
}

/* Removes what killed runs left; a failure here is nobody's concern. */
static void sweep(const char *parent)
{
	DIR *dir = opendir(parent);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
			is_abandoned(dirfd(dir), entry->d_name))
			remove_abandoned(dirfd(dir), parent, entry->d_name);
	closedir(dir);
}

void session_sweep(struct session *s)
{
	sweep(path_join(&s->arena, s->cache_dir, "work"));
}

int session_work(struct session *s, struct err *e)
{
	char *parent = path_join(&s->arena, s->cache_dir, "work");

	if (s->work)
		return 0;
	if (dir_make(parent, e) < 0)
		return -1;
	sweep(parent);
	s->work = dir_temp(&s->arena, parent, "run", e);
	if (!s->work)
		return -1;
	s->work_lock = file_make_guard(AT_FDCWD, path_join(&s->arena, s->work, WORK_LOCK), 0600);
	if (s->work_lock < 0)
		return err_sys(e, "cannot lock the work folder '%s'", s->work);
	return sign_lock(s->work_lock, e);
}

void session_close(struct session *s)
{
	struct err e = {0};

	if (s->work && dir_remove(s->work, &e) < 0) {
		log_warn("the work folder could not be removed: %s", e.text);
		err_release(&e);
	}
	fd_cleanup(&s->work_lock);
	for (size_t i = 0; i < s->held.n; i++)
		fd_cleanup(&s->held.v[i]);
	http_free(s->http);
	arena_release(&s->arena);
}
