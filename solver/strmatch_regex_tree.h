/*
 * A regular expression as a tree: what strmatch_regex_parse.c makes of the text and
 * strmatch_regex.c turns into steps.
 */
#ifndef SOLVER_STRMATCH_REGEX_TREE_H
#define SOLVER_STRMATCH_REGEX_TREE_H

#include "solver/strmatch_regex.h"

enum { REGEX_UNBOUNDED = -1 };

enum regex_node_kind {
	REGEX_NODE_EMPTY,
	REGEX_NODE_SET,
	REGEX_NODE_START,
	REGEX_NODE_END,
	REGEX_NODE_BORDER,
	REGEX_NODE_NO_BORDER,
	REGEX_NODE_BOTH,
	REGEX_NODE_EITHER,
	REGEX_NODE_REPEAT,
};

/* Bytes. */
struct regex_set {
	uint64_t bits[4];
};

struct regex_node {
	enum regex_node_kind kind;
	const struct regex_node *left, *right;
	const struct regex_set *set;
	int min, max; /* REGEX_UNBOUNDED */
};

static inline bool regex_set_has(const struct regex_set *s, uint8_t c)
{
	return s->bits[c / 64] >> c % 64 & 1;
}

/* A letter, a digit or "_". */
static inline bool regex_word_byte(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '_';
}

/* The tree, in the arena; errors as regex_compile(). */
int regex_parse(struct arena *a, struct str text, const char *origin, const struct regex_node **out,
	struct err *e);

#endif
