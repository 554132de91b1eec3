/*
 * The folders an engine works in, below options.state_dir.
 *
 *	STATE/run.PID.RANDOM/       one engine; locked (flock) while its process lives
 *	STATE/run.PID.RANDOM/links  what engine `none` put elsewhere: "PATH\0TARGET\0"...
 *
 * A killed process leaves its folder unlocked; the next state_open removes it and its links.
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

/* Notes that `path` is about to become a symlink to `target` (both absolute). */
int state_note_link(struct state *s, const char *path, const char *target, struct err *e);
/* Notes a folder that was made above such a link; removed if it is empty. */
int state_note_folder(struct state *s, const char *path, struct err *e);
/* Removes all that was noted and is still as noted. */
void state_undo_notes(struct state *s);

#endif
