/*
 * The pip section on its way from lines to installed wheels (docs/design/pip.md).
 *
 *	settle:   lines -> sources built -> pip resolves the rest -> a set of packages (solver/pypi.h)
 *	ensure:   a settled set -> each wheel in the cache
 *	install:  wheels -> the prefix
 *
 * pip and the builds run in a "host": a prefix at BUILD_PREFIX inside the engine, so that a wheel is
 * the same whatever prefix it is for.  Where the prefix that is being made lies there, it is that
 * one; else a private one of the same packages.
 */
#ifndef BUILDER_PIP_H
#define BUILDER_PIP_H

#include "builder/prefix.h"
#include "builder/wheel.h"
#include "solver/requirements.h"

struct pip_work {
	struct arena *arena;
	struct prefix *p; /* what is installed into */
	const struct install_request *request;
	struct prefix *host; /* NULL until pip_host() */
	char *dir;           /* for temporaries, on this machine */
	const char *inside;  /* its path in the engine */
	struct marker_env markers;
	struct requirements requirements;
	struct table pages; /* of indexes: URL -> struct simple_page */
	size_t n_made;      /* folders made in dir */
};

int pip_work_open(struct prefix *p, struct pip_work *out, struct err *e);
void pip_work_close(struct pip_work *w);

/* The host, made when first asked for (pip_host.c). */
int pip_host(struct pip_work *w, struct err *e);
/* A new name in the work folder: its path on this machine and in the engine. */
struct pip_place {
	char *path, *inside;
};
struct pip_place pip_place(struct pip_work *w, const char *what, struct str name);
struct pip_place pip_place_below(struct pip_work *w, const struct pip_place *dir, struct str name);

/* A run of the environment's Python (pip_run.c). */
struct pip_command {
	const char *const *args; /* behind the program's path, ending with NULL */
	const struct bind *binds;
	size_t n_binds;
	const char *const *env; /* besides pip's own; NULL: none */
	const char *cwd;
	bool network;
	bool install; /* in the prefix itself, which is writable; else in the host, which is not */
};
int pip_run(struct pip_work *w, const struct pip_command *c, const char *what, struct err *e);
/* `pip COMMAND` with the options it always gets; args end with NULL. */
int pip_run_pip(struct pip_work *w, const struct pip_command *c, const char *what, struct err *e);
/*
 * The options as they hold inside: folders of this machine become binds, logins go to the netrc of
 * the run.  Appends to *binds.
 */
struct bind_list {
	struct bind *v;
	size_t n, cap;
};
int pip_options_inside(struct pip_work *w, const struct pip_options *options,
	struct pip_options *out, struct bind_list *binds, struct err *e);

/* --- sources: what is not found on an index (pip_source.c, pip_build.c) ---------------------- */

struct pip_source {
	struct requirement requirement;
	struct pypi_package package;
	struct dist dist;   /* of its wheel */
	struct str *extras; /* asked for by anybody, normalized */
	size_t n_extras, cap_extras;
	const char *wheel; /* path in the cache */
	int depth;         /* of direct references that led here */
};
struct pip_sources {
	struct pip_source *v;
	size_t n, cap;
};
/* Fetches or builds the wheel of every requirement of another kind, and of what those refer to. */
int pip_sources(struct pip_work *w, struct pip_sources *out, struct err *e);
bool pip_add_extras(struct arena *a, struct pip_source *s, const struct str *extras, size_t n);

struct build {
	const char *what;          /* for messages: "greeting", a file's name */
	const char *source_inside; /* what `pip wheel` is given */
	struct bind *binds;
	size_t n_binds;
	const char *cwd;
	int64_t epoch;             /* SOURCE_DATE_EPOCH */
	const struct str *options; /* --global-option=X ... */
	size_t n_options;
};
/* Text that decides what comes of a source: with the environment's packages, if `whole`. */
struct str pip_build_key(struct pip_work *w, struct str source, const struct str *options,
	size_t n_options, bool whole);
/* What was built of it before and is in the cache: 1 with name, sum and path; 0. */
int pip_built_before(struct pip_work *w, struct str source, const struct str *options,
	size_t n_options, struct pypi_package *package, const char **path);
/* Builds, makes the wheel reproducible and puts it into the cache. */
int pip_build(struct pip_work *w, const struct build *b, struct str source,
	struct pypi_package *package, const char **path, struct err *e);
/*
 * Rewrites wheels (paths inside) so that their bytes follow from their content, with the prefix
 * `old` replaced by `new`.  install: by the prefix's own Python, and only those that hold `old`; else
 * by the host's.
 */
struct pip_rewrite {
	const char *from, *to;
	int64_t epoch;
};
int pip_rewrite(struct pip_work *w, const struct pip_rewrite *wheels, size_t n, const char *old,
	const char *new, const struct bind_list *binds, bool install, struct err *e);
