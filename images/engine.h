/*
 * Running a command inside a root file system.
 *
 *	engine_open(&engine, &(struct engine_options){...}, &e);
 *	engine_run(engine, &job, &status, &e);
 *	engine_close(engine);
 *
 * The built-in engine is an unprivileged sandbox (docs/design/sandbox.md): new user, mount, pid,
 * ipc, uts, cgroup and, without network, net namespaces; the root read-only under a throw-away
 * overlay; binds; minimal /dev; fresh /proc; tmpfs /tmp; pivot_root; no capabilities; seccomp; a
 * reaping pid 1; a time limit.  Engine `none` runs the same job directly on this machine; `podman`
 * and `docker` run it in a container that these programs make (docs/design/engines.md).
 */
#ifndef IMAGES_ENGINE_H
#define IMAGES_ENGINE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/proc.h"
#include "images/gpu.h"
#include "images/profile.h"

struct engine_options {
	const struct profile *profile;
	const char *root; /* root folder ("/" for this machine); NULL: profile->root, else "/"
				* where the profile is `host` or `/` satisfies it and the user asked for
				* none; otherwise an error that names --image */
	const char *
		engine; /* "builtin", "none", "podman", "docker", or NULL: builtin, falling back to none (with a
				* warning) where the kernel refuses and the profile is host */
	const char *state_dir; /* for overlays and temporaries, on a real disk; made if missing */
	const char *digest; /* "sha256:HEX" of the root's image; NULL: a folder of the caller's */
	enum gpu_mode gpu;  /* for jobs that ask for it */
	/* And threads, of one job at a time; 0: ENGINE_MAX_PROCESSES, more where there are many cores. */
	unsigned max_processes;
	uint64_t max_bytes; /* what one job may write outside its read-write binds; 0: no quota */
};

/* More than builds have, and few enough that a machine stands it. */
enum { ENGINE_MAX_PROCESSES = 4096, ENGINE_MIN_PROCESSES = 400 };

struct engine; /* one root, many jobs */

/* Can programs of the target's subdir run on this machine at all?  ERR_USAGE where they cannot. */
int engine_check_machine(const struct profile *profile, struct err *e);
/* Sets ERR_USAGE: there is no root for the target, and how one comes to be. */
int engine_no_root(const struct profile *profile, struct err *e);
int engine_open(struct engine **out, const struct engine_options *options, struct err *e);
void engine_close(struct engine *engine);
/* For who removes a state_dir: takes back what killed runs that used it have put elsewhere. */
void engine_sweep(const char *state_dir);
/* As --engine calls it. */
const char *engine_name(const struct engine *engine);
/* Do jobs see this machine as it is: do paths mean the same inside? */
bool engine_is_direct(const struct engine *engine);
const char *engine_root(const struct engine *engine);
/* Says that what is to have no network is not kept from it, where that is so. */
void engine_say_network(const struct engine *engine, bool network);
/*
 * May namespaces be used here?  Probed by doing it in a child.  0, or -1 with ERR_SANDBOX whose
 * text says which step was refused and by what (AppArmor, seccomp, max_user_namespaces, no overlay
 * in a user namespace), and whose advice says what to allow.
 */
int engine_probe(struct err *e);

enum bind_kind {
	BIND_READ_ONLY,
	BIND_READ_WRITE,
	/* Writable, but thrown away afterwards; `changes` lists what was changed. Engine none works on
	 * a copy. */
	BIND_THROW_AWAY,
};

struct bind {
	const char *from; /* on this machine */
	const char *to;   /* inside, absolute; created in the throw-away layer if missing */
	enum bind_kind kind;
	/* BIND_THROW_AWAY: paths changed or made below `to`, relative, sorted; in job.arena */
	struct str *changes;
	size_t n_changes;
};

struct job {
	const char *const *argv;
	const char *const *env; /* the whole environment: nothing is inherited */
	const char *cwd;        /* inside */
	struct bind *binds;
	size_t n_binds;
	bool network;
	bool gpu;               /* it gets the GPU that the engine was opened for */
	bool interactive;       /* stdin, stdout, stderr and the terminal are the caller's */
	unsigned timeout_s;     /* 0: none; status is then 124 */
	proc_output *on_output; /* stdout and stderr together; NULL: inherited */
	void *ctx;
	struct arena *arena; /* for the answers in binds */
	bool full;           /* an answer: nothing was left of max_bytes when it ended */
};

/*
 * *status as proc_run gives it.  Engine none: a bind whose `from` lies at `to` already, or, to be
 * read, a file with the same bytes, needs nothing (if it was to be thrown away, a note says that what
 * is changed in it stays); any other is made as a symlink at `to` for the job's time, only where `to` is free, and removed
 * afterwards; where it is not free, ERR_SANDBOX names it.
 * -1 only where the job could not be started.
 */
int engine_run(struct engine *engine, struct job *job, int *status, struct err *e);

#endif
