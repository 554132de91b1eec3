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
	STEP_QUOTA,   /* a tmpfs that can hold the layers of overlays */
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
	PLAN_DEVICE,  /* a device node, to be used */
	PLAN_COPY,    /* a file's copy in the job's tmpfs */
};

struct plan_bind {
	enum plan_kind kind;
	const char *from;         /* canonical, on this machine */
	const char *to;           /* inside, absolute */
	const char *upper, *work; /* of an overlay or a copy; not absolute: in the job's tmpfs */
	bool folder;
	int fd, upper_fd, work_fd; /* the child's */
};

/* How processes are counted. */
enum limit_way {
	LIMIT_PID_MAX, /* the namespace's own kernel.pid_max (Linux 6.14), whoever the user is */
	LIMIT_RLIMIT,  /* RLIMIT_NPROC: not for root of this machine, whom it does not bind */
	LIMIT_CGROUP,  /* a cgroup of its own */
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
	unsigned max_processes;
	bool asked; /* for that number, by the user */
	enum limit_way limit;
	uint64_t max_bytes; /* of the job's tmpfs: root layer, /tmp, /run, /dev/shm */
	bool quota;         /* everything has to lie in it */
	int *kept; /* where an open folder of the tmpfs goes, which outlives the job; NULL: none */
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
	int scratch;      /* the job's tmpfs */
	int layers;       /* where overlays have theirs: the same, or the job's folder on disk */
	int hand_over[2]; /* a socket for plan->kept; -1: none */
};
void child_begin(struct child *c);   /* sandbox_mounts.c: sources, while the old root is there */
void child_scratch(struct child *c); /* sandbox_scratch.c: the job's tmpfs, and what lies in it */
void child_root(struct child *c);    /* sandbox_root.c: the new root, beside the old one */
void child_mounts(struct child *c);  /* sandbox_mounts.c: into it, and what lies on top */
void child_limit(struct child *c);   /* sandbox_limit.c: processes; /proc is there, and ours */
void child_lock(struct child *c);    /* sandbox_lock.c: no way back */

/* Makes a folder in a folder: a descriptor. */
int scratch_folder(struct child *c, int in, const char *name, mode_t mode);
/* Binds a folder of it, which is made, at a path. -1 with errno. */
int scratch_bind(struct child *c, const char *name, mode_t mode, const char *at);
/* The parent's part: takes the folder that the child handed over, or -1. */
int scratch_receive(int socket);
/* The way of a kernel of this release. */
enum limit_way limit_way(const char *release, bool is_root);

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
