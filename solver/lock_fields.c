/* What the fields of a lock's maps must be. */
#include "solver/lock_reader.h"

#include "base/hash.h"

int lock_field_fail(
	const struct lock_reader *r, const struct yaml *at, struct err *e, const char *what)
{
	return yaml_fail(r->name, at, e, "%s", what);
}

int lock_field_is(const struct lock_reader *r, const struct yaml *y, enum yaml_kind kind,
	const char *what, struct err *e)
{
	static const char *const kinds[] = {
		[YAML_SCALAR] = "a text", [YAML_SEQUENCE] = "a list", [YAML_MAP] = "a map"};

	if (y->kind == kind)
		return 0;
	return yaml_fail(r->name, y, e, "%s is not %s", what, kinds[kind]);
}

/* A value that has to be there. */
int lock_field(const struct lock_reader *r, const struct yaml *map, const char *key,
	enum yaml_kind kind, struct yaml **out, struct err *e)
{
	*out = yaml_get(map, key);
	if (!*out)
		return yaml_fail(r->name, map, e, "'%s' is missing", key);
	return lock_field_is(r, *out, kind, key, e);
}

/* A text that may be missing; then *out is left alone. */
int lock_field_text(const struct lock_reader *r, const struct yaml *map, const char *key,
	struct str *out, struct err *e)
{
	const struct yaml *y = yaml_get(map, key);

	if (yaml_is_null(y))
		return 0;
	if (lock_field_is(r, y, YAML_SCALAR, key, e) < 0)
		return -1;
	*out = y->text;
	return 0;
}

int lock_field_texts(const struct lock_reader *r, const struct yaml *map, const char *key,
	struct str **out, size_t *n, struct err *e)
{
	const struct yaml *y = yaml_get(map, key);

	if (yaml_is_null(y))
		return 0;
	if (lock_field_is(r, y, YAML_SEQUENCE, key, e) < 0)
		return -1;
	*n = y->n;
	*out = arena_array(r->a, struct str, y->n);
	for (size_t i = 0; i < y->n; i++) {
		if (lock_field_is(r, y->items[i], YAML_SCALAR, key, e) < 0)
			return -1;
		(*out)[i] = y->items[i]->text;
	}
	return 0;
}

int lock_field_number(const struct lock_reader *r, const struct yaml *map, const char *key,
	uint64_t *out, struct err *e)
{
	const struct yaml *y = yaml_get(map, key);

	if (yaml_is_null(y))
		return 0;
	if (y->kind != YAML_SCALAR || str_u64(y->text, INT64_MAX, out) < 0)
		return yaml_fail(r->name, y, e, "'%s' is not a number", key);
	return 0;
}

int lock_field_hash(const struct lock_reader *r, const struct yaml *map, const char *key,
	uint8_t *out, size_t n, bool *given, struct err *e)
{
	const struct yaml *y = yaml_get(map, key);

	if (yaml_is_null(y))
		return 0;
	if (y->kind != YAML_SCALAR || hex_decode(y->text, out, n) < 0)
		return yaml_fail(r->name, y, e, "'%s' is not %zu hexadecimal digits", key, 2 * n);
	*given = true;
	return 0;
}

/* These become parts of file names, and are written again: a URL can hide any bytes. */
bool lock_file_word(struct str s)
{
	for (size_t i = 0; i < s.n;) {
		size_t n = utf8_sequence(str_sub(s, i, s.n));

		if (n == 0 || s.p[i] == '/' || (unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
		i += n;
	}
	return s.n > 0 && s.n < 255 && s.p[0] != '.';
}
