/*
 * The files that every archive gets from envbuild itself, embedded in the program
 * (packer/relocator/embed.S; rules in packer/module.mk).
 */
#ifndef PACKER_EMBED_H
#define PACKER_EMBED_H

#include "base/str.h"

struct embedded_file {
	const char *path; /* in the environment */
	unsigned mode;
	struct str data;
};

/* bin/activate and bin/deactivate for sh, csh and fish, bin/conda-unpack: in byte order of paths. */
enum { N_EMBEDDED = 7 };
void embedded_files(struct embedded_file files[N_EMBEDDED]);

#endif
