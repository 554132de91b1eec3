/*
 * What a hostile test script would try, for tests/scenario/escape.sh, which also builds it
 * statically, so that it runs in every root.
 *
 *	escape host DIR              offers what must not be reached, writes DIR/offer, waits
 *	escape plant FILE MODE       FILE gets the file capability cap_sys_admin (root only)
 *	escape try OFFER NET         makes every try; NET: on or off
 *	escape who                   prints "EUID CAPEFF": what a planted file is run for
 *	escape bomb|threads          as many processes (threads) as there may be; says how many
 *	escape wild                  processes that make processes, without an end
 *	escape outlive NAME          a process called NAME in a session of its own, deaf to signals
 *
 * OFFER is what is in DIR/offer: MARKER ABSTRACT PORT SHM KEY PID.
 * Each try prints "ok NAME" where it failed and "fail NAME: DETAIL" where it did not.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

struct offer {
	char marker[512], abstract[64];
	int port, shm, key, pid;
};

/* --- results ------------------------------------------------------------------------------ */

/* got: the try got something. */
static void result(bool got, const char *name)
{
	if (got)
		printf("fail %s: it was done\n", name);
	else
		printf("ok %s\n", name);
}

/* A call that must answer -1 with one of two errors (0: any). */
static void refused(long r, int error, int other, const char *name)
{
	int got = errno;

	if (r == -1 && (error == 0 || got == error || got == other))
		printf("ok %s (%s)\n", name, strerror(got));
	else
		printf("fail %s: %ld, %s\n", name, r, strerror(got));
}

#define REFUSED(call, error) refused((errno = 0, (long)(call)), error, error, #call)

static bool can_open(const char *path, int flags)
{
	int fd = open(path, flags | O_NONBLOCK | O_NOCTTY);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* --- the host's side ---------------------------------------------------------------------- */

static int listen_on(int family, const void *address, socklen_t n)
{
	int fd = socket(family, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, address, n) < 0 || listen(fd, 8) < 0) {
		perror("escape: listen");
		exit(1);
	}
	return fd;
}

static socklen_t abstract_address(struct sockaddr_un *to, const char *name)
{
	*to = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(to->sun_path + 1, name, strlen(name));
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
}

static int offer_port(int *port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
	socklen_t n = sizeof in;
	int fd = listen_on(AF_INET, &in, n);

	getsockname(fd, (struct sockaddr *)&in, &n);
	*port = ntohs(in.sin_port);
	return fd;
}

static void write_offer(const char *dir, const struct offer *o)
{
	char path[600], temp[600];
	FILE *f;

	snprintf(path, sizeof path, "%s/offer", dir);
	snprintf(temp, sizeof temp, "%s/offer.tmp", dir);
	f = fopen(temp, "w");
	if (!f)
		exit(1);
	fprintf(f, "%s %s %d %d %d %d\n", o->marker, o->abstract, o->port, o->shm, o->key, o->pid);
	fclose(f);
	rename(temp, path);
}

/* Whoever comes in leaves a trace: DIR/reached. */
static _Noreturn void command_host(const char *dir)
{
	struct offer o = {.pid = getpid()};
	struct sockaddr_un address;
	struct pollfd fds[2];
	char reached[600];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(o.marker, sizeof o.marker, "%s/marker", dir);
	snprintf(o.abstract, sizeof o.abstract, "envbuild-escape-%d", o.pid);
	snprintf(reached, sizeof reached, "%s/reached", dir);
	fds[0].fd = offer_port(&o.port);
	fds[1].fd = listen_on(AF_UNIX, &address, abstract_address(&address, o.abstract));
	fds[0].events = fds[1].events = POLLIN;
	o.shm = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0666);
	/* removed with its last user: this process */
	shmat(o.shm, NULL, 0);
	shmctl(o.shm, IPC_RMID, NULL);
	o.key = (int)syscall(SYS_add_key, "user", o.abstract, "secret", 6, -3 /* session */);
	write_offer(dir, &o);
	for (;;)
		if (poll(fds, 2, -1) > 0) {
			int fd = accept(fds[fds[0].revents ? 0 : 1].fd, NULL, NULL);

			close(open(reached, O_CREAT | O_WRONLY, 0644));
			close(fd);
		}
}

