#include "builder/wheels.h"

#include "base/file.h"
#include "base/hash.h"
#include "builder/layer.h"
#include "solver/dist_name.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { MAX_NOTE = 1024 };

static char *wheel_dir(struct arena *a, const struct cache *c, const uint8_t sha256[SHA256_LEN])
{
	char hex[SHA256_HEX + 1];

	hex_encode(sha256, SHA256_LEN, hex);
	return arena_printf(a, "%s/wheels/%.2s/%s", c->dir, hex, hex);
}

static bool is_wheel_name(struct arena *a, struct str name)
{
	struct dist_name parts;

	return path_is_safe(name) && str_chr(name, '/') < 0 &&
	       dist_name_parse(a, name, &parts) == 0 && parts.kind == DIST_WHEEL;
}

static int copy(const char *from, const char *to, struct err *e)
{
	CLEANUP_FD in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	CLEANUP_FILE_OUT out = {.fd = -1};

	if (in < 0)
		return err_sys(e, "cannot open '%s'", from);
	if (file_begin(&out, to, 0644, e) < 0 || fd_copy(in, out.fd, e) < 0)
		return -1;
	return file_commit(&out, e);
}

/* By way of the cache's own temporaries: beside other wheels a killed run leaves nothing. */
static int publish(
	struct arena *a, const struct cache *c, const char *from, const char *to, struct err *e)
{
	char *tmp = dir_temp(a, path_join(a, c->dir, "tmp"), "wheel", e);
	char *temp = tmp ? path_join(a, tmp, path_base(to)) : NULL;
	const char *dir = path_dir(a, to);
	int rc;

	if (!tmp)
		return -1;
	rc = copy(from, temp, e);
	if (rc == 0)
		rc = dir_make(dir, e);
	if (rc == 0 && rename(temp, to) < 0)
		rc = err_sys(e, "cannot make '%s'", to);
	if (rc == 0)
		rc = dir_sync(dir, e);
	dir_remove(tmp, NULL);
	return rc;
}

int wheel_put(struct arena *a, const struct cache *c, const char *path, struct str name,
	uint8_t sha256[SHA256_LEN], struct err *e)
{
	if (!is_wheel_name(a, name))
		return err_set(
			e, ERR_INTEGRITY, "'%.*s' is not a wheel's file name", STR_ARG(name));
	if (file_hash(path, sha256, NULL, e) < 0)
		return -1;
	if (cache_find_wheel(a, c, sha256, name))
		return 0;
	if (publish(a, c, path, path_join(a, wheel_dir(a, c, sha256), arena_cstr(a, name)), e) < 0)
		return err_wrap(e, "while putting '%.*s' into the cache", STR_ARG(name));
	return 0;
}

static char *note_path(struct arena *a, const struct cache *c, struct str key)
{
	uint8_t sum[SHA256_LEN];
	char hex[SHA256_HEX + 1];

	sha256_of(key.p, key.n, sum);
	hex_encode(sum, SHA256_LEN, hex);
	return arena_printf(a, "%s/built/%.2s/%s", c->dir, hex, hex);
}

int wheel_built_find(struct arena *a, const struct cache *c, struct str key, struct str *name,
	uint8_t sha256[SHA256_LEN])
{
	struct str text = {0}, sum;
	const char *path = note_path(a, c, key);

	if (!path_exists(path) || file_read(a, path, MAX_NOTE, &text, NULL) < 0)
		return 0;
	sum = str_cut(&text, ' ');
	*name = str_trim(text);
	return hex_decode(sum, sha256, SHA256_LEN) == 0 && is_wheel_name(a, *name);
}

int wheel_built_put(struct arena *a, const struct cache *c, struct str key, struct str name,
	const uint8_t sha256[SHA256_LEN], struct err *e)
{
	const char *path = note_path(a, c, key);
	char hex[SHA256_HEX + 1];

	hex_encode(sha256, SHA256_LEN, hex);
	if (dir_make(path_dir(a, path), e) < 0)
		return -1;
	return file_write(path, arena_strf(a, "%s %.*s\n", hex, STR_ARG(name)), 0644, e);
}
