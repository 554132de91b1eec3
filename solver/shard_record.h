/* Records as they come out of MessagePack: shards (CEP 16). */
#ifndef SOLVER_SHARD_RECORD_H
#define SOLVER_SHARD_RECORD_H

#include "base/msgpack.h"
#include "solver/index_group.h"

/*
 * Reads the map that comes next as the record of the file fn, a package of this name.  Texts are in
 * the reader's bytes or in the arena.  What is wrong with it becomes to->error; the reader then
 * stands behind it, unless it has stopped (m->why): the bytes are no MessagePack.
 */
void shard_record(struct msgpack *m, struct arena *a, struct str fn, struct str name,
	struct group_record *to);

#endif