/*
 * Brings what the lock says into the cache (pip_locked.c); without builds only what is fetched as a
 * wheel.
 */
int pip_ensure(struct pip_work *w, struct pypi_set *set, bool builds, struct err *e);

/* A commit's, an archive's or a folder's wheel: filled into *package (pip_source.c). */
int pip_build_git(struct pip_work *w, const struct requirement *r, const char *commit,
	struct pypi_package *package, const char **path, struct err *e);
int pip_build_folder(struct pip_work *w, const struct requirement *r, struct pypi_package *package,
	const char **path, struct err *e);
/* file: a source distribution on this machine; its sum is known in package->sha256. */
int pip_build_archive(struct pip_work *w, const char *file, struct str name,
	const struct requirement *r, struct pypi_package *package, const char **path,
	struct err *e);
/* Files from URLs (pip_fetch.c), all at once. */
struct pip_fetch {
	const char *url, *path;
	const uint8_t *want; /* its sha256: another is ERR_INTEGRITY; NULL: any */
	uint8_t sha256[32];  /* what came */
};
int pip_fetch(struct pip_work *w, struct pip_fetch *files, size_t n, struct err *e);
/* Lets http use the user names and passwords of index URLs for what their pages link to. */
void pip_lend_credentials(struct pip_work *w);
/* Reads the metadata of a wheel into the package's fields. */
int pip_describe(struct pip_work *w, const char *path, struct pypi_package *package,
	struct dist *dist, struct err *e);

/* --- resolving (pip_resolve.c, pip_given.c, pip_download.c, pip_locate.c) --------------------- */

enum given_kind {
	GIVEN_CONDA,  /* a package of conda brings it */
	GIVEN_SOURCE, /* named by URL or path, built already */
	GIVEN_CHOSEN, /* pip chose it */
};

/* A distribution that will be there, by normalized name. */
struct pip_given {
	enum given_kind kind;
	struct str name;
	struct dist dist;
	const struct record *record; /* conda's */
	struct str *extras;          /* that anybody asks for */
	size_t n_extras, cap_extras;
	bool replaceable; /* conda's, and --allow-clobber matches every file of it */
	bool replaced;    /* such a one that did not do: as good as absent */
};
struct pip_givens {
	struct pip_given *v;
	size_t n, cap;
	struct table by_name;
};
/* What conda's packages bring; their records get purls. */
int pip_given_conda(struct pip_work *w, struct pip_givens *out, struct err *e);
void pip_given_add(struct arena *a, struct pip_givens *all, const struct pip_given *g);
/* NULL: absent or replaced. */
struct pip_given *pip_given_find(const struct pip_givens *all, struct str name);
bool pip_given_want(struct arena *a, struct pip_given *g, const struct str *extras, size_t n);
/*
 * Does what is given satisfy the lines and itself?  1; 0 where something is missing altogether;
 * -1 ERR_UNSAT where a version does not do: the message says whose and what can be done.
 */
int pip_given_check(struct pip_work *w, struct pip_givens *all,
	const struct requirement *const *lines, size_t n_lines, struct err *e);

struct package_list {
	struct pypi_package *v;
	size_t n, cap;
};
int pip_resolve(struct pip_work *w, struct pypi_set *out, struct err *e);
/* What install_request.keep has of that name and is to stay; NULL: nothing. */
const struct pypi_package *pip_kept(struct pip_work *w, struct str name);
/*
 * Lets pip choose and download what the lines and the given ones still miss; keep: in the versions
 * that pip_kept() has, unless a line asks for another.
 */
int pip_download(struct pip_work *w, const struct pip_givens *given,
	const struct requirement *const *lines, size_t n_lines, bool keep, struct package_list *out,
	struct err *e);
/* Where a downloaded file came from: its URL, without credentials. */
int pip_locate(struct pip_work *w, struct str name, struct str file, const uint8_t sha256[32],
	struct str *url, struct err *e);

/* --- installing (pip_install.c) --------------------------------------------------------------- */

int pip_install(struct pip_work *w, const struct pypi_set *set, struct err *e);
/* Takes out of dist-info what tells of this run (pip_tidy.c). */
int pip_tidy(struct pip_work *w, const struct pypi_package *package, struct str dist_info,
	struct err *e);
/* Would any wheel overwrite a file of conda's, or of another?  ERR_INTEGRITY. */
int pip_check_paths(struct pip_work *w, const struct pypi_set *set, struct err *e);
/* The wheel of a package in the cache; NULL: not there. */
char *pip_wheel_path(struct pip_work *w, const struct pypi_package *package, struct str *name);

#endif
