/*
 * Arenas: memory of one phase, freed at once.
 *
 *	struct arena a = {0};
 *	struct thing *t = arena_new(&a, struct thing);
 *	arena_release(&a);
 *
 * A zeroed struct is an empty arena.  Memory is zeroed and aligned for any type.  Nothing
 * returned is ever NULL: running out of memory is reported and aborts (libsolv does the same).
 * An arena belongs to one thread at a time.  Freed memory is poisoned under ASan.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/str.h"

struct arena {
	struct arena_block *head;
};

void *arena_alloc(struct arena *a, size_t size);
/* n * size bytes; an overflowing product aborts. */
void *arena_calloc(struct arena *a, size_t n, size_t size);
void arena_release(struct arena *a);
/* Empties it and keeps its newest block for what comes next. */
void arena_reset(struct arena *a);
/* All that `from` holds lives in `a` from then on; `from` is empty.  For who worked on other threads. */
void arena_join(struct arena *a, struct arena *from);
/* Bytes handed out so far. */
size_t arena_used(const struct arena *a);
#define CLEANUP_ARENA __attribute__((cleanup(arena_release))) struct arena

/* Copies, with a NUL behind the text that the length does not count. */
char *arena_strdup(struct arena *a, const char *c_string);
struct str arena_str(struct arena *a, struct str s);
/* The same as arena_str, as a C string. */
char *arena_cstr(struct arena *a, struct str s);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct str arena_strf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define arena_new(a, type)      ((type *)arena_alloc((a), sizeof(type)))
#define arena_array(a, type, n) ((type *)arena_calloc((a), (n), sizeof(type)))

/*
 * Growable arrays in an arena: `struct { T *v; size_t n, cap; }`.
 *	*VEC_PUSH(arena, &list) = value;
 * Old storage stays in the arena until it is released.
 */
#define VEC_PUSH(a, list)                                                             \
	((list)->n < (list)->cap ? &(list)->v[(list)->n++]                            \
				 : ((list)->v = arena_grow((a), (list)->v, (list)->n, \
					    &(list)->cap, sizeof *(list)->v),         \
					   &(list)->v[(list)->n++]))
void *arena_grow(struct arena *a, void *old, size_t n, size_t *cap, size_t size);

/* For memory that outlives every phase or is freed singly: never NULL.  Freed with free(). */
void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *c_string);

#endif
