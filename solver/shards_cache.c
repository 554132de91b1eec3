#include "solver/shards_cache.h"

#include "base/buf.h"
#include "base/file.h"
#include "solver/cache_state.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

static const char body_name[] = "repodata_shards.msgpack";
/* A channel that had no shards is asked again after a week. */
enum { A_DAY = 24 * 3600, MISSING_S = 7 * A_DAY };

/*
 * Write-temp and rename, the temporary in the folder tmp (NULL: beside it).  Not synced: all that is
 * written here has a sum by which a crash of the machine would show.
 */
static int write_unsynced(const char *path, const char *tmp, struct str bytes, struct err *e)
{
	CLEANUP_FILE_OUT out = {.fd = -1};

	if (file_begin_in(&out, path, tmp, 0644, e) < 0 ||
		write_full(out.fd, bytes.p, bytes.n, e) < 0)
		return -1;
	return file_commit_unsynced(&out, e);
}

/* --- lists -------------------------------------------------------------------------------- */

static bool body_fits(const char *path, const struct cache_state *s)
{
	uint8_t sha256[SHA256_LEN];

	return s->has_sha256 && file_hash(path, sha256, NULL, NULL) == 0 &&
	       memcmp(sha256, s->sha256, SHA256_LEN) == 0;
}

static bool is_recent(int64_t asked)
{
	int64_t now = (int64_t)time(NULL);

	return asked <= now && now - asked < MISSING_S;
}

int list_entry_load(struct arena *a, const char *cache_dir, const char *url, struct list_entry *out,
	struct err *e)
{
	struct cache_state s;
	char *dir;
	int found = cache_state_find(a, cache_dir, url, &dir, &s, e);

	*out = (struct list_entry){
		.url = arena_strdup(a, url), .dir = dir, .path = path_join(a, dir, body_name)};
	if (found != 1)
		return found;
	out->missing = s.missing && is_recent(s.asked);
	out->whole = !s.missing && body_fits(out->path, &s);
	out->etag = s.etag;
	out->last_modified = s.last_modified;
	return 0;
}

int list_entry_store(struct list_entry *entry, struct str body, const char *etag,
	const char *last_modified, struct err *e)
{
	struct cache_state s = {.url = str_of(entry->url),
		.etag = str_of(etag),
		.last_modified = str_of(last_modified),
		.size = (int64_t)body.n,
		.has_sha256 = true};

	sha256_of(body.p, body.n, s.sha256);
	if (write_unsynced(entry->path, NULL, body, e) < 0 ||
		cache_state_write(entry->dir, &s, e) < 0)
		return -1;
	entry->whole = true;
	entry->missing = false;
	return 0;
}

int list_entry_store_missing(struct list_entry *entry, struct err *e)
{
	const struct cache_state s = {
		.url = str_of(entry->url), .missing = true, .asked = (int64_t)time(NULL)};

	entry->whole = false;
	entry->missing = true;
	return cache_state_write(entry->dir, &s, e);
}

int list_entry_verify(const char *dir, struct err *e)
{
	return cache_state_verify(dir, body_name, e);
}

/* --- shards ------------------------------------------------------------------------------- */

char *shard_path(struct arena *a, const char *cache_dir, const uint8_t sha256[SHA256_LEN])
{
	char hex[SHA256_HEX + 1];

	hex_encode(sha256, SHA256_LEN, hex);
	return arena_printf(a, "%s/shards/%.2s/%s", cache_dir, hex, hex);
}

int shard_read_file(const char *path, const uint8_t sha256[SHA256_LEN], size_t max, struct buf *to)
{
	CLEANUP_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint8_t is[SHA256_LEN];
	struct stat st;
	size_t n;
	char *p;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size > max)
		return -1;
	n = (size_t)st.st_size;
	p = buf_room(to, n);
	if (!p || read_full(fd, p, n) != (ssize_t)n)
		return -1;
	sha256_of(p, n, is);
	if (memcmp(is, sha256, SHA256_LEN) != 0)
		return -1;
	/* So that cleaning by age knows what is used. */
	if (st.st_mtime < time(NULL) - A_DAY)
		futimens(fd, NULL);
	to->n += n;
	return 0;
}

int shard_write_file(
	const char *cache_dir, const uint8_t sha256[SHA256_LEN], struct str bytes, struct err *e)
{
	CLEANUP_ARENA a = {0};
	char *path = shard_path(&a, cache_dir, sha256), *tmp = path_join(&a, cache_dir, "tmp");

	(void)mkdir(path_dir(&a, path), 0777); /* mostly all that may lack */
	if (write_unsynced(path, tmp, bytes, NULL) == 0)
		return 0;
	if (dir_make(path_dir(&a, path), e) < 0 || dir_make(tmp, e) < 0)
		return -1;
	return write_unsynced(path, tmp, bytes, e);
}
