#include "images/cgroup.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static const char MOUNTED[] = "/sys/fs/cgroup", NAME[] = "envbuild.";

/* --- where -------------------------------------------------------------------------------- */

/* Is pids one of the controllers "cpu,pids"? */
static bool has_pids(struct str controllers)
{
	while (controllers.p)
		if (str_is(str_cut(&controllers, ','), "pids"))
			return true;
	return false;
}

/* "/a/b" for a line "4:pids:/a/b" (version 1) or "0::/a/b" (version 2). */
char *cgroup_place(struct arena *a, const char *mounted, struct str text)
{
	char *unified = NULL;

	while (text.p) {
		struct str path = str_cut(&text, '\n');
		struct str number = str_cut(&path, ':');
		struct str controllers = str_cut(&path, ':');

		/* one that lies outside of what is mounted here reads "/.." */
		if (path.n == 0 || path.p[0] != '/' || str_find(path, STR("/..")) >= 0)
			continue;
		if (has_pids(controllers))
			return arena_printf(a, "%s/pids%.*s", mounted, STR_ARG(path));
		if (str_is(number, "0") && controllers.n == 0)
			unified = path_dir(a, arena_printf(a, "%s%.*s", mounted, STR_ARG(path)));
	}
	return unified && strlen(unified) >= strlen(mounted) ? unified : NULL;
}

static char *find_place(struct arena *a)
{
	struct err ignored = {0};
	struct str text;
	char *place = NULL;

	if (file_read(a, "/proc/self/cgroup", 65536, &text, &ignored) == 0)
		place = cgroup_place(a, MOUNTED, text);
	err_release(&ignored);
	return place;
}

/* --- groups ------------------------------------------------------------------------------- */

static int write_text(struct arena *a, const char *group, const char *name, const char *text)
{
	CLEANUP_FD fd = open(path_join(a, group, name), O_WRONLY | O_CLOEXEC);
	ssize_t n = (ssize_t)strlen(text);

	return fd >= 0 && write(fd, text, (size_t)n) == n ? 0 : -1;
}

/* Groups of processes that are dead are empty, or end with their last process. */
static void sweep(struct arena *a, const char *place)
{
	DIR *d = opendir(place);
	const struct dirent *entry;

	while (d && (entry = readdir(d))) {
		long pid;

		if (strncmp(entry->d_name, NAME, sizeof NAME - 1) != 0)
			continue;
		pid = strtol(entry->d_name + sizeof NAME - 1, NULL, 10);
		if (pid > 0 && kill((pid_t)pid, 0) < 0 && errno == ESRCH)
			rmdir(path_join(a, place, entry->d_name));
	}
	if (d)
		closedir(d);
}

char *cgroup_make(struct arena *a, unsigned max_processes)
{
	static _Atomic unsigned count;
	char *place = find_place(a), *group;

	if (!place)
		return NULL;
	sweep(a, place);
	group = path_join(a, place, arena_printf(a, "%s%d.%u", NAME, (int)getpid(), count++));
	if (mkdir(group, 0755) < 0)
		return NULL;
	if (write_text(a, group, "pids.max", arena_printf(a, "%u", max_processes)) == 0)
		return group;
	rmdir(group);
	return NULL;
}

int cgroup_add(struct arena *a, const char *group, pid_t pid)
{
	return write_text(a, group, "cgroup.procs", arena_printf(a, "%d", (int)pid));
}

/* The last process may not have been taken out of it yet. */
void cgroup_remove(const char *group)
{
	for (int i = 0; i < 100 && rmdir(group) < 0 && errno == EBUSY; i++)
		usleep(1000);
}
