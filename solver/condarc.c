#include "solver/condarc.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/yaml.h"

#include <stdlib.h>

enum { CONDARC_MAX = 4 << 20, SECONDS_MAX = 24 * 3600, RETRIES_MAX = 100, VALUE_MAX = 64 << 10 };

struct reader {
	struct arena *a;
	const char *name, *dir;
	struct condarc *out;
};

struct texts {
	struct str *v;
	size_t n, cap;
};

typedef int read_value(struct reader *r, const struct yaml *value, const char *key, struct err *e);

/* --- texts ---------------------------------------------------------------------------------- */

static size_t name_length(struct str s)
{
	size_t n = 0;

	while (n < s.n && (s.p[n] == '_' || (s.p[n] >= '0' && s.p[n] <= '9') ||
				  ((s.p[n] | 0x20) >= 'a' && (s.p[n] | 0x20) <= 'z')))
		n++;
	return n;
}

/* The variable that a text after "$" begins with, and how much of the text that is; else 0. */
static size_t variable(struct arena *a, struct str s, const char **value)
{
	bool braces = s.n && s.p[0] == '{';
	struct str rest = braces ? str_sub(s, 1, s.n) : s;
	size_t n = name_length(rest);

	if (n == 0 || (braces && (n == rest.n || rest.p[n] != '}')))
		return 0;
	*value = getenv(arena_cstr(a, str_sub(rest, 0, n)));
	return n + 2 * braces;
}

/* As os.path.expandvars: what the environment does not have stays as it is. */
static struct str expanded(struct arena *a, struct str s)
{
	CLEANUP_BUF b = {0};

	if (str_chr(s, '$') < 0)
		return s;
	for (size_t i = 0; i < s.n; i++) {
		const char *value = NULL;
		size_t n = s.p[i] == '$' ? variable(a, str_sub(s, i + 1, s.n), &value) : 0;

		if (n && value) {
			buf_puts(&b, value);
			i += n;
		} else {
			buf_putc(&b, s.p[i]);
		}
	}
	return arena_str(a, buf_view(&b));
}

static int read_text(
	struct reader *r, const struct yaml *value, const char *key, struct str *out, struct err *e)
{
	if (value->kind != YAML_SCALAR || yaml_is_null(value) || !value->text.n)
		return yaml_fail(r->name, value, e, "'%s' is not a text", key);
	*out = expanded(r->a, value->text);
	if (out->n > VALUE_MAX || str_chr(*out, '\0') >= 0 || str_chr(*out, '\n') >= 0)
		return yaml_fail(r->name, value, e, "'%s' is not a text of one line", key);
	return 0;
}

/* A list of texts, one text alone, or nothing. */
static int read_list(struct reader *r, const struct yaml *value, const char *key, struct str **out,
	size_t *n, struct err *e)
{
	*n = 0;
	if (yaml_is_null(value))
		return 0;
	if (value->kind == YAML_MAP)
		return yaml_fail(r->name, value, e, "'%s' is not a list", key);
	*n = value->kind == YAML_SCALAR ? 1 : value->n;
	*out = arena_array(r->a, struct str, *n);
	for (size_t i = 0; i < *n; i++)
		if (read_text(r, value->kind == YAML_SCALAR ? value : value->items[i], key,
			    &(*out)[i], e) < 0)
			return -1;
	return 0;
}

static int need_map(struct reader *r, const struct yaml *value, const char *key, struct err *e)
{
	if (value->kind != YAML_MAP && !yaml_is_null(value))
		return yaml_fail(r->name, value, e, "'%s' is not a map", key);
	return 0;
}

/* "~/x", "x": absolute. */
static struct str full_path(struct reader *r, struct str s)
{
	const char *home = getenv("HOME"), *path = arena_cstr(r->a, s);

	if (str_starts(s, STR("~/")) && home)
		return str_of(path_join(r->a, home, path + 2));
	return str_of(path_join(r->a, r->dir, path));
}

/* --- channels ------------------------------------------------------------------------------- */

static int read_channels(struct reader *r, const struct yaml *v, const char *key, struct err *e)
{
	return read_list(r, v, key, &r->out->channels, &r->out->n_channels, e);
}

static int read_alias(struct reader *r, const struct yaml *v, const char *key, struct err *e)
{
	struct str text;

	if (read_text(r, v, key, &text, e) < 0)
		return -1;
	r->out->rules.alias = arena_cstr(r->a, text);
	return 0;
}

