#include "base/file.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_PATH = 4095, MAX_NAME = 255 };

char *path_join(struct arena *a, const char *dir, const char *rel)
{
	size_t n = strlen(dir);

	if (rel[0] == '/' || n == 0)
		return arena_strdup(a, rel);
	while (n > 1 && dir[n - 1] == '/')
		n--;
	if (dir[n - 1] == '/')
		n--;
	return arena_printf(a, "%.*s/%s", (int)n, dir, rel);
}

/* The working folder; where it is gone or too long, a name that no call can open. */
static char *working_folder(struct arena *a)
{
	char *cwd = getcwd(NULL, 0), *copy;

	if (!cwd)
		return arena_strdup(a, "/(unreachable)");
	copy = arena_strdup(a, cwd);
	free(cwd);
	return copy;
}

char *path_absolute(struct arena *a, const char *path)
{
	char *full = path[0] == '/' ? arena_strdup(a, path) : path_join(a, working_folder(a), path);
	char *out = arena_alloc(a, strlen(full) + 2);
	struct str rest = str_of(full);
	size_t n = 0;

	while (rest.p) {
		struct str part = str_cut(&rest, '/');

		if (part.n == 0 || str_is(part, "."))
			continue;
		if (str_is(part, "..")) {
			while (n > 0 && out[--n] != '/')
				;
			continue;
		}
		out[n++] = '/';
		memcpy(out + n, part.p, part.n);
		n += part.n;
	}
	if (n == 0)
		out[n++] = '/';
	out[n] = '\0';
	return out;
}

char *path_dir(struct arena *a, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return arena_strdup(a, ".");
	if (slash == path)
		return arena_strdup(a, "/");
	return arena_cstr(a, str_n(path, (size_t)(slash - path)));
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool path_is_safe(struct str rel)
{
	struct str rest = rel;

	if (rel.n == 0 || rel.n > MAX_PATH || str_chr(rel, '\0') >= 0)
		return false;
	while (rest.p) {
		struct str part = str_cut(&rest, '/');

		if (part.n == 0 || part.n > MAX_NAME || str_is(part, ".") || str_is(part, ".."))
			return false;
	}
	return true;
}
