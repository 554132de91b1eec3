/*
 * PyPI's packages in a lock, and what they were chosen for.
 *
 * A package is a wheel.  Either it lies at a URL (an index, a direct link), or it was built: from a
 * source distribution, a commit of a git repository, or a folder of the project.  What the lock
 * writes of it is rattler's `pypi` record, with keys of our own for what was built
 * (docs/design/lock.md).
 */
#ifndef SOLVER_PYPI_H
#define SOLVER_PYPI_H

#include "base/arena.h"
#include "base/str.h"

struct pypi_package {
	struct str name;    /* normalized (PEP 503): lower case, one dash for [-_.]+ */
	struct str version; /* as the wheel's METADATA has it; empty: a lock of others has none */
	/*
	 * The lock's `pypi:` value: URL of a wheel or source distribution; git+URL?rev=ASKED#COMMIT
	 * (with &subdirectory=DIR); or a path relative to the lock, "./pkg".  No credentials.
	 */
	struct str url;
	uint8_t sha256[32]; /* of the file at url; a git or folder source has none */
	bool has_sha256;
	/* Built wheels, and every wheel of a folder: the wheel's own file name and sum. */
	struct str wheel;          /* empty: the file at url is the wheel itself */
	uint8_t wheel_sha256[32];  /* valid where wheel is not empty */
	uint8_t source_sha256[32]; /* of a folder of the project: sum over its files; else zero */
	bool has_source_sha256;
	struct str
		index; /* URL of the index it was found on, no credentials; empty: PyPI or none */
	struct str *requires_dist; /* PEP 508 texts, as METADATA has them */
	size_t n_requires_dist;
	struct str requires_python; /* empty: any */
};

/* All of one target, sorted by name, each name once. */
struct pypi_set {
	struct pypi_package *v;
	size_t n;
	bool settled; /* false: nothing has been resolved yet */
};

#endif
