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
	bool v6;                /* rattler's version 6: platforms are subdirs, defined by use */
	struct table sources;   /* version 6: paths of packages that are built from source */
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
/* May it become a part of a file's name, and stand in a lock as it is?  UTF-8 without spaces. */
bool lock_file_word(struct str s);

/* --- what a URL tells ----------------------------------------------------------------------- */

/* Fills in file name, name, version, build, its number, subdir and channel from out->url. */
void lock_derive(struct arena *a, struct record *out);
/* The map's name, version, build, subdir, channel and file name over what the URL tells. */
int lock_read_identity(
	const struct lock_reader *r, const struct yaml *y, struct record *out, struct err *e);

/* --- locks of others ------------------------------------------------------------------------ */

bool lock_is_explicit(struct str text);
int lock_read_explicit(struct lock_reader *r, struct str text, struct err *e);
bool lock_is_conda_lock(const struct yaml *root);
int lock_read_conda_lock(struct lock_reader *r, const struct yaml *root, struct err *e);

/* One platform of a lock that lists packages in the order of installing. */
struct lock_listing {
	struct str subdir;
	struct {
		struct record **v;
		size_t n, cap;
	} records;
	struct {
		struct pypi_package *v;
		size_t n, cap;
	} pypi;
	size_t n_skipped, n_optional;
};

/* The URL without credentials, which are noted in the lock for the channel that they belong to. */
struct str lock_public_url(struct lock_reader *r, struct str url);
/*
 * Appends a wheel at a URL.  What is no wheel by URL with its sum cannot be had by its lock alone
 * and is counted as passed over.
 */
void lock_list_wheel(struct lock_reader *r, struct lock_listing *l, struct pypi_package package);
/* Enters the listing as a target.  A name that is there twice: -1, and it is *twice. */
int lock_enter_listing(struct lock_reader *r, const struct lock_listing *l, struct str *twice);

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
