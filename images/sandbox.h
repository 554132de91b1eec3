/*
 * The built-in engine's inner half: making the namespaces and the root of one job.
 *
 * The parent plans everything beforehand, for the child is a raw clone of a program that may have
 * threads: until exec it allocates nothing and takes no lock.
 */
#ifndef IMAGES_SANDBOX_H
#define IMAGES_SANDBOX_H

#include "images/spawn.h"

/* What was being done when the kernel refused. */
enum sandbox_step {
	STEP_NONE,
	STEP_USERNS,  /* clone */
	STEP_MAP,     /* uid_map, gid_map */
	STEP_PRIVATE, /* taking the mounts out of propagation: the first mount call */
	STEP_ROOT,    /* putting the new root together */
	STEP_PIVOT,
	STEP_PROC,
	STEP_DEV,
	STEP_BIND,
	STEP_SETUP, /* host name, loopback, detaching the old root */
	STEP_LOCK,  /* capabilities, seccomp */
	STEP_CWD,
	STEP_EXEC,
};

enum plan_kind {
	PLAN_READ_ONLY,
	PLAN_READ_WRITE,
	PLAN_OVERLAY,
	PLAN_DEFAULT, /* read-only, only where the root has nothing there; failing is no error */
};

struct plan_bind {
	enum plan_kind kind;
	const char *from; /* canonical, on this machine */
	const char *to;   /* inside, absolute */
	const char *upper, *work;
	bool folder;
	int fd, upper_fd, work_fd; /* the child's */
};

enum { PROBE_NO_OVERLAY = 3 };

struct plan {
	const char *root; /* canonical */
	const char *dir;  /* the job's own folder */
	bool overlay;     /* false: no overlays here; the root is read-only */
	bool whole;       /* one overlay over all of the root, if it works */
	bool hide_homes;  /* the root is this machine's */
	struct plan_bind *binds;
	size_t n_binds;
	bool probe;    /* run nothing; status is PROBE_NO_OVERLAY where overlays are refused */
	bool full_map; /* all ids of ours, not only the caller's own */
};

/*
 * Runs the plan and waits.  0 with *status, or -1 with *e (ERR_SANDBOX where the kernel refused)
 * and *report.
 */
int sandbox_run(const struct plan *plan, const struct job *job, struct spawn_report *report,
	int *status, struct err *e);

/* The sentence and the remedy for a refusal; -1. */
int sandbox_refused(const struct spawn_report *report, struct err *e);

/* The child's work, in files of their own; they end the process where something fails. */
struct child {
	const struct plan *plan;
	const struct job *job;
	const struct spawn *spawn;
	int old_root, new_root;
	int dev_fds[8], sys_fd;
};
void child_begin(struct child *c);  /* sandbox_mounts.c: sources, while the old root is there */
void child_root(struct child *c);   /* sandbox_root.c: the new root, beside the old one */
void child_mounts(struct child *c); /* sandbox_mounts.c: into it, and what lies on top */
void child_lock(struct child *c);   /* sandbox_lock.c: no way back */

/* Grafts every entry of the folder `from` into the folder `to`: links are copied, all else is
 * bound (overlaid where upper is not -1; read-only where asked).  skip: names left as empty
 * folders. -1 with errno. */
struct graft {
	int from, to;
	int upper, work; /* -1: no overlays */
	bool read_only;
	const char *const *overlaid; /* the only names that get an overlay; NULL: all */
	const char *const *skip;     /* NULL-terminated or NULL */
};
int graft_folder(const struct graft *g);
/* Overlay of descriptors at a path; -1 with errno. */
int mount_overlay(int lower, int upper, int work, const char *at);
/* nosuid, nodev and perhaps read-only for a mount and those below it; -1 with errno. */
int restrict_mount(const char *at, bool read_only);
/* A bind of a descriptor at a path, restricted as above; -1 with errno. */
int bind_fd(int fd, const char *at, bool read_only);

#endif
