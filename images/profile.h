/*
 * Target profiles: what a production host offers.
 *
 * A profile says everything; nothing is inherited or guessed.  `host` is built in and read off the
 * running machine.  Format: docs/design/profile.md.
 */
#ifndef IMAGES_PROFILE_H
#define IMAGES_PROFILE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "images/policy.h"

#include <stdbool.h>
#include <stdint.h>

/* A library that hosts of the target have, whatever the image: what binaries may count on. */
struct profile_library {
	struct str soname;    /* "libc.so.6" */
	struct str *versions; /* symbol versions that it defines, sorted: "GLIBC_2.2.5", ... */
	size_t n_versions;
};

/* `gpu:`; wanted is false where the profile has none. */
struct profile_gpu {
	bool wanted;
	struct str compute_capability; /* the least that a host has: "7.0"; empty: not said */
	struct str *device_nodes;      /* "/dev/nvidiactl", "/dev/nvidia*": patterns of glob(7) */
	size_t n_device_nodes;
	struct str *libraries; /* sonames that the driver brings: "libcuda.so.1"; patterns */
	size_t n_libraries;
	struct str *programs; /* "nvidia-smi" */
	size_t n_programs;
};

/* `file-system:`; what is not said is not promised. */
enum profile_case { CASE_UNSAID, CASE_SENSITIVE, CASE_INSENSITIVE };
struct profile_file_system {
	bool said;
	enum profile_case names; /* are "a" and "A" two files? */
	struct str *noexec;      /* folders where nothing can be executed: absolute, sorted */
	size_t n_noexec;
};

/* `limits:` of a process (getrlimit, the soft ones); 0: not said. */
#define PROFILE_UNLIMITED UINT64_MAX
struct profile_limits {
	uint64_t open_files, processes;
	uint64_t stack; /* bytes */
};

struct profile {
	struct str name;              /* "rhel6" */
	struct str subdir;            /* "linux-64" */
	struct str *virtual_packages; /* as written: "__glibc=2.12", "__unix=0=0" */
	size_t n_virtual_packages;
	struct str glibc;                 /* "2.12": the version of __glibc */
	struct str dockerfile, reference; /* of the image; empty: none */
	struct profile_gpu gpu;
	bool has_libraries; /* `libraries:` is there; else nothing is known of them */
	struct profile_library *libraries; /* sorted by soname */
	size_t n_libraries;
	struct profile_file_system file_system;
	struct profile_limits limits;
	struct profile_audit audit; /* `audit:` */
	char *root; /* a root folder named in the profile (image: {root: DIR}), absolute; NULL */
	struct str pack_format; /* "tar.gz", "squashfs", ...; empty: not said */
	bool network;           /* false: `network: none` */
	bool host;              /* the built-in `host` */
	struct str text;        /* its YAML, as the archive carries it (for host: generated) */
	const char *source;     /* path, or "built-in", for messages */
};

/* Is it a path (it holds a slash or ends in .yml or .yaml), not the name of a target? */
bool profile_is_path(const char *name_or_file);
/*
 * name_or_file: "host", a path (profile_is_path), or a name looked up as
 * DIR/targets/NAME.yml in the folder of the environment file, then in the shipped profiles.
 * ERR_INPUT with FILE:LINE:COLUMN; a profile without __glibc is an error that gives the missing
 * line; an unknown name lists the known ones.
 */
int profile_find(struct arena *a, const char *name_or_file, const char *project_dir,
	struct profile *out, struct err *e);
/* A profile's text; name stands in errors and `image: {root: DIR}` is relative to its folder. */
int profile_parse(
	struct arena *a, const char *name, struct str text, struct profile *out, struct err *e);
/* Names of all that profile_find would find by name. */
int profile_names(
	struct arena *a, const char *project_dir, struct str **names, size_t *n, struct err *e);
/* Letters, digits and "._-", not first '.' or '-'. */
bool profile_name_is_good(struct str name);
/* Its virtual package of that name as "NAME=VERSION[=BUILD]"; empty: none. */
struct str profile_virtual(const struct profile *p, const char *name);
/* Its version, "4.18" of "__linux=4.18", and its build, "x86_64_v2" of "__archspec=1=x86_64_v2"; empty: none. */
struct str profile_virtual_version(const struct profile *p, const char *name);
struct str profile_virtual_build(const struct profile *p, const char *name);
/* May it stand in `libraries:`, as soname or as a version? */
bool profile_is_library_word(struct str s);
/* For qsort: by glibc, the oldest first, then by name. */
int profile_cmp_glibc(const void *a, const void *b);
/* The entry of a soname, or NULL. */
const struct profile_library *profile_library(const struct profile *p, struct str soname);
/*
 * The x86-64 level (0: x86_64, to 3: x86_64_v4) that a CPU of an archspec name reaches at least; -1:
 * a name that is not known here, which says nothing against it.
 */
int cpu_level_of(struct str archspec);
/* "x86_64", "x86_64_v2" and so on. */
const char *cpu_level_name(int level);
/* Does the running machine (or the folder, a root file system) satisfy the profile's glibc?
 * 1 yes, 0 no with *reason, -1 error.  A root without glibc is 0. */
int root_satisfies(struct arena *a, const char *root, const struct profile *p, struct str *reason,
	struct err *e);

#endif
