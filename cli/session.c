#include "cli/session.h"

#include "base/file.h"
#include "base/log.h"
#include "base/work.h"
#include "images/engine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

/* A folder without a lock file this old was not just being made. */
enum { ABANDONED_S = 60 };

/* As passwd has it; NULL where there is none. */
static const char *home_of_user(struct arena *a)
{
	enum { ENTRY_MAX = 16 << 10 };
	struct passwd entry, *found = NULL;

	if (getpwuid_r(geteuid(), &entry, arena_alloc(a, ENTRY_MAX), ENTRY_MAX, &found) != 0)
		return NULL;
	return found ? found->pw_dir : NULL;
}

/* Never below /tmp: anybody could have put a folder of that name there before us. */
static char *cache_place(struct arena *a, struct err *e)
{
	const char *dir = getenv("ENVBUILD_CACHE");

	if (dir && *dir)
		return path_absolute(a, dir);
	dir = getenv("XDG_CACHE_HOME");
	if (dir && *dir == '/')
		return path_join(a, dir, "envbuild");
	dir = getenv("HOME");
	if (!dir || *dir != '/')
		dir = home_of_user(a);
	if (dir && *dir == '/')
		return path_join(a, dir, ".cache/envbuild");
	err_set(e, ERR_USAGE, "no place for the cache: HOME is not set");
	err_advise(e, "ENVBUILD_CACHE names a folder for it");
	return NULL;
}

int session_open(struct session *s, struct err *e)
{
	const struct options *o = &s->line.options;

	s->jobs = o->jobs ? o->jobs : work_cores();
	s->work_lock = -1;
	s->cache_dir = cache_place(&s->arena, e);
	if (!s->cache_dir)
		return -1;
	if (cache_open(&s->arena, s->cache_dir, &s->cache, e) < 0) {
		err_wrap(e, "while opening the cache '%s'", s->cache_dir);
		return err_advise(e, "ENVBUILD_CACHE names another folder for the cache");
	}
	s->http = http_new(&(struct http_options){.offline = o->offline});
	return 0;
}

/* Takes the lock of a work folder: a descriptor, or -1 where it is held or cannot be had. */
static int take_lock(int dirfd, const char *name, int flags)
{
	CLEANUP_FD dir = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	CLEANUP_FD fd = -1;

	if (dir < 0)
		return -1;
	fd = openat(dir, ".lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -1;
	return steal_fd(&fd);
}

static bool is_abandoned(int dirfd, const char *name)
{
	CLEANUP_FD lock = take_lock(dirfd, name, 0);
	struct stat st;

	if (lock >= 0)
		return true;
	return errno == ENOENT && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_mtime + ABANDONED_S < time(NULL);
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
	s->work_lock = take_lock(AT_FDCWD, s->work, O_CREAT);
	if (s->work_lock < 0)
		return err_sys(e, "cannot lock the work folder '%s'", s->work);
	return 0;
}

void session_close(struct session *s)
{
	struct err e = {0};

	if (s->work && dir_remove(s->work, &e) < 0) {
		log_warn("the work folder could not be removed: %s", e.text);
		err_release(&e);
	}
	fd_cleanup(&s->work_lock);
	http_free(s->http);
	arena_release(&s->arena);
}
