/*
 * What the bytes of one file tell an audit: is it an ELF file, a script, and does it hold a path of
 * the machine that built it?
 *
 * One struct audit_looking serves a thread, file after file.
 */
#ifndef PACKER_AUDIT_LOOK_H
#define PACKER_AUDIT_LOOK_H

#include "base/archive.h"
#include "base/buf.h"
#include "builder/binaries.h"

#include <sys/types.h>

struct audit_looking {
	struct buf body;
};
void audit_looking_release(struct audit_looking *l);

/* The file that is looked at. */
struct audit_subject {
	struct str path; /* in the tree; kept */
	uint64_t size;   /* as far as it is known; 0 else */
	mode_t mode;
	/* Where its bytes come from, from the first on.  Of a file of more than a window. */
	stream_read *read;
	void *ctx;
	int fd; /* the same, open; -1: there is only the stream */
	/* A prefix that is meant to stand in it, since it is replaced when it is installed; empty: none. */
	struct str declared;
	bool binary;         /* within strings that end with NUL */
	bool declared_later; /* it is not known yet: see `behind` */
};

struct audit_look {
	struct str interpreter; /* of a script, the words behind "#!" */
	struct str leftover;    /* of a file that is no ELF file */
	struct str behind;      /* of any, the next that is not this one, within one window */
	struct binary *binary;  /* of one that is */
};

/*
 * Scripts are looked for among executable files and in bin/.  An ELF file that names too much, or is
 * larger than 4 GiB and comes as a stream, is one with a fault.  Of other files the first 256
 * MiB are looked at.  Texts live in the arena.
 */
int audit_look(struct audit_looking *l, struct arena *a, const struct audit_subject *s,
	struct audit_look *out, struct err *e);
/*
 * In what is not installed, `own` stands for the place where it will be: BINARY_PREFIX takes its place
 * in what was found.
 */
void audit_look_unpacked(struct arena *a, struct audit_look *look, struct str own);
/* A stream_read of an open file: ctx points at its descriptor. */
ptrdiff_t audit_read_fd(void *ctx, void *p, size_t n, struct err *e);

#endif
