/*
 * The prefix that is being made, and what is known of each path in it.
 *
 * Stages (install.c): plan -> link -> link scripts -> bytecode -> records -> pip -> pre-pack
 * script -> content.
 */
#ifndef BUILDER_PREFIX_H
#define BUILDER_PREFIX_H

#include "base/buf.h"
#include "base/log.h"
#include "base/table.h"
#include "builder/bytecode_cache.h"
#include "builder/install.h"
#include "builder/python.h"

#include <time.h>

/* conda's numbers for link.type in conda-meta. */
enum link_how { HOW_HARDLINK = 1, HOW_SOFTLINK = 2, HOW_COPY = 3, HOW_DIRECTORY = 4 };

enum linked_kind { LINKED_PACKAGE_FILE, LINKED_ENTRY_POINT, LINKED_BYTECODE };

/* What tells that nobody wrote to a file. */
struct stamp {
	ino_t ino;
	off_t size;
	mode_t mode;
	struct timespec mtime;
	struct timespec ctime; /* cannot be set back; a hard link made elsewhere changes it too */
};

/* One path that belongs to a package. */
struct linked {
	struct str path; /* in the prefix */
	size_t package;  /* index into prefix.packages */
	enum linked_kind kind;
	const struct package_file *file; /* of the package; for bytecode: its source */
	const struct entry_point *entry_point;
	struct str source;           /* bytecode: the source's path in the prefix */
	const struct bytecode *code; /* bytecode: the cache's; NULL: made in the prefix */
	bool absent;                 /* bytecode of a file that does not compile */
	bool replaced;               /* holds prefix_inside where the package has its placeholder */
	enum link_how how;
	uint64_t size;
	uint8_t sha256[32]; /* as it lies in the prefix */
	struct stamp stamp;
};

struct prefix {
	struct arena *arena;
	const struct install_request *request;
	int fd;                   /* of the folder */
	struct package *packages; /* in the order of the request: dependencies first */
	size_t n_packages;
	/*
	 * Python that stays where others are linked: it is loaded behind the packages, and nothing of
	 * it is planned.  NULL: Python is among them, or is not needed.
	 */
	const struct record *kept_python;
	struct python python;
	struct linked *v; /* sorted by path, each once */
	size_t n;
	/*
	 * Files whose path a later package brings too, as --allow-clobber has it: they are not there,
	 * and stand in their packages' records all the same.  Sorted by path.
	 */
	struct linked *lost;
	size_t n_lost;
	struct str *dirs; /* every folder of these, sorted */
	size_t n_dirs;
	bool ran_code;          /* link scripts or pip may have changed anything */
	struct table *bytecode; /* paths of bytecode that we made for files of pip */
};

/* Loads the packages and decides where each file goes (plan.c). */
int prefix_plan(struct prefix *p, struct err *e);
/* What lies at a path, or NULL. */
const struct linked *prefix_find(const struct prefix *p, struct str path);
/* Does a pattern of --allow-clobber match the path?  '*' matches slashes too. */
bool clobber_allowed(const struct install_request *r, struct str path);
/* Puts the files of packages [from, to) into the prefix (link.c). */
int prefix_link(struct prefix *p, size_t from, size_t to, struct step *step, struct err *e);
/* The same for all packages, pre-link scripts in between, and all post-link scripts (install.c). */
int prefix_link_all(struct prefix *p, struct err *e);
int prefix_run_scripts(struct prefix *p, struct err *e);
/* One link script of a package: "pre-link" or "post-link" (scripts.c). */
int prefix_script(struct prefix *p, size_t package, const char *when, struct err *e);
/* Any link script. */
struct link_script {
	const struct record *record;
	struct str path;        /* in source_dir, else in the prefix */
	const char *when;       /* "pre-unlink" */
	const char *source_dir; /* of a pre-link script: the package's folder; else NULL */
};
int link_script_run(struct prefix *p, const struct link_script *s, struct err *e);
/*
 * Finds the planned bytecode in the cache, or makes it there, so that it can be linked
 * (bytecode.c); needs nothing of the prefix.
 */
int prefix_find_bytecode(struct prefix *p, struct err *e);
/* Makes in the prefix what the cache cannot have (bytecode.c). */
int prefix_compile(struct prefix *p, struct err *e);
/* conda-meta (record_json.c, history.c). */
int prefix_write_records(struct prefix *p, struct err *e);
int prefix_write_history(struct prefix *p, struct err *e);
/*
 * One revision, as a part of the file's text: packages that went ("channel/subdir::dist"), those
 * that p has, and what was asked for.
 */
void history_revision(
	const struct prefix *p, const struct str *gone, size_t n_gone, struct buf *to);
/* Is this line of the environment file about the package of that name? */
bool spec_asks_for(struct arena *a, const struct spec_line *line, struct str name);
/*
 * conda-meta/frozen and EXTERNALLY-MANAGED where asked for (history.c): last, since pip must still
 * run before.  The check comes before anything is made.
 */
int prefix_check_marks(const struct prefix *p, struct err *e);
int prefix_write_marks(struct prefix *p, struct err *e);
/*
 * The pip section (pip.c): the check comes before anything is made, and so does settling, which
 * does all that needs no packages in this prefix: where the request is for_pack, fetching what is
 * locked; else everything up to having each wheel in the cache.  prefix_pip does the rest.
 */
bool prefix_has_pip(const struct prefix *p); /* is there anything for it to do? */
int prefix_check_pip(const struct prefix *p, struct err *e);
int prefix_settle_pip(struct prefix *p, struct err *e);
int prefix_pip(struct prefix *p, struct err *e);
/* Bytecode of what pip brought, entered in its RECORD files (pip_record.c). */
int prefix_compile_pip(struct prefix *p, struct err *e);
/* The request's pre-pack script, if any; compiles anew what it changed (pre_pack.c). */
int prefix_pre_pack(struct prefix *p, struct err *e);
/* What came of it (content.c). */
int prefix_content(struct prefix *p, struct content *out, struct err *e);

/* Writes a file of our own below the prefix; its folder exists. */
int prefix_put(struct prefix *p, const char *rel, struct str text, mode_t mode, struct err *e);

/* Is it a regular file, reached through no link?  What ran in the prefix may have put one there. */
bool prefix_is_file(const struct prefix *p, struct str path);

/* A program run in the engine with the prefix bound read-write (sandbox.c). */
struct command {
	const char *const *argv;
	const char *const *env; /* besides the usual ones; the last of a name counts */
	struct bind *binds;     /* besides the prefix */
	size_t n_binds;
	const char *cwd;
	bool network;
	bool show;           /* pass the output on while it comes */
	bool read_only;      /* the prefix; engine none cannot hold to it */
	bool without_prefix; /* it is not there yet */
};
/* ERR_SCRIPT with what it printed when it fails; what names it in the message. */
int prefix_run(struct prefix *p, const struct command *c, const char *what, struct err *e);

/*
 * Compiles the pairs of paths in the prefix; what does not compile is passed over, and so is code
 * that holds the prefix: marshal writes lengths, so that it could not be moved.
 */
struct source_pair {
	struct str source, bytecode;
};
int compile_pairs(struct prefix *p, const struct source_pair *pairs, size_t n, struct err *e);

/* Is there compiled code at this path of the prefix? */
int bytecode_keep(struct prefix *p, struct str path, struct err *e);

/* Seconds of the newest package of the set: the one time that is the same everywhere. */
int64_t prefix_epoch(const struct prefix *p);

/* lstat of a file below fd. */
int stamp_take(int dir, const char *name, struct stamp *out);
bool stamp_same(const struct stamp *a, const struct stamp *b);

#endif
