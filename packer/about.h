/*
 * Where a package was built from: `extra` of its info/about.json, as conda-forge's builds write it
 * ({"sha": commit of the recipe, "remote_url": its repository, "flow_run_id": the run}).
 */
#ifndef PACKER_ABOUT_H
#define PACKER_ABOUT_H

#include "base/arena.h"
#include "base/err.h"

struct about {
	struct str sha;        /* 40 or 64 hex digits */
	struct str remote_url; /* http(s), without credentials */
	struct str flow_run_id;
};

/*
 * What is missing or not of its form stays empty: packages write what they like.  ERR_INTEGRITY where
 * the text is no JSON map.  Texts live in the arena.
 */
int about_parse(struct arena *a, struct str text, struct about *out, struct err *e);
/*
 * Of the package extracted at dir.  One without it, or with one that is none, says nothing; that the
 * disk does not give it is an error, since what is made of it must not depend on that.
 */
int about_read(struct arena *a, const char *dir, struct about *out, struct err *e);

#endif