/* A vfs_cap_data of version 2, effective: cap_sys_admin (21). */
static int command_plant(const char *path)
{
	uint32_t data[5] = {0x02000001, 1U << 21, 0, 0, 0};

	return setxattr(path, "security.capability", data, sizeof data, 0) < 0;
}

static int command_who(void)
{
	char line[256], caps[64] = "?";
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof line, f))
		sscanf(line, "CapEff: %63s", caps);
	printf("%d %s\n", (int)geteuid(), caps);
	return 0;
}

/* --- files -------------------------------------------------------------------------------- */

static void try_below(const char *root, const struct offer *o, const char *name)
{
	char path[1024];

	snprintf(path, sizeof path, "%s%s", root, o->marker);
	result(can_open(path, O_RDONLY), name);
}

/* Each descriptor and root that another process shows. */
static void try_processes(const struct offer *o)
{
	char root[300], fds[300], at[600], up[1200];
	DIR *all = opendir("/proc"), *d;
	const struct dirent *p, *f;
	bool got = false;

	while (all && (p = readdir(all))) {
		snprintf(root, sizeof root, "/proc/%.20s/root", p->d_name);
		snprintf(up, sizeof up, "%s%s", root, o->marker);
		got |= can_open(up, O_RDONLY);
		snprintf(fds, sizeof fds, "/proc/%.20s/fd", p->d_name);
		d = opendir(fds);
		while (d && (f = readdir(d))) {
			snprintf(at, sizeof at, "%s/%.20s", fds, f->d_name);
			snprintf(up, sizeof up, "%s/../../../../../../../..%s", at, o->marker);
			got |= can_open(up, O_RDONLY);
		}
		if (d)
			closedir(d);
	}
	if (all)
		closedir(all);
	result(got, "the host's files by /proc/*/root and /proc/*/fd");
}

static void try_chroot(const struct offer *o)
{
	int fd = open("/", O_RDONLY | O_DIRECTORY);

	mkdir("/tmp/jail", 0755);
	REFUSED(chroot("/tmp/jail"), EPERM);
	if (fd >= 0 && fchdir(fd) == 0)
		for (int i = 0; i < 64; i++)
			if (chdir("..") < 0)
				break;
	REFUSED(chroot("."), EPERM);
	result(can_open(o->marker + 1, O_RDONLY), "the host's files after double chroot");
	if (chdir("/") < 0)
		perror("chdir");
	if (fd >= 0)
		close(fd);
}

static void try_files(const struct offer *o)
{
	struct {
		unsigned bytes;
		int type;
		char handle[128];
	} handle = {8, 1, {2}};

	result(can_open(o->marker, O_RDONLY), "a file of the host");
	try_below("/proc/1/root", o, "the host's files by /proc/1/root");
	try_below("/proc/1/cwd", o, "the host's files by /proc/1/cwd");
	try_below("/proc/self/root/../../..", o, "the host's files by ..");
	try_below("/proc/self/task/1/root", o, "the host's files by /proc/self/task");
	try_processes(o);
	try_chroot(o);
	refused(syscall(SYS_open_by_handle_at, AT_FDCWD, &handle, O_RDONLY), EPERM, EPERM,
		"open_by_handle_at");
	REFUSED(open("/proc/1/environ", O_RDONLY), EACCES);
	REFUSED(open("/proc/1/maps", O_RDONLY), EACCES);
	REFUSED(open("/proc/1/mem", O_RDWR), EACCES);
	result(can_open("/proc/1/ns/mnt", O_RDONLY), "/proc/1/ns/mnt");
	result(can_open("/proc/1/ns/user", O_RDONLY), "/proc/1/ns/user");
}

static bool forbidden; /* what a walk found */
static char found[512];

/* A device node bound over it hides a file; that one is not counted. */
static int visit_writable(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)at;
	if (type == FTW_F && S_ISREG(st->st_mode) && can_open(path, O_WRONLY)) {
		forbidden = true;
		snprintf(found, sizeof found, "%s", path);
	}
	return 0;
}

/* Everything in a folder of /proc or /sys but processes: root of the machine is root of these. */
static void try_writing_below(const char *dir)
{
	char path[600], name[700];
	DIR *d = opendir(dir);
	const struct dirent *f;

	forbidden = false;
	while (d && (f = readdir(d))) {
		struct stat st;

		if (f->d_name[0] == '.' || (f->d_name[0] >= '0' && f->d_name[0] <= '9'))
			continue;
		snprintf(path, sizeof path, "%s/%.255s", dir, f->d_name);
		if (lstat(path, &st) == 0 && !S_ISLNK(st.st_mode))
			nftw(path, visit_writable, 32, FTW_PHYS);
	}
	if (d)
		closedir(d);
	snprintf(name, sizeof name, "a file of %s to write to%s%s", dir, forbidden ? ": " : "",
		forbidden ? found : "");
	result(forbidden, name);
}

