/* From what the user wrote to a channel's URL (CEP 26). */
#include "solver/channel.h"

#include "base/buf.h"
#include "base/file.h"
#include "solver/record.h"

#include <stdlib.h>

enum { MULTI_DEPTH = 8 };

static const char default_alias[] = "https://conda.anaconda.org";
static const char *const default_urls[] = {
	"https://repo.anaconda.com/pkgs/main", "https://repo.anaconda.com/pkgs/r"};

/* Without slashes at the end and without a platform as the last part. */
static struct str trim_channel(struct str s)
{
	ptrdiff_t slash;

	while (s.n > 1 && s.p[s.n - 1] == '/')
		s.n--;
	slash = str_rchr(s, '/');
	if (slash > 0 && subdir_is_known(str_sub(s, (size_t)slash + 1, s.n)))
		s.n = (size_t)slash;
	while (s.n > 1 && s.p[s.n - 1] == '/')
		s.n--;
	return s;
}

static void append(
	struct arena *a, struct channel_list *list, const char *name, const char *fetch_url)
{
	struct channel c = {.name = str_of(http_redact(a, name)),
		.url = str_of(http_redact(a, fetch_url)),
		.fetch_url = arena_strdup(a, fetch_url)};

	for (size_t i = 0; i < list->n; i++)
		if (str_eq(list->v[i].url, c.url))
			return;
	*VEC_PUSH(a, list) = c;
}

static int invalid(struct arena *a, const char *name, const char *why, struct err *e)
{
	err_set(e, ERR_INPUT, "invalid channel '%s': %s", http_redact(a, name), why);
	return err_advise(e, "a channel is a name such as conda-forge, a URL, or a folder that "
			     "begins with / or ./ or ../");
}

static int add_folder(
	struct arena *a, struct channel_list *list, const char *name, const char *path)
{
	char *absolute = path_absolute(a, path);
	struct str trimmed = trim_channel(str_of(absolute));

	append(a, list, name, url_of_path(a, arena_cstr(a, trimmed)));
	return 0;
}

static int add_file_url(struct arena *a, struct channel_list *list, const char *name,
	const char *base_dir, struct err *e)
{
	const char *path = path_of_url(a, name);

	if (!path && name[7] == '.') /* file://./channel, which no standard knows but users write */
		path = path_join(a, base_dir, name + 7);
	if (!path)
		return invalid(a, name, "no absolute path in this URL", e);
	return add_folder(a, list, name, path);
}

/* What is wrong with a URL of http(s); NULL: nothing. */
static const char *fault_of_url(const char *url)
{
	const char *host = strstr(url, "://");

	if (!host)
		return "its place is no URL";
	if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
		return "only http, https and file URLs are read";
	for (const char *p = url; *p; p++)
		if (*p <= ' ' || *p > '~' || strchr("\"<>\\^`{|}?#", *p))
			return "a character that no channel URL has";
	return host[3] && host[3] != '/' ? NULL : "no host";
}

static int add_url(struct arena *a, struct channel_list *list, const char *name, const char *url,
	struct err *e)
{
	const char *fault = fault_of_url(url);

	if (fault)
		return invalid(a, name, fault, e);
	append(a, list, name, arena_cstr(a, trim_channel(str_of(url))));
	return 0;
}

