#include "images/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/*
 * The job's own folder becomes a tmpfs that ends with the namespace, so that nothing is left behind
 * and overlays start fast.  All that a job can write to and that is thrown away lies in it, and its
 * size is the limit of all of it together.
 *
 * Before Linux 6.6 a tmpfs cannot hold what overlayfs notes at a removed folder; the layers then
 * lie in the folder on its disk.  Layers of binds do so in any case, as they may be large, unless a
 * quota is asked for.
 */

int scratch_folder(struct child *c, int in, const char *name, mode_t mode)
{
	int fd = -1;

	/* umask */
	if (mkdirat(in, name, 0700) == 0 && fchmodat(in, name, mode, 0) == 0)
		fd = openat(in, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		spawn_child_fail(c->spawn, STEP_ROOT, name);
	return fd;
}

int scratch_bind(struct child *c, const char *name, mode_t mode, const char *at)
{
	int fd = scratch_folder(c, c->scratch, name, mode), r, saved;
	char from[64];

	snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
	r = mount(from, at, NULL, MS_BIND, NULL);
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}

/* --- layers of binds ----------------------------------------------------------------------- */

static void make_layer(struct child *c, struct plan_bind *b)
{
	struct stat st;

	if (fstat(b->fd, &st) < 0)
		spawn_child_fail(c->spawn, STEP_BIND, b->from);
	/* the merged root shows the upper's mode */
	b->upper_fd = scratch_folder(c, c->scratch, b->upper, (st.st_mode & 07777) | 0700);
	b->work_fd = scratch_folder(c, c->scratch, b->work, 0700);
}

static void make_copy(struct child *c, struct plan_bind *b)
{
	struct stat st;
	ssize_t n = 1;

	b->upper_fd = openat(c->scratch, b->upper, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (b->upper_fd < 0 || fstat(b->fd, &st) < 0)
		spawn_child_fail(c->spawn, STEP_BIND, b->from);
	while (n > 0)
		n = sendfile(b->upper_fd, b->fd, NULL, 1 << 20);
	if (n < 0 || fchmod(b->upper_fd, st.st_mode & 07777) < 0)
		spawn_child_fail(c->spawn, STEP_BIND, b->from);
}

static void make_layers(struct child *c)
{
	for (size_t i = 0; i < c->plan->n_binds; i++) {
		struct plan_bind *b = &c->plan->binds[i];

		if (b->kind == PLAN_COPY)
			make_copy(c, b);
		else if (b->kind == PLAN_OVERLAY && b->upper[0] != '/')
			make_layer(c, b);
	}
}

/* --- handing over -------------------------------------------------------------------------- */

union rights {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(sizeof(int))];
};

/* What lies in the tmpfs is read by the parent when the job and its namespace are gone. */
static void hand_over(struct child *c)
{
	char byte = 0;
	struct iovec io = {&byte, 1};
	union rights rights = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)),
				       .cmsg_level = SOL_SOCKET,
				       .cmsg_type = SCM_RIGHTS}};
	struct msghdr message = {.msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = rights.bytes,
		.msg_controllen = sizeof rights.bytes};

	memcpy(CMSG_DATA(&rights.head), &c->scratch, sizeof c->scratch);
	if (sendmsg(c->hand_over[1], &message, MSG_NOSIGNAL) < 0)
		spawn_child_fail(c->spawn, STEP_SETUP, "the layers");
}

int scratch_receive(int socket)
{
	char byte;
	struct iovec io = {&byte, 1};
	union rights rights = {0};
	struct msghdr message = {.msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = rights.bytes,
		.msg_controllen = sizeof rights.bytes};
	int fd;

	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 0 ||
		!CMSG_FIRSTHDR(&message) || rights.head.cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(&fd, CMSG_DATA(&rights.head), sizeof fd);
	return fd;
}

void child_scratch(struct child *c)
{
	const char *dir = c->plan->dir;
	unsigned long long bytes = c->plan->max_bytes;
	char options[96];

	c->layers = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* an inode is of some memory too, and a small tmpfs may hold many small files */
	snprintf(options, sizeof options, "mode=0700,size=%llu,nr_inodes=%llu", bytes,
		bytes / 4096 + 16384);
	if (c->layers < 0 || mount("scratch", dir, "tmpfs", MS_NODEV | MS_NOSUID, options) < 0)
		spawn_child_fail(c->spawn, STEP_ROOT, "tmpfs");
	c->scratch = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->scratch < 0)
		spawn_child_fail(c->spawn, STEP_ROOT, dir);
	if (setxattr(dir, "user.overlay.test", "y", 1, 0) == 0) {
		close(c->layers);
		c->layers = c->scratch;
	} else if (c->plan->quota) {
		spawn_child_fail(c->spawn, STEP_QUOTA, "tmpfs");
	}
	if (c->hand_over[1] >= 0)
		hand_over(c);
	make_layers(c);
}
