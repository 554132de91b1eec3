/*
 * A channel's index in shards (CEP 16): one small file for each name of a package, of which a solve
 * fetches those that it reaches.  docs/design/shards.md has what was decided.
 *
 *	shards_open_lists(a, &options, requests, n, &err);     which channels have any, and what names
 *	shards_fetch(list, n, names, n_names, &err);           all that a step of reach needs, at once
 *	shards_group(s, name, &group, &err);
 *	shards_free(s);
 *
 * A shard is checked against its sha256 whenever it is read, wherever it comes from, and kept as it
 * was fetched:
 *
 *	CACHE/shards/XX/HEX                                       compressed; XX: its first two digits
 *	CACHE/index/SHA256-OF-URL/repodata_shards.msgpack         the list of names, uncompressed
 *	CACHE/index/SHA256-OF-URL/state.json                      what is known of it (shards_cache.h)
 */
#ifndef SOLVER_SHARDS_H
#define SOLVER_SHARDS_H

#include "base/buf.h"
#include "solver/channel.h"
#include "solver/index_group.h"

struct shards_options {
	struct http *http;
	const char *cache_dir;
	bool offline;
};

struct shards;

/*
 * Asks for the list of each request, all at once, and sets request.file.shards to what there is now,
 * to be freed by the caller; NULL where the channel has none (or `offline`, and the cache has none),
 * which is then to be asked for its repodata.json.  A channel in a folder has shards if their list is
 * there and not older than any repodata.json beside it.  The channels and what the options point to
 * must outlive them.  ERR_NETWORK: unreachable; ERR_INTEGRITY: damaged twice.
 */
int shards_open_lists(struct arena *a, const struct shards_options *options,
	struct index_request *requests, size_t n, struct err *e);
/* Frees the requests' shards, and forgets them. */
void shards_free_lists(struct index_request *requests, size_t n);
/*
 * One list from a file, or packed from memory.  url: of the list, no credentials.  1, without *out,
 * where it is of a version that is not for us.
 */
int shards_open_file(const struct shards_options *options, const struct index_request *request,
	const char *url, const char *path, struct shards **out, struct err *e);
int shards_open_packed(const struct shards_options *options, const struct index_request *request,
	const char *url, struct str packed, struct shards **out, struct err *e);
void shards_free(struct shards *s); /* NULL is allowed */

/* The list's bytes, unpacked. */
struct str shards_list_bytes(const struct shards *s);
/* Of the packages' URLs, resolved; no slash at its end. */
struct str shards_packages_url(const struct shards *s);
size_t shards_names(const struct shards *s);
struct str shards_name_at(const struct shards *s, size_t i);
/* Records in the shards that were read so far. */
size_t shards_records(const struct shards *s);

/* Is there a shard of this name that was not read yet? */
bool shards_lack(const struct shards *s, struct str name);
/*
 * Reads the shards of all these names, of every list, and fetches those that the cache does not have
 * at the same time.  `offline` leaves them out.  ERR_NETWORK and ERR_INTEGRITY (twice damaged) name
 * channel and name.
 */
int shards_fetch(
	struct shards *const *v, size_t n, const struct str *names, size_t n_names, struct err *e);
/*
 * 1, or 0 where there is no such name.  Reads or fetches the shard where shards_fetch() has not; what
 * `offline` cannot is ERR_NETWORK.  The group lives as long as s.
 */
int shards_group(struct shards *s, struct str name, struct index_group *out, struct err *e);
/* The text of one of a group's specs. */
struct str shards_spec(const struct shards *s, uint32_t number);

#endif
