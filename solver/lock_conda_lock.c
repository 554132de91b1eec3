/*
 * conda-lock.yml, version 1: packages of several platforms in one list, told apart by name,
 * manager, platform and category.  Taken are those of the category "main", as micromamba does.
 */
#include "solver/lock_reader.h"

#include "base/hash.h"
#include "solver/lock_form.h"

struct conda_lock {
	struct lock_reader *r;
	struct table platforms; /* subdir -> struct lock_listing */
};

bool lock_is_conda_lock(const struct yaml *root)
{
	const struct yaml *version = yaml_get(root, "version");

	return yaml_get(root, "package") && yaml_get(root, "metadata") && version &&
	       version->kind == YAML_SCALAR && str_is(version->text, "1");
}

/* --- metadata ------------------------------------------------------------------------------- */

static int read_channel(
	struct lock_reader *r, struct channel_list *list, const struct yaml *y, struct err *e)
{
	struct err why = {0};
	struct yaml *url;

	if (y->kind == YAML_MAP) {
		if (lock_field(r, y, "url", YAML_SCALAR, &url, e) < 0)
			return -1;
		y = url;
	}
	if (lock_field_is(r, y, YAML_SCALAR, "a channel", e) < 0)
		return -1;
	if (channel_add(r->a, list, y->text, NULL, ".", &why) == 0)
		return 0;
	yaml_fail(r->name, y, e, "%s", why.text);
	err_release(&why);
	return -1;
}

static int read_channels(struct lock_reader *r, const struct yaml *metadata, struct err *e)
{
	const struct yaml *y = yaml_get(metadata, "channels");
	struct lock *lock = r->out;
	struct channel_list list = {0};

	if (yaml_is_null(y))
		return 0;
	if (lock_field_is(r, y, YAML_SEQUENCE, "channels", e) < 0)
		return -1;
	for (size_t i = 0; i < y->n; i++)
		if (read_channel(r, &list, y->items[i], e) < 0)
			return -1;
	lock->channels = arena_array(r->a, struct str, list.n);
	for (size_t i = 0; i < list.n; i++) {
		lock->channels[lock->n_channels++] = list.v[i].url;
		if (!str_is(list.v[i].url, list.v[i].fetch_url))
			*VEC_PUSH(r->a, &lock->credentials) = list.v[i];
	}
	return 0;
}

static int read_platforms(struct conda_lock *c, const struct yaml *metadata, struct err *e)
{
	struct yaml *list;

	if (lock_field(c->r, metadata, "platforms", YAML_SEQUENCE, &list, e) < 0)
		return -1;
	for (size_t i = 0; i < list->n; i++) {
		const struct yaml *y = list->items[i];
		struct lock_listing *l = arena_new(c->r->a, struct lock_listing);

		if (lock_field_is(c->r, y, YAML_SCALAR, "a platform", e) < 0)
			return -1;
		if (!subdir_is_known(y->text) || str_is(y->text, "noarch"))
			return yaml_fail(c->r->name, y, e, "'%.*s' is not a known platform",
				STR_ARG(y->text));
		if (table_get(&c->platforms, y->text))
			return yaml_fail(c->r->name, y, e, "platform '%.*s' is there twice",
				STR_ARG(y->text));
		l->subdir = y->text;
		table_put(&c->platforms, y->text)->ptr = l;
	}
	return 0;
}

/* --- packages ------------------------------------------------------------------------------- */

static int read_depends(struct lock_reader *r, const struct yaml *y, bool python, struct str **out,
	size_t *n, struct err *e)
{
	const struct yaml *map = yaml_get(y, "dependencies");

	if (yaml_is_null(map))
		return 0;
	if (lock_field_is(r, map, YAML_MAP, "dependencies", e) < 0)
		return -1;
	*out = arena_array(r->a, struct str, map->n);
	for (size_t i = 0; i < map->n; i++) {
		struct str name = map->keys[i]->text, what = map->items[i]->text;

		if (lock_field_is(r, map->items[i], YAML_SCALAR, "a dependency", e) < 0)
			return -1;
		if (yaml_is_null(map->items[i]) || (python && str_is(what, "*")))
			what.n = 0;
		(*out)[i] =
			what.n ? arena_strf(r->a, "%.*s %.*s", STR_ARG(name), STR_ARG(what)) : name;
	}
	*n = map->n;
	return 0;
}

