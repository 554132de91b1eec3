/*
 * What a prefix says of itself: the records in conda-meta as envbuild, conda, mamba and rattler
 * write them (CEP 32).
 *
 * Records are untrusted: every path is checked with path_is_safe, texts and counts have limits.
 */
#ifndef BUILDER_INSTALLED_H
#define BUILDER_INSTALLED_H

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"
#include "base/table.h"
#include "solver/record.h"

#define TRANSACTION_DIR "conda-meta/.envbuild-transaction"
#define UNFINISHED_MARK ".envbuild-unfinished"
#define BUSY_MARK       ".envbuild-busy"

enum installed_type {
	INSTALLED_FILE, /* hardlink, unix_python_entry_point: a regular file */
	INSTALLED_SOFTLINK,
	INSTALLED_DIRECTORY,
	INSTALLED_BYTECODE, /* pyc_file; conda gives no sum for it */
	INSTALLED_UNKNOWN,  /* of an old record, which lists names only */
};

struct installed_path {
	struct str path;
	enum installed_type type;
	bool entry_point;
	struct str placeholder; /* empty: none */
	bool binary;
	bool has_sha256, has_sha256_in_prefix;
	uint8_t sha256[SHA256_LEN];           /* in the package */
	uint8_t sha256_in_prefix[SHA256_LEN]; /* as it was linked */
	uint64_t size;                        /* of a file in the package; 0: not said */
};

struct installed_record {
	struct str file; /* "conda-meta/numpy-1.26.4-py312_0.json" */
	struct str text; /* the whole of it */
	/*
	 * name, version, build, build_number, subdir, channel, fn, url, sums, size, noarch, depends,
	 * license, timestamp and python_site_packages_path, as far as they are there.
	 */
	struct record record;
	struct installed_path *paths; /* paths_data, else files; as listed */
	size_t n_paths;
	struct str *requested_specs;
	size_t n_requested_specs;
};

struct installed {
	struct installed_record *v; /* sorted by name */
	size_t n, cap;
	bool unfinished;    /* a first installation did not come to its end */
	bool transaction;   /* a change did not come to its end */
	bool from_archive;  /* unpacked: conda-meta/envbuild is there */
	bool base;          /* conda itself: pkgs and envs below it are not of the environment */
	bool has_history;   /* what makes a folder an environment (CEP 32) */
	struct str *frozen; /* the message of conda-meta/frozen (CEP 22), maybe empty; NULL: not */
};

/*
 * Reads the folder open at fd; everything lives in the arena.  A folder without conda-meta gives
 * no records and no history.  Two records of one name, a record that is not JSON, a path that
 * leaves the prefix: ERR_INTEGRITY naming the file.
 */
int installed_read(struct arena *a, int fd, struct installed *out, struct err *e);
/*
 * One record, for who reads them from elsewhere: its text, with the same checks.  file stands in
 * errors.
 */
int installed_parse(struct arena *a, const char *file, struct str text,
	struct installed_record *out, struct err *e);
/* Sorts records that were parsed one by one; two of one name are ERR_INTEGRITY. */
int installed_sort(struct installed *in, struct err *e);
/* NULL where no package of that name is installed. */
const struct installed_record *installed_find(const struct installed *in, struct str name);
/* Is this the package that the record describes: the same bytes, as far as both say? */
bool installed_is(const struct installed_record *have, const struct record *wanted);
/* The Python minor version and site-packages that its record tells; 0: it is no python. */
struct python;
int installed_python(struct arena *a, const struct installed *in, struct python *out);

/* Is the path one that envbuild itself keeps in a prefix while it works? */
bool installed_is_mark(struct str path);

#endif
