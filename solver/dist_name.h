/* File names of Python distributions: wheels (PEP 427) and source distributions (PEP 625). */
#ifndef SOLVER_DIST_NAME_H
#define SOLVER_DIST_NAME_H

#include "base/arena.h"
#include "base/str.h"

enum dist_kind {
	DIST_WHEEL,
	DIST_SOURCE, /* .tar.gz .tgz .zip .tar.bz2 .tbz .tar.xz .tar */
};

/* Slices of the file's name, but for `name`. */
struct dist_name {
	enum dist_kind kind;
	struct str name;    /* normalized; of a source distribution as good as can be told */
	struct str version; /* as in the file's name; empty where it cannot be told */
	struct str build, python, abi, platform; /* of a wheel; tags may be several: "py2.py3" */
};

/* file: the last component, percent-decoded.  -1 where it is neither. */
int dist_name_parse(struct arena *a, struct str file, struct dist_name *out);
/*
 * The file's name at the end of a URL (query and fragment are left out) or path, percent-decoded.
 * Empty where that is not fit for a file's name.
 */
struct str dist_file_of(struct arena *a, struct str url_or_path);
/* %41 becomes A; what is no such sequence stays. */
struct str percent_decoded(struct arena *a, struct str s);

#endif