static void try_kernel_files(void)
{
	static const char *const absent[] = {"/sys/fs/cgroup", "/sys/kernel", "/sys/class",
		"/sys/module", "/sys/firmware", "/dev/mem", "/dev/kmsg", "/dev/kvm", "/dev/fuse",
		"/dev/loop0", "/dev/loop-control", "/dev/vda", "/dev/sda", "/dev/net", "/dev/vsock",
		"/dev/console", "/dev/tty0", "/dev/mqueue", "/proc/sys/fs/binfmt_misc/register"};
	char byte;
	int fd;

	for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
		refused(access(absent[i], F_OK), ENOENT, EACCES, absent[i]);
	try_writing_below("/proc");
	try_writing_below("/sys");
	refused(open("/proc/sys/kernel/core_pattern", O_WRONLY), EROFS, EACCES, "core_pattern");
	REFUSED(open("/proc/sys/kernel/pid_max", O_WRONLY), EROFS);
	fd = open("/proc/kcore", O_RDONLY);
	result(fd >= 0 && read(fd, &byte, 1) == 1, "the kernel's memory by /proc/kcore");
	fd = open("/proc/kallsyms", O_RDONLY);
	result(fd >= 0 && read(fd, &byte, 1) == 1, "the kernel's symbols");
	fd = open("/proc/self/uid_map", O_WRONLY);
	result(fd >= 0 && write(fd, "0 0 2\n", 6) > 0, "another map of ids");
}

/* --- devices ------------------------------------------------------------------------------ */

static void try_devices(void)
{
	DIR *d = opendir("/dev");
	const struct dirent *f;
	bool got = false;

	while (d && (f = readdir(d))) {
		struct stat st;

		if (fstatat(dirfd(d), f->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		/* memory devices without memory, and /dev/tty */
		got |= S_ISBLK(st.st_mode) ||
		       (S_ISCHR(st.st_mode) && st.st_rdev != makedev(5, 0) &&
			       (major(st.st_rdev) != 1 || minor(st.st_rdev) < 3 ||
				       minor(st.st_rdev) > 9 || minor(st.st_rdev) == 4));
	}
	if (d)
		closedir(d);
	result(got, "a device of the host in /dev");
	REFUSED(mknod("/tmp/disk", S_IFBLK | 0666, makedev(254, 0)), EPERM);
	REFUSED(mknod("/tmp/memory", S_IFCHR | 0666, makedev(1, 1)), EPERM);
	REFUSED(mknod("/dev/memory", S_IFCHR | 0666, makedev(1, 1)), EPERM);
	REFUSED(mknod("/usr/memory", S_IFCHR | 0666, makedev(1, 1)), EPERM);
	/* planted by root of the host in a folder that is bound */
	REFUSED(open("/plant/null", O_RDWR), EACCES);
}

/* --- the kernel --------------------------------------------------------------------------- */

static void try_mounts(void)
{
	REFUSED(mount("none", "/tmp", "tmpfs", 0, NULL), EPERM);
	REFUSED(mount("/proc", "/tmp", NULL, MS_BIND, NULL), EPERM);
	REFUSED(mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND, NULL), EPERM);
	REFUSED(mount("none", "/tmp", "cgroup2", 0, NULL), EPERM);
	REFUSED(umount2("/proc", MNT_DETACH), EPERM);
	REFUSED(umount2("/dev/null", 0), EPERM);
	REFUSED(syscall(SYS_pivot_root, ".", "."), EPERM);
	REFUSED(syscall(428 /* open_tree */, -1, "/", 1), EPERM);
	REFUSED(syscall(429 /* move_mount */, -1, "/", -1, "/tmp", 0), EPERM);
	REFUSED(syscall(430 /* fsopen */, "tmpfs", 0), EPERM);
	REFUSED(syscall(433 /* fspick */, -1, "/", 0), EPERM);
	REFUSED(syscall(442 /* mount_setattr */, -1, "/", 0, NULL, 0), EPERM);
	REFUSED(syscall(467 /* open_tree_attr */, -1, "/", 0, NULL, 0), EPERM);
}

static void try_namespaces(void)
{
	static const int flags[] = {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET,
		CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP, CLONE_NEWTIME};
	static const char *const names[] = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"};
	char path[64];

	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
		snprintf(path, sizeof path, "unshare(%#x)", (unsigned)flags[i]);
		refused(unshare(flags[i]), EPERM, EPERM, path);
		if (flags[i] == CLONE_NEWTIME)
			break; /* clone's flags have no bit for it */
		snprintf(path, sizeof path, "clone(%#x)", (unsigned)flags[i]);
		refused(syscall(SYS_clone, (long)flags[i] | SIGCHLD, 0, 0, 0, 0), EPERM, EPERM,
			path);
	}
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		int fd;

		snprintf(path, sizeof path, "/proc/self/ns/%s", names[i]);
		fd = open(path, O_RDONLY);
		snprintf(path, sizeof path, "setns to its own %s namespace", names[i]);
		refused(syscall(SYS_setns, fd, 0), EPERM, EPERM, path);
		close(fd);
	}
	REFUSED(syscall(435 /* clone3 */, NULL, 0), ENOSYS);
}