static int read_defaults(struct reader *r, const struct yaml *v, const char *key, struct err *e)
{
	struct channel_rules *rules = &r->out->rules;

	return read_list(r, v, key, &rules->defaults, &rules->n_defaults, e);
}

/* NAME: [TEXT...] of each; `one`: NAME: TEXT. */
static int read_groups(struct reader *r, const struct yaml *v, const char *key, bool one,
	struct channel_group **out, size_t *n, struct err *e)
{
	if (need_map(r, v, key, e) < 0)
		return -1;
	*n = yaml_is_null(v) ? 0 : v->n;
	*out = arena_array(r->a, struct channel_group, *n);
	for (size_t i = 0; i < *n; i++) {
		struct channel_group *g = &(*out)[i];

		g->name = v->keys[i]->text;
		if (one && v->items[i]->kind != YAML_SCALAR)
			return yaml_fail(r->name, v->items[i], e, "not a URL");
		if (read_list(r, v->items[i], key, &g->members, &g->n, e) < 0)
			return -1;
		if (g->n == 0)
			return yaml_fail(r->name, v->keys[i], e, "'%.*s' is empty in '%s'",
				STR_ARG(g->name), key);
	}
	return 0;
}

static int read_custom(struct reader *r, const struct yaml *v, const char *key, struct err *e)
{
	return read_groups(r, v, key, true, &r->out->rules.custom, &r->out->rules.n_custom, e);
}

static int read_multi(struct reader *r, const struct yaml *v, const char *key, struct err *e)
{
	return read_groups(r, v, key, false, &r->out->rules.multi, &r->out->rules.n_multi, e);
}

static int read_mirrored(struct reader *r, const struct yaml *v, const char *key, struct err *e)
{
	return read_groups(r, v, key, false, &r->out->mirrored, &r->out->n_mirrored, e);
}

/* As YAML 1.1 and conda have them; -1 where it is none. */
static int switch_of(const struct yaml *v)
{
	static const char *const words[] = {
		"false", "no", "off", "n", "0", "true", "yes", "on", "y", "1"};

	for (size_t i = 0; v->kind == YAML_SCALAR && i < 10; i++)
		if (v->text.n == strlen(words[i]) &&
			strncasecmp(v->text.p, words[i], v->text.n) == 0)
			return i >= 5;
	return -1;
}

static int read_priority(struct reader *r, const struct yaml *v, const char *key, struct err *e)
{
	static const char *const names[] = {[PRIORITY_STRICT] = "strict",
		[PRIORITY_FLEXIBLE] = "flexible",
		[PRIORITY_DISABLED] = "disabled"};
	int yes = switch_of(v);

	r->out->has_priority = true;
	for (size_t i = 0; v->kind == YAML_SCALAR && i < sizeof names / sizeof *names; i++)
		if (str_is(v->text, names[i])) {
			r->out->priority = (enum channel_priority)i;
			return 0;
		}
	if (yes < 0)
		return yaml_fail(r->name, v, e, "'%s' is not strict, flexible or disabled", key);
	r->out->priority = yes ? PRIORITY_FLEXIBLE : PRIORITY_DISABLED;
	return 0;
}

/* --- places and the network ----------------------------------------------------------------- */

static int read_pkgs_dirs(struct reader *r, const struct yaml *v, const char *key, struct err *e)
{
	struct condarc *c = r->out;

	if (read_list(r, v, key, &c->pkgs_dirs, &c->n_pkgs_dirs, e) < 0)
		return -1;
	for (size_t i = 0; i < c->n_pkgs_dirs; i++)
		c->pkgs_dirs[i] = full_path(r, c->pkgs_dirs[i]);
	return 0;
}

static int read_offline(struct reader *r, const struct yaml *v, const char *key, struct err *e)
{
	int yes = switch_of(v);

	if (yes < 0)
		return yaml_fail(r->name, v, e, "'%s' is neither true nor false", key);
	r->out->offline = yes;
	return 0;
}

/* What an unverified server sends is as good as anybody's: the hashes come from there. */
static int read_ssl_verify(struct reader *r, const struct yaml *v, const char *key, struct err *e)
{
	int yes = switch_of(v);

	if (yes == 0) {
		yaml_fail(r->name, v, e,
			"'%s: false' is not accepted: an unverified server could send any "
			"package",
			key);
		return err_advise(e,
			"name a file with the CA's certificate instead: ssl_verify: /path/ca.pem");
	}
	if (yes == 1 || (v->kind == YAML_SCALAR && str_is(v->text, "truststore")))
		return 0;
	if (read_text(r, v, key, &r->out->ca_file, e) < 0)
		return -1;
	r->out->ca_file = full_path(r, r->out->ca_file);
	return 0;
}

