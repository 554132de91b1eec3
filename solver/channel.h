/*
 * Channels: from what the user wrote to a URL, and from a URL to the index on this disk.
 */
#ifndef SOLVER_CHANNEL_H
#define SOLVER_CHANNEL_H

#include "base/arena.h"
#include "base/err.h"
#include "base/http.h"
#include "base/str.h"

struct groups; /* index_groups.h */

struct shards;

enum channel_priority { PRIORITY_STRICT, PRIORITY_FLEXIBLE, PRIORITY_DISABLED };

struct channel {
	struct str name; /* as the user wrote it, no credentials: for messages */
	/* No trailing slash, no credentials: https://conda.anaconda.org/conda-forge */
	struct str url;
	char *fetch_url; /* with credentials: never written anywhere */
};

struct channel_list {
	struct channel *v;
	size_t n, cap;
};

/* A name and what it stands for. */
struct channel_group {
	struct str name;
	struct str *members;
	size_t n;
};

/* How names become URLs where that is not as conda comes (conda's keys of the same names). */
struct channel_rules {
	const char *alias;    /* NULL: https://conda.anaconda.org */
	struct str *defaults; /* what "defaults" means; none: pkgs/main and pkgs/r */
	size_t n_defaults;
	struct channel_group *custom; /* NAME and NAME/LABEL lie at MEMBER/NAME, not at the alias */
	size_t n_custom;
	struct channel_group *multi; /* several channels by one name */
	size_t n_multi;
};

/*
 * Resolves one name and appends it (several for "defaults": pkgs/main and pkgs/r).  A name
 * ("conda-forge", "bioconda/label/x") is put behind the alias of the rules (NULL: conda's own); a
 * URL is taken as it is; "file://", an absolute path, or a path that starts with "~/", "./" or
 * "../" is a folder, relative to base_dir.  A platform at the end ("conda-forge/linux-64") is
 * dropped, as conda does.  "nodefaults" adds nothing.  A channel that is already in the list is not
 * added again.  What is none of these is ERR_INPUT.
 */
int channel_add(struct arena *a, struct channel_list *list, struct str name,
	const struct channel_rules *rules, const char *base_dir, struct err *e);

/*
 * The index of channel/subdir: the cache's copy, or in place the newest file of a file:// channel,
 * compressed or not.  Asks for repodata.json.zst, then .bz2, then .json; revalidates with
 * ETag/Last-Modified; `offline` uses what the cache has.  path is NULL where the channel has no such
 * subdir (a missing noarch or linux-64 alone is no error; both missing is ERR_NETWORK by the
 * caller).  Unreachable: ERR_NETWORK, and the advice names `make demo`.  A folder that has none of
 * the subdirs asked for is ERR_NETWORK too, and the advice says what makes it a channel.  A body
 * that is damaged twice is ERR_INTEGRITY.  How the cache is kept: docs/design/channels.md.
 */
struct index_file {
	/*
	 * Set before channel_fetch_indexes(), which then passes this one over: shards.h.  NULL: the
	 * channel has none.
	 */
	struct shards *shards;
	char *path, *name; /* name: for messages */
	/* Made of it while it came from the network, and the caller's; NULL: path is to be read. */
	struct groups *groups;
	bool kept;          /* path is the cache's copy, and */
	uint8_t sha256[32]; /* this is the sum it must have */
	/*
	 * Where the cache has, or is to have, an index file made of it (index_image.h), and the key
	 * that the file then has.  NULL: there is none to be kept, because the folder's file is so
	 * young that its time does not tell yet whether it is written to.
	 */
	char *image;
	uint8_t key[32];
};
struct index_request {
	const struct channel *channel;
	struct str subdir;
	struct index_file file; /* the answer */
};
/* All requests at once, in parallel. */
int channel_fetch_indexes(struct arena *a, struct http *http, const char *cache_dir, bool offline,
	struct index_request *requests, size_t n, struct err *e);
/* The cache's copy turned out to be damaged: the next fetch brings it anew. */
void channel_forget_index(
	struct arena *a, const char *cache_dir, const struct index_request *request);

#endif
