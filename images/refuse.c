#include "images/sandbox.h"

#include "base/file.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/*
 * Why a kernel refuses the sandbox, and what to allow.  The kernel says EPERM for a dozen reasons,
 * so the settings that are known to cause it are asked one after the other.
 */

/* A number in a file below /proc/sys, or `missing`. */
static long setting(const char *path, long missing)
{
	struct arena a = {0};
	struct err ignored = {0};
	struct str text;
	uint64_t v;
	long r = missing;

	if (file_read(&a, path, 4096, &text, &ignored) == 0 &&
		str_u64(str_trim(text), INT32_MAX, &v) == 0)
		r = (long)v;
	err_release(&ignored);
	arena_release(&a);
	return r;
}

/* A seccomp filter over this process: a container engine's, as a rule. */
static bool is_filtered(void)
{
	struct arena a = {0};
	struct err ignored = {0};
	struct str text;
	bool r = false;

	if (file_read(&a, "/proc/self/status", 65536, &text, &ignored) == 0)
		r = str_find(text, STR("\nSeccomp:\t2")) >= 0;
	err_release(&ignored);
	arena_release(&a);
	return r;
}

static const char in_container[] =
	"in a container, start it with '--security-opt seccomp=unconfined "
	"--security-opt systempaths=unconfined'; where '/' itself is the target, use --engine none";

static int refuse(struct err *e, const char *what, const char *by, int error)
{
	return err_set(e, ERR_SANDBOX, "the sandbox cannot %s: %s (%s)", what, by, strerror(error));
}

/* The kind of namespaces that there may be none of; else user, of which a process needs most. */
static const char *used_up(void)
{
	static const char *const kinds[] = {"mnt", "pid", "net", "ipc", "uts", "cgroup"};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		char path[64];

		snprintf(path, sizeof path, "/proc/sys/user/max_%s_namespaces", kinds[i]);
		if (setting(path, 1) == 0)
			return kinds[i];
	}
	return "user";
}

/* Known for every step; 0 where none of these is the cause. */
static int refused_by_setting(const char *what, int error, struct err *e)
{
	if (setting("/proc/sys/user/max_user_namespaces", 1) == 0) {
		refuse(e, what, "this system allows no user namespaces", error);
		return err_advise(e, "have an administrator run 'sysctl -w "
				     "user.max_user_namespaces=10000'");
	}
	if (error == ENOSPC || error == EUSERS) {
		const char *name = used_up();

		refuse(e, what, "this system's limit of namespaces is reached", error);
		return err_advise(
			e, "have an administrator raise user.max_%s_namespaces (sysctl)", name);
	}
	if (geteuid() != 0 && setting("/proc/sys/kernel/unprivileged_userns_clone", 1) == 0) {
		refuse(e, what, "ordinary users may not make user namespaces here", error);
		return err_advise(e, "have an administrator run 'sysctl -w "
				     "kernel.unprivileged_userns_clone=1'");
	}
	if (geteuid() != 0 &&
		setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0) == 1) {
		refuse(e, what, "AppArmor restricts unprivileged user namespaces", error);
		return err_advise(e,
			"have an administrator run 'sysctl -w "
			"kernel.apparmor_restrict_unprivileged_userns=0', or give envbuild an "
			"AppArmor profile with 'userns,'");
	}
	if ((error == EPERM || error == ENOSYS) && is_filtered()) {
		refuse(e, what, "a seccomp filter, as container engines set it, forbids it", error);
		return err_advise(e, "%s", in_container);
	}
	return 0;
}

static int refused_userns(int error, struct err *e)
{
	static const char what[] = "make namespaces";

	if (refused_by_setting(what, error, e))
		return -1;
	if (error == EINVAL) {
		refuse(e, what, "this kernel was built without one of them", error);
		return err_advise(e, "use a kernel from 4.18 on with user, pid, net, ipc, uts and "
				     "cgroup namespaces");
	}
	/* CLONE_NEWUSER answers EPERM to a process in a chroot */
	refuse(e, what, "the kernel or a security module forbids it, or this is a chroot", error);
	return err_advise(e, "%s", in_container);
}

static int refused_other(const char *what, const char *by, int error, struct err *e)
{
	if (refused_by_setting(what, error, e))
		return -1;
	refuse(e, what, by, error);
	return err_advise(e, "%s", in_container);
}

int sandbox_refused(const struct spawn_report *report, struct err *e)
{
	int error = report->error;

	switch ((enum sandbox_step)report->step) {
	case STEP_USERNS:
		return refused_userns(error, e);
	case STEP_MAP:
		return refused_other("map the user's id",
			"the kernel or a security module forbids it", error, e);
	case STEP_PRIVATE:
		return refused_other("mount anything in its own namespace",
			"a security module forbids it", error, e);
	case STEP_PIVOT:
		return refused_other("change its root",
			"a security module forbids it, or '/' is an initial ramdisk", error, e);
	case STEP_PROC:
		return refused_other("mount /proc",
			"parts of it are hidden here, as container engines do", error, e);
	case STEP_QUOTA:
		err_set(e, ERR_SANDBOX,
			"a quota needs a tmpfs that holds an overlay's layers, which this kernel "
			"has not");
		return err_advise(e, "use Linux 6.6 or newer, or leave out --quota");
	case STEP_ROOT:
	case STEP_DEV:
	case STEP_BIND:
	case STEP_SETUP:
	case STEP_LOCK:
	case STEP_CWD:
	case STEP_EXEC:
	case STEP_NONE:
		break;
	}
	errno = error;
	err_set(e, ERR_SANDBOX, "the sandbox cannot set up '%s': %s", report->what,
		strerror(error));
	return err_advise(e, "%s", in_container);
}
