#include "images/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

/*
 * A root is put together in one of two ways.  Whole: one overlay over the folder.  Split: a tmpfs
 * whose entries are the root's, each folder overlaid (or bound read-only where that is refused).
 * Of this machine's own folders only those of the system are overlaid: data, which may be large,
 * remote or somebody's, is read-only.
 * Split is what `/` needs, since an overlay in a user namespace takes no lower folder with mounts
 * in it and none that holds its own upper; and what a root needs that belongs to somebody else,
 * since nobody can make a folder in it.
 */

enum { MAX_ENTRIES = 4096 };

/* Linux 5.12; headers and C libraries of some builders lack them. */
enum { NR_MOUNT_SETATTR = 442 };
struct attr {
	uint64_t set, clear, propagation, userns_fd;
};

int mount_overlay(int lower, int upper, int work, const char *at)
{
	char options[256];

	/* volatile: what is thrown away need not be synced when it is unmounted;
	 * descriptors, so that no path needs escaping and none shows in the job's /proc/mounts */
	snprintf(options, sizeof options,
		"lowerdir=/proc/self/fd/%d,upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d,"
		"userxattr,volatile",
		lower, upper, work);
	return mount("overlay", at, "overlay", MS_NODEV | MS_NOSUID, options);
}

int restrict_mount(const char *at, bool read_only)
{
	struct attr attr = {.set = 2 | 4 | (read_only ? 1 : 0)}; /* NOSUID | NODEV | RDONLY */
	unsigned long flags = MS_BIND | MS_REMOUNT | MS_NOSUID | MS_NODEV;
	struct statvfs now;

	if (syscall(NR_MOUNT_SETATTR, AT_FDCWD, at, AT_RECURSIVE, &attr, sizeof attr) == 0)
		return 0;
	if (errno != ENOSYS || statvfs(at, &now) < 0)
		return -1;
	/* flags that the owner of the mount set are locked, so they are named again */
	flags |= now.f_flag & (ST_RDONLY | ST_NOEXEC | ST_NOATIME | ST_NODIRATIME);
	if (now.f_flag & ST_RELATIME)
		flags |= MS_RELATIME;
	return mount(NULL, at, NULL, flags | (read_only ? MS_RDONLY : 0), NULL);
}

int bind_fd(int fd, const char *at, bool read_only)
{
	struct attr nothing = {0};
	bool old_kernel = syscall(NR_MOUNT_SETATTR, -1, "", 0, &nothing, sizeof nothing) < 0 &&
			  errno == ENOSYS;
	char from[64];

	snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
	/* an old kernel cannot restrict what is mounted below, so that is left out there */
	if (mount(from, at, NULL, MS_BIND | (old_kernel ? 0 : MS_REC), NULL) < 0)
		return -1;
	return restrict_mount(at, read_only);
}

/* --- grafting ----------------------------------------------------------------------------- */

static bool is_one_of(const char *name, const char *const *list)
{
	for (; list && *list; list++)
		if (!strcmp(name, *list))
			return true;
	return false;
}

static int graft_link(const struct graft *g, const char *name)
{
	char text[4096];
	ssize_t n = readlinkat(g->from, name, text, sizeof text - 1);

	if (n < 0)
		return -1;
	text[n] = 0;
	return symlinkat(text, g->to, name);
}

