/*
 * A hash table from text to a pointer or a number, open addressing, in an arena.
 *
 *	struct table t = {.arena = &arena};
 *	*table_put(&t, name) = (union table_value){.ptr = thing};
 *	union table_value *v = table_get(&t, name);
 *
 * Keys are slices that must live as long as the table.  Nothing is ever removed.  Iterate in
 * the order of insertion over t.entries[0 .. t.n).  Pointers to values hold until the next put.
 */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include "base/arena.h"
#include "base/str.h"

union table_value {
	void *ptr;
	uint64_t num;
};

struct table_entry {
	struct str key;
	uint64_t hash;
	union table_value value;
};

struct table {
	struct arena *arena;
	struct table_entry *entries; /* n of them, as they were put */
	size_t n, cap;
	uint32_t *slots; /* index + 1 into entries; 0: free */
	size_t n_slots;
};

/* The value of key, or NULL. */
union table_value *table_get(const struct table *t, struct str key);
/* The value of key, entered as zero if it was not there. */
union table_value *table_put(struct table *t, struct str key);

#endif
