#include "images/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/*
 * A denylist: what reaches beyond a process (mounts, namespaces, other processes' memory, keys, the
 * kernel itself) answers EPERM, and clone3 ENOSYS, since its flags lie in memory that a filter
 * cannot read and libraries then use clone.  The calls of another architecture kill the process:
 * their numbers mean other things.
 */
#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#else
#error "the sandbox knows the system calls of x86_64 and aarch64 only"
#endif

/* CLONE_NEWTIME is left out: in clone's flags its bit belongs to the exit signal. */
enum {
	NEW_NAMESPACE = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
			CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET,
	NEW_TIME = 0x80,
	X32_BIT = 0x40000000,
};

/* Numbers that Debian 12's headers may lack are the same on both architectures. */
enum { NR_OPEN_TREE = 428, NR_MOUNT_SETATTR = 442, NR_PIDFD_GETFD = 438 };

static const uint16_t denied[] = {
	SYS_mount,
	SYS_umount2,
	SYS_pivot_root,
	SYS_chroot,
	SYS_setns,
	NR_MOUNT_SETATTR,
	/* open_tree, open_tree_attr, move_mount, fsopen, fsconfig, fsmount, fspick */
	NR_OPEN_TREE,
	467,
	429,
	430,
	431,
	432,
	433,
	/* other processes */
	SYS_ptrace,
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	SYS_kcmp,
	NR_PIDFD_GETFD,
	/* the kernel */
	SYS_kexec_load,
	SYS_kexec_file_load,
	SYS_bpf,
	SYS_perf_event_open,
	SYS_userfaultfd,
	SYS_init_module,
	SYS_finit_module,
	SYS_delete_module,
	SYS_reboot,
	SYS_swapon,
	SYS_swapoff,
	SYS_syslog,
	SYS_acct,
	SYS_quotactl,
	SYS_lookup_dcookie,
	SYS_vhangup,
	SYS_settimeofday,
	SYS_clock_settime,
	SYS_clock_adjtime,
	SYS_adjtimex,
	SYS_open_by_handle_at,
	SYS_fanotify_init,
	SYS_mbind,
	SYS_move_pages,
	SYS_migrate_pages,
	SYS_nfsservctl,
	/* keys are shared with the caller's session */
	SYS_keyctl,
	SYS_add_key,
	SYS_request_key,
#ifdef __x86_64__
	SYS_iopl,
	SYS_ioperm,
	SYS_uselib,
	SYS_ustat,
	SYS_sysfs,
	SYS__sysctl,
	SYS_create_module,
	SYS_get_kernel_syms,
	SYS_query_module,
	SYS_modify_ldt,
#endif
};

/* io_uring does file work past any filter; programs fall back. */
static const uint16_t absent[] = {435 /* clone3 */, 425, 426, 427 /* io_uring */};

struct program {
	struct sock_filter code[256];
	unsigned short n;
};

static void emit(struct program *p, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
	p->code[p->n++] = (struct sock_filter){code, jt, jf, k};
}

static void load(struct program *p, uint32_t offset)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

static void answer(struct program *p, uint32_t action)
{
	emit(p, BPF_RET | BPF_K, action, 0, 0);
}

static uint32_t refuse(int error)
{
	return SECCOMP_RET_ERRNO | (uint32_t)error;
}

/* A is the number: where it is nr, answer. */
static void deny(struct program *p, uint32_t nr, int error)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1);
	answer(p, refuse(error));
}

static uint32_t low_half(int argument)
{
	return (uint32_t)(offsetof(struct seccomp_data, args) +
			  sizeof(uint64_t) * (size_t)argument);
}

/* Where it is nr and has one of these flags in the argument, EPERM; ends with A the number. */
static void deny_flags(struct program *p, uint32_t nr, int argument, uint32_t flags)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 4);
	load(p, low_half(argument));
	emit(p, BPF_JMP | BPF_JSET | BPF_K, flags, 0, 1);
	answer(p, refuse(EPERM));
	load(p, offsetof(struct seccomp_data, nr));
}

static void deny_ioctl(struct program *p, uint32_t request)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 4);
	load(p, low_half(1));
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, request, 0, 1);
	answer(p, refuse(EPERM));
	load(p, offsetof(struct seccomp_data, nr));
}

/* Asking is allowed, and the plain Linux one; ones that weaken the address space are not. */
static void restrict_personality(struct program *p)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, SYS_personality, 0, 6);
	load(p, low_half(0));
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, PER_LINUX, 3, 0);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, PER_LINUX32, 2, 0);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0xffffffff, 1, 0);
	answer(p, refuse(EPERM));
	load(p, offsetof(struct seccomp_data, nr));
}

/*
 * What programs talk by: a family that no namespace separates (vsock reaches the machine below) or
 * that speaks to a driver is as one that the kernel has not.
 */
static void restrict_sockets(struct program *p, uint32_t nr)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 7);
	load(p, low_half(0));
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 4, 0);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 3, 0);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 2, 0);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 1, 0);
	answer(p, refuse(EAFNOSUPPORT));
	load(p, offsetof(struct seccomp_data, nr));
}

static void write_program(struct program *p)
{
	load(p, offsetof(struct seccomp_data, arch));
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 1, 0);
	answer(p, SECCOMP_RET_KILL_PROCESS);
	load(p, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
	emit(p, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
	answer(p, refuse(ENOSYS));
#endif
	for (size_t i = 0; i < sizeof denied / sizeof *denied; i++)
		deny(p, denied[i], EPERM);
	for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
		deny(p, absent[i], ENOSYS);
	deny_flags(p, SYS_clone, 0, NEW_NAMESPACE);
	deny_flags(p, SYS_unshare, 0, NEW_NAMESPACE | NEW_TIME);
	deny_ioctl(p, TIOCSTI);
	deny_ioctl(p, TIOCLINUX);
	restrict_personality(p);
	restrict_sockets(p, SYS_socket);
	restrict_sockets(p, SYS_socketpair);
	answer(p, SECCOMP_RET_ALLOW);
}

int seccomp_install(void)
{
	struct program p = {.n = 0};
	struct sock_fprog prog;

	write_program(&p);
	prog = (struct sock_fprog){p.n, p.code};
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0);
}