static int read_conda(
	struct lock_reader *r, struct lock_listing *l, const struct yaml *y, struct err *e)
{
	struct record *record = arena_new(r->a, struct record);
	const struct yaml *hash = yaml_get(y, "hash");
	struct yaml *url;

	if (lock_field(r, y, "url", YAML_SCALAR, &url, e) < 0)
		return -1;
	record->url = lock_public_url(r, url->text);
	if (lock_read_identity(r, y, record, e) < 0 ||
		read_depends(r, y, false, &record->depends, &record->n_depends, e) < 0)
		return -1;
	if (!str_is(record->subdir, "noarch") && !str_eq(record->subdir, l->subdir))
		return yaml_fail(r->name, url, e, "a package for %.*s in a list for %.*s",
			STR_ARG(record->subdir), STR_ARG(l->subdir));
	if (!yaml_is_null(hash) && (lock_field_is(r, hash, YAML_MAP, "hash", e) < 0 ||
					   lock_field_hash(r, hash, "md5", record->md5, MD5_LEN,
						   &record->has_md5, e) < 0 ||
					   lock_field_hash(r, hash, "sha256", record->sha256,
						   SHA256_LEN, &record->has_sha256, e) < 0))
		return -1;
	record->noarch = derive_noarch(record->subdir, record->build);
	record->constrains_unknown = true;
	*VEC_PUSH(r->a, &l->records) = record;
	return 0;
}

static int read_pip(
	struct lock_reader *r, struct lock_listing *l, const struct yaml *y, struct err *e)
{
	const struct yaml *hash = yaml_get(y, "hash");
	struct pypi_package p = {0};
	struct yaml *name, *url;

	if (lock_field(r, y, "name", YAML_SCALAR, &name, e) < 0 ||
		lock_field(r, y, "url", YAML_SCALAR, &url, e) < 0 ||
		read_depends(r, y, true, &p.requires_dist, &p.n_requires_dist, e) < 0)
		return -1;
	if (!yaml_is_null(hash) && (lock_field_is(r, hash, YAML_MAP, "hash", e) < 0 ||
					   lock_field_hash(r, hash, "sha256", p.sha256, SHA256_LEN,
						   &p.has_sha256, e) < 0))
		return -1;
	p.name = name->text;
	p.url = url->text;
	lock_list_wheel(r, l, p);
	return 0;
}

static int read_package(struct conda_lock *c, const struct yaml *y, struct err *e)
{
	struct lock_reader *r = c->r;
	struct str category = STR("main"), optional = STR("false");
	struct yaml *manager, *platform;
	union table_value *found;

	if (lock_field_is(r, y, YAML_MAP, "a package", e) < 0 ||
		lock_field(r, y, "manager", YAML_SCALAR, &manager, e) < 0 ||
		lock_field(r, y, "platform", YAML_SCALAR, &platform, e) < 0 ||
		lock_field_text(r, y, "category", &category, e) < 0 ||
		lock_field_text(r, y, "optional", &optional, e) < 0)
		return -1;
	found = table_get(&c->platforms, platform->text);
	if (!found)
		return yaml_fail(r->name, platform, e, "platform '%.*s' is not in the metadata",
			STR_ARG(platform->text));
	if (!str_is(category, "main") || str_is(optional, "true")) {
		((struct lock_listing *)found->ptr)->n_optional++;
		return 0;
	}
	if (str_is(manager->text, "conda"))
		return read_conda(r, found->ptr, y, e);
	if (str_is(manager->text, "pip"))
		return read_pip(r, found->ptr, y, e);
	return yaml_fail(r->name, manager, e, "'manager' is neither conda nor pip");
}

int lock_read_conda_lock(struct lock_reader *r, const struct yaml *root, struct err *e)
{
	struct conda_lock c = {.r = r, .platforms = {.arena = r->a}};
	struct yaml *metadata, *packages;
	struct str twice;

	if (lock_field(r, root, "metadata", YAML_MAP, &metadata, e) < 0 ||
		lock_field(r, root, "package", YAML_SEQUENCE, &packages, e) < 0 ||
		read_channels(r, metadata, e) < 0 || read_platforms(&c, metadata, e) < 0)
		return -1;
	for (size_t i = 0; i < packages->n; i++)
		if (read_package(&c, packages->items[i], e) < 0)
			return -1;
	for (size_t i = 0; i < c.platforms.n; i++)
		if (lock_enter_listing(r, c.platforms.entries[i].value.ptr, &twice) < 0)
			return yaml_fail(
				r->name, packages, e, "'%.*s' is there twice", STR_ARG(twice));
	return 0;
}