static void try_calls(void)
{
	char bytes[64] = {0};

	REFUSED(syscall(SYS_init_module, bytes, 0L, ""), EPERM);
	REFUSED(syscall(SYS_finit_module, 0, "", 0), EPERM);
	REFUSED(syscall(SYS_delete_module, "x", 0), EPERM);
	REFUSED(syscall(SYS_kexec_load, 0L, 0L, NULL, 0L), EPERM);
	REFUSED(syscall(SYS_bpf, 0, NULL, 0), EPERM);
	REFUSED(syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0L), EPERM);
	REFUSED(syscall(SYS_userfaultfd, 0), EPERM);
	REFUSED(syscall(425 /* io_uring_setup */, 1, bytes), ENOSYS);
	REFUSED(syscall(SYS_reboot, 0xfee1dead, 672274793, 0xcdef0123, NULL), EPERM);
	REFUSED(syscall(SYS_syslog, 3, bytes, sizeof bytes), EPERM);
	REFUSED(syscall(SYS_swapon, "/tmp", 0), EPERM);
	REFUSED(syscall(SYS_acct, "/tmp/acct"), EPERM);
	REFUSED(syscall(SYS_settimeofday, NULL, NULL), EPERM);
	REFUSED(syscall(SYS_personality, 0x0040000 /* no random addresses */), EPERM);
	REFUSED(sethostname("other", 5), EPERM);
	REFUSED(setpriority(PRIO_PROCESS, 0, -5), EACCES);
#ifdef SYS_iopl
	REFUSED(syscall(SYS_iopl, 3), EPERM);
	REFUSED(syscall(SYS_modify_ldt, 0, bytes, sizeof bytes), EPERM);
#endif
}

static void try_keys(const struct offer *o)
{
	char bytes[64];

	REFUSED(syscall(SYS_keyctl, 11 /* read */, o->key, bytes, sizeof bytes), EPERM);
	REFUSED(syscall(SYS_keyctl, 0 /* the keyring's id */, -3, 0), EPERM);
	REFUSED(syscall(SYS_add_key, "user", "x", "y", 1, -3), EPERM);
	REFUSED(syscall(SYS_request_key, "user", o->abstract, NULL, 0), EPERM);
}

/* --- rights ------------------------------------------------------------------------------- */

static void try_rights(void)
{
	uint32_t header[2] = {0x20080522, 0}, caps[6] = {1U << 21, 1U << 21, 0, 0, 0, 0};
	uint32_t data[5] = {0x02000001, 1U << 21, 0, 0, 0};
	int fd = open("/tmp/file", O_CREAT | O_RDWR, 0600);

	REFUSED(setuid(12345), 0);
	REFUSED(setgid(12345), 0);
	REFUSED(setgroups(0, NULL), EPERM);
	REFUSED(chown("/tmp/file", 12345, 12345), 0);
	REFUSED(syscall(SYS_capset, header, caps), EPERM);
	REFUSED(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 21, 0, 0), EPERM);
	REFUSED(prctl(PR_SET_SECUREBITS, 0, 0, 0, 0), EPERM);
	REFUSED(fsetxattr(fd, "security.capability", data, sizeof data, 0), EPERM);
	REFUSED(fsetxattr(fd, "trusted.x", "y", 1, 0), EPERM);
	close(fd);
}