static int overlay_entry(const struct graft *g, int from, const char *name, const char *at)
{
	int upper, work, r = -1;
	char work_name[260];

	/* "work" itself is overlayfs' own where one overlay for all was tried before */
	snprintf(work_name, sizeof work_name, "%s.w", name);
	if (g->upper < 0 || mkdirat(g->upper, name, 0755) < 0 ||
		mkdirat(g->work, work_name, 0755) < 0)
		return -1;
	upper = openat(g->upper, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	work = openat(g->work, work_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (upper >= 0 && work >= 0)
		r = mount_overlay(from, upper, work, at);
	if (upper >= 0)
		close(upper);
	if (work >= 0)
		close(work);
	return r;
}

static int graft_mount(const struct graft *g, const char *name, bool folder)
{
	int from = openat(g->from, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char at[320];
	int r;

	if (from < 0)
		return -1;
	snprintf(at, sizeof at, "/proc/self/fd/%d/%s", g->to, name);
	r = folder && (!g->overlaid || is_one_of(name, g->overlaid))
		    ? overlay_entry(g, from, name, at)
		    : -1;
	if (r < 0)
		r = bind_fd(from, at, g->read_only);
	close(from);
	return r;
}

static int graft_entry(const struct graft *g, const char *name)
{
	struct stat st;
	int fd;

	if (fstatat(g->from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT || errno == EACCES ? 0 : -1;
	if (S_ISLNK(st.st_mode))
		return graft_link(g, name);
	if (S_ISDIR(st.st_mode)) {
		if (mkdirat(g->to, name, 0755) < 0)
			return -1;
		return is_one_of(name, g->skip) ? 0 : graft_mount(g, name, true);
	}
	fd = openat(g->to, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
	if (fd < 0)
		return -1;
	close(fd);
	return graft_mount(g, name, false);
}

/* A record of getdents64(2); opendir would allocate. */
struct entry {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

int graft_folder(const struct graft *g)
{
	_Alignas(struct entry) char bytes[8192];
	int n_entries = 0;
	long n;

	while ((n = syscall(SYS_getdents64, g->from, bytes, sizeof bytes)) > 0) {
		for (long at = 0; at < n;) {
			const struct entry *d = (const struct entry *)(const void *)(bytes + at);

			at += d->reclen;
			if (!strcmp(d->name, ".") || !strcmp(d->name, ".."))
				continue;
			if (++n_entries > MAX_ENTRIES) {
				errno = E2BIG;
				return -1;
			}
			if (graft_entry(g, d->name) < 0)
				return -1;
		}
	}
	return (int)n;
}

/* --- the root ----------------------------------------------------------------------------- */

static int must_open(struct child *c, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		spawn_child_fail(c->spawn, STEP_ROOT, path);
	return fd;
}

static void split_root(struct child *c, int root, const char *at, int upper, int work)
{
	static const char *const image_skip[] = {"proc", "sys", "dev", "tmp", "run", NULL};
	static const char *const host_skip[] = {
		"proc", "sys", "dev", "tmp", "run", "home", "root", "lost+found", NULL};
	static const char *const system_folders[] = {"usr", "bin", "sbin", "lib", "lib32", "lib64",
		"libx32", "etc", "var", "opt", "srv", NULL};
	struct graft g = {.from = root,
		.upper = upper,
		.work = work,
		.read_only = true,
		.overlaid = c->plan->hide_homes ? system_folders : NULL,
		.skip = c->plan->hide_homes ? host_skip : image_skip};

	/* a folder of the job's tmpfs; what pivot_root takes is a mount */
	if (mount(at, at, NULL, MS_BIND, NULL) < 0)
		spawn_child_fail(c->spawn, STEP_ROOT, at);
	g.to = must_open(c, at);
	if (graft_folder(&g) < 0)
		spawn_child_fail(c->spawn, STEP_ROOT, c->plan->root);
	close(g.to);
}

void child_root(struct child *c)
{
	int root, upper = -1, work = -1;
	char at[64];

	root = must_open(c, c->plan->root);
	child_scratch(c);
	close(scratch_folder(c, c->scratch, "root", 0755));
	if (c->plan->overlay) {
		upper = scratch_folder(c, c->layers, "upper", 0755);
		work = scratch_folder(c, c->layers, "work", 0755);
	}
	/* by name: a descriptor of the mount point itself would lie below what is mounted */
	snprintf(at, sizeof at, "/proc/self/fd/%d/root", c->scratch);
	if (upper < 0 || !c->plan->whole || mount_overlay(root, upper, work, at) < 0)
		split_root(c, root, at, upper, work);
	c->new_root = must_open(c, at);
}
