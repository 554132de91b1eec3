#include "solver/channel_cache.h"

#include "base/hash.h"
#include "solver/cache_state.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

enum { A_DAY = 24 * 3600 };
static const char body_name[] = "body";

/* Can the body be what the state tells?  Its bytes are compared by who reads them. */
static bool body_fits(const struct index_entry *entry, const struct cache_state *s)
{
	struct stat st;

	return s->has_sha256 && stat(entry->path, &st) == 0 && S_ISREG(st.st_mode) &&
	       st.st_size == s->size;
}

int index_entry_load(struct arena *a, const char *cache_dir, const char *url,
	struct index_entry *out, struct err *e)
{
	struct cache_state s;
	char *dir;
	int found = cache_state_find(a, cache_dir, url, &dir, &s, e);

	*out = (struct index_entry){.url = arena_strdup(a, url),
		.dir = dir,
		.path = path_join(a, dir, body_name),
		.image = path_join(a, dir, "index")};
	if (found != 1)
		return found;
	out->missing = s.missing;
	out->whole = !out->missing && body_fits(out, &s);
	out->origin = (struct index_origin){s.ending, s.etag, s.last_modified};
	memcpy(out->sha256, s.sha256, SHA256_LEN);
	return 0;
}

/* What killed runs have left. */
static int drop_old_temporary(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	const int *dirfd = ctx;
	struct str name = str_of(rel);

	(void)e;
	if (S_ISDIR(st->st_mode))
		return DIR_SKIP;
	if (name.p[0] == '.' && str_ends(name, STR(".tmp")) && st->st_mtime < time(NULL) - A_DAY)
		unlinkat(*dirfd, rel, 0);
	return 0;
}

int index_entry_download(struct index_entry *entry, struct file_out *out, struct err *e)
{
	CLEANUP_FD dir = open(entry->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir >= 0)
		dir_walk(dir, drop_old_temporary, &dir, NULL);
	return file_begin(out, entry->path, 0644, e);
}

int index_entry_store(struct index_entry *entry, struct file_out *download, const uint8_t *sha256,
	uint64_t size, const struct index_origin *origin, struct err *e)
{
	struct cache_state s = {.url = str_of(entry->url),
		.ending = origin->ending,
		.etag = origin->etag,
		.last_modified = origin->last_modified,
		.size = (int64_t)size,
		.has_sha256 = true};

	memcpy(s.sha256, sha256, SHA256_LEN);
	if (file_commit_unsynced(download, e) < 0 || cache_state_write(entry->dir, &s, e) < 0)
		return -1;
	memcpy(entry->sha256, sha256, SHA256_LEN);
	entry->whole = true;
	entry->missing = false;
	return 0;
}

void index_entry_forget(struct index_entry *entry)
{
	cache_state_forget(entry->dir);
	entry->whole = entry->missing = false;
}

int index_entry_store_missing(struct index_entry *entry, struct err *e)
{
	const struct cache_state s = {
		.url = str_of(entry->url), .missing = true, .asked = (int64_t)time(NULL)};

	entry->whole = false;
	entry->missing = true;
	return cache_state_write(entry->dir, &s, e);
}

int index_entry_verify(const char *dir, struct err *e)
{
	return cache_state_verify(dir, body_name, e);
}
