/* Links, write protection and removal in a folder of deployed releases. */
#include "packer/deploy.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAPS_MAX = 64 << 20 };

/* --- links ------------------------------------------------------------------------------------ */

int deploy_link_read(
	struct arena *a, const char *root, const char *link, struct str *out, struct err *e)
{
	char *path = path_join(a, root, link);
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof target);

	*out = (struct str){0};
	if (n < 0 && errno == ENOENT)
		return 0;
	if (n > 0 && (size_t)n < sizeof target && !memchr(target, '/', (size_t)n) &&
		path_is_safe(str_n(target, (size_t)n))) {
		*out = arena_str(a, str_n(target, (size_t)n));
		return 0;
	}
	err_set(e, ERR_FAIL, "'%s' is no link to a release beside it", path);
	return err_advise(e, "move it away: envbuild deploy makes and switches it");
}

int deploy_link_switch(const char *root, const char *link, struct str folder, struct err *e)
{
	CLEANUP_ARENA a = {0};
	char *path = path_join(&a, root, link);
	char *temp = path_join(&a, root, arena_printf(&a, ".%s.%ld.tmp", link, (long)getpid()));

	unlink(temp);
	if (symlink(arena_cstr(&a, folder), temp) < 0)
		return err_sys(e, "cannot make the link '%s'", path);
	if (rename(temp, path) < 0) {
		err_sys(e, "cannot switch the link '%s'", path);
		unlink(temp);
		return -1;
	}
	return dir_sync(root, e);
}

static bool is_temporary(struct str name)
{
	static const char *const of[] = {
		"." DEPLOY_CURRENT ".", "." DEPLOY_DEV ".", "." DEPLOY_PENDING "."};

	for (size_t i = 0; i < sizeof of / sizeof *of; i++)
		if (str_starts(name, str_of(of[i])) && str_ends(name, STR(".tmp")))
			return true;
	return false;
}

void deploy_sweep(const char *root)
{
	DIR *dir = opendir(root);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (is_temporary(str_of(entry->d_name)))
			unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
}

/* --- modes ------------------------------------------------------------------------------------ */

static int protect_one(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	int root = *(int *)ctx;

	if (S_ISLNK(st->st_mode) || (st->st_mode & 0222) == 0)
		return 0;
	if (fchmodat(root, rel, st->st_mode & 07777 & ~(mode_t)0222, 0) < 0)
		return err_sys(e, "cannot write-protect '%s'", rel);
	return 0;
}

static int change_all(const char *dir, dir_visitor *visit, mode_t own, struct err *e)
{
	CLEANUP_FD root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (root < 0)
		return err_sys(e, "cannot open '%s'", dir);
	if (dir_walk(root, visit, &root, e) != 0)
		return -1;
	if (own && fchmod(root, own) < 0)
		return err_sys(e, "cannot set the mode of '%s'", dir);
	return 0;
}

int deploy_protect(const char *dir, struct err *e)
{
	return change_all(dir, protect_one, 0555, e);
}

static int open_one(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	int root = *(int *)ctx;

	(void)e;
	/* Where it fails the removal will say so. */
	return S_ISDIR(st->st_mode) && fchmodat(root, rel, 0700, 0) < 0 ? DIR_SKIP : 0;
}

int deploy_remove(const char *dir, struct err *e)
{
	struct stat st;

	if (lstat(dir, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "cannot remove '%s'", dir);
	if (S_ISDIR(st.st_mode))
		change_all(dir, open_one, 0700, NULL);
	return dir_remove(dir, e);
}

/* --- who uses it ------------------------------------------------------------------------------ */

static bool is_below(const char *path, const char *dir, size_t n)
{
	return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == 0);
}

static bool link_is_below(const char *pid, const char *what, const char *dir, size_t n)
{
	char path[64], target[PATH_MAX];
	ssize_t got;

	snprintf(path, sizeof path, "/proc/%.20s/%s", pid, what);
	got = readlink(path, target, sizeof target - 1);
	if (got < 0)
		return false;
	target[got] = 0;
	return is_below(target, dir, n);
}

/* /proc does not tell its files' sizes before they are read. */
static bool maps_below(const char *pid, const char *dir)
{
	char path[64], text[64 << 10];
	CLEANUP_BUF all = {.max = MAPS_MAX};
	CLEANUP_BUF want = {0};
	CLEANUP_FD fd = -1;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%.20s/maps", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && (n = read(fd, text, sizeof text)) > 0)
		if (buf_add(&all, text, (size_t)n) < 0)
			break;
	buf_printf(&want, " %s/", dir);
	return all.n && str_find(buf_view(&all), buf_view(&want)) >= 0;
}

long deploy_user_of(const char *dir)
{
	char *real = realpath(dir, NULL);
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	long found = 0;

	while (real && proc && !found && (entry = readdir(proc))) {
		const char *pid = entry->d_name;
		size_t n = strlen(real);

		if (pid[0] < '1' || pid[0] > '9')
			continue;
		if (link_is_below(pid, "exe", real, n) || link_is_below(pid, "cwd", real, n) ||
			maps_below(pid, real))
			found = strtol(pid, NULL, 10);
	}
	if (proc)
		closedir(proc);
	free(real);
	return found;
}
