#include "packer/replace.h"

#include "base/file.h"
#include "packer/papers.h"
#include "packer/parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { LOCK_TRIES = 150 }; /* 3 s */

static int sync_folder_of(const char *path, struct err *e)
{
	CLEANUP_ARENA a = {0};

	return dir_sync(path_dir(&a, path), e);
}

/*
 * Held while files are renamed, which takes no second: two runs that end at one time must not mix
 * their parts.  Where the file system cannot lock a folder, or somebody holds it for long, as
 * `flock FOLDER envbuild pack` does, it is done without.
 */
static int lock_folder_of(const char *path)
{
	static const struct timespec pause = {.tv_nsec = 20000000};
	CLEANUP_ARENA a = {0};
	int fd = open(path_dir(&a, path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int tries = 0; fd >= 0 && tries < LOCK_TRIES; tries++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
			break;
		nanosleep(&pause, NULL);
	}
	return fd;
}

static int move(const char *from, const char *to, struct err *e)
{
	return rename(from, to) < 0 ? err_sys(e, "cannot finish '%s'", to) : 0;
}

static int remove_file(const char *path, struct err *e)
{
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(e, "cannot remove the older '%s'", path);
	return 0;
}

/* Without its first part no reader takes the others for an archive: it goes before them. */
static int remove_parts(const char *path, struct err *e)
{
	CLEANUP_ARENA a = {0};
	char *folder = path_dir(&a, path);
	struct dirent *entry;
	DIR *dir;
	int rc = 0;

	if (remove_file(part_path(&a, path, 0), e) < 0)
		return -1;
	dir = opendir(folder);
	if (!dir && errno == EACCES) /* what cannot be listed can still be written to */
		return 0;
	if (!dir)
		return err_sys(e, "cannot read the folder '%s'", folder);
	while (rc == 0 && (entry = readdir(dir)))
		if (part_is_of(path_base(path), entry->d_name))
			rc = remove_file(path_join(&a, folder, entry->d_name), e);
	closedir(dir);
	return rc;
}

static int put_file(const char *temp, const char *path, struct err *e)
{
	if (move(temp, path, e) < 0 || remove_parts(path, e) < 0)
		return -1;
	return sync_folder_of(path, e);
}

static int put_parts(const char *temp, size_t n, const char *path, struct err *e)
{
	CLEANUP_ARENA a = {0};

	/* On disk in this order, too: a machine that stops leaves no mixture either. */
	if (remove_parts(path, e) < 0 || sync_folder_of(path, e) < 0)
		return -1;
	for (size_t i = n; i-- > 1;)
		if (move(part_path(&a, temp, i), part_path(&a, path, i), e) < 0)
			return -1;
	if ((n > 1 && sync_folder_of(path, e) < 0) ||
		move(part_path(&a, temp, 0), part_path(&a, path, 0), e) < 0 ||
		remove_file(path, e) < 0)
		return -1;
	return sync_folder_of(path, e);
}

int replace_check_folder(const char *path, struct err *e)
{
	CLEANUP_ARENA a = {0};
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "cannot look at '%s'", path);
	if (S_ISDIR(st.st_mode) && path_exists(path_join(&a, path, PAPERS_DIR "manifest.json")))
		return 0;
	err_set(e, ERR_USAGE, "'%s' stands there and is no unpacked archive", path);
	return err_advise(e, "-o names another place");
}

static int put_folder(const char *temp, const char *path, const char *aside, struct err *e)
{
	if (replace_check_folder(path, e) < 0)
		return -1;
	/* In one step where the file system can, so that there always is one. */
	if (renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_EXCHANGE) == 0)
		return sync_folder_of(path, e) < 0 ? -1 : dir_remove(temp, e);
	if (rename(path, aside) < 0 && errno != ENOENT)
		return err_sys(e, "cannot move the older '%s' aside", path);
	if (move(temp, path, e) < 0 || sync_folder_of(path, e) < 0)
		return -1;
	return dir_remove(aside, e);
}

int replace_file(const char *temp, const char *path, struct err *e)
{
	int lock = lock_folder_of(path);
	int rc = put_file(temp, path, e);

	fd_cleanup(&lock);
	return rc;
}

int replace_parts(const char *temp, size_t n, const char *path, struct err *e)
{
	int lock = lock_folder_of(path);
	int rc = put_parts(temp, n, path, e);

	fd_cleanup(&lock);
	return rc;
}

int replace_folder(const char *temp, const char *path, const char *aside, struct err *e)
{
	int lock = lock_folder_of(path);
	int rc = put_folder(temp, path, aside, e);

	fd_cleanup(&lock);
	return rc;
}
