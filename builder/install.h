/*
 * From records to a prefix: link, link scripts, entry points, bytecode, pip, conda-meta.
 */
#ifndef BUILDER_INSTALL_H
#define BUILDER_INSTALL_H

#include "builder/content.h"
#include "images/engine.h"
#include "solver/envfile.h"

/*
 * The prefix that an archive is built at inside the sandbox, 100 characters: long, so that a
 * binary which pip compiles can move to most paths, and short enough for a shebang line of 127.
 */
extern const char BUILD_PREFIX[];

struct install_request {
	struct cache *cache;
	struct record *const *records; /* dependencies first */
	size_t n_records;
	const char *prefix;        /* folder on this machine, empty or missing */
	const char *prefix_inside; /* its path inside the sandbox; equal to prefix for `install` */
	struct engine *engine;     /* runs link scripts, bytecode, pip */
	const struct spec_line *requested; /* for history and conda-meta's requested_specs */
	size_t n_requested;
	const struct spec_line *pip;
	size_t n_pip;
	const char *project_dir; /* pip's relative paths and -r files are relative to it */
	const struct env_variable *variables; /* conda-meta/state */
	size_t n_variables;
	bool compile;  /* bytecode of noarch python packages */
	bool for_pack; /* write nothing that names this machine or the time into conda-meta */
	bool copy;     /* never hardlink, as where packages bring link scripts: pip may write */
	bool network;  /* for pip */
	unsigned jobs;
	unsigned timeout_s; /* for each script and pip; 0: none */
};

/*
 * On success the prefix is whole and *content (if not NULL, in the arena) describes it.  On
 * failure the folder that was made is removed again.  Two packages that own one path: ERR_INTEGRITY
 * naming both and the path.
 */
int install(
	struct arena *a, const struct install_request *r, struct content *content, struct err *e);

#endif
