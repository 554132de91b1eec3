#include "builder/package.h"

#include "base/file.h"
#include "base/log.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

enum { STALE_S = 24 * 60 * 60 };

/* Temporaries of killed runs: nobody works on one for a day. */
static int remove_stale(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	(void)e;
	if (time(NULL) - st->st_mtime > STALE_S)
		dir_remove_at(*(int *)ctx, rel, NULL);
	return S_ISDIR(st->st_mode) ? DIR_SKIP : 0;
}

int cache_open(struct arena *a, const char *dir, struct cache *out, struct err *e)
{
	static const char *const FOLDERS[] = {"pkgs", "tmp", "md5", "index"};

	*out = (struct cache){.dir = path_absolute(a, dir)};
	for (size_t i = 0; i < sizeof FOLDERS / sizeof *FOLDERS; i++)
		if (dir_make(path_join(a, out->dir, FOLDERS[i]), e) < 0)
			return err_advise(e, "give a writable folder as ENVBUILD_CACHE=DIR");
	char *tmp = path_join(a, out->dir, "tmp");
	CLEANUP_FD fd = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "cannot open '%s'", tmp);
	/* What cannot be removed now is left to the next run. */
	dir_walk(fd, remove_stale, &fd, NULL);
	return 0;
}

struct tally {
	uint64_t entries, bytes;
	int entry_depth; /* of the folders that are counted */
};

static int add_to_tally(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct tally *t = ctx;
	int depth = 1;

	(void)e;
	for (const char *p = rel; *p; p++)
		depth += *p == '/';
	if (S_ISDIR(st->st_mode) && depth == t->entry_depth)
		t->entries++;
	if (S_ISREG(st->st_mode))
		t->bytes += (uint64_t)st->st_size;
	return 0;
}

static int count(const struct cache *c, const char *folder, struct tally *t, struct err *e)
{
	struct arena a = {0};
	char *path = path_join(&a, c->dir, folder);
	CLEANUP_FD fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? err_sys(e, "cannot open '%s'", path) : dir_walk(fd, add_to_tally, t, e);

	arena_release(&a);
	return rc;
}

int cache_info(const struct cache *c, struct cache_info *out, struct err *e)
{
	struct tally packages = {.entry_depth = 2}, indexes = {.entry_depth = 1};

	if (count(c, "pkgs", &packages, e) < 0 || count(c, "index", &indexes, e) < 0)
		return -1;
	*out = (struct cache_info){.packages = packages.entries,
		.bytes = packages.bytes,
		.indexes = indexes.entries,
		.index_bytes = indexes.bytes};
	return 0;
}
