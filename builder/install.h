/*
 * From records to a prefix: link, link scripts, entry points, bytecode, pip, conda-meta.
 */
#ifndef BUILDER_INSTALL_H
#define BUILDER_INSTALL_H

#include "builder/content.h"
#include "images/engine.h"
#include "solver/envfile.h"
#include "solver/pypi.h"

/*
 * The prefix that an archive is built at inside the sandbox, 100 characters: long, so that a
 * binary which pip compiles can move to most paths, and short enough for a shebang line of 127.
 */
extern const char BUILD_PREFIX[];

/* A script that may change what was installed, before it is packed (pre_pack.c). */
struct pre_pack {
	const char *script; /* on this machine */
	const char *name;   /* what messages call it */
	const char *
		project_dir; /* it finds it at /tmp/project; what it changes there is thrown away */
	const char *environment; /* ENVIRONMENT_NAME */
};

struct install_counts {
	size_t linked, unlinked, kept; /* packages */
};

struct install_request {
	struct cache *cache;
	struct record *const *records; /* dependencies first */
	size_t n_records;
	/*
	 * Folder on this machine: missing, empty, or an environment (conda-meta) that is changed into
	 * the wanted one.
	 */
	const char *prefix;
	const char *prefix_inside; /* its path inside the sandbox; equal to prefix for `install` */
	struct engine *engine;     /* runs link scripts, bytecode, pip */
	const struct spec_line *requested; /* for history and conda-meta's requested_specs */
	size_t n_requested;
	const struct spec_line *pip;
	size_t n_pip;
	const char *project_dir; /* pip's relative paths and -r files are relative to it */
	const struct env_variable *variables; /* conda-meta/state */
	size_t n_variables;
	const char *const *allow_clobber; /* fnmatch patterns of paths in the prefix */
	size_t n_allow_clobber;
	bool frozen;             /* conda-meta/frozen (CEP 22) */
	bool externally_managed; /* EXTERNALLY-MANAGED in Python's standard library (PEP 668) */
	/*
	 * In: what the lock holds of PyPI, or NULL where that is still to be resolved.  Out, when
	 * the request has a pip section: what was resolved and installed, in the arena.
	 */
	struct pypi_set *pypi;
	/*
	 * What a lock had: where pypi is to be resolved, these versions and commits are kept as far as
	 * the lines allow it, but for the names of `unkept`.  NULL: everything is chosen anew.
	 */
	const struct pypi_set *keep;
	const struct str *unkept;
	size_t n_unkept;
	const char *pip_file;     /* what the lines of `pip` belong to, for messages */
	struct http *http;        /* for wheels, source distributions and index pages */
	struct str subdir, glibc; /* of the target: "linux-64", "2.17" */
	const char *work_dir;     /* for temporaries of pip; NULL: the cache's own */
	bool locked;              /* a wheel built again must be the one that is locked */
	/* Stop when *pypi is settled: nothing of it is installed (`lock`). */
	bool resolve_only;
	bool compile;  /* bytecode of noarch python packages */
	bool for_pack; /* write nothing that names this machine or the time into conda-meta */
	bool copy;     /* never hardlink, as where packages bring link scripts: pip may write */
	bool network;  /* for pip and the pre-pack script */
	const struct pre_pack *pre_pack; /* NULL: none; `copy` must be set where there is one */
	unsigned jobs;
	unsigned timeout_s;            /* for each script and pip; 0: none */
	struct install_counts *counts; /* out, unless NULL */
};

/*
 * On success the prefix is whole and *content (if not NULL, in the arena) describes it.  On
 * failure the folder that was made is removed again, or is what it was before.  Two packages that
 * own one path: ERR_INTEGRITY naming both and the path.  With content or for_pack the folder must
 * not be an environment yet.  What a killed run left there is completed or undone first.
 */
int install(
	struct arena *a, const struct install_request *r, struct content *content, struct err *e);
/*
 * Which of the records must be in the cache for that: those of packages that are not in the folder
 * as they are, and what these need to be linked.  `needed` has room for all of them.
 */
int install_needed(struct arena *a, const struct install_request *r, struct record **needed,
	size_t *n, struct err *e);

#endif
