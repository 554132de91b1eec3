/* From a job to the sandbox's plan. */
#ifndef IMAGES_PLAN_H
#define IMAGES_PLAN_H

#include "images/sandbox.h"
#include "images/state.h"

/*
 * Binds with canonical sources, in the arena.  A throw-away one becomes an overlay whose layer lies
 * in the job's folder, or in the spare one where its own folder holds the state folder; it becomes
 * a copy where `overlay` is false, where the spare does not help, and where its folder takes no
 * overlay: one with mounts in it, or with files of others.
 */
struct place {
	const char *dir;   /* the job's, NULL: none */
	const char *state; /* the state folder that it lies in */
};
struct throwaway {
	const char *original, *copy; /* NULL: an overlay over the original itself */
	const char
		*upper; /* a layer, NULL: the copy itself was changed; not absolute: in the tmpfs */
	bool file;
};
struct prepared {
	struct bind *binds; /* the job's, `from` canonical; of a copy: the copy, read-write */
	const char **uppers, **works; /* of overlays; NULL elsewhere */
	struct throwaway *throwaway;  /* original NULL: none */
	bool *is_file;
	size_t n;
};
enum layers {
	LAYERS_NONE,   /* no overlays: copies */
	LAYERS_PLACED, /* in the job's folder or the spare one */
	LAYERS_QUOTA,  /* in the job's tmpfs, of copies too */
};
int binds_prepare(struct arena *a, const struct job *job, const struct place places[2],
	enum layers layers, struct prepared *out, struct err *e);
/* Does a throw-away bind of the job hold the folder `state`? */
bool binds_hold(const struct job *job, const char *state);
/* Fills the job's answers; kept: the folder of the job's tmpfs, open, or -1. */
int binds_answer(
	struct job *job, const struct prepared *p, const char *state, int kept, struct err *e);
/* Is nothing, or next to nothing, left of the job's tmpfs? */
bool kept_is_full(int kept);

/* The limit where none is asked for: a test with a thread for each core in each of as many processes
 * is common, so it grows with them. */
unsigned plan_max_processes(void);
/* Bytes of this machine's memory. */
uint64_t plan_memory(void);
/* The plan of a job in `root`; dir is the job's folder. */
int plan_make(struct arena *a, const char *root, const char *dir, bool overlay,
	const struct prepared *p, bool network, struct plan *out, struct err *e);
void plan_add_gpu(struct arena *a, struct plan *plan, const struct gpu *gpu);

#endif
