/*
 * What pip reads: the pip section of environment.yml and the requirements files that it names
 * (https://pip.pypa.io/en/stable/reference/requirements-file-format/).
 *
 * Lines are joined at a trailing backslash, comments cut off, ${VARIABLE}s of the process's
 * environment put in, -r and -c files read in place.  Paths of packages are relative to the
 * project's folder (pip's working folder), -r, -c and --find-links to the file they stand in.
 * Editable requirements are refused: the environment would only point to a folder that is not
 * packed.  So are other version control systems than git, -r files at URLs, and options that are
 * not pip's.
 */
#ifndef SOLVER_REQUIREMENTS_H
#define SOLVER_REQUIREMENTS_H

#include "base/buf.h"
#include "solver/envfile.h"
#include "solver/pep508.h"

enum requirement_kind {
	REQUIREMENT_INDEX,  /* a name, found on an index or in a --find-links place */
	REQUIREMENT_URL,    /* a wheel or source distribution at http(s):// */
	REQUIREMENT_FILE,   /* a wheel or source distribution on this machine */
	REQUIREMENT_FOLDER, /* a folder of this machine that holds a project */
	REQUIREMENT_GIT,
};

struct requirement {
	enum requirement_kind kind;
	struct pep508 spec; /* name empty where neither line nor file name tells it */
	struct str text;    /* the line, options included, as written */
	struct str where;   /* "environment.yml:12", "reqs/base.txt:3" */
	/*
	 * URL: with credentials, without fragment.  GIT: the repository's URL without "git+", "@REV"
	 * and fragment, with credentials (ssh shorthand as "ssh://git@host/...").  FILE, FOLDER: absolute path, no links resolved.
	 */
	struct str url;
	struct str rev;          /* GIT: branch, tag, commit or ref asked for; empty: HEAD */
	struct str subdirectory; /* of the repository or archive; a safe path; empty: its top */
	/*
	 * FILE, FOLDER: relative to the project's folder, ".", "./pkg", "../pkg"; absolute where it
	 * is written so and lies outside.
	 */
	struct str path;
	struct str *hashes; /* "sha256:HEX", one for each --hash */
	size_t n_hashes;
	/* --global-option, --config-settings and the like: "--global-option=X" */
	struct str *build_options;
	size_t n_build_options;
};

/* Options that hold for all of pip's run. */
struct pip_options {
	struct str index_url; /* empty: PyPI; may hold credentials */
	struct str *extra_index_urls, *find_links, *trusted_hosts;
	size_t n_extra_index_urls, n_find_links, n_trusted_hosts;
	struct str *no_binary, *only_binary; /* ":all:", ":none:", names; as given, commas kept */
	size_t n_no_binary, n_only_binary;
	struct str *features; /* --use-feature */
	size_t n_features;
	bool no_index, pre, prefer_binary, require_hashes;
};

struct requirements {
	struct requirement *v;
	size_t n;
	struct requirement *constraints; /* of -c files; only names, versions, URLs */
	size_t n_constraints;
	struct pip_options options;
	/* Every -r and -c file read, absolute, in the order of reading: what else the lines are. */
	struct str *files;
	size_t n_files;
};

/*
 * file: what the lines' numbers belong to, for messages (NULL: "pip section").  project_dir:
 * absolute.  ERR_INPUT names file:line; everything lives in the arena.
 */
int requirements_read(struct arena *a, const struct spec_line *lines, size_t n, const char *file,
	const char *project_dir, struct requirements *out, struct err *e);
/*
 * As a requirements file that pip of any version from 9 on reads: options first, one requirement a
 * line, no comments, credentials included.  requirements_write_one: one line of it.
 */
void requirements_write(const struct requirements *r, struct buf *to);
void requirements_write_options(const struct pip_options *o, struct buf *to);
void requirement_write(const struct requirement *r, struct buf *to);
/*
 * The lock's `pypi:` value without a commit: "git+URL?rev=ASKED&subdirectory=DIR", the URL, or the
 * path; no credentials.  With commit (40 or 64 hex digits; empty: none) "#COMMIT" behind it.
 */
struct str requirement_lock_url(struct arena *a, const struct requirement *r, struct str commit);
/*
 * Without password and, but for ssh's, user name; a query that looks like a key is cut off.  What
 * stands in paths stays ("packages/t/tables" is no token).
 */
struct str pypi_public_url(struct arena *a, struct str url);
/*
 * A text of git's own kind split into a requirement's url, rev and subdirectory ("git+https://h/x@r#
 * egg=n&subdirectory=d"), as from a direct reference in METADATA.  ERR_INPUT.
 */
int requirement_git_parse(struct arena *a, struct str url, struct requirement *out, struct err *e);

/* The lock's git value taken apart; -1 where it is not one. */
struct pypi_git {
	struct str url; /* without "git+" */
	struct str rev; /* asked; empty: HEAD */
	struct str subdirectory, commit;
};
int pypi_git_split(struct arena *a, struct str lock_url, struct pypi_git *out);

#endif
