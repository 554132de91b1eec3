#include "images/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * What lies on top of the root.  All of it is done after pivot_root, so that a target's symlinks
 * mean what they mean inside and lead nowhere else; sources are descriptors from before it.
 */

/* --- mount points ------------------------------------------------------------------------- */

/*
 * A folder that nothing can be made in (read-only, or somebody else's) becomes a tmpfs with the
 * same entries.
 */
static int cover(const char *folder)
{
	struct graft g = {.upper = -1, .work = -1};
	int r = -1, saved;

	g.from = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (g.from < 0)
		return -1;
	/* of entries only: nobody could write here, and nobody needs to */
	if (mount("cover", folder, "tmpfs", MS_NODEV | MS_NOSUID, "mode=0755,size=64k") == 0) {
		g.to = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (g.to >= 0) {
			r = graft_folder(&g);
			close(g.to);
		}
	}
	saved = errno;
	close(g.from);
	errno = saved;
	return r;
}

/* A link that leads nowhere is replaced. */
static int try_make(const char *path, bool folder)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) == 0 && unlink(path) < 0)
		return -1;
	if (folder)
		return mkdir(path, 0755);
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int make_one(char *path, bool folder)
{
	char *slash = strrchr(path, '/');
	struct stat st;
	int r;

	if (stat(path, &st) == 0) {
		errno = folder ? ENOTDIR : EISDIR;
		return S_ISDIR(st.st_mode) == folder ? 0 : -1;
	}
	if (try_make(path, folder) == 0)
		return 0;
	*slash = 0;
	r = cover(*path ? path : "/");
	*slash = '/';
	return r < 0 ? -1 : try_make(path, folder);
}

/* Makes sure that there is something to mount on. -1 with errno. */
static int make_point(const char *at, bool folder)
{
	char path[4096];

	if (at[0] != '/' || strlen(at) >= sizeof path) {
		errno = EINVAL;
		return -1;
	}
	memcpy(path, at, strlen(at) + 1);
	for (char *p = path + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		if (make_one(path, true) < 0)
			return -1;
		*p = '/';
	}
	return path[1] ? make_one(path, folder) : 0;
}

static void must_mount(struct child *c, enum sandbox_step step, const char *type, const char *at,
	unsigned long flags, const char *options)
{
	if (make_point(at, true) < 0 || mount(type, at, type, flags, options) < 0)
		spawn_child_fail(c->spawn, step, at);
}

/* A folder of the job's own tmpfs, so that one size holds for all of them. */
static void must_bind_scratch(struct child *c, const char *name, mode_t mode, const char *at)
{
	if (make_point(at, true) < 0 || scratch_bind(c, name, mode, at) < 0)
		spawn_child_fail(c->spawn, STEP_DEV, at);
}

/* --- sources, while the old root is there --------------------------------------------------- */

static const char *const devices[] = {
	"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"};
enum { N_DEVICES = sizeof devices / sizeof *devices };

static void open_binds(struct child *c)
{
	for (size_t i = 0; i < c->plan->n_binds; i++) {
		struct plan_bind *b = &c->plan->binds[i];

		b->upper_fd = b->work_fd = -1;
		b->fd = open(b->from, (b->kind == PLAN_COPY ? O_RDONLY : O_PATH) | O_CLOEXEC);
		if (b->kind == PLAN_OVERLAY && b->upper[0] == '/') {
			b->upper_fd = open(b->upper, O_PATH | O_DIRECTORY | O_CLOEXEC);
			b->work_fd = open(b->work, O_PATH | O_DIRECTORY | O_CLOEXEC);
		}
		if (b->fd < 0 && b->kind != PLAN_DEFAULT)
			spawn_child_fail(c->spawn, STEP_BIND, b->from);
	}
}

void child_begin(struct child *c)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		spawn_child_fail(c->spawn, STEP_PRIVATE, "/");
	c->old_root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->old_root < 0)
		spawn_child_fail(c->spawn, STEP_ROOT, "/");
	for (int i = 0; i < N_DEVICES; i++)
		c->dev_fds[i] = open(devices[i], O_PATH | O_CLOEXEC);
	c->sys_fd = open("/sys/devices/system", O_PATH | O_CLOEXEC);
	open_binds(c);
}