/* Runs a planted program: it must be this user, without a capability. */
static void try_planted(const char *path, const char *name)
{
	char want[64], got[64] = "";
	int ends[2];
	pid_t pid;

	snprintf(want, sizeof want, "%d 0000000000000000\n", (int)geteuid());
	if (pipe(ends) < 0)
		return;
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], 1);
		execl(path, path, "who", (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	for (size_t n = 0; n < sizeof got - 1;) {
		ssize_t r = read(ends[0], got + n, sizeof got - 1 - n);

		if (r <= 0)
			break;
		n += (size_t)r;
	}
	close(ends[0]);
	waitpid(pid, NULL, 0);
	if (!strcmp(want, got))
		printf("ok %s\n", name);
	else
		printf("fail %s: %s\n", name, got);
}

/* --- processes ---------------------------------------------------------------------------- */

static void try_other_processes(const struct offer *o)
{
	struct rlimit limit = {0, 0};
	char bytes[8];
	struct {
		void *at;
		size_t n;
	} local = {bytes, 8}, remote = {(void *)(uintptr_t)&try_other_processes, 8};

	REFUSED(syscall(SYS_ptrace, 16 /* attach */, 1, NULL, NULL), EPERM);
	REFUSED(syscall(SYS_ptrace, 0 /* of me */, 0, NULL, NULL), EPERM);
	REFUSED(syscall(SYS_process_vm_readv, 1, &local, 1L, &remote, 1L, 0L), EPERM);
	REFUSED(syscall(SYS_process_vm_writev, 1, &local, 1L, &remote, 1L, 0L), EPERM);
	REFUSED(syscall(438 /* pidfd_getfd */, syscall(434 /* pidfd_open */, 1, 0), 0, 0), EPERM);
	REFUSED(syscall(SYS_kcmp, 1, getpid(), 0, 0L, 0L), EPERM);
	/* numbers of the host mean nothing here, or this job's own */
	result(getppid() == o->pid, "the host's process as a parent");
	REFUSED(kill(o->pid + 4000000, 0), ESRCH);
	if (o->pid > 100) {
		REFUSED(kill(o->pid, SIGKILL), ESRCH);
		REFUSED(prlimit(o->pid, RLIMIT_NOFILE, &limit, NULL), ESRCH);
		REFUSED(sched_setaffinity(o->pid, 0, NULL), 0);
	}
	/* all processes of this user, of which only the job's may be meant */
	setpriority(PRIO_USER, 0, 19);
	kill(1, SIGKILL);
	kill(1, SIGTERM);
	kill(1, SIGSTOP);
	usleep(20000);
	result(kill(1, 0) < 0, "pid 1 ended");
}

static void try_terminal(void)
{
	char byte = 'x';
	int fd = open("/dev/tty", O_RDWR);

	REFUSED(ioctl(0, TIOCSTI, &byte), EPERM);
	REFUSED(ioctl(0, 0x541c /* TIOCLINUX */, &byte), EPERM);
	result(fd >= 0 && ioctl(fd, TIOCSTI, &byte) == 0, "input for the caller's terminal");
}

static void try_memory(const struct offer *o)
{
	char path[] = "/dev/shm/envbuild-escape";

	result(shmat(o->shm, NULL, SHM_RDONLY) != (void *)-1,
		"the host's shared memory (System V)");
	result(can_open(path, O_RDONLY), "the host's shared memory (POSIX)");
}

/* --- the network -------------------------------------------------------------------------- */

static bool can_connect(int family, const void *address, socklen_t n)
{
	int fd = socket(family, SOCK_STREAM, 0);
	bool r = fd >= 0 && connect(fd, address, n) == 0;

	if (fd >= 0)
		close(fd);
	return r;
}

/* A new interface by netlink: RTM_NEWLINK, kind dummy. */
static long new_interface(void)
{
	struct {
		uint32_t length;
		uint16_t type, flags;
		uint32_t seq, pid;
		char message[16];
		uint16_t info_length, info;
		uint16_t kind_length, kind;
		char name[8];
	} request = {sizeof request, 16, 0x605, 1, 0, {0}, 16, 18, 12, 1, "dummy"};
	struct {
		uint32_t length;
		uint16_t type, flags;
		uint32_t seq, pid;
		int32_t error;
		char rest[256];
	} reply = {0};
	int fd = socket(AF_NETLINK, SOCK_RAW, 0);
	long r = -1;

	if (fd >= 0 && send(fd, &request, sizeof request, 0) > 0 &&
		recv(fd, &reply, sizeof reply, 0) > 0 && reply.type == 2 && reply.error == 0)
		r = 0;
	errno = -reply.error;
	close(fd);
	return r;
}

static void try_network(const struct offer *o, bool on)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)o->port),
		.sin_addr.s_addr = htonl(0x7f000001)};
	struct sockaddr_un un;
	socklen_t n = abstract_address(&un, o->abstract);

	result(can_connect(AF_UNIX, &un, n), "an abstract socket of the host");
	if (on) {
		result(!can_connect(AF_INET, &in, sizeof in), "no way out with the network on");
	} else {
		result(can_connect(AF_INET, &in, sizeof in), "a port of the host's loopback");
		in.sin_addr.s_addr = htonl(0x08080808);
		refused(can_connect(AF_INET, &in, sizeof in) ? 0 : -1, ENETUNREACH, ENETUNREACH,
			"an address of the internet");
	}
	REFUSED(socket(AF_INET, SOCK_RAW, 1 /* ICMP */), EPERM);
	REFUSED(socket(AF_PACKET, SOCK_RAW, 0), EAFNOSUPPORT);
	REFUSED(socket(40 /* AF_VSOCK */, SOCK_STREAM, 0), EAFNOSUPPORT);
	REFUSED(socket(38 /* AF_ALG */, SOCK_SEQPACKET, 0), EAFNOSUPPORT);
	REFUSED(socket(30 /* AF_TIPC */, SOCK_STREAM, 0), EAFNOSUPPORT);
	REFUSED(new_interface(), EPERM);
}

