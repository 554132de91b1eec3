#include "images/sandbox.h"

#include "images/seccomp.h"

#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Landlock, ABI 6 (Linux 6.12): no abstract sockets of others, which a shared network would reach. */
static void scope_sockets(void)
{
	enum { NR_CREATE = 444, NR_RESTRICT = 446, SCOPE_ABSTRACT_UNIX_SOCKET = 1 };
	struct {
		uint64_t fs, net, scoped;
	} attr = {.scoped = SCOPE_ABSTRACT_UNIX_SOCKET};
	long fd = syscall(NR_CREATE, &attr, sizeof attr, 0);

	if (fd < 0)
		return;
	syscall(NR_RESTRICT, (int)fd, 0);
	close((int)fd);
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};

	for (unsigned long i = 0; i < 64; i++)
		if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0) {
			if (errno != EINVAL)
				return -1;
			break; /* the kernel's last one was before it */
		}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return -1;
	return (int)syscall(SYS_capset, &header, none);
}

/* A parent that died before the signal was asked for cannot send it. */
static void check_parent(const struct spawn *s)
{
	struct pollfd go = {.fd = s->go[0], .events = POLLIN};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (poll(&go, 1, 0) > 0 && (go.revents & POLLHUP))
		_exit(255);
}

void child_lock(struct child *c)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		spawn_child_fail(c->spawn, STEP_LOCK, "no_new_privs");
	scope_sockets();
	if (drop_capabilities() < 0)
		spawn_child_fail(c->spawn, STEP_LOCK, "the capabilities");
	/* pid 1 holds what the parent's memory held: nobody inside may look */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		spawn_child_fail(c->spawn, STEP_LOCK, "dumpable");
	check_parent(c->spawn);
	if (seccomp_install() < 0)
		spawn_child_fail(c->spawn, STEP_LOCK, "seccomp");
}