static bool is_proxy_key(struct str key)
{
	static const char *const words[] = {"http", "https", "all"};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (str_is(key, words[i]))
			return true;
	return str_starts(key, STR("http://")) || str_starts(key, STR("https://"));
}

static int read_proxies(struct reader *r, const struct yaml *v, const char *key, struct err *e)
{
	struct condarc *c = r->out;

	if (need_map(r, v, key, e) < 0)
		return -1;
	c->proxies = arena_array(r->a, struct condarc_proxy, yaml_is_null(v) ? 0 : v->n);
	for (size_t i = 0; !yaml_is_null(v) && i < v->n; i++) {
		struct condarc_proxy *p = &c->proxies[c->n_proxies++];

		p->key = v->keys[i]->text;
		if (!is_proxy_key(p->key))
			return yaml_fail(r->name, v->keys[i], e,
				"a proxy is for http, https, all, or http(s)://HOST");
		if (yaml_is_null(v->items[i]) || switch_of(v->items[i]) == 0)
			continue;
		if (read_text(r, v->items[i], key, &p->proxy, e) < 0)
			return -1;
	}
	return 0;
}

/* Seconds, "60" or "9.15", in milliseconds. */
static int read_ms(struct reader *r, const struct yaml *v, const char *key, uint64_t max_s,
	uint64_t *out, struct err *e)
{
	struct str rest = v->text, whole = str_cut(&rest, '.');
	uint64_t seconds, part = 0;

	rest.n = rest.n > 3 ? 3 : rest.n;
	if (v->kind != YAML_SCALAR || str_u64(whole, max_s, &seconds) < 0 ||
		(rest.n && str_u64(rest, 999, &part) < 0))
		return yaml_fail(r->name, v, e, "'%s' is not a number of seconds", key);
	for (size_t i = rest.n; i < 3; i++)
		part *= 10;
	*out = seconds * 1000 + part;
	return 0;
}

static int read_connect(struct reader *r, const struct yaml *v, const char *key, struct err *e)
{
	return read_ms(r, v, key, SECONDS_MAX, &r->out->connect_ms, e);
}

static int read_read(struct reader *r, const struct yaml *v, const char *key, struct err *e)
{
	return read_ms(r, v, key, SECONDS_MAX, &r->out->read_ms, e);
}

static int read_backoff(struct reader *r, const struct yaml *v, const char *key, struct err *e)
{
	return read_ms(r, v, key, 60, &r->out->pause_ms, e);
}

static int read_retries(struct reader *r, const struct yaml *v, const char *key, struct err *e)
{
	uint64_t n;

	if (v->kind != YAML_SCALAR || str_u64(v->text, RETRIES_MAX, &n) < 0)
		return yaml_fail(
			r->name, v, e, "'%s' is not a number from 0 to %d", key, (int)RETRIES_MAX);
	r->out->has_retries = true;
	r->out->retries = (unsigned)n;
	return 0;
}

/* An index is asked for in every run, so that a release is not made from an old one. */
static int read_ttl(struct reader *r, const struct yaml *v, const char *key, struct err *e)
{
	uint64_t seconds;

	if (switch_of(v) < 0 &&
		(v->kind != YAML_SCALAR || str_u64(v->text, UINT32_MAX, &seconds) < 0))
		return yaml_fail(r->name, v, e, "'%s' is neither true, false nor seconds", key);
	return 0;
}

/* --- the file ------------------------------------------------------------------------------- */

static const struct key {
	const char *name;
	read_value *read; /* NULL: conda's, and of no meaning here */
} keys[] = {
	{"channels", read_channels},
	{"channel", read_channels},
	{"channel_alias", read_alias},
	{"default_channels", read_defaults},
	{"custom_channels", read_custom},
	{"custom_multichannels", read_multi},
	{"mirrored_channels", read_mirrored},
	{"channel_priority", read_priority},
	{"pkgs_dirs", read_pkgs_dirs},
	{"offline", read_offline},
	{"ssl_verify", read_ssl_verify},
	{"verify_ssl", read_ssl_verify},
	{"proxy_servers", read_proxies},
	{"remote_connect_timeout_secs", read_connect},
	{"remote_read_timeout_secs", read_read},
	{"remote_max_retries", read_retries},
	{"remote_backoff_factor", read_backoff},
	{"local_repodata_ttl", read_ttl},
};

