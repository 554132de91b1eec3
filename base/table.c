#include "base/table.h"

static uint32_t *find_slot(const struct table *t, struct str key, uint64_t hash)
{
	size_t mask = t->n_slots - 1;

	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		uint32_t *slot = &t->slots[i];

		if (*slot == 0)
			return slot;
		if (t->entries[*slot - 1].hash == hash && str_eq(t->entries[*slot - 1].key, key))
			return slot;
	}
}

static void grow(struct table *t)
{
	size_t n_slots = t->n_slots ? t->n_slots * 2 : 16;

	t->entries = arena_grow(t->arena, t->entries, t->n, &t->cap, sizeof *t->entries);
	while (n_slots < t->cap * 2)
		n_slots *= 2;
	t->slots = arena_array(t->arena, uint32_t, n_slots);
	t->n_slots = n_slots;
	for (size_t i = 0; i < t->n; i++)
		*find_slot(t, t->entries[i].key, t->entries[i].hash) = (uint32_t)i + 1;
}

union table_value *table_get(const struct table *t, struct str key)
{
	uint32_t *slot;

	if (t->n == 0)
		return NULL;
	slot = find_slot(t, key, str_hash(key));
	return *slot ? &t->entries[*slot - 1].value : NULL;
}

union table_value *table_put(struct table *t, struct str key)
{
	uint64_t hash = str_hash(key);
	uint32_t *slot;

	if (t->n == t->cap)
		grow(t);
	slot = find_slot(t, key, hash);
	if (*slot == 0) {
		t->entries[t->n] = (struct table_entry){.key = key, .hash = hash};
		*slot = (uint32_t)++t->n;
	}
	return &t->entries[*slot - 1].value;
}
