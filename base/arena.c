#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define POISON(p, n)   ASAN_POISON_MEMORY_REGION((p), (n))
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#else
#define POISON(p, n)   ((void)0)
#define UNPOISON(p, n) ((void)0)
#endif

enum { ALIGN = 16, FIRST_BLOCK = 16 << 10, LARGEST_STEP = 4 << 20 };

struct arena_block {
	struct arena_block *next;
	size_t size, used;
	_Alignas(ALIGN) char data[];
};

static void out_of_memory(size_t size)
{
	fprintf(stderr, "envbuild: out of memory: %zu bytes more were asked for\n", size);
	abort();
}

void *xmalloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	if (!p)
		out_of_memory(size);
	return p;
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		out_of_memory(size);
	return p;
}

void *xrealloc(void *old, size_t size)
{
	void *p = realloc(old, size ? size : 1);

	if (!p)
		out_of_memory(size);
	return p;
}

char *xstrdup(const char *c_string)
{
	size_t n = strlen(c_string) + 1;

	return memcpy(xmalloc(n), c_string, n);
}

static struct arena_block *add_block(struct arena *a, size_t need)
{
	size_t size = a->head ? a->head->size * 2 : FIRST_BLOCK;
	struct arena_block *b;

	if (size > LARGEST_STEP)
		size = LARGEST_STEP;
	if (size < need)
		size = need;
	b = xmalloc(sizeof *b + size);
	b->next = a->head;
	b->size = size;
	b->used = 0;
	a->head = b;
	POISON(b->data, size);
	return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
	size_t need = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	struct arena_block *b = a->head;
	char *p;

	if (need < size)
		out_of_memory(size);
	if (!b || b->size - b->used < need)
		b = add_block(a, need);
	p = b->data + b->used;
	b->used += need;
	UNPOISON(p, size);
	return memset(p, 0, size);
}

void *arena_calloc(struct arena *a, size_t n, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(n, size, &total))
		out_of_memory(SIZE_MAX);
	return arena_alloc(a, total);
}

static void free_blocks(struct arena_block *b)
{
	while (b) {
		struct arena_block *next = b->next;

		UNPOISON(b->data, b->size);
		free(b);
		b = next;
	}
}

void arena_release(struct arena *a)
{
	free_blocks(a->head);
	a->head = NULL;
}

void arena_reset(struct arena *a)
{
	struct arena_block *b = a->head;

	if (!b)
		return;
	free_blocks(b->next);
	b->next = NULL;
	b->used = 0;
	POISON(b->data, b->size);
}

void arena_join(struct arena *a, struct arena *from)
{
	struct arena_block **end = &a->head;

	/* Behind our own: the newest of these has room. */
	while (*end)
		end = &(*end)->next;
	*end = from->head;
	from->head = NULL;
}

size_t arena_used(const struct arena *a)
{
	size_t sum = 0;

	for (const struct arena_block *b = a->head; b; b = b->next)
		sum += b->used;
	return sum;
}

char *arena_strdup(struct arena *a, const char *c_string)
{
	return arena_cstr(a, str_of(c_string));
}

char *arena_cstr(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);

	if (s.n)
		memcpy(p, s.p, s.n);
	return p;
}

struct str arena_str(struct arena *a, struct str s)
{
	return str_n(arena_cstr(a, s), s.n);
}

__attribute__((format(printf, 2, 0))) static struct str format(
	struct arena *a, const char *fmt, va_list ap)
{
	va_list again;
	char *p;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0)
		n = 0;
	p = arena_alloc(a, (size_t)n + 1);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	return str_n(p, (size_t)n);
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	struct str s;
	va_list ap;

	va_start(ap, fmt);
	s = format(a, fmt, ap);
	va_end(ap);
	return (char *)s.p;
}

struct str arena_strf(struct arena *a, const char *fmt, ...)
{
	struct str s;
	va_list ap;

	va_start(ap, fmt);
	s = format(a, fmt, ap);
	va_end(ap);
	return s;
}

void *arena_grow(struct arena *a, void *old, size_t n, size_t *cap, size_t size)
{
	size_t grown = *cap ? *cap * 2 : 8;
	void *p = arena_calloc(a, grown, size);

	if (n)
		memcpy(p, old, n * size);
	*cap = grown;
	return p;
}
