/*
 * The two files of an index in shards (CEP 16), unpacked: docs/design/shards.md.
 *
 *	repodata_shards.msgpack    {version: 1, info: {base_url, shards_base_url, ...},
 *	                            shards: {NAME: sha256}}
 *	HEX.msgpack                {packages: {FN: record}, packages.conda: {FN: record},
 *	                            v3: {ENDING: {STEM: record}} (CEP 48), removed: [FN]}
 *
 * A shard's records are those of a repodata.json, except that their sha256 and md5 are bytes.
 * Unknown keys are passed over.  No network and no files here: bytes to values, as bounded as
 * base/msgpack.h is.
 */
#ifndef SOLVER_SHARD_READ_H
#define SOLVER_SHARD_READ_H

#include "solver/index_group.h"

struct shard_name {
	struct str name;
	const uint8_t *sha256; /* 32 bytes */
};

/* Texts and sums are in the bytes that were parsed, or in the arena. */
struct shard_list {
	struct str base_url, shards_base_url; /* as written; empty: not given */
	struct shard_name *v;                 /* in the order of the file, each name once */
	size_t n;
	uint32_t *slots; /* index + 1 into v; 0: free */
	size_t n_slots;  /* a power of two */
};

/*
 * 0; 1 where it is of another version, which is for another reader.  ERR_INTEGRITY: damaged, or
 * no index of shards.  label stands in messages.
 */
int shard_list_parse(struct arena *a, struct str bytes, const char *label, struct shard_list *out,
	struct err *e);
/* NULL: there is no such name. */
const struct shard_name *shard_list_find(const struct shard_list *list, struct str name);

/*
 * The records of the shard of this name, less those that it says were removed, for group_write().
 * Texts are in the bytes or in the arena.  A record that cannot be read is its error, as in a
 * repodata.json.  ERR_INTEGRITY: damaged, or it holds files of another name.
 */
int shard_parse(struct arena *a, struct str bytes, struct str name, const char *label,
	struct group_record **v, size_t *n, struct err *e);

#endif
