#include "solver/lock.h"

#include "base/date.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/table.h"
#include "base/yaml.h"
#include "solver/dist_name.h"
#include "solver/lock_form.h"
#include "solver/lock_reader.h"

#include <stdlib.h>

enum { LOCK_MAX = 64 << 20 };

/* --- platforms ---------------------------------------------------------------------------- */

static bool target_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    strchr("-_.", c)))
			return false;
	}
	return s.n > 0;
}

static int read_platform(struct lock_reader *r, const struct yaml *y, struct err *e)
{
	struct lock_target *t = arena_new(r->a, struct lock_target);
	struct yaml *name;

	if (lock_field_is(r, y, YAML_MAP, "a platform", e) < 0 ||
		lock_field(r, y, "name", YAML_SCALAR, &name, e) < 0)
		return -1;
	t->name = t->subdir = name->text;
	if (lock_field_text(r, y, "subdir", &t->subdir, e) < 0 ||
		lock_field_texts(r, y, "virtual-packages", &t->virtual_packages,
			&t->n_virtual_packages, e) < 0)
		return -1;
	if (!target_name(t->name))
		return yaml_fail(
			r->name, name, e, "'%.*s' is not a platform's name", STR_ARG(t->name));
	if (!subdir_is_known(t->subdir) || str_is(t->subdir, "noarch"))
		return yaml_fail(r->name, y, e, "platform '%.*s': '%.*s' is not a known subdir",
			STR_ARG(t->name), STR_ARG(t->subdir));
	if (table_get(&r->platforms, t->name))
		return yaml_fail(
			r->name, y, e, "platform '%.*s' is defined twice", STR_ARG(t->name));
	table_put(&r->platforms, t->name)->ptr = t;
	return 0;
}

static int read_platforms(struct lock_reader *r, const struct yaml *root, struct err *e)
{
	struct yaml *list;

	if (lock_field(r, root, "platforms", YAML_SEQUENCE, &list, e) < 0)
		return -1;
	for (size_t i = 0; i < list->n; i++)
		if (read_platform(r, list->items[i], e) < 0)
			return -1;
	return 0;
}

/* --- packages ----------------------------------------------------------------------------- */

/* python, generic, true (generic, as old channels have it) or false. */
static int get_noarch(
	const struct lock_reader *r, const struct yaml *map, struct record *out, struct err *e)
{
	const struct yaml *y = yaml_get(map, "noarch");

	if (yaml_is_null(y)) {
		struct derived d = derive_from_url(out->url);

		out->noarch = derive_noarch(
			d.subdir.n ? d.subdir : out->subdir, d.build.n ? d.build : out->build);
		return 0;
	}
	if (y->kind == YAML_SCALAR && str_is(y->text, "python"))
		out->noarch = NOARCH_PYTHON;
	else if (y->kind == YAML_SCALAR && (str_is(y->text, "generic") || str_is(y->text, "true")))
		out->noarch = NOARCH_GENERIC;
	else if (y->kind == YAML_SCALAR && str_is(y->text, "false"))
		out->noarch = NOARCH_NONE;
	else
		return lock_field_fail(r, y, e, "'noarch' is neither python nor generic");
	return 0;
}

