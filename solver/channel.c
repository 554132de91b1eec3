/* From what the user wrote to a channel's URL (CEP 26). */
#include "solver/channel.h"

#include "base/buf.h"
#include "base/file.h"
#include "solver/record.h"

#include <stdlib.h>

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

static int add_url(struct arena *a, struct channel_list *list, const char *name, struct err *e)
{
	const char *host = strstr(name, "://") + 3;

	if (strncasecmp(name, "http://", 7) != 0 && strncasecmp(name, "https://", 8) != 0)
		return invalid(a, name, "only http, https and file URLs are read", e);
	for (const char *p = name; *p; p++)
		if (*p <= ' ' || *p > '~' || strchr("\"<>\\^`{|}?#", *p))
			return invalid(a, name, "a character that no channel URL has", e);
	if (!*host || *host == '/')
		return invalid(a, name, "no host", e);
	append(a, list, name, arena_cstr(a, trim_channel(str_of(name))));
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

int channel_add(struct arena *a, struct channel_list *list, struct str given, const char *alias,
	const char *base_dir, struct err *e)
{
	struct str trimmed = str_trim(given);
	char *name = arena_cstr(a, trimmed);
	const char *home = getenv("HOME");

	if (strlen(name) != trimmed.n)
		return invalid(a, name, "a NUL in it", e);
	if (str_is(trimmed, "nodefaults"))
		return 0;
	if (str_is(trimmed, "defaults")) {
		for (size_t i = 0; i < sizeof default_urls / sizeof *default_urls; i++)
			append(a, list, "defaults", default_urls[i]);
		return 0;
	}
	if (strncmp(name, "file://", 7) == 0)
		return add_file_url(a, list, name, base_dir, e);
	if (strstr(name, "://"))
		return add_url(a, list, name, e);
	if (strncmp(name, "~/", 2) == 0 && home)
		return add_folder(a, list, name, path_join(a, home, name + 2));
	if (is_folder(name))
		return add_folder(a, list, name, path_join(a, base_dir, name));
	trimmed = trim_channel(trimmed);
	if (!is_name(trimmed))
		return invalid(a, name, "neither a name nor a URL", e);
	append(a, list, name,
		url_join(a, alias && *alias ? alias : default_alias, arena_cstr(a, trimmed)));
	return 0;
}
