/*
 * Looking after the package cache: what it holds and who needs it, checking it, cleaning it.
 *
 * Nobody takes a lock.  The time of an entry's folder says when it was used last (entry_touch);
 * what was used within CACHE_IN_USE_S is never taken.  An entry goes by being renamed into tmp/
 * first, and its time is looked at again there: had somebody begun to use it meanwhile, it is put
 * back.  Who finds an entry gone between filling the cache and linking fills it once more.
 */
#ifndef BUILDER_UPKEEP_H
#define BUILDER_UPKEEP_H

#include "builder/package.h"

enum {
	CACHE_IN_USE_S = 10 * 60,
	/* A temporary in which nothing has changed for so long is what a killed run left. */
	CACHE_STALE_S = 60 * 60,
};

enum cache_kind {
	CACHE_PACKAGE,  /* pkgs/XX/SHA256 */
	CACHE_WHEEL,    /* wheels/XX/SHA256 */
	CACHE_BYTECODE, /* bytecode/XX/KEY: made from packages */
	CACHE_GIT,      /* git/KEY: mirrors of repositories */
	CACHE_INDEX,    /* index/KEY: of channels */
	CACHE_SHARD,    /* shards/XX/SHA256: files, parts of channels' indexes */
	CACHE_SEGMENT,  /* segments/XX/KEY: files, compressed packages for archives */
	CACHE_AUDIT,    /* audit/XX/KEY: files, what audits have read of environments */
	CACHE_KINDS
};
/* "packages", "wheels", "bytecode", "git", "indexes", "shards", "segments", "audits" */
extern const char *const CACHE_KIND_NAMES[CACHE_KINDS];

struct cache_item {
	enum cache_kind kind;
	char *rel; /* below the cache: "pkgs/ab/abcd..." */
	struct str
		name; /* of a package NAME-VERSION-BUILD, of a wheel its file; empty: not known */
	uint8_t key[32]; /* sha256 of a package, wheel or shard */
	uint64_t bytes;  /* of its files */
	uint64_t held;   /* as much of these as other hard links hold too */
	int64_t used;    /* when it was used last, seconds */
	size_t locks;    /* how many known locks refer to it */
};

struct cache_items {
	struct cache_item *v;
	size_t n, cap;
};

/* A lock that was read or written with this cache. */
struct known_lock {
	char *path;
	bool readable; /* it is there and is a lock */
};

struct cache_survey {
	struct cache_items items; /* by kind, then by rel */
	struct {
		struct known_lock *v;
		size_t n, cap;
	} locks;     /* those that are still there, by path */
	int64_t now; /* by the clock of the cache's file system */
};

/*
 * Remembers in CACHE/locks/ that the lock at this absolute path was read or written.  A failure is
 * not worth a word.
 */
void cache_note_lock(const struct cache *c, const char *path);
/* Everything in the arena. */
int cache_survey(struct arena *a, const struct cache *c, struct cache_survey *out, struct err *e);

struct cache_damage {
	struct cache_item item;
	char *text;   /* which file, and what is wrong with it */
	bool removed; /* else the cache cannot be written to */
};
struct cache_verdict {
	size_t n, files; /* that were looked at */
	uint64_t bytes;
	struct {
		struct cache_damage *v;
		size_t n, cap;
	} damaged;
};
/*
 * Compares every file with its facts, content included, and removes what is damaged.  -1 only where
 * it cannot be done; damage is in *out.
 */
int cache_verify(struct arena *a, const struct cache *c, unsigned jobs, struct cache_verdict *out,
	struct err *e);

struct cache_clean_request {
	bool all;          /* also what known locks refer to */
	bool dry_run;      /* take nothing */
	unsigned older;    /* only what was not used for so many seconds; 0: any time */
	bool has_max_size; /* only as much as must go, used longest ago first */
	uint64_t max_size;
};
struct cache_cleaned {
	struct cache_items items; /* what was (or would be) removed */
	uint64_t bytes, held;     /* of these */
	uint64_t left;            /* bytes that stay */
	size_t temporaries;       /* folders that killed runs left */
	size_t in_use;            /* would have gone, but were used just now */
	size_t unreadable;        /* known locks that cannot be read: then no package was taken */
	bool too_large;           /* what may go is not enough for max_size */
};
int cache_clean(struct arena *a, const struct cache *c, const struct cache_clean_request *r,
	struct cache_cleaned *out, struct err *e);

/*
 * Takes out the records' packages that are marked, without asking when they were used: what a run
 * that must save space has brought in and needs no more.
 */
void cache_drop(const struct cache *c, struct record *const *records, const bool *marked, size_t n);
/* Marks the records whose packages are neither in the cache nor in one below; the count. */
size_t cache_missing(const struct cache *c, struct record *const *records, size_t n, bool *marked);

/*
 * May it be that the install ended with this error because a cleaner took an entry after the cache
 * was filled, or because somebody wrote into one (through a hard link, from a prefix)?  Entries of
 * the latter sort are taken out.  Then fill and install once more.
 */
bool cache_lost(
	const struct cache *c, struct record *const *records, size_t n, const struct err *e);

#endif