/* Those of conda 25 and mamba 2, separated by spaces. */
static const char unused_keys[] =
	" add_anaconda_token add_pip_as_python_dependency aggressive_update_packages "
	"allow_conda_downgrades "
	"allow_cycles allow_non_channel_urls allow_softlinks allow_uninstall allowlist_channels "
	"always_copy "
	"always_softlink always_yes anaconda_anon_usage anaconda_upload auto_activate "
	"auto_activate_base "
	"auto_stack auto_update_conda bld_path changeps1 channel_settings clobber client_ssl_cert "
	"client_ssl_cert_key client_tls_cert conda_build console create_default_packages croot "
	"debug "
	"default_activation_env default_python default_threads denylist_channels deps_modifier dev "
	"disallow disallowed_packages download_only download_threads dry_run enable_private_envs "
	"env_prompt environment_specifier envs_dirs envvars_force_uppercase error_upload_url "
	"execute_threads experimental extra_safety_checks extract_threads fetch_threads force "
	"force_32bit force_reinstall force_remove ignore_pinned json migrated_channel_aliases "
	"migrated_custom_channels no_lock no_plugins non_admin_enabled notify_outdated_conda "
	"number_channel_notices override_channels_enabled override_virtual_packages path_conflict "
	"pinned_packages pip_interop_enabled plugins prefix_data_interoperability prune quiet "
	"register_envs repodata_fns repodata_threads repodata_use_shards repodata_use_zst "
	"report_errors "
	"restore_free_channel rollback_enabled root_prefix safety_checks sat_solver "
	"separate_format_cache "
	"shortcuts show_channel_urls signing_metadata_url_base solver solver_ignore_timestamps "
	"subdir "
	"subdirs target_prefix_override track_features trusted_channels unsatisfiable_hints "
	"unsatisfiable_hints_check_depth update_dependencies update_modifier use_index_cache "
	"use_local "
	"use_only_tar_bz2 use_pip use_uv verbose verbosity verify_threads whitelist_channels yes ";

static bool is_unused(struct str key)
{
	struct str all = str_of(unused_keys);

	if (key.n == 0 || str_chr(key, ' ') >= 0)
		return false;

	for (ptrdiff_t at; (at = str_find(all, key)) >= 0;
		all = str_sub(all, (size_t)at + 1, all.n))
		if (at > 0 && all.p[at - 1] == ' ' && all.p[(size_t)at + key.n] == ' ')
			return true;
	return false;
}

static int read_keys(struct reader *r, const struct yaml *root, struct err *e)
{
	struct texts unused = {0}, unknown = {0};
	const size_t n_keys = sizeof keys / sizeof *keys;

	for (size_t i = 0; i < root->n; i++) {
		struct str key = root->keys[i]->text;
		size_t k = 0;

		while (k < n_keys && !str_is(key, keys[k].name))
			k++;
		if (k == n_keys)
			*VEC_PUSH(r->a, is_unused(key) ? &unused : &unknown) = key;
		else if (keys[k].read(r, root->items[i], keys[k].name, e) < 0)
			return -1;
	}
	r->out->unused = unused.v;
	r->out->n_unused = unused.n;
	r->out->unknown = unknown.v;
	r->out->n_unknown = unknown.n;
	return 0;
}

int condarc_parse(struct arena *a, const char *name, const char *dir, struct str text,
	struct condarc *out, struct err *e)
{
	struct reader r = {a, name, dir, out};
	struct yaml *root;

	*out = (struct condarc){.path = arena_strdup(a, name), .dir = arena_strdup(a, dir)};
	sha256_of(text.p, text.n, out->sha256);
	if (yaml_parse(a, name, text, &root, e) < 0)
		return -1;
	if (!root || yaml_is_null(root))
		return 0;
	if (root->kind != YAML_MAP)
		return yaml_fail(name, root, e, "not a map of keys and values");
	return read_keys(&r, root, e);
}

int condarc_read(struct arena *a, const char *path, struct condarc *out, struct err *e)
{
	struct str text;

	if (!path_exists(path))
		return err_set(e, ERR_USAGE, "no file '%s' for --condarc", path);
	if (file_read(a, path, CONDARC_MAX, &text, e) < 0)
		return -1;
	return condarc_parse(a, path, path_dir(a, path_absolute(a, path)), text, out, e);
}
