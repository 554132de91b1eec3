/*
 * YAML 1.1 as a tree with line and column, over libyaml's event API.
 *
 * Used for environment.yml, envbuild.yml, target profiles and locks.  Limits: 64 MiB of text,
 * 64 levels, aliases and merge keys (<<) are resolved but a document whose aliases expand to more
 * than 1,000,000 nodes is refused, as are duplicate keys, multiple documents and tags other than
 * YAML's own.  Aliased nodes are shared: the tree is to be read, not changed.
 */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAP };

struct yaml {
	enum yaml_kind kind;
	bool plain;          /* a scalar without quotes or block style */
	int line, column;    /* from 1 */
	struct str text;     /* scalar */
	size_t n;            /* items of a sequence, pairs of a map */
	struct yaml **items; /* sequence items, map values */
	struct yaml **keys;  /* map keys (always scalars) */
};

/*
 * Parses text; name stands in errors, which read "NAME:LINE:COLUMN: reason" (ERR_INPUT).
 * An empty document gives *out == NULL.  The tree lives in the arena.
 */
int yaml_parse(
	struct arena *a, const char *name, struct str text, struct yaml **out, struct err *e);
/* The value of a key of a map, or NULL. NULL map is allowed. */
struct yaml *yaml_get(const struct yaml *map, const char *key);
/* Is it a plain null, ~ or empty scalar? NULL counts. */
bool yaml_is_null(const struct yaml *y);
/* ERR_INPUT "NAME:LINE:COLUMN: ..." at a node; -1. */
int yaml_fail(const char *name, const struct yaml *at, struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/*
 * Writes a scalar so that YAML 1.1 and 1.2 readers read it back as the same string: plain where
 * that is safe in block style, else single- or double-quoted on one line.  Invalid UTF-8 becomes
 * U+FFFD.
 */
struct buf;
void yaml_write_scalar(struct buf *to, struct str s);

#endif
