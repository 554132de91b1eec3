/* Packages of PyPI in a lock: rattler's `pypi` records, with keys of our own for built wheels. */
#include "solver/lock_reader.h"

#include "base/hash.h"
#include "solver/dist_name.h"
#include "solver/pep508.h"
#include "solver/requirements.h"

#include <stdlib.h>

/* Packages of one location, told apart by the wheel that was built. */
struct pypi_variant {
	struct pypi_package package;
	struct pypi_variant *next;
};

static int get_pypi_name(
	const struct lock_reader *r, const struct yaml *y, struct pypi_package *out, struct err *e)
{
	struct yaml *name;

	if (lock_field(r, y, "name", YAML_SCALAR, &name, e) < 0)
		return -1;
	if (!pypi_name_is_valid(name->text))
		return yaml_fail(r->name, name, e, "'%.*s' is not the name of a Python package",
			STR_ARG(name->text));
	out->name = pypi_normal_name(r->a, name->text);
	return 0;
}

/* Does the location name a file that may be one in the cache, a repository or a folder? */
static int check_location(
	const struct lock_reader *r, const struct yaml *at, struct str url, struct err *e)
{
	struct pypi_git git;

	for (size_t i = 0; i < url.n; i++)
		if ((unsigned char)url.p[i] <= ' ' || url.p[i] == 0x7f)
			return lock_field_fail(r, at, e, "'pypi' is neither a URL nor a path");
	if (str_starts(url, STR("git+")) && pypi_git_split(r->a, url, &git) < 0)
		return lock_field_fail(r, at, e, "'pypi' is not a git URL");
	return url.n ? 0 : lock_field_fail(r, at, e, "'pypi' is empty");
}

static int get_wheel(
	const struct lock_reader *r, const struct yaml *y, struct pypi_package *out, struct err *e)
{
	struct dist_name wheel;
	bool given = false;

	if (lock_field_text(r, y, "envbuild-wheel", &out->wheel, e) < 0 ||
		lock_field_hash(r, y, "envbuild-wheel-sha256", out->wheel_sha256, SHA256_LEN,
			&given, e) < 0 ||
		lock_field_hash(r, y, "envbuild-source-sha256", out->source_sha256, SHA256_LEN,
			&out->has_source_sha256, e) < 0)
		return -1;
	if (given != (out->wheel.n > 0))
		return lock_field_fail(
			r, y, e, "'envbuild-wheel' and 'envbuild-wheel-sha256' go together");
	if (!given)
		return 0;
	if (dist_name_parse(r->a, out->wheel, &wheel) < 0 || wheel.kind != DIST_WHEEL ||
		!str_eq(wheel.name, out->name))
		return lock_field_fail(r, y, e, "'envbuild-wheel' is not a wheel's name");
	return 0;
}

static bool same_variant(const struct pypi_package *a, const struct pypi_package *b)
{
	return str_eq(a->wheel, b->wheel) &&
	       memcmp(a->wheel_sha256, b->wheel_sha256, SHA256_LEN) == 0;
}

int lock_read_pypi(struct lock_reader *r, const struct yaml *y, struct err *e)
{
	struct pypi_variant *new = arena_new(r->a, struct pypi_variant), *old;
	struct pypi_package *p = &new->package;
	struct yaml *url;
	union table_value *slot;

	if (lock_field(r, y, "pypi", YAML_SCALAR, &url, e) < 0 ||
		check_location(r, url, url->text, e) < 0 || get_pypi_name(r, y, p, e) < 0)
		return -1;
	p->url = url->text;
	if (lock_field_text(r, y, "version", &p->version, e) < 0 ||
		lock_field_hash(r, y, "sha256", p->sha256, SHA256_LEN, &p->has_sha256, e) < 0 ||
		lock_field_text(r, y, "index", &p->index, e) < 0 ||
		lock_field_texts(r, y, "requires_dist", &p->requires_dist, &p->n_requires_dist, e) <
			0 ||
		lock_field_text(r, y, "requires_python", &p->requires_python, e) < 0 ||
		get_wheel(r, y, p, e) < 0)
		return -1;
	if (p->version.n && !lock_file_word(p->version))
		return lock_field_fail(r, y, e, "'version' is not fit for a file's name");
	slot = table_put(&r->pypi, p->url);
	for (old = slot->ptr; old; old = old->next)
		if (same_variant(&old->package, p))
			return lock_field_fail(r, y, e, "this package is there twice");
	new->next = slot->ptr;
	slot->ptr = new;
	return 0;
}

static int cmp_pypi(const void *a, const void *b)
{
	return str_cmp(
		((const struct pypi_package *)a)->name, ((const struct pypi_package *)b)->name);
}

/* wheel: what the selection says; NULL: nothing, as where there is but one. */
static const struct pypi_variant *find_variant(const struct pypi_variant *v, const uint8_t *wheel)
{
	const struct pypi_variant *only = v->next ? NULL : v;

	for (; v; v = v->next) {
		if (!wheel && !v->package.wheel.n)
			return v;
		if (wheel && v->package.wheel.n &&
			memcmp(v->package.wheel_sha256, wheel, SHA256_LEN) == 0)
			return v;
	}
	return wheel ? NULL : only;
}

/* Where several wheels were built of one location, the selection says which it means. */
int lock_select_pypi(
	struct lock_reader *r, struct lock_target *t, const struct yaml *y, struct err *e)
{
	const struct pypi_variant *v;
	uint8_t wheel[SHA256_LEN];
	union table_value *found;
	bool given = false;
	struct yaml *url;

	if (lock_field(r, y, "pypi", YAML_SCALAR, &url, e) < 0 ||
		lock_field_hash(r, y, "envbuild-wheel-sha256", wheel, sizeof wheel, &given, e) < 0)
		return -1;
	found = table_get(&r->pypi, url->text);
	if (!found)
		return yaml_fail(r->name, url, e, "'packages' has no '%.*s'", STR_ARG(url->text));
	v = find_variant(found->ptr, given ? wheel : NULL);
	if (!v)
		return yaml_fail(r->name, url, e, "which of the wheels of '%.*s' is meant?",
			STR_ARG(url->text));
	t->pypi.v[t->pypi.n++] = v->package;
	return 0;
}

int lock_sort_pypi(
	const struct lock_reader *r, const struct yaml *at, struct pypi_set *set, struct err *e)
{
	if (set->n)
		qsort(set->v, set->n, sizeof *set->v, cmp_pypi);
	for (size_t i = 1; i < set->n; i++)
		if (str_eq(set->v[i].name, set->v[i - 1].name))
			return yaml_fail(r->name, at, e, "the Python package '%.*s' is there twice",
				STR_ARG(set->v[i].name));
	/* What a lock says of a target is the whole of it, be it nothing. */
	set->settled = true;
	return 0;
}
