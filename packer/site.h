/*
 * The folder that an archive is unpacked in: it appears whole or not at all, and what a killed run
 * left of it is taken up again by the next run of the same archive, or swept by one of another.
 *
 * A folder that does not exist is made as .NAME.unpack.ID beside and renamed; one that is empty is
 * filled where it is.  While that goes on a file in it says whose it is and is locked.
 */
#ifndef PACKER_SITE_H
#define PACKER_SITE_H

#include "base/hash.h"
#include "packer/place.h"

#include <stdbool.h>

struct site {
	struct place place; /* what to fill */
	struct arena arena;
	char *dir;  /* absolute */
	char *temp; /* NULL: dir itself */
	int root;
	int marker;              /* locked; -1: none */
	bool whole;              /* it has its name */
	char id[SHA256_HEX + 2]; /* with a newline; empty: nobody can go on with it */
};

/* Is a file with this path one that unpacking makes? */
typedef bool site_has(void *ctx, struct str path);

/*
 * id (NULL: none) is that of archive and prefix; has is asked for what a killed run left.
 * ERR_USAGE for a folder that is not empty, ERR_FAIL where another run is at work.
 */
int site_open(struct site *s, const char *dir, const uint8_t id[SHA256_LEN], site_has *has,
	void *ctx, struct err *e);
/*
 * Removes what killed runs left in `parent` of folders whose names begin so, but not of the folder that
 * is about to be taken up again.  For who knows that nobody else unpacks there.
 */
void site_sweep(const char *parent, struct str start, struct str but);
/* Gives the folder its name. */
int site_finish(struct site *s, struct err *e);
/* Removes what was made. */
void site_undo(struct site *s);
void site_close(struct site *s);

#endif
