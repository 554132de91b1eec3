/*
 * The folders an engine works in, below options.state_dir.
 *
 *	STATE/run.PID.RANDOM/       one engine; locked (flock) while its process lives
 *	STATE/run.PID.RANDOM/links  what engine `none` put elsewhere: "PATH\0TARGET\0"...
 *	STATE/run.PID.RANDOM/N/container  which program made a container for this job, and its name
 *
 * A killed process leaves its folder unlocked; the next state_open removes it, its links
 * and its containers.
 */
#ifndef IMAGES_STATE_H
#define IMAGES_STATE_H

#include "base/arena.h"
#include "base/err.h"

struct state {
	struct arena arena;
	char *parent; /* STATE, canonical */
	char *dir;    /* of this engine, in it */
	int lock;
	bool is_default; /* of nobody else's choice, so it goes when it is empty */
	_Atomic unsigned n_jobs;
};

/* dir NULL: envbuild-UID in TMPDIR or /tmp. */
int state_open(struct state *s, const char *dir, struct err *e);
/* Removes the folder; also after a failed state_open. */
void state_close(struct state *s);
/*
 * What state_open does first: clears what killed processes left in the folder, and their links.  For
 * a folder that nobody works in: where the file system refuses locks, they are not asked.
 */
void state_sweep(const char *dir);
/* A new empty folder for one job, in the arena given. NULL with *e set. */
char *state_job(struct state *s, struct arena *a, struct err *e);

/* Notes that `tool` is about to make a container for the job in `dir`; gone with that folder. */
int state_note_container(
	struct arena *a, const char *dir, const char *tool, const char *name, struct err *e);
void state_remove_container(const char *tool, const char *name);

/* Notes that `path` is about to become a symlink to `target` (both absolute). */
int state_note_link(struct state *s, const char *path, const char *target, struct err *e);
/* Notes a folder that was made above such a link; removed if it is empty. */
int state_note_folder(struct state *s, const char *path, struct err *e);
/* Removes all that was noted and is still as noted. */
void state_undo_notes(struct state *s);

#endif
