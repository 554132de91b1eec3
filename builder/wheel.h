/*
 * Wheels (PEP 427) and installed Python distributions (PEP 376): what they say of themselves and
 * which paths of a prefix are theirs.
 *
 * Wheels are hostile input: names are checked with path_is_safe, texts and counts have limits; a
 * wheel that breaks a rule is ERR_INTEGRITY.
 */
#ifndef BUILDER_WHEEL_H
#define BUILDER_WHEEL_H

#include "builder/python.h"
#include "solver/dist_name.h"
#include "solver/pep508.h"

/* METADATA of a wheel or dist-info, PKG-INFO of a source distribution or egg-info. */
struct dist {
	struct str name; /* normalized */
	struct str given_name;
	struct str version;
	struct str requires_python; /* empty: any */
	struct str *requires_dist;  /* PEP 508 texts */
	size_t n_requires_dist;
	struct str *extras; /* Provides-Extra, as written */
	size_t n_extras;
};

/* what: stands in messages.  Name and Version must be there (ERR_INTEGRITY). */
int dist_parse_metadata(
	struct arena *a, const char *what, struct str text, struct dist *out, struct err *e);

struct wheel {
	struct dist_name file;
	struct dist dist;
	bool root_is_purelib;
	struct str dist_info; /* "numpy-2.2.1.dist-info" */
	/*
	 * Paths in the prefix of what pip writes, sorted, each once: files, scripts and console
	 * scripts in bin/, data, headers, and of its own INSTALLER, REQUESTED, RECORD and
	 * direct_url.json; without bytecode.
	 */
	struct str *paths;
	size_t n_paths;
};

/*
 * file: the wheel's own name where path's last component is not it; NULL: it is.  py: of the
 * prefix.  Two members with one destination, a member or a line of RECORD that leads out of it, a
 * METADATA whose name or version is not the file's, and members other than those of the zip's
 * directory, which pip goes by, are ERR_INTEGRITY.
 */
int wheel_read(struct arena *a, const char *path, const char *file, const struct python *py,
	struct wheel *out, struct err *e);

/* A distribution that lies in a prefix. */
struct installed_dist {
	struct dist dist;
	struct str path;   /* in the prefix: of its .dist-info or .egg-info folder or file */
	struct str *files; /* in the prefix, from RECORD or installed-files.txt; sorted */
	size_t n_files;    /* what lies outside of the prefix is left out */
};

struct installed_dists {
	struct installed_dist *v; /* sorted by path */
	size_t n, cap;
};

/*
 * Reads every *.dist-info and *.egg-info of site_packages (a path in the prefix).  What cannot be
 * read as one is passed over with a log_warn.  An absent folder holds none.
 */
int dists_installed(struct arena *a, int prefix_fd, struct str site_packages,
	struct installed_dists *out, struct err *e);

#endif