/* A list of words, or as older writers have it one text of them. */
static int get_features(
	const struct lock_reader *r, const struct yaml *map, struct str *out, struct err *e)
{
	const struct yaml *y = yaml_get(map, "track_features");
	struct str *words = NULL;
	size_t n = 0;

	if (yaml_is_null(y) || y->kind == YAML_SCALAR)
		return lock_field_text(r, map, "track_features", out, e);
	if (lock_field_texts(r, map, "track_features", &words, &n, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		*out = i ? arena_strf(r->a, "%.*s %.*s", STR_ARG(*out), STR_ARG(words[i]))
			 : words[i];
	return 0;
}

void lock_derive(struct arena *a, struct record *out)
{
	struct derived d = derive_from_url(out->url);

	out->fn = percent_decoded(a, d.fn);
	record_split_fn(out->fn, &out->name, &out->version, &out->build);
	out->build_number = derive_build_number(out->build);
	out->subdir = d.subdir;
	out->channel = d.channel;
}

int lock_read_identity(
	const struct lock_reader *r, const struct yaml *y, struct record *out, struct err *e)
{
	lock_derive(r->a, out);
	if (lock_field_text(r, y, "name", &out->name, e) < 0 ||
		lock_field_text(r, y, "version", &out->version, e) < 0 ||
		lock_field_text(r, y, "build", &out->build, e) < 0 ||
		lock_field_text(r, y, "subdir", &out->subdir, e) < 0 ||
		lock_field_text(r, y, "file_name", &out->fn, e) < 0 ||
		lock_field_text(r, y, "channel", &out->channel, e) < 0)
		return -1;
	while (out->channel.n && out->channel.p[out->channel.n - 1] == '/')
		out->channel.n--;
	if (!lock_file_word(out->name) || !lock_file_word(out->version) ||
		!lock_file_word(out->build) || !lock_file_word(out->fn))
		return lock_field_fail(
			r, y, e, "name, version or build is missing or not fit for a file's name");
	if (!subdir_is_known(out->subdir))
		return lock_field_fail(r, y, e, "'subdir' is missing or not a known one");
	out->build_number = derive_build_number(out->build);
	return lock_field_number(r, y, "build_number", &out->build_number, e);
}

static int get_purls(
	const struct lock_reader *r, const struct yaml *map, struct record *out, struct err *e)
{
	out->has_purls = !yaml_is_null(yaml_get(map, "purls"));
	return lock_field_texts(r, map, "purls", &out->purls, &out->n_purls, e);
}

/* Groups of optional dependencies (CEP 44), as record.h has them. */
static int get_extras(
	const struct lock_reader *r, const struct yaml *map, struct record *out, struct err *e)
{
	const struct yaml *groups = yaml_get(map, "extra_depends");
	struct {
		struct str *v;
		size_t n, cap;
	} all = {0};

	if (yaml_is_null(groups))
		return 0;
	if (lock_field_is(r, groups, YAML_MAP, "extra_depends", e) < 0)
		return -1;
	for (size_t i = 0; i < groups->n; i++) {
		struct str name = groups->keys[i]->text, *specs;
		size_t n;

		if (!extra_name_is_valid(name))
			return lock_field_fail(r, groups, e, "a group's name is not one");
		if (lock_field_texts(r, groups, arena_cstr(r->a, name), &specs, &n, e) < 0)
			return -1;
		*VEC_PUSH(r->a, &all) = arena_strf(r->a, "%.*s ", STR_ARG(name));
		for (size_t k = 0; k < n; k++)
			*VEC_PUSH(r->a, &all) = arena_strf(
				r->a, "%.*s %.*s", STR_ARG(name), STR_ARG(str_trim(specs[k])));
	}
	out->extras = all.v;
	out->n_extras = all.n;
	return 0;
}

static int get_rest(
	const struct lock_reader *r, const struct yaml *y, struct record *out, struct err *e)
{
	if (lock_field_hash(r, y, "sha256", out->sha256, SHA256_LEN, &out->has_sha256, e) < 0 ||
		lock_field_hash(r, y, "md5", out->md5, MD5_LEN, &out->has_md5, e) < 0 ||
		lock_field_texts(r, y, "depends", &out->depends, &out->n_depends, e) < 0 ||
		lock_field_texts(r, y, "constrains", &out->constrains, &out->n_constrains, e) < 0 ||
		get_extras(r, y, out, e) < 0 ||
		lock_field_text(r, y, "features", &out->features, e) < 0 ||
		get_features(r, y, &out->track_features, e) < 0 ||
		lock_field_text(r, y, "license", &out->license, e) < 0 ||
		lock_field_text(r, y, "license_family", &out->license_family, e) < 0 ||
		lock_field_number(r, y, "size", &out->size, e) < 0 ||
		lock_field_number(r, y, "timestamp", &out->timestamp, e) < 0 ||
		get_purls(r, y, out, e) < 0 ||
		lock_field_text(
			r, y, "python_site_packages_path", &out->python_site_packages_path, e) < 0)
		return -1;
	out->timestamp = record_milliseconds(out->timestamp);
	return 0;
}

/* Version 6 says of a package that is built from source where its folder is. */
static bool is_source(struct str url)
{
	return !str_ends(url, STR(".conda")) && !str_ends(url, STR(".tar.bz2"));
}

/* --- the list ----------------------------------------------------------------------------- */

static int read_package(struct lock_reader *r, const struct yaml *y, struct err *e)
{
	struct record *record = arena_new(r->a, struct record);
	const struct yaml *url;

	if (lock_field_is(r, y, YAML_MAP, "a package", e) < 0)
		return -1;
	url = yaml_get(y, "conda");
	if (!url) {
		if (yaml_get(y, "pypi"))
			return lock_read_pypi(r, y, e);
		if (yaml_get(y, "conda_source"))
			return 0;
		return lock_field_fail(
			r, y, e, "a package is neither conda, conda_source nor pypi");
	}
	if (lock_field_is(r, url, YAML_SCALAR, "conda", e) < 0)
		return -1;
	record->url = url->text;
	if (r->v6 && is_source(url->text)) {
		table_put(&r->sources, url->text);
		return 0;
	}
	if (lock_read_identity(r, y, record, e) < 0 || get_noarch(r, y, record, e) < 0 ||
		get_rest(r, y, record, e) < 0)
		return -1;
	if (table_get(&r->packages, record->url))
		return lock_field_fail(r, y, e, "this package is there twice");
	table_put(&r->packages, record->url)->ptr = record;
	return 0;
}

static int read_packages(struct lock_reader *r, const struct yaml *root, struct err *e)
{
	struct yaml *list;

	if (lock_field(r, root, "packages", YAML_SEQUENCE, &list, e) < 0)
		return -1;
	for (size_t i = 0; i < list->n; i++)
		if (read_package(r, list->items[i], e) < 0)
			return -1;
	return 0;
}

/* --- environments ------------------------------------------------------------------------- */

static int cmp_record(const void *a, const void *b)
{
	return record_cmp_name(*(struct record *const *)a, *(struct record *const *)b);
}

static int add_selected(
	struct lock_reader *r, struct lock_target *t, const struct yaml *y, struct err *e)
{
	const struct yaml *url;
	union table_value *found;

	if (lock_field_is(r, y, YAML_MAP, "a package", e) < 0)
		return -1;
	if (yaml_get(y, "pypi"))
		return lock_select_pypi(r, t, y, e);
	url = yaml_get(y, "conda");
	if (!url) {
		t->n_skipped++;
		return 0;
	}
	if (lock_field_is(r, url, YAML_SCALAR, "conda", e) < 0)
		return -1;
	found = table_get(&r->packages, url->text);
	if (!found && table_get(&r->sources, url->text)) {
		t->n_skipped++;
		return 0;
	}
	if (!found)
		return yaml_fail(r->name, url, e, "'packages' has no '%.*s'", STR_ARG(url->text));
	t->records[t->n_records++] = found->ptr;
	return 0;
}

/* Version 6 has no list of platforms. */
static int define_platform(struct lock_reader *r, const struct yaml *key, struct err *e)
{
	struct lock_target *t;

	if (table_get(&r->platforms, key->text))
		return 0;
	if (!subdir_is_known(key->text) || str_is(key->text, "noarch"))
		return yaml_fail(
			r->name, key, e, "'%.*s' is not a platform's name", STR_ARG(key->text));
	t = arena_new(r->a, struct lock_target);
	t->name = t->subdir = key->text;
	table_put(&r->platforms, key->text)->ptr = t;
	return 0;
}

/* The packages of one target in one environment. */
static int read_selection(struct lock_reader *r, const struct yaml *key, const struct yaml *list,
	struct lock_target *out, struct err *e)
{
	union table_value *platform;

	if (r->v6 && define_platform(r, key, e) < 0)
		return -1;
	platform = table_get(&r->platforms, key->text);
	if (!platform)
		return yaml_fail(
			r->name, key, e, "platform '%.*s' is not defined", STR_ARG(key->text));
	*out = *(struct lock_target *)platform->ptr;
	if (lock_field_is(r, list, YAML_SEQUENCE, "a platform's packages", e) < 0)
		return -1;
	out->records = arena_array(r->a, struct record *, list->n);
	out->pypi.v = arena_array(r->a, struct pypi_package, list->n);
	for (size_t i = 0; i < list->n; i++)
		if (add_selected(r, out, list->items[i], e) < 0)
			return -1;
	if (out->n_records)
		qsort(out->records, out->n_records, sizeof(*out->records), cmp_record);
	for (size_t i = 1; i < out->n_records; i++)
		if (out->records[i] == out->records[i - 1])
			return yaml_fail(r->name, list, e, "'%.*s' is there twice",
				STR_ARG(out->records[i]->url));
	return lock_sort_pypi(r, list, &out->pypi, e);
}

static int read_channels(struct lock_reader *r, const struct yaml *list, struct err *e)
{
	struct lock *lock = r->out;

	lock->channels = arena_array(r->a, struct str, list->n);
	for (size_t i = 0; i < list->n; i++) {
		struct yaml *url;
		struct str text;

		if (lock_field_is(r, list->items[i], YAML_MAP, "a channel", e) < 0 ||
			lock_field(r, list->items[i], "url", YAML_SCALAR, &url, e) < 0)
			return -1;
		text = url->text;
		while (text.n && text.p[text.n - 1] == '/')
			text.n--;
		lock->channels[lock->n_channels++] = text;
	}
	return 0;
}

static int read_as_of(struct lock_reader *r, const struct yaml *options, struct err *e)
{
	const struct yaml *as_of = yaml_get(options, "exclude-newer");

	if (yaml_is_null(as_of) ||
		(as_of->kind == YAML_SCALAR && date_parse(as_of->text, &r->out->as_of) == 0))
		return 0;
	return lock_field_fail(
		r, as_of, e, "'exclude-newer' is not a time such as 2024-01-31T12:00:00Z");
}

static int read_options(struct lock_reader *r, const struct yaml *environment, struct err *e)
{
	const struct yaml *options = yaml_get(environment, "options");
	struct str priority = STR("strict");

	if (yaml_is_null(options))
		return 0;
	if (lock_field_is(r, options, YAML_MAP, "'options'", e) < 0 ||
		lock_field_text(r, options, "channel-priority", &priority, e) < 0 ||
		read_as_of(r, options, e) < 0)
		return -1;
	if (str_is(priority, "strict"))
		r->out->priority = PRIORITY_STRICT;
	else if (str_is(priority, "flexible"))
		r->out->priority = PRIORITY_FLEXIBLE;
	else if (str_is(priority, "disabled"))
		r->out->priority = PRIORITY_DISABLED;
	else
		return lock_field_fail(
			r, options, e, "'channel-priority' is not strict, flexible or disabled");
	return 0;
}

static int read_environment(
	struct lock_reader *r, const struct yaml *key, const struct yaml *y, struct err *e)
{
	bool ours = str_is(key->text, "default");
	struct yaml *channels, *packages;
	struct lock_target target;

	if (lock_field_is(r, y, YAML_MAP, "an environment", e) < 0 ||
		lock_field(r, y, "channels", YAML_SEQUENCE, &channels, e) < 0 ||
		lock_field(r, y, "packages", YAML_MAP, &packages, e) < 0)
		return -1;
	if (ours && (read_channels(r, channels, e) < 0 || read_options(r, y, e) < 0 ||
			    lock_field_texts(
				    r, y, "indexes", &r->out->indexes, &r->out->n_indexes, e) < 0))
		return -1;
	for (size_t i = 0; i < packages->n; i++) {
		if (read_selection(r, packages->keys[i], packages->items[i], &target, e) < 0)
			return -1;
		if (ours)
			lock_put(r->a, r->out, &target);
	}
	return 0;
}

static int read_environments(struct lock_reader *r, const struct yaml *root, struct err *e)
{
	struct yaml *map;

	if (lock_field(r, root, "environments", YAML_MAP, &map, e) < 0)
		return -1;
	for (size_t i = 0; i < map->n; i++)
		if (read_environment(r, map->keys[i], map->items[i], e) < 0)
			return -1;
	return 0;
}

/* --- the file ----------------------------------------------------------------------------- */

static int read_version(struct lock_reader *r, const struct yaml *root, struct err *e)
{
	struct yaml *version;

	if (lock_field(r, root, "version", YAML_SCALAR, &version, e) < 0)
		return -1;
	r->v6 = str_is(version->text, "6");
	if (r->v6 || str_is(version->text, "7"))
		return 0;
	yaml_fail(r->name, version, e, "lock version '%.*s' is not read, only 6 and 7",
		STR_ARG(version->text));
	return err_advise(e, "remove the file and run 'envbuild lock' to make it anew");
}

static int read_rattler(struct lock_reader *r, const struct yaml *root, struct err *e)
{
	if (read_version(r, root, e) < 0 || (!r->v6 && read_platforms(r, root, e) < 0) ||
		read_packages(r, root, e) < 0)
		return -1;
	return read_environments(r, root, e);
}

int lock_parse(struct arena *a, const char *name, struct str text, struct lock *out, struct err *e)
{
	struct lock_reader r = {.a = a, .name = name, .out = out};
	struct yaml *root;

	*out = (struct lock){0};
	r.platforms.arena = r.packages.arena = r.pypi.arena = r.sources.arena = a;
	if (lock_is_explicit(text))
		return lock_read_explicit(&r, text, e);
	if (yaml_parse(a, name, text, &root, e) < 0)
		return -1;
	if (!root)
		return err_set(e, ERR_INPUT, "%s: the file is empty", name);
	if (lock_field_is(&r, root, YAML_MAP, "a lock", e) < 0)
		return -1;
	return lock_is_conda_lock(root) ? lock_read_conda_lock(&r, root, e)
					: read_rattler(&r, root, e);
}

int lock_read(struct arena *a, const char *path, struct lock *out, struct err *e)
{
	struct str text;

	if (file_read(a, path, LOCK_MAX, &text, e) < 0)
		return -1;
	return lock_parse(a, path, text, out, e);
}
