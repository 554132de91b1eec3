#include "solver/settings.h"

#include "base/file.h"
#include "base/yaml.h"

enum { SETTINGS_MAX = 1 << 20, TIMEOUT_MAX = 7 * 24 * 3600 };

struct reader {
	struct arena *a;
	const char *path;
	struct settings *out;
};

static const char *place_of(const struct reader *r, const struct yaml *at)
{
	return arena_printf(r->a, "%s:%d:%d", r->path, at->line, at->column);
}

typedef int read_value(struct reader *r, const struct yaml *value, struct err *e);

struct key {
	const char *name;
	read_value *read;
};

static int read_keys(struct reader *r, const struct yaml *map, const char *where,
	const struct key *keys, size_t n, struct err *e)
{
	for (size_t i = 0; i < map->n; i++) {
		size_t k = 0;

		while (k < n && !str_is(map->keys[i]->text, keys[k].name))
			k++;
		if (k == n)
			return yaml_fail(r->path, map->keys[i], e, "unknown key '%.*s' in %s",
				STR_ARG(map->keys[i]->text), where);
		if (keys[k].read(r, map->items[i], e) < 0)
			return -1;
	}
	return 0;
}

static int read_word(
	struct reader *r, const struct yaml *value, const char *key, struct str *out, struct err *e)
{
	if (value->kind != YAML_SCALAR || yaml_is_null(value) || !value->text.n)
		return yaml_fail(r->path, value, e, "'%s' is not a text", key);
	*out = value->text;
	return 0;
}

/* A list of texts, or one text alone. */
static int read_words(struct reader *r, const struct yaml *value, const char *key, struct str **out,
	size_t *n, struct err *e)
{
	if (value->kind == YAML_MAP)
		return yaml_fail(r->path, value, e, "'%s' is not a list", key);
	*n = value->kind == YAML_SCALAR ? 1 : value->n;
	*out = arena_array(r->a, struct str, *n);
	for (size_t i = 0; i < *n; i++) {
		const struct yaml *one = value->kind == YAML_SCALAR ? value : value->items[i];

		if (read_word(r, one, key, &(*out)[i], e) < 0)
			return -1;
	}
	return 0;
}

static int read_targets(struct reader *r, const struct yaml *value, struct err *e)
{
	return read_words(r, value, "targets", &r->out->targets, &r->out->n_targets, e);
}

static int read_channels(struct reader *r, const struct yaml *value, struct err *e)
{
	return read_words(r, value, "channels", &r->out->channels, &r->out->n_channels, e);
}

/* A list of mirrors to each channel, kept as pairs. */
static int read_mirrors(struct reader *r, const struct yaml *value, struct err *e)
{
	struct {
		struct mirror_setting *v;
		size_t n, cap;
	} pairs = {0};

	if (value->kind != YAML_MAP)
		return yaml_fail(r->path, value, e, "'mirrors' is not a map of channels");
	for (size_t i = 0; i < value->n; i++) {
		const struct yaml *key = value->keys[i];
		struct str *urls;
		size_t n;

		if (read_words(r, value->items[i], arena_cstr(r->a, key->text), &urls, &n, e) < 0)
			return -1;
		for (size_t k = 0; k < n; k++)
			*VEC_PUSH(r->a, &pairs) = (struct mirror_setting){
				.channel = key->text, .mirror = urls[k], .place = place_of(r, key)};
	}
	r->out->mirrors = pairs.v;
	r->out->n_mirrors = pairs.n;
	return 0;
}

static int read_script(struct reader *r, const struct yaml *value, struct err *e)
{
	return read_word(r, value, "script", &r->out->test_script, e);
}

static int read_timeout(struct reader *r, const struct yaml *value, struct err *e)
{
	uint64_t seconds;

	if (value->kind != YAML_SCALAR || str_u64(value->text, TIMEOUT_MAX, &seconds) < 0 ||
		!seconds)
		return yaml_fail(r->path, value, e, "'timeout' is not a number of seconds");
	r->out->test_timeout = (unsigned)seconds;
	return 0;
}

static int read_size(
	struct reader *r, const struct yaml *value, const char *key, uint64_t *out, struct err *e)
{
	if (value->kind != YAML_SCALAR || str_bytes(value->text, out) < 0 || !*out)
		return yaml_fail(r->path, value, e, "'%s' is not a size such as 500M or 2G", key);
	return 0;
}