static int command_try(char **words, const char *net)
{
	struct offer o = {.port = atoi(words[2]),
		.shm = atoi(words[3]),
		.key = atoi(words[4]),
		.pid = atoi(words[5])};

	snprintf(o.marker, sizeof o.marker, "%s", words[0]);
	snprintf(o.abstract, sizeof o.abstract, "%s", words[1]);
	try_files(&o);
	try_kernel_files();
	try_devices();
	try_mounts();
	try_namespaces();
	try_calls();
	try_keys(&o);
	try_rights();
	try_planted("/plant/setuid", "a program with the setuid bit");
	try_planted("/plant/other", "a program with another's setuid bit");
	try_planted("/plant/capable", "a program with file capabilities");
	try_other_processes(&o);
	try_terminal();
	try_memory(&o);
	try_network(&o, !strcmp(net, "on"));
	return 0;
}

/* --- too much ------------------------------------------------------------------------------ */

static void *wait_for_ever(void *nothing)
{
	for (;;)
		pause();
	return nothing;
}

static int command_bomb(bool threads)
{
	pthread_attr_t small;
	pthread_t id;
	int n = 0;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 65536);
	for (;; n++) {
		pid_t pid = 0;

		if (threads ? pthread_create(&id, &small, wait_for_ever, NULL) != 0
			    : (pid = fork()) < 0)
			break;
		if (!threads && pid == 0)
			wait_for_ever(NULL);
	}
	printf("%d\n", n);
	return 0;
}

static _Noreturn void command_wild(void)
{
	for (;;)
		if (fork() < 0)
			sched_yield();
}

static int command_outlive(const char *name)
{
	for (int i = 1; i < 65; i++)
		signal(i, SIG_IGN);
	for (int i = 0; i < 3; i++) {
		if (fork() != 0 && i < 2)
			continue;
		setsid();
	}
	execlp("sleep", "sleep", name, (char *)NULL);
	return 1;
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(command, "host") && argc == 3)
		command_host(argv[2]);
	if (!strcmp(command, "plant") && argc == 3)
		return command_plant(argv[2]);
	if (!strcmp(command, "who"))
		return command_who();
	if (!strcmp(command, "try") && argc == 9)
		return command_try(argv + 2, argv[8]);
	if (!strcmp(command, "bomb") || !strcmp(command, "threads"))
		return command_bomb(command[0] == 't');
	if (!strcmp(command, "wild"))
		command_wild();
	if (!strcmp(command, "outlive") && argc == 3)
		return command_outlive(argv[2]);
	fprintf(stderr, "escape: see the top of its source\n");
	return 2;
}