static bool is_name(struct str name)
{
	struct str rest = name;

	while (rest.p) {
		struct str part = str_cut(&rest, '/');

		if (part.n == 0 || part.p[0] == '.')
			return false;
		for (size_t i = 0; i < part.n; i++) {
			unsigned char c = (unsigned char)part.p[i];
			bool alnum =
				(c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');

			if (!alnum && c != '-' && c != '_' && c != '.')
				return false;
		}
	}
	return true;
}

static bool is_folder(const char *name)
{
	return name[0] == '/' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	       strncmp(name, "./", 2) == 0 || strncmp(name, "../", 3) == 0;
}

/* How a list is resolved; channels that stand for others are taken apart. */
struct resolving {
	struct arena *a;
	struct channel_list *list;
	const struct channel_rules *rules;
	const char *base_dir;
	unsigned depth;
};

static int resolve(struct resolving *r, struct str given, struct err *e);

static int resolve_all(
	struct resolving *r, const char *name, const struct str *members, size_t n, struct err *e)
{
	int rc = 0;

	if (r->depth == MULTI_DEPTH)
		return invalid(r->a, name, "it stands for itself", e);
	r->depth++;
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = resolve(r, members[i], e);
	r->depth--;
	return rc;
}

static int resolve_defaults(struct resolving *r, struct err *e)
{
	const struct channel_rules *rules = r->rules;

	if (rules && rules->n_defaults)
		return resolve_all(r, "defaults", rules->defaults, rules->n_defaults, e);
	for (size_t i = 0; i < sizeof default_urls / sizeof *default_urls; i++)
		append(r->a, r->list, "defaults", default_urls[i]);
	return 0;
}

/* Where the name lies that is the longest beginning of this one; NULL: at the alias. */
static const struct channel_group *custom_place(const struct channel_rules *rules, struct str name)
{
	const struct channel_group *best = NULL;

	for (size_t i = 0; rules && i < rules->n_custom; i++) {
		const struct channel_group *g = &rules->custom[i];

		if (str_starts(name, g->name) &&
			(name.n == g->name.n || name.p[g->name.n] == '/') &&
			(!best || g->name.n > best->name.n))
			best = g;
	}
	return best;
}

static int resolve_name(struct resolving *r, const char *name, struct err *e)
{
	struct arena *a = r->a;
	struct str trimmed = trim_channel(str_of(name));
	const struct channel_group *custom = custom_place(r->rules, trimmed);
	const char *place =
		r->rules && r->rules->alias && *r->rules->alias ? r->rules->alias : default_alias;
	char *url;

	if (!is_name(trimmed))
		return invalid(a, name, "neither a name nor a URL", e);
	if (custom)
		place = arena_cstr(a, custom->members[0]);
	if (is_folder(place))
		return add_folder(a, r->list, name,
			path_join(a, path_join(a, r->base_dir, place), arena_cstr(a, trimmed)));
	url = url_join(a, place, arena_cstr(a, trimmed));
	if (path_of_url(a, url))
		return add_folder(a, r->list, name, path_of_url(a, url));
	return add_url(a, r->list, name, url, e);
}

static const struct channel_group *multi_of(const struct channel_rules *rules, struct str name)
{
	for (size_t i = 0; rules && i < rules->n_multi; i++)
		if (str_eq(rules->multi[i].name, name))
			return &rules->multi[i];
	return NULL;
}

static int resolve(struct resolving *r, struct str given, struct err *e)
{
	struct str trimmed = str_trim(given);
	char *name = arena_cstr(r->a, trimmed);
	const char *home = getenv("HOME");
	const struct channel_group *multi = multi_of(r->rules, trimmed);

	if (strlen(name) != trimmed.n)
		return invalid(r->a, name, "a NUL in it", e);
	if (str_is(trimmed, "nodefaults"))
		return 0;
	if (multi)
		return resolve_all(r, name, multi->members, multi->n, e);
	if (str_is(trimmed, "defaults"))
		return resolve_defaults(r, e);
	if (strncmp(name, "file://", 7) == 0)
		return add_file_url(r->a, r->list, name, r->base_dir, e);
	if (strstr(name, "://"))
		return add_url(r->a, r->list, name, name, e);
	if (strncmp(name, "~/", 2) == 0 && home)
		return add_folder(r->a, r->list, name, path_join(r->a, home, name + 2));
	if (is_folder(name))
		return add_folder(r->a, r->list, name, path_join(r->a, r->base_dir, name));
	return resolve_name(r, name, e);
}

int channel_add(struct arena *a, struct channel_list *list, struct str given,
	const struct channel_rules *rules, const char *base_dir, struct err *e)
{
	struct resolving r = {a, list, rules, base_dir, 0};

	return resolve(&r, given, e);
}