static int read_quota(struct reader *r, const struct yaml *value, struct err *e)
{
	return read_size(r, value, "quota", &r->out->test_quota, e);
}

static int read_test(struct reader *r, const struct yaml *value, struct err *e)
{
	static const struct key keys[] = {
		{"script", read_script},
		{"timeout", read_timeout},
		{"quota", read_quota},
	};

	if (value->kind == YAML_SCALAR)
		return read_word(r, value, "test", &r->out->test_script, e);
	if (value->kind != YAML_MAP)
		return yaml_fail(r->path, value, e, "'test' is neither a script nor a map");
	return read_keys(r, value, "'test'", keys, sizeof(keys) / sizeof(*keys), e);
}

static int read_format(struct reader *r, const struct yaml *value, struct err *e)
{
	return read_word(r, value, "format", &r->out->format, e);
}

static int read_version(struct reader *r, const struct yaml *value, struct err *e)
{
	return read_word(r, value, "version", &r->out->version, e);
}

static int read_split(struct reader *r, const struct yaml *value, struct err *e)
{
	return read_size(r, value, "split", &r->out->split, e);
}

static int read_dest_prefix(struct reader *r, const struct yaml *value, struct err *e)
{
	return read_word(r, value, "dest-prefix", &r->out->dest_prefix, e);
}

static int read_yes_no(
	struct reader *r, const struct yaml *value, const char *key, bool *out, struct err *e)
{
	*out = value->kind == YAML_SCALAR && str_is(value->text, "true");
	if (!*out && (value->kind != YAML_SCALAR || !str_is(value->text, "false")))
		return yaml_fail(r->path, value, e, "'%s' is neither true nor false", key);
	return 0;
}

static int read_frozen(struct reader *r, const struct yaml *value, struct err *e)
{
	return read_yes_no(r, value, "frozen", &r->out->frozen, e);
}

static int read_externally_managed(struct reader *r, const struct yaml *value, struct err *e)
{
	return read_yes_no(r, value, "externally-managed", &r->out->externally_managed, e);
}

/* --- what goes into the archive ----------------------------------------------------------- */

static int read_rules(struct reader *r, const struct yaml *value, const char *key,
	struct rule_settings *out, struct err *e)
{
	struct str *words;

	if (read_words(r, value, key, &words, &out->n, e) < 0)
		return -1;
	out->v = arena_array(r->a, struct rule_setting, out->n + 1);
	for (size_t i = 0; i < out->n; i++)
		out->v[i] = (struct rule_setting){.text = words[i],
			.place = place_of(r, value->kind == YAML_SCALAR ? value : value->items[i])};
	return 0;
}

static int read_pairs(struct reader *r, const struct yaml *value, const char *key,
	struct rule_settings *out, struct err *e)
{
	if (value->kind != YAML_MAP)
		return yaml_fail(r->path, value, e, "'%s' is not a map from old to new", key);
	out->v = arena_array(r->a, struct rule_setting, value->n + 1);
	for (size_t i = 0; i < value->n; i++, out->n++) {
		struct rule_setting *one = &out->v[i];

		one->text = value->keys[i]->text;
		one->place = place_of(r, value->keys[i]);
		if (read_word(r, value->items[i], key, &one->to, e) < 0)
			return -1;
	}
	return 0;
}

static int read_exclude(struct reader *r, const struct yaml *value, struct err *e)
{
	return read_rules(r, value, "exclude", &r->out->exclude, e);
}

static int read_include(struct reader *r, const struct yaml *value, struct err *e)
{
	return read_rules(r, value, "include", &r->out->include, e);
}

static int read_drop(struct reader *r, const struct yaml *value, struct err *e)
{
	return read_rules(r, value, "drop", &r->out->drop, e);
}

static int read_rename(struct reader *r, const struct yaml *value, struct err *e)
{
	return read_pairs(r, value, "rename", &r->out->rename, e);
}

static int read_add(struct reader *r, const struct yaml *value, struct err *e)
{
	return read_pairs(r, value, "add", &r->out->add, e);
}