/* pivot_root(2), "pivot_root(".", ".")": the old root ends up on top of the new one. */
static void pivot(struct child *c)
{
	if (fchdir(c->new_root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		spawn_child_fail(c->spawn, STEP_PIVOT, c->plan->dir);
}

/* --- proc, dev, tmp, sys -------------------------------------------------------------------- */

/*
 * Root of this machine stays root of this machine for the permissions of /proc, with no
 * capability to ask for: what could change or tell of the kernel is read-only or hidden.
 */
static void restrict_proc(struct child *c)
{
	static const char *const read_only[] = {"/proc/sys", "/proc/sysrq-trigger", "/proc/irq",
		"/proc/bus", "/proc/fs", "/proc/acpi", "/proc/scsi", "/proc/mtrr", "/proc/driver",
		"/proc/dynamic_debug", "/proc/pressure", "/proc/asound", "/proc/tty"};
	static const char *const hidden[] = {"/proc/kcore", "/proc/keys", "/proc/key-users",
		"/proc/timer_list", "/proc/sched_debug", "/proc/kmsg", "/proc/kpagecount",
		"/proc/kpageflags", "/proc/kallsyms", "/proc/latency_stats"};

	for (size_t i = 0; i < sizeof read_only / sizeof *read_only; i++)
		if (mount(read_only[i], read_only[i], NULL, MS_BIND | MS_REC, NULL) == 0 &&
			restrict_mount(read_only[i], true) < 0)
			spawn_child_fail(c->spawn, STEP_PROC, read_only[i]);
	for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
		if (mount("/dev/null", hidden[i], NULL, MS_BIND, NULL) < 0 && errno != ENOENT)
			spawn_child_fail(c->spawn, STEP_PROC, hidden[i]);
}

static int bind_device(int fd, const char *at)
{
	char from[64];

	snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
	return mount(from, at, NULL, MS_BIND, NULL);
}

static void make_devices(struct child *c)
{
	must_mount(c, STEP_DEV, "tmpfs", "/dev", MS_NOSUID | MS_NOEXEC,
		"mode=0755,size=64k,nr_inodes=4k");
	for (int i = 0; i < N_DEVICES; i++) {
		/* a builder without a terminal may lack /dev/tty; the others must be there */
		if (c->dev_fds[i] < 0 && i == N_DEVICES - 1)
			continue;
		if (make_point(devices[i], false) < 0 || bind_device(c->dev_fds[i], devices[i]) < 0)
			spawn_child_fail(c->spawn, STEP_DEV, devices[i]);
	}
	if (symlink("/proc/self/fd", "/dev/fd") < 0 || symlink("fd/0", "/dev/stdin") < 0 ||
		symlink("fd/1", "/dev/stdout") < 0 || symlink("fd/2", "/dev/stderr") < 0 ||
		symlink("pts/ptmx", "/dev/ptmx") < 0)
		spawn_child_fail(c->spawn, STEP_DEV, "/dev");
	must_mount(c, STEP_DEV, "devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC,
		"newinstance,ptmxmode=0666,mode=0620");
	must_bind_scratch(c, "shm", 01777, "/dev/shm");
}

/* Numerical libraries count cores there; the rest of /sys stays out. */
static void make_sys(struct child *c)
{
	must_mount(c, STEP_DEV, "tmpfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0555");
	if (c->sys_fd >= 0 && (make_point("/sys/devices/system", true) < 0 ||
				      bind_fd(c->sys_fd, "/sys/devices/system", true) < 0))
		spawn_child_fail(c->spawn, STEP_DEV, "/sys/devices/system");
	if (restrict_mount("/sys", true) < 0)
		spawn_child_fail(c->spawn, STEP_DEV, "/sys");
}

static void make_temporaries(struct child *c)
{
	must_bind_scratch(c, "tmp", 01777, "/tmp");
	must_bind_scratch(c, "run", 0755, "/run");
	if (access("/var/tmp", W_OK) < 0 && errno == EROFS)
		must_bind_scratch(c, "var-tmp", 01777, "/var/tmp");
}

/* --- binds ---------------------------------------------------------------------------------- */

static int bind_overlay(const struct plan_bind *b)
{
	if (b->upper_fd < 0 || b->work_fd < 0)
		return -1;
	return mount_overlay(b->fd, b->upper_fd, b->work_fd, b->to);
}

/* What the root lacks and a job with a network needs; a root that has it keeps its own. */
static void bind_default(const struct plan_bind *b)
{
	struct stat st;

	if (b->fd < 0 || (stat(b->to, &st) == 0 && (S_ISDIR(st.st_mode) || st.st_size > 0)))
		return;
	if (make_point(b->to, false) == 0)
		bind_fd(b->fd, b->to, true);
}

static void bind_one(struct child *c, const struct plan_bind *b)
{
	int r = make_point(b->to, b->folder);

	switch (b->kind) {
	case PLAN_READ_ONLY:
		r = r < 0 ? r : bind_fd(b->fd, b->to, true);
		break;
	case PLAN_READ_WRITE:
		r = r < 0 ? r : bind_fd(b->fd, b->to, false);
		break;
	case PLAN_OVERLAY:
		r = r < 0 ? r : bind_overlay(b);
		if (r < 0 && c->plan->probe)
			_exit(PROBE_NO_OVERLAY);
		break;
	case PLAN_COPY:
		r = r < 0 ? r : bind_fd(b->upper_fd, b->to, false);
		break;
	case PLAN_DEVICE:
		r = r < 0 ? r : bind_device(b->fd, b->to);
		break;
	case PLAN_DEFAULT:
		return;
	}
	if (r < 0)
		spawn_child_fail(c->spawn, STEP_BIND, b->to);
}

/* --- names and network ---------------------------------------------------------------------- */

static void loopback_up(void)
{
	struct ifreq ifr = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) == 0) {
		ifr.ifr_flags |= IFF_UP;
		ioctl(fd, SIOCSIFFLAGS, &ifr);
	}
	close(fd);
}

static void detach_old_root(struct child *c)
{
	if (fchdir(c->old_root) < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		spawn_child_fail(c->spawn, STEP_SETUP, "the old root");
}

void child_mounts(struct child *c)
{
	pivot(c);
	must_mount(c, STEP_PROC, "proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	make_devices(c);
	child_limit(c);
	restrict_proc(c);
	make_sys(c);
	make_temporaries(c);
	for (size_t i = 0; i < c->plan->n_binds; i++) {
		if (c->plan->binds[i].kind == PLAN_DEFAULT)
			bind_default(&c->plan->binds[i]);
		else
			bind_one(c, &c->plan->binds[i]);
	}
	if (sethostname("envbuild", 8) < 0)
		spawn_child_fail(c->spawn, STEP_SETUP, "the host name");
	if (!c->job->network)
		loopback_up();
	detach_old_root(c);
}
