/* Private to solver/lock_read*.c and lock_fields.c: a lock file while it is read. */
#ifndef SOLVER_LOCK_READER_H
#define SOLVER_LOCK_READER_H

#include "base/table.h"
#include "base/yaml.h"
#include "solver/lock.h"

struct lock_reader {
	struct arena *a;
	const char *name;
	struct lock *out;
	struct table platforms; /* name -> struct lock_target */
	struct table packages;  /* URL -> struct record */
	struct table pypi;      /* location -> struct pypi_variant */
};

/* --- fields of maps: ERR_INPUT with line and column ----------------------------------------- */

int lock_field_fail(
	const struct lock_reader *r, const struct yaml *at, struct err *e, const char *what);
int lock_field_is(const struct lock_reader *r, const struct yaml *y, enum yaml_kind kind,
	const char *what, struct err *e);
/* A value that has to be there. */
int lock_field(const struct lock_reader *r, const struct yaml *map, const char *key,
	enum yaml_kind kind, struct yaml **out, struct err *e);
/* These may be missing; then *out is left alone. */
int lock_field_text(const struct lock_reader *r, const struct yaml *map, const char *key,
	struct str *out, struct err *e);
int lock_field_texts(const struct lock_reader *r, const struct yaml *map, const char *key,
	struct str **out, size_t *n, struct err *e);
int lock_field_number(const struct lock_reader *r, const struct yaml *map, const char *key,
	uint64_t *out, struct err *e);
int lock_field_hash(const struct lock_reader *r, const struct yaml *map, const char *key,
	uint8_t *out, size_t n, bool *given, struct err *e);
/* May it become a part of a file's name? */
bool lock_file_word(struct str s);

/* --- packages of PyPI ----------------------------------------------------------------------- */

/* An entry of the lock's list of packages. */
int lock_read_pypi(struct lock_reader *r, const struct yaml *y, struct err *e);
/* An entry of a target's list: added to its set, which has room. */
int lock_select_pypi(
	struct lock_reader *r, struct lock_target *t, const struct yaml *y, struct err *e);
/* The set is whole: sorted, and each name once. */
int lock_sort_pypi(
	const struct lock_reader *r, const struct yaml *at, struct pypi_set *set, struct err *e);

#endif
