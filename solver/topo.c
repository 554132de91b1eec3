/* Order for installing: what a record depends on comes first. */
#include "base/table.h"
#include "solver/solve.h"

#include <stdlib.h>

/* Nodes stand in the order of record_cmp_name(), so a lower index is an earlier name. */
struct node {
	struct record *record;
	uint32_t *needs, *needed_by; /* indexes of nodes */
	size_t n_needs, n_needed_by;
	size_t waits; /* for how many of needs; those that are done do not count */
	bool done;
	uint32_t seen; /* by which walk */
};

struct sorting {
	struct arena arena;
	struct node *v;
	size_t n;
	uint32_t walks; /* begins at 1: no node has been seen by that */
	uint32_t *stack;
	uint64_t *ready; /* a bit for each node that waits for nothing and is not done */
};

static int cmp_record(const void *a, const void *b)
{
	return record_cmp_name(*(struct record *const *)a, *(struct record *const *)b);
}

/* "conda-forge::numpy >=1" is numpy. */
static struct str name_in(struct str spec)
{
	ptrdiff_t channel = str_find(spec, STR("::"));
	size_t n = 0;

	if (channel >= 0)
		spec = str_sub(spec, (size_t)channel + 2, spec.n);
	spec = str_trim(spec);
	while (n < spec.n && !strchr(" =<>!~[", spec.p[n]))
		n++;
	return str_sub(spec, 0, n);
}

static void find_needs(struct sorting *s, const struct table *by_name, size_t at)
{
	struct node *node = &s->v[at];
	const struct record *r = node->record;

	node->needs = arena_array(&s->arena, uint32_t, r->n_depends);
	for (size_t i = 0; i < r->n_depends; i++) {
		struct str name = name_in(r->depends[i]);
		union table_value *v = table_get(by_name, name);

		/* python <-> pip is the one common cycle: as in conda, python comes first. */
		if (v && v->num != at && !(str_is(r->name, "python") && str_is(name, "pip")))
			node->needs[node->n_needs++] = (uint32_t)v->num;
	}
}

/* The other way round, and who can go at once. */
static void link_nodes(struct sorting *s)
{
	for (size_t i = 0; i < s->n; i++) {
		s->v[i].waits = s->v[i].n_needs;
		for (size_t k = 0; k < s->v[i].n_needs; k++)
			s->v[s->v[i].needs[k]].n_needed_by++;
		if (s->v[i].waits == 0)
			s->ready[i / 64] |= UINT64_C(1) << i % 64;
	}
	for (size_t i = 0; i < s->n; i++) {
		s->v[i].needed_by = arena_array(&s->arena, uint32_t, s->v[i].n_needed_by);
		s->v[i].n_needed_by = 0;
	}
	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < s->v[i].n_needs; k++) {
			struct node *need = &s->v[s->v[i].needs[k]];

			need->needed_by[need->n_needed_by++] = (uint32_t)i;
		}
}

static void put(struct sorting *s, struct node *node)
{
	size_t at = (size_t)(node - s->v);

	node->done = true;
	s->ready[at / 64] &= ~(UINT64_C(1) << at % 64);
	for (size_t i = 0; i < node->n_needed_by; i++) {
		uint32_t by = node->needed_by[i];

		if (--s->v[by].waits == 0 && !s->v[by].done)
			s->ready[by / 64] |= UINT64_C(1) << by % 64;
	}
}

/*
 * How many nodes that are not done it waits for, at any distance, itself included; no more than
 * `most` are looked at.
 */
static size_t walk(struct sorting *s, uint32_t from, size_t most)
{
	size_t n = 0, depth = 0;

	s->v[from].seen = ++s->walks;
	s->stack[depth++] = from;
	while (depth && n < most) {
		const struct node *node = &s->v[s->stack[--depth]];

		n++;
		for (size_t i = 0; i < node->n_needs; i++) {
			struct node *need = &s->v[node->needs[i]];

			if (need->done || need->seen == s->walks)
				continue;
			need->seen = s->walks;
			s->stack[depth++] = node->needs[i];
		}
	}
	return n;
}

/*
 * The cycle that has to go next: a node that waits for fewest at any distance lies in one that
 * waits for nothing outside.  Its members then have the number s->walks.
 */
static void find_cycle(struct sorting *s)
{
	size_t fewest = SIZE_MAX;
	uint32_t in = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		size_t n = s->v[i].done ? SIZE_MAX : walk(s, i, fewest);

		if (n < fewest) {
			fewest = n;
			in = i;
		}
	}
	walk(s, in, SIZE_MAX);
}

/* The member that waits for fewest of the others, then by name; NULL: all are done. */
static struct node *next_of_cycle(struct sorting *s)
{
	size_t fewest = SIZE_MAX;
	struct node *best = NULL;

	for (size_t i = 0; i < s->n; i++) {
		struct node *node = &s->v[i];

		if (node->done || node->seen != s->walks || node->waits >= fewest)
			continue;
		fewest = node->waits;
		best = node;
	}
	return best;
}

static struct node *next_ready(struct sorting *s)
{
	for (size_t w = 0; w < (s->n + 63) / 64; w++)
		if (s->ready[w])
			return &s->v[w * 64 + (size_t)__builtin_ctzll(s->ready[w])];
	return NULL;
}

static void put_in_order(struct sorting *s, struct record **records)
{
	size_t n = 0;

	while (n < s->n) {
		struct node *node = next_ready(s);

		if (node) {
			put(s, node);
			records[n++] = node->record;
			continue;
		}
		/* A cycle goes as a whole, before what hangs on one of its members. */
		find_cycle(s);
		while ((node = next_of_cycle(s))) {
			put(s, node);
			records[n++] = node->record;
		}
	}
}

void records_topological(struct record **records, size_t n)
{
	struct sorting s = {.n = n, .walks = 1};
	struct table by_name = {.arena = &s.arena};

	if (n == 0)
		return;
	qsort(records, n, sizeof *records, cmp_record);
	s.v = arena_array(&s.arena, struct node, n);
	s.stack = arena_array(&s.arena, uint32_t, n);
	s.ready = arena_array(&s.arena, uint64_t, n / 64 + 1);
	for (size_t i = 0; i < n; i++) {
		s.v[i].record = records[i];
		table_put(&by_name, records[i]->name)->num = i;
	}
	for (size_t i = 0; i < n; i++)
		find_needs(&s, &by_name, i);
	link_nodes(&s);
	put_in_order(&s, records);
	arena_release(&s.arena);
}
