/*
 * One run of Python over many sources, each file compiled by a process of its own.
 *
 *	struct compile_job job = {.p = p, .arena = a, .dir = an empty folder};
 *	dir = compile_bind(&job, folder);       where sources lie that are outside the prefix
 *	job.program = ...;
 *	compile_add(&job, source, name, out);   for each
 *	compile_run(&job, e);
 *	compile_take(&job, out, &c, e), compile_move(...)
 *	compile_release(&job);
 *
 * All that the program sees is read-only but for job.dir/out, and nothing of that is believed: it
 * is the code of a package that runs.
 */
#ifndef BUILDER_COMPILE_H
#define BUILDER_COMPILE_H

#include "builder/prefix.h"

struct compile_job {
	struct prefix *p;
	struct arena *arena;
	const char *dir;     /* on this machine; the caller makes and removes it */
	const char *program; /* inside */
	bool without_prefix;
	/* Private. */
	struct buf list;
	struct {
		struct bind *v;
		size_t n, cap;
	} binds;
	int out; /* descriptor of dir/out, from compile_run on; 0: none */
};

/* Where the program sees this folder, read-only. */
const char *compile_bind(struct compile_job *job, const char *folder);
/* source: as the program sees it; name: what the code calls it; out: one component. */
void compile_add(struct compile_job *job, struct str source, struct str name, const char *out);
/* ERR_SCRIPT where the program fails as a whole; a source that does not compile is no failure. */
int compile_run(struct compile_job *job, struct err *e);

struct compiled {
	int64_t mtime; /* in: seconds, what it gets */
	bool keep_time;
	uint64_t size;
	uint8_t sha256[SHA256_LEN];
};
/*
 * Looks at what came out: 1, or 0 where nothing did, or where it holds the prefix (marshal writes
 * lengths, so that it could not be moved).  Gives it its mode and time.
 */
int compile_take(struct compile_job *job, const char *out, struct compiled *c, struct err *e);
/* Renames it to a folder of the same file system. */
int compile_move(
	struct compile_job *job, const char *out, int dir, const char *name, struct err *e);
void compile_release(struct compile_job *job);

#endif