static int read_max_size(struct reader *r, const struct yaml *value, struct err *e)
{
	return read_size(r, value, "max-size", &r->out->max_size, e);
}

static int read_pre_pack(struct reader *r, const struct yaml *value, struct err *e)
{
	return read_word(r, value, "pre-pack", &r->out->pre_pack, e);
}

static int read_hooks(struct reader *r, const struct yaml *value, struct err *e)
{
	static const struct key keys[] = {{"pre-pack", read_pre_pack}};

	if (value->kind != YAML_MAP)
		return yaml_fail(r->path, value, e, "'hooks' is not a map");
	return read_keys(r, value, "'hooks'", keys, sizeof(keys) / sizeof(*keys), e);
}

/* --- the audit ---------------------------------------------------------------------------- */

static int read_ignore(
	struct reader *r, const struct yaml *value, struct ignore_setting *out, struct err *e)
{
	out->place = place_of(r, value);
	if (value->kind != YAML_MAP)
		return yaml_fail(r->path, value, e,
			"an entry of 'ignore' is not a map of rule, pattern and reason");
	for (size_t i = 0; i < value->n; i++) {
		struct str key = value->keys[i]->text;
		struct str *to = str_is(key, "rule")      ? &out->rule
				 : str_is(key, "pattern") ? &out->pattern
				 : str_is(key, "reason")  ? &out->reason
							  : NULL;

		if (!to)
			return yaml_fail(r->path, value->keys[i], e,
				"unknown key '%.*s' in 'ignore'", STR_ARG(key));
		if (read_word(r, value->items[i], arena_cstr(r->a, key), to, e) < 0)
			return -1;
	}
	return 0;
}

static int read_ignores(struct reader *r, const struct yaml *value, struct err *e)
{
	if (value->kind != YAML_SEQUENCE)
		return yaml_fail(r->path, value, e, "'ignore' is not a list");
	r->out->ignores = arena_array(r->a, struct ignore_setting, value->n);
	for (size_t i = 0; i < value->n; i++)
		if (read_ignore(r, value->items[i], &r->out->ignores[r->out->n_ignores++], e) < 0)
			return -1;
	return 0;
}

static int read_audit(struct reader *r, const struct yaml *value, struct err *e)
{
	static const struct key keys[] = {{"ignore", read_ignores}};

	if (value->kind != YAML_MAP)
		return yaml_fail(r->path, value, e, "'audit' is not a map");
	return read_keys(r, value, "'audit'", keys, sizeof(keys) / sizeof(*keys), e);
}

static int read_pack(struct reader *r, const struct yaml *value, struct err *e)
{
	static const struct key keys[] = {
		{"format", read_format},
		{"version", read_version},
		{"split", read_split},
		{"dest-prefix", read_dest_prefix},
		{"frozen", read_frozen},
		{"externally-managed", read_externally_managed},
		{"exclude", read_exclude},
		{"include", read_include},
		{"drop", read_drop},
		{"rename", read_rename},
		{"add", read_add},
		{"max-size", read_max_size},
	};

	if (value->kind != YAML_MAP)
		return yaml_fail(r->path, value, e, "'pack' is not a map");
	return read_keys(r, value, "'pack'", keys, sizeof(keys) / sizeof(*keys), e);
}

int settings_read(struct arena *a, const char *path, struct settings *out, struct err *e)
{
	static const struct key keys[] = {
		{"targets", read_targets},
		{"channels", read_channels},
		{"mirrors", read_mirrors},
		{"test", read_test},
		{"pack", read_pack},
		{"hooks", read_hooks},
		{"audit", read_audit},
	};
	struct reader r = {.a = a, .path = path, .out = out};
	struct yaml *root;
	struct str text;

	*out = (struct settings){0};
	if (!path_exists(path))
		return 0;
	if (file_read(a, path, SETTINGS_MAX, &text, e) < 0 ||
		yaml_parse(a, path, text, &root, e) < 0)
		return -1;
	out->path = arena_strdup(a, path);
	if (!root || yaml_is_null(root))
		return 0;
	if (root->kind != YAML_MAP)
		return yaml_fail(path, root, e, "not a map of keys and values");
	return read_keys(&r, root, "envbuild.yml", keys, sizeof(keys) / sizeof(*keys), e);
}
