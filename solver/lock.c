#include "solver/lock.h"

struct lock_target *lock_find(const struct lock *lock, struct str name)
{
	for (size_t i = 0; i < lock->n_targets; i++)
		if (str_eq(lock->targets[i].name, name))
			return &lock->targets[i];
	return NULL;
}

struct lock_target *lock_find_for(const struct lock *lock, struct str name, struct str subdir)
{
	struct lock_target *found = lock_find(lock, name);

	return found ? found : lock_find(lock, subdir);
}

void lock_put(struct arena *a, struct lock *lock, const struct lock_target *target)
{
	struct lock_target *found = lock_find(lock, target->name);
	size_t at;

	if (found) {
		*found = *target;
		return;
	}
	if (lock->n_targets == lock->cap_targets)
		lock->targets = arena_grow(a, lock->targets, lock->n_targets, &lock->cap_targets,
			sizeof(*lock->targets));
	for (at = lock->n_targets++; at && str_cmp(lock->targets[at - 1].name, target->name) > 0;
		at--)
		lock->targets[at] = lock->targets[at - 1];
	lock->targets[at] = *target;
}
